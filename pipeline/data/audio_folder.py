"""Recordings in class subfolders, or listed in a CSV file, with classes unknown and silence.

A recording is one sample, or many windows. One is in memory at a time. What cannot be read is left
out and reported.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.arrays import Array
from pipeline.config.schema import AudioFolderSource
from pipeline.data.class_folders import Broken, Classes, Listed, file_name, leavings, without_root
from pipeline.data.file_source import classes_of
from pipeline.data.folder_layout import NOISE
from pipeline.data.recordings import window_names
from pipeline.data.samples import Chunk, Finding, Source
from pipeline.data.sound import SUFFIXES, sound_input
from pipeline.data.sound_lengths import SoundLengths
from pipeline.documents.preprocess import AudioEntry
from pipeline.errors import ConfigError
from pipeline.ondevice.audio import fit_sound_length
from pipeline.ondevice.sound_files import read_recording, read_sound
from pipeline.samples.kind import Input

UNKNOWN, SILENCE = "unknown", "silence"
QUIET = 300  # steps of 16 bits: deviation of the noise that stands for silence without recordings


def open_audio_folder(source: AudioFolderSource, base: Path, report: str | None) -> Source:
    """List the recordings; they are read when the chunks are asked for.

    Raises:
        ConfigError: no such folder or file, a wrong layout, an empty class, unknown names.
    """
    classes = _with_unknown(classes_of(source, base, SUFFIXES, what="recording"), source.unknown)
    names = [*classes.names, *([SILENCE] if source.silence else [])]
    if SILENCE in classes.names and source.silence:
        raise ConfigError("data.source.silence: there is a class `silence` already; wanted 0")
    spec = sound_input("audio", source.sound, stride_s=source.stride_s)
    return Source((spec,), "class", tuple(names), lambda: _read(classes, source, spec, names))


def _with_unknown(classes: Classes, unknown: tuple[str, ...]) -> Classes:
    """Put some classes together into one."""
    strange = [name for name in unknown if name not in classes.names]
    if strange:
        raise ConfigError(
            f"data.source.unknown: no class {', '.join(strange)}; there are "
            f"{', '.join(classes.names)}"
        )
    if not unknown:
        return classes
    kept = [name for name in classes.names if name not in unknown]
    if not kept:
        raise ConfigError("data.source.unknown: names every class; wanted one left to be heard")
    listed = [
        replace(file, label=UNKNOWN) if file.label in unknown else file for file in classes.listed
    ]
    return replace(classes, listed=listed, names=sorted({*kept, UNKNOWN}))


def _read(
    classes: Classes,
    source: AudioFolderSource,
    spec: Input,
    names: list[str],
) -> Iterator[Chunk]:
    """Yield one recording after the other, then pieces of silence, then findings."""
    broken: list[Broken] = []
    labels = {name: np.array([number], np.int64) for number, name in enumerate(names)}
    entry = spec.template
    assert isinstance(entry, AudioEntry)  # made by sound_input
    lengths = SoundLengths(entry.samples / entry.sample_rate)
    for file in classes.listed:
        name = file_name(file.path, classes.root)
        try:
            sounds = read_recording(file.path, entry)
        except (OSError, ValueError) as error:
            broken.append((file, without_root(error, classes.root)))
            continue
        count = len(sounds)
        if entry.every is None:
            lengths.see(file.path, name)
        own = [name] if entry.every is None else window_names(name, count)
        group = _group_of(file, classes, entry.every)
        groups = None if group is None else [group] * count
        yield Chunk({"audio": sounds}, labels[file.label].repeat(count), own, file.part, groups)
    if source.silence:
        yield from _silence(classes, source.silence, entry, labels[SILENCE])
    found = (*leavings(classes, broken, "recording"), *lengths.findings())
    yield Chunk({}, np.zeros(0, np.int64), [], findings=found)


def _group_of(file: Listed, classes: Classes, step: int | None) -> str | None:
    """Return what a sample of a recording stays with: windows at least with one another."""
    if file.group is None and step is not None:
        return file_name(file.path, classes.root)
    return file.group


def _silence(classes: Classes, share: float, entry: AudioEntry, label: Array) -> Iterator[Chunk]:
    """Yield samples of silence, spread over the parts as the recordings are.

    A sample is named after the recording beside which it stands, so that patterns find its group.
    They are pieces of background noise, or white noise where there is none, from full loudness down
    to nothing; which piece and how loud follows from the number of the sample.
    """
    samples = entry.samples
    noises = _noises(classes, entry.sample_rate)
    count = max(1, round(len(classes.listed) * share / (1 - share)))
    for number in range(count):
        like = classes.listed[number * len(classes.listed) // count]
        generator = np.random.Generator(np.random.Philox(number))
        if noises:
            noise = noises[number % len(noises)]
            start = int(generator.integers(0, max(1, len(noise) - samples)))
            piece = fit_sound_length(noise[None, start : start + samples], samples)[0]
        else:
            piece = np.clip(np.round(generator.normal(0, QUIET, samples)), -32768, 32767)
        quiet = np.round(piece * generator.random()).astype(np.int16)
        group = _group_of(like, classes, entry.every)
        groups = None if group is None else [group]
        name = f"{SILENCE}/{number:06d} beside {file_name(like.path, classes.root)}"
        yield Chunk({"audio": quiet[None]}, label, [name], like.part, groups)
    if not noises:
        text = (
            f"{count} samples of silence are white noise: there is no folder {NOISE} with "
            "recordings of the places where the device will listen."
        )
        yield Chunk({}, label[:0], [], findings=(Finding("info", "made_silence", text, count),))


def _noises(classes: Classes, rate: int) -> list[Array]:
    """Return the recordings of background noise that can be read."""
    folder, found = classes.root / NOISE, []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.suffix.lower() in SUFFIXES:
            try:
                found.append(np.asarray(read_sound(str(path), rate)))
            except (OSError, ValueError) as error:
                raise ConfigError(f"data.source.path: background noise {error}") from error
    return found
