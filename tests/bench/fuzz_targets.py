"""Readers that tests.bench.fuzz gives damaged files, and whole files of each."""

import io
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.config.schema import (
    AudioFolderSource,
    CsvSource,
    ImageFolderSource,
    NpzSource,
    SeriesCsvSource,
    TextSource,
)
from pipeline.data.sources import SOURCES
from pipeline.errors import PipelineError
from pipeline.ondevice.document import MissingFieldError
from pipeline.ondevice.files import prefix_errors, read_samples
from pipeline.ondevice.prepare import prepare_inputs
from tests.documents.preprocess import preprocess_of

Check = Callable[[Path], object]


@dataclass(frozen=True)
class Target:
    """A reader, and whole files that it reads."""

    file: str
    """The mutated file, below the folder of the case."""
    seeds: tuple[bytes, ...]
    check: Check
    """Reads the folder of the case; what it may raise is PipelineError or, as on the device,
    ValueError."""
    others: Mapping[str, bytes] = field(default_factory=dict)
    """Whole files beside it."""
    allowed: tuple[type[Exception], ...] = (PipelineError,)


def _reader(section: Any) -> Check:
    """Return what opens a source and reads all of it."""

    def check(folder: Path) -> None:
        source = SOURCES[section.kind](section, folder, None)
        for _ in source.chunks():
            pass

    return check


def _device(file: str, **entry: Any) -> Check:
    """Return what reads and prepares a file as the device does."""
    preprocess = preprocess_of([entry])

    def check(folder: Path) -> None:
        path = str(folder / file)
        with prefix_errors(path):
            prepare_inputs(read_samples(path, preprocess.inputs), preprocess)

    return check


def _bytes(write: Callable[[io.BytesIO], object]) -> bytes:
    """Return what is written."""
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def _sound() -> bytes:
    """Return a short recording in 16 bits."""

    def write(stream: io.BytesIO) -> None:
        with wave.open(stream, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(np.arange(-400, 400, dtype="<i2").tobytes())

    return _bytes(write)


def targets() -> dict[str, Target]:
    """Return every reader by its name."""
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
    drawn = tuple(
        _bytes(lambda stream, form=form: picture.save(stream, form))
        for form in ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
    )
    arrays = {"x": rng.normal(size=(6, 4)).astype(np.float32), "y": np.arange(6) % 2}
    packed = tuple(_bytes(lambda s, w=w: w(s, **arrays)) for w in (np.savez, np.savez_compressed))
    plain = _bytes(lambda stream: np.save(stream, arrays["x"]))
    rows = "".join(f"{i},{i * 0.7:.2f},{'ab'[i % 2]},{['no', 'yes'][i % 2]}\n" for i in range(9))
    table = ("n,v,word,y\n" + rows).encode()
    quoted = ('"n","v;w","wo\nrd",y\r\n' + rows.replace("a", '"a ""q"""')).encode()
    clock = "".join(f"2026-01-01 00:0{i}:00,{i},{i % 2}\n" for i in range(9))
    series = ("timestamp,value,y\n" + clock).encode()
    words = ("text,label\n" + "".join(f"word {i},{'ab'[i % 2]}\n" for i in range(9))).encode()
    sound, text = _sound(), {"kind": "text", "path": "a.csv", "words": {"length": 8}}
    pictures = {"kind": "image_folder", "path": ".", "height": 8, "width": 8}
    sounds = {"kind": "audio_folder", "path": ".", "sound": {"sample_rate": 8000, "seconds": 0.2}}
    rows_of = {"kind": "csv", "path": "a.csv", "label": "y"}
    timed = {"kind": "series_csv", "path": "a.csv", "window": 2}
    numbers = {"raw_dtype": "float32", "shape": [4]}
    check = _reader
    return {
        "csv": Target("a.csv", (table, quoted), check(CsvSource.model_validate(rows_of))),
        "series_csv": Target("a.csv", (series,), check(SeriesCsvSource.model_validate(timed))),
        "text": Target("a.csv", (words, table), check(TextSource.model_validate(text))),
        "npz": Target("a.npz", packed, check(NpzSource(kind="npz", path="a.npz"))),
        "image_folder": Target(
            "a/a.png", drawn, check(ImageFolderSource.model_validate(pictures)),
            {"a/b.png": drawn[0], "b/a.png": drawn[0]},
        ),
        "audio_folder": Target(
            "a/a.wav", (sound,), check(AudioFolderSource.model_validate(sounds)),
            {"a/b.wav": sound, "b/a.wav": sound},
        ),
        "device_npy": _on_device("a.npy", (plain,), kind="table", **numbers),
        "device_npz": _on_device("a.npz", packed, kind="table", **numbers),
        "device_csv": _on_device("a.csv", (b"1,2,3,4\n5,6,7,8\n", table), kind="table", **numbers),
        "device_image": _on_device("a.png", drawn, kind="image", shape=[8, 8, 3]),
        "device_audio": _on_device("a.wav", (sound,), kind="audio"),
        "device_series": _on_device(
            "a.csv", (b"1,2\n3,4\n5,6\n",), kind="series", shape=[3, 2],
            columns=[{"name": "a"}, {"name": "b"}],
        ),
        "device_text": _on_device("a.txt", (b"one\ntwo words\n", words), kind="tokens", shape=[8]),
    }  # fmt: skip


def _on_device(file: str, seeds: tuple[bytes, ...], **entry: Any) -> Target:
    """Return a reader of the device's program."""
    allowed = (ValueError, MissingFieldError)
    return Target(file, seeds, _device(file, **entry), allowed=allowed)
