"""Frozen, then unfrozen: which weights move in which epoch, and at which rate."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.config.schema import Train
from pipeline.documents.spec import Spec
from pipeline.train import supervised
from pipeline.train.schedule import after


@pytest.fixture
def moved(spec: Spec, digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function: settings -> epoch -> names of the weights that the epoch changed."""

    def run(**settings: Any) -> list[set[str]]:
        kept: list[dict[str, np.ndarray]] = []

        class Watch(keras.callbacks.Callback):  # type: ignore[misc]
            def on_train_begin(self, logs: Any = None) -> None:
                self.on_epoch_end(0)

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                kept.append({w.path: np.asarray(w) for w in self.model.weights})

        monkeypatch.setattr(supervised, "watchers", lambda *_, **__: [Watch()])
        (tmp_path / "work").mkdir(exist_ok=True)
        section = Train.model_validate({"epochs": 3} | settings)
        supervised.train_network(
            spec, section, digits, batch_size=64, augment=[], seed=3, out=tmp_path
        )
        return [
            {name for name in one if not np.array_equal(one[name], two[name])}
            for one, two in pairwise(kept)
        ]

    return run


def test_the_last_layer_learns_alone_then_the_others_too(moved: Any) -> None:
    first, second, third = moved(freeze={"epochs": 1})
    assert first == {"logits/kernel", "logits/bias"}
    assert second > first
    assert second == third
    assert any("conv" in name and name.endswith("kernel") for name in second)


def test_batch_normalization_keeps_what_it_came_with(moved: Any) -> None:
    for changed in moved(freeze={"epochs": 1}):
        assert not any("norm" in name for name in changed)


def test_the_first_layers_may_stay_frozen(moved: Any) -> None:
    *_, last = moved(freeze={"epochs": 1, "kept": 1})
    assert not any("conv_1" in name for name in last)
    assert any("dense_1" in name for name in last)


def test_without_freezing_everything_learns_at_once(moved: Any) -> None:
    first, *_ = moved()
    assert any("conv_1" in name for name in first)
    assert any("norm" in name for name in first)


def test_the_schedule_begins_when_all_layers_learn() -> None:
    later = keras.optimizers.schedules.CosineDecay(0.1, 10)
    rate = after(keras, 4, 1.0, later=later)
    assert [float(rate(step)) for step in range(4)] == [1.0] * 4
    for step in range(10):
        assert float(rate(4 + step)) == pytest.approx(float(later(step)))
    assert float(after(keras, 4, 1.0, later=0.5)(9)) == 0.5
