"""Small generated sets in the form of MLPerf Tiny's four: their folders, names and features."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.generated_sets import _write_wav

Generator = np.random.Generator
RATE = 16_000
MACHINES = ("01", "02")


def speech_commands(root: Path, rng: Generator) -> None:
    """Write Speech Commands as TFDS prepares it: 12 classes, a second of sound or less."""

    def examples(count: int) -> Iterator[tuple[int, dict[str, Any]]]:
        for number in range(count):
            samples = int(rng.integers(RATE // 2, RATE + 1))
            pitch = 200 * (1 + number % 12)
            sound = 3000 * np.sin(2 * np.pi * pitch * np.arange(samples) / RATE)
            sound += rng.normal(0, 100, samples)
            yield number, {"audio": sound.astype(np.int64), "label": number % 12}

    sizes = {"train": 72, "validation": 24, "test": 24}
    _prepare("speech_commands", root, {name: (examples, n) for name, n in sizes.items()})


def cifar10(root: Path, rng: Generator) -> None:
    """Write CIFAR-10 as TFDS prepares it: 32 x 32 pixels in color, 10 classes."""

    def examples(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
        for number in range(count):
            picture = rng.integers(0, 60, (32, 32, 3)) + 19 * (number % 10)
            name = f"{count}_{number:05d}"
            yield name, {"id": name, "image": picture.astype(np.uint8), "label": number % 10}

    _prepare("cifar10", root, {"train": (examples, 100), "test": (examples, 30)})


def _prepare(name: str, root: Path, splits: dict[str, tuple[Callable[..., Any], int]]) -> None:
    """Have the set's own builder write other samples than it would fetch."""
    import tensorflow_datasets as tfds

    builder = tfds.builder(name, data_dir=root / "runs/data/tfds")
    builder._split_generators = lambda dl_manager: {n: made(k) for n, (made, k) in splits.items()}
    builder.download_and_prepare()


def visual_wake_words(root: Path, rng: Generator) -> None:
    """Write pictures with and without a bright figure, in the archive's folders."""
    for label in ("non_person", "person"):
        folder = root / "runs/data/visual_wake_words" / label
        folder.mkdir(parents=True)
        for number in range(30):
            picture = rng.integers(0, 120, (96, 96, 3)).astype(np.uint8)
            if label == "person":
                picture[20:80, 40:60] = 230
            Image.fromarray(picture).save(folder / f"COCO_val2014_{number:012d}.jpg")


def toy_car(root: Path, rng: Generator) -> None:
    """Write a second of each car; the strange ones whistle."""
    for part, labels in {"train": ("normal",), "test": ("normal", "anomaly")}.items():
        for machine in MACHINES:
            for label in labels:
                for number in range(12 if part == "train" else 4):
                    time = np.arange(RATE) / RATE
                    sound = 2000 * np.sin(2 * np.pi * 90 * int(machine) * time)
                    sound += rng.normal(0, 300, RATE)
                    if label == "anomaly":
                        sound += 1500 * np.sin(2 * np.pi * 3000 * time)
                    name = f"{label}_id_{machine}_{number:08d}.wav"
                    _write_wav(root / "runs/data/toy_car" / part / name, sound, RATE)


SETS: dict[str, Callable[[Path, Generator], None]] = {
    "mlperf_keyword": speech_commands,
    "mlperf_wake_words": visual_wake_words,
    "mlperf_images": cifar10,
    "mlperf_machines": toy_car,
}


def with_set(name: str, root: Path) -> Path:
    """Write the set of a config below a folder that has configs/; return the config."""
    SETS[name](root, np.random.default_rng(0))
    return root / "configs" / f"{name}.yaml"


def settings(name: str) -> list[str]:
    """Return the settings that a config needs to find its generated set."""
    from_tfds = name in ("mlperf_keyword", "mlperf_images")
    return ["data.source.data_dir=../runs/data/tfds"] if from_tfds else []
