"""Recordings told apart by their names, put into parts by lists, and cut into windows."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config.schema import AudioFolderSource
from pipeline.data.audio_folder import open_audio_folder
from pipeline.data.recordings import recordings_of, window_names
from pipeline.data.samples import Chunk
from pipeline.errors import ConfigError
from pipeline.ondevice.sound_files import read_sound
from tests.device.lenient import read_samples
from tests.generated_sets import _write_wav

LISTS = {"validation_list": "val.txt", "test_list": "test.txt"}
RATE, CLASSES, EACH = 8000, ("high", "low", "other"), 8


@pytest.fixture
def tones(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Return a folder of classes, with recordings of 0.5 to 1.5 s, and a listing of parts."""
    for label in CLASSES:
        for number in range(EACH):
            sound = rng.normal(0, 2000, int(rng.integers(RATE // 2, 3 * RATE // 2)))
            _write_wav(tmp_path / label / f"{label}_{number}.wav", sound, RATE)
    _write_wav(tmp_path / "_background_noise_" / "hum.wav", rng.normal(0, 99, 2 * RATE), RATE)
    names = [f"{label}/{label}_{number}.wav" for label in CLASSES for number in range(EACH)]
    (tmp_path / "val.txt").write_text("\n".join(names[::4]) + "\n")
    (tmp_path / "test.txt").write_text("\n".join(names[1::4]) + "\n\n")
    return tmp_path


def chunks(folder: Path, **settings: Any) -> list[Chunk]:
    sound = {"sample_rate": RATE} | settings.pop("sound", {})
    section = {"kind": "audio_folder", "path": ".", "sound": sound} | settings
    source = AudioFolderSource.model_validate(section)
    return list(open_audio_folder(source, folder, None).chunks())


def findings(found: list[Chunk]) -> dict[str, str]:
    return {own.code: own.text for chunk in found for own in chunk.findings}


def test_lists_say_the_parts_and_what_no_list_names_is_train(tones: Path) -> None:
    found = chunks(tones, **LISTS, silence=0.2, unknown=("other",))
    heard = [chunk for chunk in found for name in chunk.ids if "beside" not in name]
    assert Counter(chunk.part for chunk in heard) == {"train": 12, "validation": 6, "test": 6}
    for part, name in (("validation", "val.txt"), ("test", "test.txt")):
        wanted = {line for line in (tones / name).read_text().splitlines() if line}
        assert {chunk.ids[0] for chunk in heard if chunk.part == part} == wanted
    silent = {chunk.part for chunk in found for name in chunk.ids if "beside" in name}
    assert silent <= {"train", "validation", "test"}  # as the recordings beside which it stands
    assert "other_files" not in findings(found)  # a list is none


def test_a_listed_recording_that_is_not_there_is_reported(tones: Path) -> None:
    (tones / "low/low_1.wav").unlink()
    assert "low/low_1.wav" in findings(chunks(tones, **LISTS))["absent_recordings"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"test_list: wanted the file .*test\.txt; there is none"),
        ("\n", r"test_list: .*test\.txt is empty"),
        ("a/b.wav\n", r"names none of the 24 recordings; its first line is 'a/b"),
        ("high/high_0.wav\n", r"high/high_0\.wav is in the list of validation, too"),
    ],
)
def test_a_wrong_list_gets_one_message(
    tones: Path, content: str | None, message: str, counted: Callable[..., None]
) -> None:
    (tones / "test.txt").unlink()
    if content is not None:
        (tones / "test.txt").write_text(content)
    with pytest.raises(ConfigError, match=message):
        chunks(tones, **LISTS)
    counted("bad inputs")


def test_a_listing_says_classes_and_parts_itself(tones: Path) -> None:
    (tones / "list.csv").write_text("path,label\nlow/low_0.wav,low\n")
    with pytest.raises(ConfigError, match=r"test_list: list\.csv is a file, whose columns"):
        chunks(tones, path="list.csv", test_list="test.txt")


def test_the_class_stands_in_the_name_and_the_part_in_the_folder(tones: Path) -> None:
    (tones / "high").rename(tones / "test")
    (tones / "low").rename(tones / "train")
    found = chunks(tones, label_pattern="(high|low)_[0-7]")
    told = {(re.sub(r"\d", "", c.ids[0]), c.part, int(c.labels[0])) for c in found if c.ids}
    assert told == {("test/high_.wav", "test", 0), ("train/low_.wav", "train", 1)}
    assert "10 files left out" in findings(found)["other_files"]  # eight of another, two lists


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("low_", r"'low_' has no \(…\) around the class"),
        ("/(low)_", r"finds 1 class \(low\) in the names .*does not find one in high/"),
        ("(never)", r"finds 0 class \(none\)"),
    ],
)
def test_a_wrong_pattern_gets_one_message(
    tones: Path, pattern: str, message: str, counted: Callable[..., None]
) -> None:
    with pytest.raises(ConfigError, match=message):
        chunks(tones, label_pattern=pattern)
    counted("bad inputs")


@pytest.mark.parametrize("stride_s", [0.05, 0.2, 0.3])
def test_windows_are_pieces_of_their_recording(tones: Path, stride_s: float) -> None:
    found = chunks(tones, stride_s=stride_s, sound={"seconds": 0.2})
    step, length = round(stride_s * RATE), RATE // 5
    for chunk in found[:-1]:
        (name,) = set(recordings_of(np.array(chunk.ids)))
        sound, windows = read_sound(str(tones / name), RATE), chunk.inputs["audio"]
        assert len(windows) == len(set(chunk.ids)) == 1 + (len(sound) - length) // step
        assert chunk.groups == [name] * len(windows)
        for number, window in enumerate(windows):
            np.testing.assert_array_equal(window, sound[number * step : number * step + length])


def test_the_device_cuts_a_recording_as_training_did(tones: Path) -> None:
    settings = {"kind": "audio_folder", "path": str(tones), "stride_s": 0.15}
    source = AudioFolderSource.model_validate(
        settings | {"sound": {"sample_rate": RATE, "seconds": 0.2}}
    )
    found = open_audio_folder(source, tones, None)
    entry = found.inputs[0].template
    assert entry is not None
    for chunk in list(found.chunks())[:-1]:
        (name,) = set(recordings_of(np.array(chunk.ids)))
        read = read_samples(str(tones / name), [entry])["audio"]
        assert len(read) > 1
        np.testing.assert_array_equal(read, chunk.inputs["audio"])


def test_silence_stays_with_the_windows_beside_which_it_stands(tones: Path) -> None:
    found = chunks(tones, stride_s=0.15, silence=0.2, sound={"seconds": 0.2})
    assert all(len(chunk.groups or ()) == len(chunk.ids) for chunk in found)
    silent = [chunk for chunk in found if chunk.ids and " beside " in chunk.ids[0]]
    assert silent
    assert all(c.groups == [c.ids[0].split(" beside ")[1]] for c in silent)


def test_a_recording_shorter_than_a_window_is_one(tones: Path) -> None:
    found = chunks(tones, stride_s=0.5, sound={"seconds": 2.0})
    assert [len(chunk.ids) for chunk in found[:-1]] == [1] * 3 * EACH
    sound = read_sound(str(tones / "low/low_0.wav"), RATE)
    (own,) = (c.inputs["audio"][0] for c in found if c.ids and c.ids[0] == "low/low_0.wav#0")
    np.testing.assert_array_equal(own, np.pad(sound, (0, 2 * RATE - len(sound))))


def test_a_name_finds_its_way_back() -> None:
    names = np.array(window_names("test/a#b.wav", 12))
    assert set(recordings_of(names)) == {"test/a#b.wav"}
