"""A training that is interrupted, diverges, or finds its checkpoint damaged."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.config.schema import Train
from pipeline.documents.spec import Spec
from pipeline.errors import ConfigError
from pipeline.models.save import load_keras
from pipeline.train import loop, supervised
from pipeline.train.checkpoint import CHECKPOINT, Progress, load_checkpoint, save_checkpoint
from pipeline.train.diverged import LAST_GOOD
from pipeline.train.interrupt import finishing_steps, is_asked
from pipeline.train.supervised import train_network
from tests.e2e.mutants import mutants
from tests.train.kills import assert_same_bits

SLOW = pytest.mark.slow


def train(spec: Spec, digits: Any, out: Path, **settings: Any) -> Any:
    (out / "work").mkdir(parents=True, exist_ok=True)
    section = Train.model_validate({"epochs": 2} | settings)
    return train_network(
        spec, section, digits, batch_size=128, augment=[], seed=3, out=out, is_watched=False
    )


class At(keras.callbacks.Callback):  # type: ignore[misc]
    """Does something once, after a step of the whole training."""

    def __init__(self, step: int, act: Any) -> None:
        super().__init__()
        self.left, self.act = step, act

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if self.left == 0:
            self.act()


def watch(monkeypatch: pytest.MonkeyPatch, *callbacks: Any) -> None:
    monkeypatch.setattr(supervised, "watchers", lambda *_, **__: list(callbacks))


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=SLOW)])
def test_a_signal_ends_the_step_saves_and_the_same_bits_come_of_it(
    spec: Spec, digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 1e9)  # nothing but the signal saves again
    before = signal.getsignal(number)
    watch(monkeypatch, At(3, lambda: os.kill(os.getpid(), number)))
    with pytest.raises(KeyboardInterrupt):
        train(spec, digits, tmp_path / "cut")
    assert signal.getsignal(number) == before
    with np.load(tmp_path / "cut" / "work" / CHECKPOINT) as saved:
        reached = str(saved["state"])
    assert '"step": 0' not in reached or '"epoch": 1' in reached
    watch(monkeypatch, At(0, None))
    again, whole = (train(spec, digits, tmp_path / name) for name in ("cut", "whole"))
    assert_same_bits(whole.model, again.model)
    assert again.history == whole.history


def test_a_signal_after_the_last_save_ends_it_too() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        finishing_steps(os.kill)(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
    assert not is_asked()


def test_a_second_signal_ends_at_once(
    spec: Spec, digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("it went on")

    watch(monkeypatch, At(1, twice))
    with pytest.raises(KeyboardInterrupt):
        train(spec, digits, tmp_path)


def poison(model: Any) -> None:
    """Make a weight NaN, as a gradient that overflows does: the loss shows it a step later."""
    model.trainable_variables[0].assign(tf.fill(model.trainable_variables[0].shape, np.nan))


@pytest.mark.parametrize("last", [True, pytest.param(False, marks=SLOW)])
def test_weights_that_are_no_numbers_are_never_a_result(
    spec: Spec,
    digits: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    last: bool,
    counted: Callable[..., None],
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    step = At(2, lambda: poison(step.model))  # of two or three calls an epoch

    def at_the_end(epoch: int, logs: Any = None) -> None:
        if last and epoch == 0:
            step.left = 3

    step.on_epoch_end = at_the_end
    watch(monkeypatch, step)
    with pytest.raises(ConfigError) as caught:
        train(spec, digits, tmp_path)
    message = str(caught.value)
    assert "no longer a number at epoch" in message
    assert "Lower train.optimizer.learning_rate" in message
    kept = tmp_path / "work" / LAST_GOOD
    assert str(kept) in message
    assert all(np.isfinite(weight).all() for weight in load_keras(kept).get_weights())
    counted("faults")


def trainer_of(*shapes: tuple[int, ...]) -> Any:
    """Return as much of a trainer as a checkpoint looks at."""
    weights = [keras.Variable(np.full(shape, i, np.float32)) for i, shape in enumerate(shapes)]
    model = SimpleNamespace(variables=weights, stop_training=False)
    return SimpleNamespace(model=model, optimizer=SimpleNamespace(variables=[]))


def test_a_damaged_checkpoint_is_said_and_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, counted: Callable[..., None]
) -> None:
    path, saved = tmp_path / CHECKPOINT, trainer_of((3, 40), (5,))
    save_checkpoint(path, saved, [], progress=Progress(epoch=2, step=1))
    whole = path.read_bytes()
    other = trainer_of((3, 41), (5,))
    save_checkpoint(path, other, [], progress=Progress(epoch=2, step=1))
    for content in (b"", whole[: len(whole) // 2], path.read_bytes(), *mutants(whole, 60)):
        path.write_bytes(content)
        caplog.clear()
        loaded = trainer_of((3, 40), (5,))
        for variable in loaded.model.variables:
            variable.assign(variable - 7)
        reached = load_checkpoint(path, loaded, [])
        assert (reached.epoch == 2) == ("damaged" not in caplog.text)
        for before, after in zip(saved.model.variables, loaded.model.variables, strict=True):
            wanted = np.asarray(before) - (0 if reached.epoch else 7)
            np.testing.assert_array_equal(np.asarray(after), wanted)
        counted("faults")
