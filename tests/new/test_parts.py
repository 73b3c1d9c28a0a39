"""`edgeline new` finds the parts and groups that tables, texts and series say themselves."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config.load import load
from pipeline.config.schema import Config
from pipeline.new.write import SPLITS, write_config

Rows = list[list[Any]]


def proposed(tmp_path: Path, data: Path, target: str | None = None) -> tuple[Config, str]:
    file = tmp_path / "configs" / "new.yaml"
    file.unlink(missing_ok=True)
    write_config(file, data, target)
    return load(file), file.read_text()


def save(path: Path, names: list[str], rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [names, *rows]
    path.write_text("\n".join(",".join(map(str, row)) for row in lines) + "\n")
    return path


def readings(rng: np.random.Generator, count: int = 300) -> Rows:
    """Return rows of two numbers and a class."""
    return [[*rng.normal(size=2).round(4), ("no", "yes")[i % 2]] for i in range(count)]


def messages(count: int = 300) -> Rows:
    words = ["red", "blue", "green", "small", "large", "round", "fast", "slow", "old", "new"]
    return [
        [" ".join(words[(i * k + k) % 10] for k in range(1, 7)) + f" no{i}", ("ham", "spam")[i % 2]]
        for i in range(count)
    ]


def walks(count: int = 400, start: int = 0) -> Rows:
    return [[f"2026-01-{1 + t // 24:02d} {t % 24:02d}:00:00", round(np.sin(t / 4), 4)]
            for t in range(start, start + count)]  # fmt: skip


@pytest.mark.parametrize("name", ["train.csv", "dir"])
@pytest.mark.parametrize(("validation", "test"), [("validation", "test"), ("dev", "eval")])
def test_files_beside_a_train_file_are_parts(
    rng: np.random.Generator, tmp_path: Path, name: str, validation: str, test: str
) -> None:
    for kind, names, rows in (
        ("csv", ["a", "b", "label"], readings(rng)),
        ("text", ["text", "label"], messages()),
        ("series_csv", ["time", "value"], walks()),
    ):
        folder = tmp_path / kind
        for part in ("train", validation, test):
            save(folder / f"{part}.csv", names, rows)
        config, _ = proposed(tmp_path, folder if name == "dir" else folder / name)
        source: Any = config.data.source
        assert (source.kind, config.data.split.by) == (kind, "given")
        assert source.path.endswith("train.csv")
        assert source.validation_path.endswith(f"{validation}.csv")
        assert source.test_path.endswith(f"{test}.csv")


def test_parts_are_known_by_a_word_of_their_names(rng: np.random.Generator, tmp_path: Path) -> None:
    for part in ("train", "test"):
        save(tmp_path / "d" / f"wine_{part}.csv", ["a", "b", "label"], readings(rng))
    save(tmp_path / "d" / "beer_test.csv", ["a", "b", "label"], readings(rng))
    config, _ = proposed(tmp_path, tmp_path / "d" / "wine_train.csv")
    assert config.data.source.test_path.endswith("wine_test.csv")  # type: ignore[union-attr]


def test_a_test_file_without_the_target_is_used_for_nothing_and_said(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    folder = tmp_path / "kaggle"
    save(folder / "train.csv", ["a", "b", "target"], readings(rng))
    save(folder / "test.csv", ["a", "b"], [row[:2] for row in readings(rng)])
    save(folder / "sample_submission.csv", ["id", "target"], [[i, 0] for i in range(9)])
    for data in (folder, folder / "train.csv"):
        config, text = proposed(tmp_path, data)
        assert config.data.source.test_path is None  # type: ignore[union-attr]
        assert config.data.split.by == "stratified"
        assert "test.csv has no column target: it is used for nothing" in text
    assert "sample_submission.csv" in proposed(tmp_path, folder)[1]


def test_a_validation_file_alone_is_used(rng: np.random.Generator, tmp_path: Path) -> None:
    for part in ("train", "val"):
        save(tmp_path / "d" / f"{part}.csv", ["a", "b", "label"], readings(rng))
    config, _ = proposed(tmp_path, tmp_path / "d")
    assert config.data.split.by == "given"
    assert config.data.source.validation_path.endswith("val.csv")  # type: ignore[union-attr]


def test_a_column_of_parts_is_the_split_of_tables_texts_and_series(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    for kind, names, rows in (
        ("csv", ["a", "b", "label"], readings(rng)),
        ("text", ["text", "label"], messages()),
        ("series_csv", ["time", "value"], walks()),
    ):
        parts = ["train"] * 200 + ["val"] * 40 + ["test"] * len(rows)
        own = [[part, *row] for part, row in zip(parts, rows, strict=False)]
        config, _ = proposed(tmp_path, save(tmp_path / f"{kind}.csv", ["subset", *names], own))
        source: Any = config.data.source
        assert (source.kind, source.split, config.data.split.by) == (kind, "subset", "given")
        assert "subset" not in getattr(source, "values", ())


def test_a_column_of_other_words_is_an_input(rng: np.random.Generator, tmp_path: Path) -> None:
    rows = [[("train", "bus", "car")[i % 3], *row] for i, row in enumerate(readings(rng))]
    config, _ = proposed(tmp_path, save(tmp_path / "d.csv", ["set", "a", "b", "label"], rows))
    source: Any = config.data.source
    assert (source.split, source.drop, config.data.split.by) == (None, (), "stratified")


@pytest.mark.parametrize("name", ["patient", "User_ID", "session", "customer_id", "fold"])
def test_a_column_of_who_was_measured_is_a_group_and_no_input(
    rng: np.random.Generator, tmp_path: Path, name: str
) -> None:
    rows = [[i // 10, *row] for i, row in enumerate(readings(rng))]
    config, _ = proposed(tmp_path, save(tmp_path / "d.csv", [name, "a", "b", "label"], rows))
    source: Any = config.data.source
    assert (source.group, config.data.split.by) == (name, "group")


def test_groups_of_one_class_each_are_stratified(rng: np.random.Generator, tmp_path: Path) -> None:
    rows = [
        [i // 10, *row[:2], ("well", "ill")[i // 10 % 2]] for i, row in enumerate(readings(rng))
    ]
    config, _ = proposed(tmp_path, save(tmp_path / "d.csv", ["patient", "a", "b", "label"], rows))
    assert (config.data.source.group, config.data.split.by) == ("patient", "stratified")  # type: ignore[union-attr]


def test_texts_of_users_are_grouped(tmp_path: Path) -> None:
    rows = [[f"u{i // 6}", *row] for i, row in enumerate(messages())]
    config, _ = proposed(tmp_path, save(tmp_path / "d.csv", ["user", "text", "label"], rows))
    assert (config.data.source.kind, config.data.source.group) == ("text", "user")  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["customer_id", "user"])
def test_a_column_that_names_every_row_once_is_no_group(
    rng: np.random.Generator, tmp_path: Path, name: str
) -> None:
    rows = [[f"k{i}", *row] for i, row in enumerate(readings(rng))]
    config, _ = proposed(tmp_path, save(tmp_path / "d.csv", [name, "a", "b", "label"], rows))
    source: Any = config.data.source
    assert (source.group, source.drop) == (None, (name,))


def test_folders_of_series_called_after_parts_are_parts(tmp_path: Path) -> None:
    for part, count in (("Train", 8), ("Test", 3)):
        for i in range(count):
            rows = walks(60, start=60 * i)
            save(tmp_path / "s" / "data" / part / f"{i}.csv", ["time", "value"], rows)
    config, _ = proposed(tmp_path, tmp_path / "s")
    source: Any = config.data.source
    assert source.path.endswith("Train/**/*.csv")
    assert source.test_path.endswith("Test/**/*.csv")
    assert config.data.split.by == "given"


def test_the_comment_on_the_split_is_that_of_the_split(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    rows = [[i // 10, *row] for i, row in enumerate(readings(rng))]
    own = {
        "group": save(tmp_path / "g.csv", ["patient", "a", "b", "label"], rows),
        "stratified": save(tmp_path / "s.csv", ["a", "b", "label"], readings(rng)),
        "time": save(tmp_path / "t.csv", ["time", "value"], walks()),
    }
    for by, data in own.items():
        config, text = proposed(tmp_path, data)
        assert config.data.split.by == by
        assert SPLITS[by] in text
        assert not [other for key, other in SPLITS.items() if key != by and other in text]


def test_the_summary_ends_with_the_command_and_the_report(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    data = save(tmp_path / "s.csv", ["a", "b", "label"], readings(rng))
    said = write_config(tmp_path / "My Set.yaml", data, None)
    assert "\nNow: make export CONFIG=" in said
    assert said.endswith("runs/my_set/report/report.html")
