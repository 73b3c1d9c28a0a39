"""Every form in which people have data: what goes in comes out, and the device reads it too."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.bundle.sample import sample_name, write_sample
from pipeline.data.dataset import PARTS, Dataset
from pipeline.errors import ConfigError
from pipeline.ondevice.sound_files import read_sound
from pipeline.verify.preprocessing import compare_preprocessing
from tests.data.conftest import GENERATED, findings
from tests.device.lenient import read_samples
from tests.generated_sets import generate

NAMES = [name.removesuffix(".yaml") for name in GENERATED]
Prepared = Callable[..., Dataset]


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_config_is_prepared_and_both_sides_agree(
    sets: Path, prepared: Prepared, tmp_path: Path, name: str
) -> None:
    dataset = prepared(sets, name)
    parts = [set(dataset.split(part).tolist()) for part in PARTS]
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts)) <= len(dataset.ids)
    assert len(set(dataset.ids)) == len(dataset.ids)
    positions = dataset.split("test")[:64]
    raw = dataset.read(positions)
    compared = compare_preprocessing(raw, dataset.preprocess)
    assert set(compared) == {entry.name for entry in dataset.inputs}
    entries = dataset.preprocess.inputs
    write_sample(tmp_path, {key: values[0] for key, values in raw.items()}, entries)
    again = read_samples(str(tmp_path / sample_name(entries)), entries)
    for key, values in again.items():
        wanted = raw[key][:1]
        width = min(values.shape[-1], wanted.shape[-1])
        assert (values[..., width:] == 0).all()  # texts are as long as the longest of the set
        np.testing.assert_array_equal(values[..., :width], wanted[..., :width])


def test_the_same_sets_are_generated_every_time(sets: Path, tmp_path: Path) -> None:
    generate(tmp_path / "again")
    first = sets / "runs" / "generated"
    for path in (tmp_path / "again").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (first / path.relative_to(tmp_path / "again")).read_bytes()


# ---- audio -----------------------------------------------------------------------------------


def test_unknown_and_silence_are_classes_and_speakers_stay_apart(
    sets: Path, prepared: Prepared
) -> None:
    dataset = prepared(sets, "tones_audio")
    assert dataset.class_names == ("high", "low", "rising", "unknown", "silence")
    counts = np.bincount(dataset.labels)
    assert counts.tolist() == [60, 60, 60, 120, 33]
    groups = np.load(dataset.folder / "groups.npy")
    found = [set(groups[dataset.split(part)]) for part in PARTS]
    assert not (found[0] & found[1])
    assert not (found[0] & found[2])
    assert not (found[1] & found[2])
    silence = dataset.read(np.flatnonzero(dataset.labels == 4))["audio"]
    levels = np.abs(silence.astype(int)).max(axis=1)
    assert levels.min() < 300 < levels.max()


def test_recordings_listed_in_a_file_keep_their_split(own_sets: Path, prepared: Prepared) -> None:
    tones = own_sets / "runs/generated/tones"
    parts = ("train", "train", "validation", "test")
    with (tones / "list.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split", "group"])
        for label in ("low", "high"):
            for i, path in enumerate(sorted((tones / label).iterdir())):
                writer.writerow([path.relative_to(tones), label, parts[i % 4], f"g{i}"])
    source = f"data.source={{kind: audio_folder, path: {tones}/list.csv}}"
    split = "data.split={by: given}"
    dataset = prepared(own_sets, "tones_audio", source, split, "data.report_groups=group")
    assert [len(dataset.split(part)) for part in PARTS] == [60, 30, 30]
    assert dataset.report_groups is not None


def test_a_recording_is_resampled_cut_and_padded(sets: Path, prepared: Prepared) -> None:
    dataset = prepared(sets, "tones_audio", "data.source.silence=0")
    raw = dataset.read(np.arange(len(dataset.ids)))["audio"]
    assert raw.shape == (300, 8000)
    path = sets / "runs/generated/tones" / str(dataset.ids[1])
    sound = read_sound(str(path), 8000, 8000)
    assert (raw[1, : len(sound)] == sound).all()
    assert (raw[1, len(sound) :] == 0).all()


# ---- series ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("fit", "samples"), [("resample", 240), ("pad", 240), ("window", 430)])
def test_recordings_of_any_length_become_one_length(
    sets: Path, prepared: Prepared, fit: str, samples: int
) -> None:
    dataset = prepared(sets, "gestures_series", f"data.source.fit={fit}")
    assert dataset.read(np.arange(2))["series"].shape == (2, 48, 2)
    if fit != "window":
        assert len(dataset.ids) == samples
        return
    assert len(dataset.ids) > samples
    recording = np.array([name.split("#")[0] for name in dataset.ids])
    found = [set(recording[dataset.split(part)]) for part in PARTS]
    assert not (found[0] & found[1])
    assert not (found[0] & found[2])
    assert not (found[1] & found[2])


def test_windows_touch_anomalies_as_the_file_says(sets: Path, prepared: Prepared) -> None:
    dataset = prepared(sets, "sensors_series")
    spans = json.loads((sets / "runs/generated/sensors/anomalies.json").read_text())
    times = np.load(dataset.folder / "times.npy")
    assert dataset.class_names == ("anomaly", "normal")
    for position in range(0, len(dataset.ids), 97):
        name = str(dataset.ids[position]).split(":")[0]
        start, end = times[position].astype("datetime64[s]")
        touches = any(np.datetime64(a) <= end and start <= np.datetime64(b) for a, b in spans[name])
        assert (dataset.labels[position] == 0) == touches


def test_a_forecast_is_the_change_after_the_window(sets: Path, prepared: Prepared) -> None:
    dataset = prepared(sets, "load_forecast", "data.source.horizon=3")
    rows = (sets / "runs/generated/load.csv").read_text().splitlines()[1:]
    values = np.array([float(row.split(",")[1]) for row in rows], np.float32)
    window = dataset.read(np.arange(5))["series"][:, :, 0]
    for i in range(5):
        assert (window[i] == values[i : i + 24]).all()
        assert dataset.labels[i] == pytest.approx(values[i + 26] - values[i + 23], abs=1e-5)
    target = dataset.preprocess.target
    assert (target.channel, target.horizon) == (0, 3)


# ---- tables ----------------------------------------------------------------------------------


def test_columns_are_told_apart_and_ids_left_out(sets: Path, prepared: Prepared) -> None:
    dataset = prepared(sets, "machines_csv")
    numbers, categories = dataset.preprocess.inputs
    assert [c.name for c in numbers.columns] == ["temperature", "vibration", "hours"]
    assert [c.encoding for c in numbers.columns][1] == "quantile"
    assert [c.name for c in categories.columns] == ["mode"]
    assert categories.vocabulary_size == 4  # three modes, and whatever else comes
    said = findings(dataset)
    assert "serial" in said["columns_left_out"].text
    assert "hours are missing" in said["missing_values"].text
    assert set(dataset.report_groups) == {f"plant{i}" for i in range(12)}


def test_new_and_rare_categories_share_a_place(sets: Path, prepared: Prepared) -> None:
    dataset = prepared(sets, "machines_csv", "data.source.categories=one_hot")
    (entry,) = dataset.preprocess.inputs
    rows = np.full((3, 4), np.nan, np.float32)
    rows[:, 0] = [-1, np.nan, 0]
    from tests.device.lenient import prepare_input

    places = prepare_input(rows, entry)[:, :4]
    assert places.tolist() == [[0, 0, 0, 1], [0, 0, 0, 1], [1, 0, 0, 0]]


def test_a_table_is_split_in_time_by_its_column(own_sets: Path, prepared: Prepared) -> None:
    path = own_sets / "runs/generated/machines.csv"
    rows = path.read_text().splitlines()
    dated = [f"{row},2026-01-{1 + i % 28:02d}" for i, row in enumerate(rows)]
    path.write_text("\n".join([f"{rows[0]},day", *dated[1:]]))
    dataset = prepared(own_sets, "machines_csv", "data.source.time=day", "data.split.by=time",
                       "data.source.group=null", "data.report_groups=plant")  # fmt: skip
    times = np.load(dataset.folder / "times.npy")[:, 1]
    assert times[dataset.split("train")].max() < times[dataset.split("test")].min()


# ---- text and arrays -------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["words", "characters"])
def test_the_vocabulary_comes_from_train_alone(sets: Path, prepared: Prepared, unit: str) -> None:
    dataset = prepared(sets, "messages_text", f"data.source.words.unit={unit}")
    entry = dataset.preprocess.inputs[0]
    texts = dataset.read(dataset.split("train"))["text"]
    seen = b" ".join(bytes(text).rstrip(b"\0") for text in texts).decode()
    assert all(word in seen for word in entry.vocabulary)
    assert len(entry.vocabulary) <= 200


def test_arrays_keep_their_parts_and_values(sets: Path, prepared: Prepared) -> None:
    dataset = prepared(sets, "shapes_npz")
    assert [len(dataset.split(part)) for part in PARTS] == [720, 180, 300]
    with np.load(sets / "runs/generated/shapes.npz") as arrays:
        assert (dataset.read(np.arange(900))["x"][..., 0] == arrays["x_train"]).all()
        assert (dataset.labels[900:] == arrays["y_test"]).all()


@pytest.mark.parametrize(
    ("shape", "kind"), [((40, 5), "columns"), ((40, 7, 2), "series"), ((40, 9), "columns")]
)
def test_arrays_of_numbers_are_tables_or_series(
    own_sets: Path, prepared: Prepared, rng: np.random.Generator, shape: tuple[int, ...], kind: str
) -> None:
    values = rng.normal(size=shape)
    values[3] = np.nan
    np.savez_compressed(own_sets / "a.npz", x=values, y=np.arange(40) % 2)
    source = f"data.source={{kind: npz, path: {own_sets}/a.npz}}"
    dataset = prepared(own_sets, "shapes_npz", source, "data.split={}", "model={kind: mlp}")
    assert dataset.preprocess.inputs[0].kind == kind
    assert "missing_values" in findings(dataset)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("harden={}", "a table is attacked by its columns"),
        ("audit.tokens=1", "words are replaced only in texts"),
        ("harden.attack={kind: pgd, columns: {x_O: {}}}", "no such name: x_O.*did you mean 'x_"),
        ("audit.channels=[x_0]", "no such name: x_0"),
        ("audit.inputs=[y]", "no such name: y; there are x"),
        ("data.augment=[{kind: flip}]", "is for image"),
    ],
)
def test_what_is_done_to_other_forms_is_refused_for_a_table(
    own_sets: Path, prepared: Prepared, setting: str, message: str
) -> None:
    np.savez(own_sets / "a.npz", x=np.zeros((40, 3)), y=np.arange(40) % 2)
    source = f"data.source={{kind: npz, path: {own_sets}/a.npz}}"
    key = setting.split("=", 1)[0].removesuffix(".tokens")
    with pytest.raises(ConfigError, match=rf"{key}.*: .*{message}"):
        prepared(own_sets, "shapes_npz", source, "data.split={}", "model={kind: mlp}", setting)
