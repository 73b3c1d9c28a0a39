"""`make bench`: our speed against what a user would write by hand, side by side in one run.

Machines differ and are noisy, so that ratios are quoted; each contender runs three times, in turns,
and its best counts. Data are generated: their values do not change the speed.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf

from pipeline.config.load import load
from pipeline.config.schema import Train
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.data.shards import ShardWriter, open_shards
from pipeline.device.measure import run_file
from pipeline.documents.preprocess import Preprocess
from pipeline.documents.spec import Spec
from pipeline.models import MODELS
from pipeline.ondevice.interpreter import load_interpreter
from pipeline.ondevice.quantize import quantize
from pipeline.samples.image import fit_image
from pipeline.samples.kind import Input
from pipeline.train.supervised import train_network
from tests.bench import chain, hardening, quantizing
from tests.bench.suite import machine
from tests.bench.tables import rates
from tests.conftest import make_spec, model_settings, prepare_data
from tests.device.lenient import prepare_input
from tests.documents.preprocess import meta_of

IMAGES, BATCH, TURNS = 60_000, 128, 3
PICTURES = 1_000
MORE = 4  # epochs beside the first, whose time is told
SIZE = {"image": (28, 28, 1)}
NETS: dict[str, dict[str, Any]] = {
    "MLP 784-128-10": model_settings(kind="mlp", units=[128]),
    "CNN 16-32-64-10": model_settings(kind="cnn", filters=[16, 32], batch_norm=False),
}
Timed = Callable[[], float]
PARTS = ("reading", "training", "measuring", "converting", "hardening", "chain")


def main() -> None:
    """Print a line a comparison; with --json, write them too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS, help="parts to measure")
    asked = parser.parse_args()
    rows = measured(asked.only)
    for row in rows:
        print(shown(row))
    if asked.json:
        told = {"command": "make bench", "machine": machine(), "rows": rows}
        asked.json.write_text(json.dumps(told, indent=1))


def measured(parts: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of some of PARTS."""
    with tempfile.TemporaryDirectory() as folder:
        dataset, place = made(Path(folder)), Path(folder)
        rows: dict[str, Callable[[], list[dict[str, Any]]]] = {
            "reading": lambda: [reading(dataset), reading_folder(place)],
            "training": lambda: [training(dataset, name, place) for name in NETS],
            "measuring": lambda: [measuring(dataset, place)],
            "converting": lambda: converting(dataset, place),
            "hardening": lambda: hardening.rows(dataset, _spec("CNN 16-32-64-10")),
            "chain": chain.rows,
        }
        return [row for part in parts for row in rows[part]()]


def shown(row: dict[str, Any]) -> str:
    """Return a row as a line."""
    return f"{row['name']:<42} {row['ratio']:6.2f} x   {rates(row)}"


def made(folder: Path) -> Dataset:
    """Return a prepared set of random images, as the data stage leaves one."""
    rng = np.random.default_rng(0)
    writer = ShardWriter(folder, Input("image", "image"))
    writer.add(rng.integers(0, 256, (IMAGES, *SIZE["image"])).astype(np.uint8))
    entry = writer.finish()
    shards, everything = open_shards(folder, entry), np.arange(IMAGES)
    fitted, _ = fit_image(Input("image", "image"), shards, everything)
    names = list("0123456789")
    splits = {"train": everything, "validation": everything[:BATCH], "test": everything[:10_000]}
    return Dataset(
        folder,
        meta_of([dict(entry)], names),
        Preprocess(task="classification", labels=names, target=None, inputs=[fitted]),
        rng.integers(0, 10, IMAGES),
        np.array([str(i) for i in everything]),
        splits,
        {"image": shards},
    )


def compare(
    name: str, unit: str, count: int, contenders: dict[str, Timed], turns: int = TURNS
) -> dict[str, Any]:
    """Run the contenders in turns and return what the first is worth against the second."""
    seconds: dict[str, list[float]] = {contender: [] for contender in contenders}
    for _ in range(turns):
        for contender, run in contenders.items():
            seconds[contender].append(run())
    rates = {contender: count / min(times) for contender, times in seconds.items()}
    ours, theirs = rates.values()
    return {"name": name, "ratio": ours / theirs, "rates": rates, "unit": unit}


def clock(run: Callable[[], Any]) -> float:
    """Return the seconds that a call takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def reading(dataset: Dataset) -> dict[str, Any]:
    """Read an epoch of batches in shuffled order, prepared for the model."""
    images = dataset.read(dataset.split("train"))["image"]
    (entry,) = dataset.preprocess.inputs

    def ours() -> None:
        order = np.random.default_rng(0).permutation(IMAGES)
        for start in range(0, IMAGES, BATCH):
            prepare_input(dataset.read(order[start : start + BATCH])["image"], entry)

    by_hand = tf.data.Dataset.from_tensor_slices((images, dataset.labels)).shuffle(10_000, seed=0)
    by_hand = by_hand.map(
        lambda x, y: (tf.cast(x, tf.float32) / 255, y), num_parallel_calls=tf.data.AUTOTUNE
    )
    by_hand = by_hand.batch(BATCH).prefetch(tf.data.AUTOTUNE)

    def theirs() -> None:
        for _ in by_hand:
            pass

    contenders = {"edgeline": lambda: clock(ours), "map per element": lambda: clock(theirs)}
    return compare("reading 28x28 images", "images/s", IMAGES, contenders)


def reading_folder(folder: Path, pictures: int = PICTURES) -> dict[str, Any]:
    """Read an epoch of a folder of pictures, from the second epoch on, scaled for the model."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(pictures):
        file = folder / "pictures" / f"class{number % 4}" / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)  # as smooth as pictures are
        Image.fromarray(coarse).resize((320, 240), Image.Resampling.BICUBIC).save(file)
    dataset = _prepared_folder(folder)
    order = np.random.default_rng(0).permutation(pictures)
    (entry,) = dataset.preprocess.inputs

    def ours() -> None:
        for start in range(0, len(order), BATCH):
            prepare_input(dataset.read(order[start : start + BATCH])["image"], entry)

    by_hand = keras.utils.image_dataset_from_directory(
        folder / "pictures", image_size=(96, 96), batch_size=BATCH, seed=0, verbose=False
    ).map(lambda x, y: (x / 255, y))

    def theirs() -> None:
        for _ in by_hand:
            pass

    contenders = {"edgeline": lambda: clock(ours), "decoding": lambda: clock(theirs)}
    return compare("reading a folder of 320x240 at 96x96", "images/s", len(order), contenders)


def _prepared_folder(folder: Path) -> Dataset:
    """Return the pictures as the data stage prepares them."""
    config = folder / "pictures.yaml"
    config.write_text(
        "name: pictures\ntask: classification\nmodel: {kind: mlp, units: [8]}\n"
        "data: {source: {kind: image_folder, path: pictures, height: 96, width: 96}}\n"
    )
    (folder / "prepared").mkdir()
    prepare_data(load(config, ()), folder / "prepared", folder)
    return open_dataset(folder / "prepared")


def training(dataset: Dataset, name: str, folder: Path) -> dict[str, Any]:
    """Train an epoch; start-up and tracing are left out by the difference to some epochs more."""
    spec = _spec(name)
    _ours(spec, dataset, 1, folder)  # what the first training of a process alone does
    images, labels = dataset.read(dataset.split("train"))["image"], dataset.labels

    def ours() -> float:
        return _epoch(lambda epochs: _ours(spec, dataset, epochs, folder))

    def theirs() -> float:
        keras.utils.clear_session()
        keras.utils.set_random_seed(0)
        model = MODELS[NETS[name]["kind"]](keras, spec)
        model.compile(keras.optimizers.AdamW(1e-3), loss="sparse_categorical_crossentropy")
        x = images.astype(np.float32) / 255
        model.fit(x[:BATCH], labels[:BATCH], batch_size=BATCH, verbose=0)
        return clock(lambda: model.fit(x, labels, batch_size=BATCH, verbose=0))

    contenders = {"edgeline": ours, "keras fit": theirs}
    return compare(f"training {name}", "images/s", IMAGES, contenders)


def _spec(name: str) -> Spec:
    image = {"name": "image", "shape": SIZE["image"], "dtype": "float32"}
    return make_spec(NETS[name], [image], {"task": "classification", "units": 10}, seed=0)


def _epoch(train: Callable[[int], float]) -> float:
    """Return the seconds of one more epoch: the mean of some, for a start takes longer than one."""
    return (train(1 + MORE) - train(1)) / MORE


def _ours(spec: Spec, dataset: Dataset, epochs: int, folder: Path) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as out:
        (Path(out) / "work").mkdir()
        settings = Train.model_validate({"epochs": epochs, "schedule": {"kind": "constant"}})
        return clock(
            lambda: train_network(
                spec, settings, dataset, batch_size=BATCH, augment=[], seed=0, out=Path(out)
            )
        )


def measuring(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Have an int8 file answer 10,000 images."""
    keras.utils.clear_session()
    file = folder / "model.tflite"
    model = MODELS["cnn"](keras, _spec("CNN 16-32-64-10"), batch_size=1)
    raw = dataset.read(dataset.split("test"))
    (entry,) = dataset.preprocess.inputs
    prepared = prepare_input(raw["image"], entry)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row[None]] for row in prepared[:50])
    converter.inference_input_type = converter.inference_output_type = tf.int8
    file.write_bytes(converter.convert())

    def one_by_one() -> None:
        interpreter, _, _ = load_interpreter(file)
        interpreter.allocate_tensors()
        (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
        for row in prepared:
            interpreter.set_tensor(taken["index"], quantize(row[None], taken))
            interpreter.invoke()
            interpreter.get_tensor(given["index"])

    contenders = {
        "edgeline": lambda: run_file(file, dataset.preprocess, raw).seconds,
        "one by one": lambda: clock(one_by_one),
    }
    return compare("measuring an int8 CNN", "images/s", len(prepared), contenders)


def converting(dataset: Dataset, folder: Path) -> list[dict[str, Any]]:
    """Make and measure the files of a MobileNetV2: four formats, then ten rungs of the ladder."""
    (entry,) = dataset.preprocess.inputs
    asked = {
        "four formats of MobileNetV2 0.35": (quantizing.formats, len(quantizing.FORMATS)),
        "ten rungs of MobileNetV2 0.35": (quantizing.rungs, len(quantizing.BY_LADDER)),
    }
    return [
        compare(name, "files/min", 60 * count, made(folder, entry), turns=1)
        for name, (made, count) in asked.items()
    ]


if __name__ == "__main__":
    main()
