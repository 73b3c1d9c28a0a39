"""`edgeline new` recognises what lies at a path, and what it writes is a config that runs."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.config.load import load
from pipeline.config.schema import Config
from pipeline.errors import ConfigError
from pipeline.new.table import guess_target, read_table
from pipeline.new.write import write_config

GENERATED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "load.csv": ("forecasting", "series_csv", {"window": 24, "values": ("load",)}),
    "machines.csv": ("classification", "csv", {"label": "state", "drop": ("serial",)}),
    "messages.tsv": ("classification", "text", {"delimiter": "\t", "text": "text"}),
    "shapes.npz": ("classification", "npz", {"inputs": ("x",), "label": "y"}),
    "gestures": ("classification", "series_folder", {"length": 80}),
    "pictures": ("classification", "image_folder", {"color": "gray"}),
    "sensors": ("anomaly", "series_csv", {"relative": True}),
    "tones": ("classification", "audio_folder", {"silence": 0.1}),
}


def written(folder: Path, data: Path, target: str | None = None) -> Config:
    """Write a config for data, and load it as any other."""
    file = folder / "configs" / "new.yaml"
    file.unlink(missing_ok=True)
    write_config(file, data, target)
    return load(file)


def table(path: Path, rows: list[list[Any]], delimiter: str = ",") -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def facts(rng: np.random.Generator, count: int = 300) -> list[list[Any]]:
    """Return rows of a number, a category and a class."""
    kinds, classes = rng.integers(0, 3, count), rng.integers(0, 2, count)
    numbers = rng.normal(size=count).round(4)
    return [
        [n, "abc"[k], ("no", "yes")[c]] for n, k, c in zip(numbers, kinds, classes, strict=True)
    ]


@pytest.mark.parametrize("name", GENERATED)
def test_every_modality_is_recognised(sets: Path, tmp_path: Path, name: str) -> None:
    task, kind, settings = GENERATED[name]
    config = written(tmp_path, sets / "runs" / "generated" / name)
    source = config.data.source
    assert (config.task, source.kind) == (task, kind)
    assert {key: getattr(source, key) for key in settings} == settings


@pytest.mark.slow
@pytest.mark.parametrize("name", GENERATED)
def test_what_is_written_trains_and_exports(sets: Path, tmp_path: Path, name: str) -> None:
    from pipeline.cli import main

    written(tmp_path, sets / "runs" / "generated" / name)
    file = str(tmp_path / "configs" / "new.yaml")
    folders = ["--runs", str(tmp_path / "runs"), "--exported", str(tmp_path / "exported")]
    assert main(["run", file, *folders]) == 0


def test_paths_are_relative_to_the_config(sets: Path, tmp_path: Path) -> None:
    shutil.copytree(sets / "runs" / "generated" / "gestures", tmp_path / "data" / "gestures")
    config = written(tmp_path, tmp_path / "data" / "gestures")
    assert config.data.source.path == "../data/gestures"  # type: ignore[union-attr]


def test_a_file_without_header_gets_names(rng: np.random.Generator, tmp_path: Path) -> None:
    path = table(tmp_path / "plain.csv", facts(rng))
    config = written(tmp_path, path)
    assert config.data.source.columns == ("column_1", "column_2", "column_3")  # type: ignore[union-attr]
    assert config.data.source.label == "column_3"  # type: ignore[union-attr]


def test_names_beside_a_file_and_its_test_part_are_used(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    folder = tmp_path / "uci"
    folder.mkdir()
    table(folder / "set-train.csv", facts(rng))
    test = [[*row[:2], f"{row[2]}."] for row in facts(rng, 90)]
    table(folder / "set-test.csv", test)
    (folder / "set.names").write_text("| about\nheight: continuous.\nkind-of: a, b, c.\n")
    config = written(tmp_path, folder)
    source: Any = config.data.source
    assert source.columns == ("height", "kind_of", "label")
    assert (source.strip, config.data.split.by) == (" .", "given")
    assert Path(source.test_path).name == "set-test.csv"


@pytest.mark.parametrize(
    ("header", "values", "task"),
    [
        (["a", "median_house_value", "where"], "0.5", "regression"),
        (["a", "b", "quality"], "3", "classification"),
        (["target", "b", "c"], "7.25", "regression"),
    ],
)
def test_the_target_is_guessed_by_name_and_told(
    rng: np.random.Generator, tmp_path: Path, header: list[str], values: str, task: str
) -> None:
    answered = next(name for name in header if name in ("median_house_value", "quality", "target"))
    rows = [[f"{x:.3f}" for x in row] for row in rng.normal(size=(200, 3))]
    for number, row in enumerate(rows):
        row[header.index(answered)] = str(
            number % 5 if values == "3" else float(values) + number / 7
        )
    path = table(tmp_path / "t.csv", [header, *rows])
    config = written(tmp_path, path)
    assert (config.task, config.data.source.label) == (task, answered)  # type: ignore[union-attr]
    text = (tmp_path / "configs" / "new.yaml").read_text()
    assert f"The target is {answered}, which is a guess" in text


def test_a_target_that_is_named_is_taken(rng: np.random.Generator, tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", [["size", "kind", "label"], *facts(rng)])
    config = written(tmp_path, path, "kind")
    assert config.data.source.label == "kind"  # type: ignore[union-attr]
    assert written(tmp_path, path, "size").task == "regression"


def test_texts_with_quotes_in_them_stay_whole(tmp_path: Path) -> None:
    words = ["one", "two", "three", "four", "five", "six"]
    lines = [
        f'{("ham", "spam")[i % 3 == 0]}\t{" ".join(words[i % 6 :])} number{i} said "hm{i}'
        for i in range(90)
    ]
    path = tmp_path / "Messages"
    path.write_bytes("\n".join(lines).encode() + b"\nham\tcaf\xe9 one two three four")
    config = written(tmp_path, path)
    source: Any = config.data.source
    assert (source.columns, source.quotes, source.encoding) == (("label", "text"), False, "latin-1")


def test_part_folders_are_the_given_split(tmp_path: Path, rng: np.random.Generator) -> None:
    for part in ("train", "val", "test"):
        for name in ("cat", "dog"):
            folder = tmp_path / "pets" / part / name
            folder.mkdir(parents=True)
            for number in range(4):
                noise = rng.integers(0, 255, (120, 200, 3), np.uint8)
                Image.fromarray(noise).save(folder / f"{number}.png")
    config = written(tmp_path, tmp_path / "pets")
    source: Any = config.data.source
    assert config.data.split.by == "given"
    assert (source.height, source.width, source.color) == (38, 64, "rgb")
    assert config.gate.metric_drop == pytest.approx(2.5 / 8, abs=1e-3)  # of the test folder


def test_a_prepared_tfds_set_is_known_by_its_papers(tmp_path: Path) -> None:
    folder = tmp_path / "tfds" / "clothes" / "1.0.0"
    folder.mkdir(parents=True)
    image = {"image": {"shape": {"dimensions": ["28", "28", "1"]}}, "pythonClassName": "Image"}
    label = {"classLabel": {"numClasses": "10"}, "pythonClassName": "ClassLabel"}
    features = {"featuresDict": {"features": {"image": image, "label": label}}}
    (folder / "features.json").write_text(json.dumps(features))
    splits = [{"name": n, "shardLengths": [str(k)]} for n, k in (("train", 60000), ("test", 9))]
    (folder / "dataset_info.json").write_text(json.dumps({"name": "clothes", "splits": splits}))
    config = written(tmp_path, tmp_path / "tfds" / "clothes")
    source: Any = config.data.source
    assert (source.name, source.data_dir, config.data.split.by) == ("clothes", "../tfds", "given")


def test_only_papers_are_taken_for_papers(rng: np.random.Generator, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for name in ("README", "LICENSE.txt", "sources.md", "SHA256SUMS", "description.html"):
        (folder / name).write_text("a;b\n1;2\n")
    table(folder / "source_data.csv", [["a", "b", "label"], *facts(rng)])
    source: Any = written(tmp_path, folder).data.source
    assert Path(source.path).name == "source_data.csv"


def test_a_column_without_a_name_counts_the_rows(rng: np.random.Generator, tmp_path: Path) -> None:
    rows = [[i, *row] for i, row in enumerate(facts(rng))]
    path = table(tmp_path / "t.csv", [["", "a", "b", "label"], *rows])
    source: Any = written(tmp_path, path).data.source
    assert (source.label, source.drop) == ("label", ("unnamed_1",))


def test_files_of_a_folder_are_looked_at_briefly(rng: np.random.Generator, tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", [["a", "b", "label"], *facts(rng)])
    first, whole = read_table(path, most=50), read_table(path)
    assert first is not None
    assert whole is not None
    assert (first.rows, whole.rows) == (50, 300)
    assert [c.kind for c in first.columns] == [c.kind for c in whole.columns]


def broken(folder: Path, what: str) -> tuple[Path, str | None]:
    """Make data that no config fits."""
    rows = facts(np.random.default_rng(1))
    path = folder / "data"
    if what == "nothing":
        return path, None
    if what == "no column":
        return table(path, [["a", "b", "c"], *rows]), "d"
    if what == "no table":
        path.write_bytes(bytes(range(256)))
        return path, None
    if what == "long cell":
        return table(
            path, [["a", "b"], ["x" * (1 << 20) + "x", 1], *([i, 1] for i in range(9))]
        ), None
    if what == "twice":
        return table(path, [["a", "b", "a"], *rows]), None
    if what == "no npz":
        path = path.with_suffix(".npz")
        path.write_bytes(b"PK no archive")
        return path, None
    path.mkdir()
    if what == "cut papers":
        (path / "dataset_info.json").write_text('{"name": "da')
    if what == "lost papers":
        (path / "dataset_info.json").write_text('{"name": "data"}')
    if what in ("flat pictures", "mixed", "a target of folders"):
        for name in ("a", "b"):
            inner = path if what == "flat pictures" else path / name
            inner.mkdir(exist_ok=True)
            for number in range(9):
                picture = Image.fromarray(np.zeros((9, 9), np.uint8))
                picture.save(inner / f"{name}{number}.png")
    if what == "mixed":
        for number in range(9):
            table(path / f"{number}.csv", rows)
    if what == "two tables":
        for name in ("one.csv", "two.csv"):
            table(path / name, rows)
    if what == "papers":
        (path / "README.md").write_text("Nothing here.")
    return path, "a" if what == "a target of folders" else None


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("nothing", "no such file or folder"),
        ("no column", "has no column 'd'; it has a, b, c"),
        ("no table", "no table of two columns or more"),
        ("flat pictures", "one subfolder a class"),
        ("mixed", "holds pictures and tables"),
        ("a target of folders", "--target names a column of a table"),
        ("two tables", "do not say which is train"),
        ("papers", "no files, none of which is known"),
        ("long cell", "data:2: field larger than field limit"),
        ("twice", "data:1: two columns are called a"),
        ("no npz", "no .npz file, or cut short"),
        ("cut papers", "not as TensorFlow Datasets writes a set"),
        ("lost papers", "not as TensorFlow Datasets writes a set"),
    ],
)
def test_data_that_are_not_known_get_one_message(tmp_path: Path, what: str, said: str) -> None:
    path, target = broken(tmp_path, what)
    with pytest.raises(ConfigError, match=said):
        write_config(tmp_path / "new.yaml", path, target)
    assert not (tmp_path / "new.yaml").exists()


def test_a_config_is_never_overwritten(rng: np.random.Generator, tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", facts(rng))
    (tmp_path / "mine.yaml").write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        write_config(tmp_path / "mine.yaml", path, None)
    assert (tmp_path / "mine.yaml").read_text() == "mine"
    with pytest.raises(ConfigError, match=r"ends in \.yaml"):
        write_config(tmp_path / "mine.txt", path, None)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_and_header_are_found(
    rng: np.random.Generator, tmp_path: Path, delimiter: str
) -> None:
    rows = [["number", "kind", "class"], *facts(rng)]
    found = read_table(table(tmp_path / "t", rows, delimiter))
    assert found is not None
    assert (found.delimiter, found.has_header, found.rows) == (delimiter, True, 300)
    assert [c.kind for c in found.columns] == ["number", "category", "category"]
    assert guess_target(found).name == "class"
