"""Parts that files or a column give: tables, texts and timestamped series; hand-written configs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config.load import load
from pipeline.config.schema import Config
from pipeline.data.samples import GIVEN
from pipeline.data.sources import SOURCES
from pipeline.data.split import Wish, split_dataset
from pipeline.data.store import Stored, store
from pipeline.errors import ConfigError

SOURCE = {
    "csv": {"label": "y"},
    "text": {"text": "text", "label": "y"},
    "series_csv": {"timestamp": "at", "label": "y", "window": 4, "values": "[x]"},
}
MODELS = {"csv": "mlp", "text": "transformer", "series_csv": "cnn1d"}
WORDS = ("train", "Training", "TEST", "dev", "val")


def rows(count: int, *, start: int = 0, part: str = "train") -> list[str]:
    """Return rows of at, x, text, y, part; numbers and labels go round."""
    return [
        f"{i},{i % 7}.5,word{i % 5} {'abc'[i % 3]} and,{'no' if i % 2 else 'yes'},{part}"
        for i in range(start, start + count)
    ]


def table(path: Path, lines: list[str]) -> None:
    path.write_text("at,x,text,y,part\n" + "\n".join(lines) + "\n")


def config_of(tmp_path: Path, kind: str, **source: Any) -> Config:
    """Load a config by whose source, as given, the set is split."""
    fields = {"kind": kind, "path": "train.csv", **SOURCE[kind], **source}
    listed = ", ".join(f"{key}: {value}" for key, value in fields.items())
    file = tmp_path / "c.yaml"
    file.write_text(
        "name: c\nseed: 0\ntask: classification\n"
        f"data: {{source: {{{listed}}}, split: {{by: given}}}}\nmodel: {{kind: {MODELS[kind]}}}\n"
    )
    return load(file)


def stored(tmp_path: Path, kind: str, **source: Any) -> Stored:
    config = config_of(tmp_path, kind, **source)
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    return store(SOURCES[kind](config.data.source, tmp_path, None), out)


@pytest.mark.parametrize("kind", SOURCE)
def test_a_column_says_the_part_of_each_sample(tmp_path: Path, kind: str) -> None:
    lines = [row for k, word in enumerate(WORDS) for row in rows(20, start=20 * k, part=word)]
    table(tmp_path / "train.csv", lines)
    found = stored(tmp_path, kind, split="part")
    per = 20 if kind != "series_csv" else 20 - 4 + 1
    runs = {"train": per, "Training": per, "TEST": per, "dev": per, "val": per}
    if kind == "series_csv":  # two words for one part in a row are one stretch of time
        runs |= {"train": 40 - 4 + 1, "Training": 0, "dev": 40 - 4 + 1, "val": 0}
    codes = np.bincount(found.parts, minlength=len(GIVEN))
    assert codes[GIVEN["train"]] == runs["train"] + runs["Training"]
    assert codes[GIVEN["test"]] == runs["TEST"]
    assert codes[GIVEN["validation"]] == runs["dev"] + runs["val"]


def test_a_column_of_parts_is_no_input(tmp_path: Path) -> None:
    table(tmp_path / "train.csv", [*rows(20), *rows(20, start=20, part="test")])
    source = config_of(tmp_path, "csv", split="part", drop="[text, at]").data.source
    (spec,) = SOURCES["csv"](source, tmp_path, None).inputs
    assert spec.columns == ("x",)


@pytest.mark.parametrize("kind", SOURCE)
def test_files_are_parts(tmp_path: Path, kind: str) -> None:
    for name, count in (("train", 60), ("val", 24), ("test", 30)):
        table(tmp_path / f"{name}.csv", rows(count))
    found = stored(tmp_path, kind, validation_path="val.csv", test_path="test.csv")
    less = 0 if kind != "series_csv" else 3
    counted = [int((found.parts == GIVEN[part]).sum()) for part in ("train", "validation", "test")]
    assert counted == [60 - less, 24 - less, 30 - less]


@pytest.mark.parametrize("kind", SOURCE)
def test_a_word_that_is_no_part_is_named_with_its_line(tmp_path: Path, kind: str) -> None:
    lines = [*rows(20), *rows(20, start=20, part="test")]
    lines[6] = lines[6].replace(",train", ",holdout")
    table(tmp_path / "train.csv", lines)
    with pytest.raises(ConfigError, match=r"train\.csv:8: part: 'holdout' is no part; wanted"):
        stored(tmp_path, kind, split="part")


@pytest.mark.parametrize("kind", SOURCE)
def test_given_without_parts_says_where_they_may_stand(tmp_path: Path, kind: str) -> None:
    table(tmp_path / "train.csv", rows(40))
    with pytest.raises(ConfigError, match=r"data\.source\.test_path, or data\.source\.split"):
        config_of(tmp_path, kind)


def test_a_column_and_files_of_parts_are_too_much(tmp_path: Path) -> None:
    for name in ("train", "test"):
        table(tmp_path / f"{name}.csv", rows(40))
    with pytest.raises(ConfigError, match=r"and so does data\.source\.test_path; wanted one"):
        config_of(tmp_path, "csv", split="part", test_path="test.csv")


@pytest.mark.parametrize("kind", SOURCE)
def test_a_test_file_without_the_target_is_named(tmp_path: Path, kind: str) -> None:
    table(tmp_path / "train.csv", rows(40))
    (tmp_path / "test.csv").write_text(
        "at,x,text,part\n" + "".join(f"{i},1.5,word and more,a\n" for i in range(20))
    )
    with pytest.raises(ConfigError, match=r"test\.csv.* no column 'y'"):
        stored(tmp_path, kind, test_path="test.csv")


def test_a_file_of_two_parts_is_refused(tmp_path: Path) -> None:
    table(tmp_path / "train.csv", rows(40))
    with pytest.raises(ConfigError, match=r"test_path: .*train\.csv is of the train part, too"):
        stored(tmp_path, "series_csv", test_path='"*.csv"')


def test_validation_of_a_given_series_is_its_newest_and_shares_no_row_with_train() -> None:
    count, window = 200, 10
    times = np.stack([np.arange(count), np.arange(count) + window - 1], axis=1).astype(np.float64)
    given = np.array([GIVEN["train"]] * 150 + [GIVEN["test"]] * 50, np.int8)
    wish = Wish("given", 0.2, 0.2, 0, cuts_by_time=True)
    parts = split_dataset(np.zeros(count), given, wish, is_classes=True, times=times)
    assert set(parts["test"]) == set(range(150, 200))
    assert len(parts["validation"]) == 30
    assert times[parts["train"], 1].max() < times[parts["validation"], 0].min()
    assert max(parts["validation"]) == 149


def test_what_is_cut_from_a_given_train_part_keeps_groups_whole() -> None:
    groups = np.array([f"g{i // 10}" for i in range(200)])
    given = np.array([GIVEN["train"]] * 150 + [GIVEN["test"]] * 50, np.int8)
    labels = np.arange(200) % 2
    parts = split_dataset(labels, given, Wish("given", 0.2, 0.2, 0), is_classes=True, groups=groups)
    assert not set(groups[parts["train"]]) & set(groups[parts["validation"]])
    assert len(parts["validation"])
