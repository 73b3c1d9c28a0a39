"""Columns that alone predict the target, groups and copies on both sides are found; others not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts import Inputs
from pipeline.config.load import load
from pipeline.data import stage
from pipeline.data.group_names import may_group
from pipeline.data.leakage import (
    _alone,
    _candidates,
    _explains,
    augmented_copies,
    shared_groups,
)
from pipeline.documents.dataset import DatasetDocument

PARTS = {"train": np.arange(0, 60), "validation": np.arange(60, 80), "test": np.arange(80, 100)}


def findings(tmp_path: Path, columns: dict[str, Any], task: str, **source: Any) -> dict[str, Any]:
    """Run the data stage on a table, and return code -> texts."""
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    more = "".join(f", {key}: {value}" for key, value in source.items())
    by = "random" if task == "regression" else "stratified"
    (tmp_path / "c.yaml").write_text(
        f"name: c\nseed: 0\ntask: {task}\n"
        f"data: {{source: {{kind: csv, path: t.csv, label: y{more}}}, split: {{by: {by}}}}}\n"
        "model: {kind: mlp}\n"
    )
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    stage.run(load(tmp_path / "c.yaml"), Inputs({}, tmp_path, tmp_path), out)
    found: dict[str, Any] = {}
    for finding in DatasetDocument.read(out / "dataset.json").findings:
        found.setdefault(finding.code, []).append(finding.text)
    return found


def alone(found: dict[str, Any]) -> set[str]:
    return {text.split()[1] for text in found.get("column_predicts_target", [])}


@pytest.mark.parametrize("classes", [2, 4])
def test_columns_that_alone_predict_the_class_are_found(
    rng: np.random.Generator, tmp_path: Path, classes: int
) -> None:
    y = rng.integers(0, classes, 600)
    noise = rng.normal(size=600)
    columns = {
        "noise": noise.round(4),
        "weak": (y + noise).round(4),
        "late": np.where(rng.random(600) < 0.3, "", (10 * y + 0.2 * noise).round(4)),
        "leak": (10 * y + noise).round(4),
        "words": [f"state {k}" for k in y],
        "y": [f"c{k}" for k in y],
    }
    assert alone(findings(tmp_path, columns, "classification")) == {"leak", "words"}


def test_a_column_that_is_the_regression_value_in_another_unit_is_found(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    y = rng.normal(size=600)
    columns = {
        "noise": rng.normal(size=600).round(4),
        "close": (y + rng.normal(size=600)).round(4),
        "unit": (2.54 * y + 1).round(4),
        "y": y.round(4),
    }
    found = findings(tmp_path, columns, "regression")
    assert alone(found) == {"unit"}
    assert "R2 0.9" in found["column_predicts_target"][0]


def test_of_rare_classes_guessing_is_not_called_predicting(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    y = rng.random(2000) < 0.02
    columns = {"a": rng.normal(size=2000).round(4), "b": rng.integers(0, 3, 2000), "y": y}
    assert not alone(findings(tmp_path, columns, "classification"))


def test_a_column_of_patients_among_the_inputs_is_named(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    columns = {
        "patient": np.repeat(np.arange(60), 10), "a": rng.normal(size=600).round(4),
        "y": rng.integers(0, 2, 600),
    }  # fmt: skip
    order = rng.permutation(600)
    columns = {name: values[order] for name, values in columns.items()}
    (text,) = findings(tmp_path, columns, "classification")["unused_group"]
    assert text.startswith("Column patient looks like who or what was measured")
    assert "unused_group" not in findings(tmp_path, columns, "classification", group="patient")


@pytest.mark.parametrize(
    ("name", "distinct", "wanted"),
    [("Patient", 30, True), ("user_id", 30, True), ("machineID", 30, True), ("store_id", 30, True),
     ("user_id", 90, False), ("user", 1, False), ("idle", 30, False), ("valid", 30, False),
     ("width", 30, False), ("paid", 30, False)],
)  # fmt: skip
def test_names_of_who_was_measured(name: str, distinct: int, wanted: bool) -> None:
    assert may_group(name, distinct=distinct, rows=100) == wanted


def test_groups_on_both_sides_are_counted() -> None:
    groups = np.array([f"speaker{i // 10}" for i in range(100)])
    assert not shared_groups(groups, PARTS)
    groups[85] = "speaker3"
    (found,) = shared_groups(groups, PARTS)
    assert (found.code, found.count) == ("groups_in_train_and_test", 1)
    assert "1 of 3 groups of test are in train, too (speaker3)" in found.text
    assert not shared_groups(None, PARTS)


@pytest.mark.parametrize(
    ("form", "pattern"),
    [("cats/img{}_jpg.rf.{:08x}.jpg", r"([^/]+)\.rf\."), ("cats/img{}_aug{}.png", "([^/]+?)[_")],
)
def test_augmented_copies_across_parts_are_a_warning_with_the_pattern(
    form: str, pattern: str
) -> None:
    apart = np.array([form.format(i // 5, i) for i in range(100)])
    assert not augmented_copies(apart, PARTS)
    mixed = np.array([form.format(i % 20, i) for i in range(100)])
    validation, test = augmented_copies(mixed, PARTS)
    assert (validation.count, test.count) == (20, 20)
    assert f"data.split.pattern: '{pattern}" in test.text
    assert not augmented_copies(np.array([f"t.csv:{i}" for i in range(100)]), PARTS)


@pytest.mark.parametrize("has_classes", [True, False])
def test_no_column_that_a_tree_would_find_is_passed_over(
    rng: np.random.Generator, has_classes: bool
) -> None:
    """The quick look at sorted columns leaves out only what no tree predicts from."""
    y = rng.integers(0, 3, 900).astype(np.float64) if has_classes else rng.normal(size=900)
    close = np.stack([3.0 * y + s * rng.normal(size=900) for s in (0, 0.05, 0.3, 3)], axis=1)
    turned = np.stack([-y, np.round(4 * y), np.exp(y), rng.normal(size=900)], axis=1)
    unknown = np.where(rng.random(900) < 0.01, np.nan, y)[:, None]
    values = np.concatenate([close, turned, unknown], axis=1).astype(np.float32)
    found = _candidates(values, y, has_classes=has_classes)
    judge = _alone if has_classes else _explains
    for i, column in enumerate(values.T):
        pair = (column[:600], column[600:])
        if judge(pair, y[:600], y[600:], is_category=False) is not None:
            assert found[i], i
    assert found[[0, 1, 4, 6]].all()
    assert not found[[3, 7]].any()
