"""Distillation in the chain: a teacher first, its student, and the same without."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config.schema import Train
from pipeline.data.unlabeled import hide
from pipeline.documents.spec import Spec
from pipeline.train import make
from pipeline.train.distill import train_distilled
from pipeline.train.supervised import train_network
from tests.train.kills import assert_same_bits, with_kills

LEARNING: dict[str, Any] = {"batch_size": 64, "augment": [], "seed": 3}
TEACHER = {"kind": "cnn", "filters": (8, 16), "dense": (16,)}


def learn(spec: Spec, digits: Any, out: Path, **taught: Any) -> Any:
    (out / "work").mkdir(parents=True, exist_ok=True)
    settings = Train.model_validate({"epochs": 2, "distill": {"teacher": TEACHER} | taught})
    return train_distilled(spec, settings, digits, out=out, **LEARNING)


@pytest.mark.slow
def test_the_teacher_is_larger_and_the_student_is_the_spec(
    spec: Spec, digits: Any, tmp_path: Path
) -> None:
    student, found = learn(spec, digits, tmp_path / "taught", epochs=4)
    (tmp_path / "plain" / "work").mkdir(parents=True)
    plain = train_network(spec, Train(epochs=2), digits, out=tmp_path / "plain", **LEARNING)
    assert found.metric_without == plain.validation["val_accuracy"]
    assert found.metric_with == student.validation["val_accuracy"]
    assert found.parameters == sum(int(np.prod(w.shape)) for w in plain.model.weights)
    assert found.teacher_parameters > found.parameters
    assert any((a != b).any() for a, b in zip(student.model.get_weights(),
                                              plain.model.get_weights(), strict=True))  # fmt: skip


def test_a_student_and_its_like_begin_at_given_weights(
    spec: Spec, digits: Any, tmp_path: Path
) -> None:
    begun: list[Any] = []

    def begin(model: Any) -> None:
        begun.append(tuple(w.shape for w in model.get_weights()))

    (tmp_path / "work").mkdir()
    settings = Train.model_validate({"epochs": 1, "distill": {"teacher": TEACHER}})
    student, _ = train_distilled(spec, settings, digits, out=tmp_path, begin=begin, **LEARNING)
    assert begun == 2 * [tuple(w.shape for w in student.model.get_weights())]


@pytest.mark.slow
def test_a_student_learns_from_samples_without_a_label(
    spec: Spec, digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = hide(digits.splits, digits.labels, 100, is_classes=True, seed=0)
    few, fed = replace(digits, splits=parts), []
    own = make.Feed

    def feed(dataset: Any, positions: Any, targets: Any, **others: Any) -> Any:
        fed.append((positions, targets))
        return own(dataset, positions, targets, **others)

    monkeypatch.setattr(make, "Feed", feed)
    learn(spec, few, tmp_path, epochs=1)
    (first, taught, alone) = fed
    for positions, targets in (first, alone):
        assert set(positions) == set(parts["train"])
        assert (targets >= 0).all()
    assert set(taught[0]) == set(parts["train"]) | set(parts["unlabeled"])
    assert (taught[1] < 0).sum() == len(parts["unlabeled"])


@pytest.mark.slow
def test_a_killed_distillation_ends_with_the_same_bits(
    spec: Spec, digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, told = learn(spec, digits, tmp_path / "whole")
    (again, told_again), kills = with_kills(
        monkeypatch,
        lambda count, _: count in (2, 9, 16),  # in each of the three trainings
        lambda: learn(spec, digits, tmp_path / "cut"),
    )
    assert kills == 3
    assert told_again == told
    assert_same_bits(whole.model, again.model)
