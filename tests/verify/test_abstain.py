"""Leaving decisions to a person: the promise holds on new samples, and the device keeps it."""

from typing import Any

import numpy as np
import pytest

from pipeline.documents.selective import AbstentionResult
from pipeline.verify.abstain import fit_abstention, fit_rule, measure_abstention
from tests.device.lenient import abstain_rule, decide_outputs

CLASSES = 4


def samples(rng: np.random.Generator, count: int, heat: float = 1.0) -> tuple[Any, Any]:
    """Return labels, and probabilities that are too sure by a factor in the logits."""
    z = rng.normal(size=(count, CLASSES)) * 2
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    labels = (p.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)
    hot = np.exp(z * heat)
    return labels, (hot / hot.sum(axis=1, keepdims=True)).astype(np.float32)


def apply(rule: tuple[float, float], on: tuple[Any, Any]) -> AbstentionResult:
    return measure_abstention(*on, temperature=rule[0], threshold=rule[1])


@pytest.mark.parametrize("heat", [0.5, 1.0, 3.0])
def test_the_temperature_takes_back_what_made_the_answers_too_sure(
    rng: np.random.Generator, heat: float
) -> None:
    temperature, _ = fit_rule(0.1, *samples(rng, 20_000, heat))
    assert temperature == pytest.approx(heat, rel=0.1)


@pytest.mark.parametrize("alpha", [0.02, 0.1, 0.3])
def test_the_true_class_is_missed_as_often_as_promised(
    rng: np.random.Generator, alpha: float
) -> None:
    """Split conformal prediction: 1 - alpha to 1 - alpha + 1 / (n + 1), over draws of both sets."""
    kept = [
        apply(fit_rule(alpha, *samples(rng, 300, 2.0)), samples(rng, 300, 2.0)).set_coverage
        for _ in range(60)
    ]
    assert np.mean(kept) == pytest.approx(1 - alpha, abs=0.012)


def test_few_samples_promise_by_answering_little(rng: np.random.Generator) -> None:
    rule = fit_rule(0.01, *samples(rng, 50))  # one in fifty-one is more than a hundredth
    assert rule[1] == 0.0
    found = apply(rule, samples(rng, 100))
    assert (found.coverage, found.set_coverage, found.selective_error) == (0.0, 1.0, 0.0)


def test_rates_are_counts() -> None:
    outputs = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.45, 0.55]], np.float32)
    found = apply((1.0, 0.42), (np.array([0, 0, 0, 1]), outputs))
    assert (found.temperature, found.threshold) == (1.0, 0.42)
    assert (found.coverage, found.selective_error) == (0.75, 1 / 3)
    assert (found.error, found.set_coverage) == (0.25, 0.75)


def test_what_is_answered_is_more_often_right(rng: np.random.Generator) -> None:
    both = samples(rng, 4000, 2.0), samples(rng, 4000, 2.0)
    known, held = ((labels, {"int8": outputs}) for labels, outputs in both)
    row = fit_abstention(0.1, known, held).models["int8"]
    assert 0 < row.coverage < 1
    assert row.selective_error < row.error


def test_the_device_decides_as_the_figures_say(rng: np.random.Generator) -> None:
    labels, outputs = samples(rng, 500, 2.0)
    rule = fit_rule(0.1, labels, outputs)
    own = dict(zip(("temperature", "threshold"), rule, strict=True))
    preprocess = {"labels": list("abcd"), "abstain": {"int8": own}}
    found = abstain_rule(preprocess, "/a/b/model_int8.tflite")
    answers = decide_outputs(outputs, preprocess, rule=found)
    decided = [row["decision"] for row in answers]
    wanted = apply(rule, (labels, outputs))
    assert np.mean([x != "abstain" for x in decided]) == wanted.coverage
    always = [row["decision"] for row in decide_outputs(outputs, preprocess)]
    assert all(a in ("abstain", b) for a, b in zip(decided, always, strict=True))
    assert all(row["top"][0][1] == row["confidence"] for row in answers)


def test_without_a_rule_it_always_answers() -> None:
    other = {"float32": {"temperature": 1.0, "threshold": 0.5}}
    assert abstain_rule({"task": "classification", "abstain": other}, "model_int8.tflite") is None
    assert abstain_rule({"abstain": None}, "model_int8.tflite") is None
