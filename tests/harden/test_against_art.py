"""Our attacks against those of the adversarial-robustness-toolbox, on a trained net."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.harden.attacks import ATTACKS
from pipeline.harden.ball import Ball
from pipeline.harden.robustness import clean_inputs
from pipeline.models.blocks import logits_model
from pipeline.models.save import load_keras
from tests.bench.hardening import art_classifier
from tests.harden.test_fine_tune import start  # noqa: F401  (a fixture)

EPSILON, STEPS = 0.1, 20
CHANCE = 0.01  # by which random starts may move the accuracy

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def evasion() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(
            "art.attacks.evasion", reason="the adversarial-robustness-toolbox is not installed"
        )


@pytest.fixture
def attacked(start: Path, digits: Any) -> tuple[Any, Any, Any, Callable[[str, str], Any]]:  # noqa: F811
    """Return a trained net, samples, and a function that attacks them by one of ours."""
    model = load_keras(start)
    positions = digits.split("test")
    x, labels = clean_inputs(digits, positions), np.asarray(digits.labels[positions])
    head = logits_model(keras, model)

    def ours(kind: str, norm: str, epsilon: float) -> Any:
        steps = {} if kind == "fgsm" else {"steps": STEPS}
        return ATTACKS[kind](
            lambda z, training: head({"image": z}, training=training),
            tf.constant(x),
            tf.constant(labels),
            ball=Ball(norm, epsilon),  # type: ignore[arg-type]
            seed=tf.constant([1, 2]),
            **steps,
        ).numpy()

    return model, x, labels, ours


def robust(model: Any, x: Any, labels: Any) -> float:
    return float((model({"image": x}).numpy().argmax(axis=1) == labels).mean())


@pytest.mark.parametrize(("norm", "order", "epsilon"), [("linf", np.inf, 0.1), ("l2", 2, 0.5)])
def test_fgsm_is_theirs(
    attacked: Any, evasion: Any, norm: str, order: float, epsilon: float
) -> None:
    model, x, labels, ours = attacked
    theirs = evasion.FastGradientMethod(
        art_classifier(model), norm=order, eps=epsilon, batch_size=len(x)
    ).generate(x, np.eye(10)[labels])
    apart = np.abs(ours("fgsm", norm, epsilon) - theirs)
    # Where a net is sure, float32 leaves little of their gradient; a sign may then be another.
    assert (apart < 1e-4).mean() > 0.999


@pytest.mark.parametrize("kind", ["pgd", "apgd_ce"])
def test_ours_is_at_least_as_strong_as_their_apgd_at_the_same_budget(
    attacked: Any, evasion: Any, kind: str
) -> None:
    model, x, labels, ours = attacked
    theirs = evasion.AutoProjectedGradientDescent(
        art_classifier(model), norm=np.inf, eps=EPSILON, eps_step=2 * EPSILON, max_iter=STEPS,
        nb_random_init=1, batch_size=len(x), loss_type="cross_entropy", verbose=False,
    ).generate(x, np.eye(10)[labels])  # fmt: skip
    assert np.abs(theirs - x).max() <= EPSILON + 1e-5
    found = robust(model, ours(kind, "linf", EPSILON), labels)
    assert found <= robust(model, theirs, labels) + CHANCE
    assert found < robust(model, x, labels) - 0.2
