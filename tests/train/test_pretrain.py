"""Pre-training: what is learned without labels is where the training with labels begins."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config.model_schema import Autoencoder
from pipeline.config.schema import Train
from pipeline.data.unlabeled import hide
from pipeline.documents.spec import Spec
from pipeline.train import pretrain
from pipeline.train.pretrain import train_pretrained
from pipeline.train.supervised import train_network
from tests.train.kills import assert_same_bits, with_kills

LEARNING = {"batch_size": 32, "augment": [], "seed": 3}


@pytest.fixture
def few(digits: Any) -> Any:
    """Return the digits with forty labels."""
    parts = hide(digits.splits, digits.labels, 40, is_classes=True, seed=0)
    return replace(digits, splits=parts)


@pytest.fixture
def encoder(spec: Spec) -> Spec:
    model = Autoencoder(kind="autoencoder", form="conv", filters=(4,), code=6, noise=0.1)
    return spec.model_copy(update={"model": model})


def learn(spec: Spec, few: Any, out: Path, **settings: Any) -> Any:
    (out / "work").mkdir(parents=True, exist_ok=True)
    section = Train.model_validate({"epochs": 2, "pretrain": {"epochs": 2}} | settings)
    return train_pretrained(spec, section, few, out=out, **LEARNING)


def test_training_begins_at_the_pre_trained_encoder(
    encoder: Spec, few: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def watched(*arguments: Any, **options: Any) -> Any:
        begin = options.get("begin")
        if begin is not None:
            options["begin"] = lambda model: seen.append((begin(model), model.get_weights())[1])
        seen.append(train_network(*arguments, **options))
        return seen[-1]

    monkeypatch.setattr(pretrain, "train_network", watched)
    learn(encoder, few, tmp_path, pretrain={"epochs": 2, "compare": False})
    first, began, _ = seen
    assert first.validation["val_auc"] == 0.5  # by chance, where no anomaly is known
    encoder_weights = [w for layer in first.model.layers if layer.name in _shared(first.model)
                       for w in layer.get_weights()]  # fmt: skip
    for a, b in zip(encoder_weights, began, strict=False):
        np.testing.assert_array_equal(a, b)
    assert len(began) == len(encoder_weights) + 2  # the last layer is new


def _shared(model: Any) -> list[str]:
    return [layer.name for layer in model.layers if layer.name.startswith(("encoder", "code"))]


@pytest.mark.slow
def test_the_network_without_is_the_one_that_plain_training_gives(
    encoder: Spec, few: Any, tmp_path: Path
) -> None:
    _, found = learn(encoder, few, tmp_path / "both")
    (tmp_path / "plain" / "work").mkdir(parents=True)
    plain = train_network(encoder, Train(epochs=2), few, out=tmp_path / "plain", **LEARNING)
    assert found.metric_without == plain.validation["val_accuracy"]
    assert found.labeled == 40
    assert found.samples == found.labeled + found.unlabeled


@pytest.mark.slow
def test_a_killed_pre_training_ends_with_the_same_bits(
    encoder: Spec, few: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, told = learn(encoder, few, tmp_path / "whole")
    (again, told_again), kills = with_kills(
        monkeypatch,
        lambda count, _: count in (2, 5, 8, 11),  # in each of the three trainings
        lambda: learn(encoder, few, tmp_path / "cut"),
    )
    assert kills >= 2
    assert told_again == told
    assert_same_bits(whole.model, again.model)
