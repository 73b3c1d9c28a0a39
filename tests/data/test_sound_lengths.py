"""Recordings that are cut are counted, in seconds; those of mp3, ogg and aiff are read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipeline.config.schema import AudioFolderSource
from pipeline.data.audio_folder import open_audio_folder

RATE = 16_000


def save(path: Path, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = 0.5 * np.sin(np.arange(round(seconds * RATE)) / 5)
    soundfile.write(path, sound, RATE)


def read(folder: Path, **more: Any) -> tuple[int, dict[str, Any]]:
    fields = {"kind": "audio_folder", "path": str(folder), "sound": {"seconds": 1.0}, **more}
    source = AudioFolderSource.model_validate(fields)
    chunks = list(open_audio_folder(source, folder, None).chunks())
    found = {finding.code: finding for chunk in chunks for finding in chunk.findings}
    return sum(len(chunk.ids) for chunk in chunks), found


def test_what_is_cut_is_said_in_seconds(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for i, seconds in enumerate((0.5, 1.0, 1.0, 4.5)):
            save(tmp_path / name / f"{i}.wav", seconds)
    count, found = read(tmp_path)
    assert count == 8
    cut = found["cut_recordings"]
    assert (cut.level, cut.count) == ("warning", 2)
    assert "2 of 8 recordings are longer than 1 s (the longest 4.5 s)" in cut.text
    assert "7.0 of 14.0 s are not seen (50%), such as of a/3.wav, b/3.wav" in cut.text
    assert "cut_recordings" not in read(tmp_path, stride_s=0.5)[1]
    assert "cut_recordings" not in read(tmp_path, sound={"seconds": 4.5})[1]


def test_little_that_is_cut_is_no_warning(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / name / "0.wav", 1.02)
    assert read(tmp_path)[1]["cut_recordings"].level == "info"


@pytest.mark.parametrize("suffix", ["mp3", "ogg", "aiff", "flac"])
def test_compressed_recordings_are_read_as_wav_is(tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        save(tmp_path / name / f"0.{suffix}", 0.9)
    count, found = read(tmp_path)
    assert (count, set(found)) == (2, set())
