"""Sound and text on both sides: files of every form, rates, bands, tokens."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.preprocess import to_model_inputs
from pipeline.ondevice.audio import mel_weights, resample_sound
from pipeline.ondevice.sound_files import read_sound
from pipeline.ondevice.tokens import encode_text
from tests.device.lenient import fit_series_length, prepare_input
from tests.documents.preprocess import preprocess_of

AUDIO: dict[str, Any] = {
    "name": "x", "kind": "audio", "shape": [0, 0, 1], "raw_dtype": "int16", "columns": None,
    "sample_rate": 8000, "samples": 4000, "window": 256, "stride": 128, "fft": 256, "bins": 20,
    "low_hz": 40.0, "high_hz": 4000.0, "features": "log_mel", "coefficients": 10,
}  # fmt: skip


def audio_entry(**changes: Any) -> dict[str, Any]:
    entry = AUDIO | changes
    width = entry["coefficients"] if entry["features"] == "mfcc" else entry["bins"]
    return entry | {"offset": [-2.0] * width, "scale": [0.4] * width}


def both(raw: Any, entry: dict[str, Any]) -> tuple[Any, Any]:
    theirs = to_model_inputs({"x": raw}, preprocess_of([entry]))["x"]
    return prepare_input(raw, entry), np.asarray(theirs)


@given(
    st.sampled_from(["log_mel", "mfcc"]),
    st.integers(0, 2**31),
    st.sampled_from([0, 1, 100, 32767]),
    st.sampled_from([(256, 128, 256), (200, 80, 256), (400, 400, 512), (4000, 1, 4096)]),
)
def test_bands_mean_the_same_on_both_sides(
    features: str, seed: int, level: int, frames: tuple[int, int, int]
) -> None:
    window, stride, fft = frames
    entry = audio_entry(features=features, window=window, stride=stride, fft=fft)
    raw = np.random.default_rng(seed).integers(-level, level + 1, (3, 4000)).astype(np.int16)
    ours, theirs = both(raw, entry)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1e-5


def test_a_tone_is_loudest_in_its_own_band() -> None:
    entry = audio_entry()
    weights = mel_weights(20, 256, 8000, 40.0, 4000.0)
    for hertz in (250, 1000, 3000):
        sound = 9000 * np.sin(2 * np.pi * hertz * np.arange(4000) / 8000)
        bands = prepare_input(sound[None].astype(np.int16), entry)[0, :, :, 0].mean(axis=0)
        assert bands.argmax() == weights[round(hertz * 256 / 8000)].argmax()


@pytest.mark.parametrize(("rate", "wanted"), [(44100, 16000), (16000, 8000), (8000, 22050)])
def test_resampling_keeps_what_both_rates_hold_and_removes_the_rest(rate: int, wanted: int) -> None:
    time, other = np.arange(rate) / rate, np.arange(wanted) / wanted
    low = 1000 * np.sin(2 * np.pi * 440 * time)
    found = resample_sound(low, rate, wanted)
    assert len(found) == wanted
    middle = slice(wanted // 10, -wanted // 10)
    assert np.abs(found - 1000 * np.sin(2 * np.pi * 440 * other))[middle].max() < 0.1
    if wanted < rate:
        high = 1000 * np.sin(2 * np.pi * (wanted / 2 * 1.15) * time)
        assert np.abs(resample_sound(high, rate, wanted))[middle].max() < 1
    assert resample_sound(np.ones(rate), rate, wanted)[middle] == pytest.approx(1, abs=1e-9)


def wav(
    path: Path, body: bytes, *, form: int, bits: int, channels: int = 1, rate: int = 8000
) -> Path:
    fmt = struct.pack("<HHIIHH", form, channels, rate, 0, channels * bits // 8, bits)
    chunks = b"fmt " + struct.pack("<I", 16) + fmt + b"LIST" + struct.pack("<I", 3) + b"abc\0"
    chunks += b"data" + struct.pack("<I", len(body)) + body
    path.write_bytes(b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks)
    return path


@pytest.mark.parametrize(
    ("form", "bits", "encode"),
    [
        (1, 8, lambda x: (x // 256 + 128).astype("u1").tobytes()),
        (1, 16, lambda x: x.astype("<i2").tobytes()),
        (1, 24, lambda x: (x * 65536).astype("<i4").view("u1").reshape(-1, 4)[:, 1:].tobytes()),
        (1, 32, lambda x: (x * 65536).astype("<i4").tobytes()),
        (3, 32, lambda x: (x / 32768).astype("<f4").tobytes()),
        (3, 64, lambda x: (x / 32768).astype("<f8").tobytes()),
    ],
)
def test_every_form_of_wav_gives_the_same_sound(
    tmp_path: Path, rng: np.random.Generator, form: int, bits: int, encode: Any
) -> None:
    sound = rng.integers(-128, 128, 500).astype(np.int64) * 256
    path = wav(tmp_path / "a.wav", encode(sound), form=form, bits=bits)
    assert (read_sound(str(path), 8000) == sound).all()
    assert (read_sound(str(path), 8000, 100) == sound[:100]).all()


def test_channels_are_averaged_and_flac_is_wav(tmp_path: Path, rng: np.random.Generator) -> None:
    import soundfile

    two = rng.integers(-9000, 9000, (500, 2)).astype(np.int16) // 2 * 2
    path = wav(tmp_path / "a.wav", two.astype("<i2").tobytes(), form=1, bits=16, channels=2)
    soundfile.write(tmp_path / "a.flac", two, 8000)
    mono = two.astype(int).mean(axis=1)
    assert (read_sound(str(path), 8000) == mono).all()
    assert (read_sound(str(tmp_path / "a.flac"), 8000) == mono).all()


def test_the_beginning_of_a_long_recording_is_that_of_all_of_it(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    sound = rng.integers(-9000, 9000, 60_000).astype("<i2")
    path = wav(tmp_path / "a.wav", sound.tobytes(), form=1, bits=16, rate=44100)
    whole = read_sound(str(path), 16000)
    assert (read_sound(str(path), 16000, 4000) == whole[:4000]).all()


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"no sound at all" * 9])
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises((ValueError, OSError)):
        read_sound(str(tmp_path / "a.wav"), 8000)


@given(
    st.lists(st.text(max_size=40), min_size=1, max_size=6),
    st.sampled_from(["words", "characters"]),
    st.booleans(),
    st.lists(st.text(min_size=1, max_size=3), unique=True, max_size=8),
)
def test_tokens_are_the_same_on_both_sides(
    texts: list[str], unit: str, lower: bool, vocabulary: list[str]
) -> None:
    rows = [encode_text(text, 64) for text in texts]
    raw = np.zeros((len(rows), max(1, *map(len, rows))), np.uint8)
    for row, text in zip(raw, rows, strict=True):
        row[: len(text)] = text
    entry = {
        "name": "x", "kind": "tokens", "raw_dtype": "uint8", "shape": [10], "unit": unit,
        "lower": lower,
        "vocabulary": [*vocabulary, *"abc, a b é"],
    }  # fmt: skip
    entry["vocabulary"] = list(dict.fromkeys(entry["vocabulary"]))
    ours, theirs = both(raw, entry)
    assert ours.dtype == theirs.dtype == np.int32
    assert (ours == theirs).all()


def test_a_text_is_cut_between_letters() -> None:
    cut = encode_text("añ" * 9, 5)
    assert bytes(cut).decode() == "aña"


@given(st.integers(1, 60), st.integers(2, 40), st.sampled_from(["resample", "pad", "window"]))
def test_any_recording_comes_to_the_length_that_is_wanted(rows: int, length: int, fit: str) -> None:
    values = np.arange(2.0 * rows, dtype=np.float32).reshape(rows, 2)
    entry = {"length": length, "fit": fit, "stride": 3}
    found = fit_series_length(values, entry)
    assert found.shape[1:] == (length, 2)
    assert (found[0, 0] == values[0]).all()
    assert found.min() >= values.min()
    assert found.max() <= values.max()
    if fit == "resample":
        assert found[0, -1] == pytest.approx(values[-1])


@given(st.integers(0, 99), st.booleans())
def test_series_mean_the_same_on_both_sides(seed: int, relative: bool) -> None:
    generator = np.random.default_rng(seed)
    raw = generator.normal(50, 3, (4, 9, 2)).astype(np.float32)
    raw[generator.random(raw.shape) < 0.2] = np.nan
    raw[0] = 7
    raw[1] = np.nan
    column = {"kind": "number", "encoding": "robust", "impute_value": 5.0, "low": 45.0,
        "high": 55.0,
              "offset": 50.0, "scale": 0.3}  # fmt: skip
    entry = {
        "name": "x", "kind": "series", "raw_dtype": "float32", "shape": [9, 2],
        "per_window_standardize": relative, "floor": 1e-3,
        "columns": [column, column],
    }  # fmt: skip
    ours, theirs = both(raw, entry)
    assert np.isfinite(ours).all()
    assert np.abs(ours - theirs).max() <= 1e-5
