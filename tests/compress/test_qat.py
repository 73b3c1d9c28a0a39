"""Fine-tuning through the rounding: it comes nearer to the trained model, kill or no kill."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.compress import distillation
from pipeline.compress.distillation import DistillationJob, Rounding, distillation_step
from pipeline.compress.fake_quant import rounded_weight, rounding_scope
from pipeline.compress.prune import largest
from pipeline.compress.qat import fine_tune_for_int8
from pipeline.data.preprocess import to_model_inputs
from pipeline.documents.spec import Spec
from pipeline.harden.attacks import pgd
from pipeline.harden.ball import Ball
from pipeline.models import MODELS
from pipeline.models.blocks import logits_model
from pipeline.models.kernels import compressible_kernels
from pipeline.models.save import load_keras, save_keras
from tests.harden.test_fine_tune import harden, start  # noqa: F401  (a fixture)
from tests.train.kills import assert_same_bits, with_kills

NARROW = {"conv_1_1_relu": (0.0, 0.6), "dense_1_relu": (0.0, 0.5), "logits": (-3.0, 3.0)}


@pytest.fixture
def reference(spec: Spec, tmp_path: Path) -> Path:
    """A net whose answers the ranges above cut hard."""
    keras.utils.clear_session()
    model = MODELS[spec.model.kind](keras, spec)
    save_keras(model, tmp_path / "model.keras")
    return tmp_path / "model.keras"


def tuned(
    reference: Path,
    digits: Any,
    work: Path,
    epochs: int = 3,
    clusters: int | None = None,
    *,
    spans: Any = None,
    attack: Any = None,
) -> Any:
    settings = SimpleNamespace(epochs=epochs, learning_rate=1e-3)
    learning = {"seed": 0, "strategy": "auto", "batch_size": 64, "augment": [], "attack": attack}
    key = "compress.quantize.qat"
    job = DistillationJob(reference, reference, digits, settings, key, work=work, **learning)
    tensors = [[f"m/{name}/x", span] for name, span in (spans or NARROW).items()]
    return fine_tune_for_int8(job, {"tensors": tensors, "inputs": {}}, clusters=clusters)


def apart(model: Any, teacher: Any, x: Any) -> float:
    with rounding_scope(model, NARROW):
        found = model(x, training=False)
    return float(tf.reduce_mean(keras.losses.kl_divergence(teacher(x, training=False), found)))


def test_it_comes_nearer_and_the_statistics_stay(
    reference: Path, digits: Any, tmp_path: Path
) -> None:
    model, teacher = tuned(reference, digits, tmp_path / "work", 10), load_keras(reference)
    x = to_model_inputs(digits.read(digits.split("validation")), digits.preprocess)
    assert apart(model, teacher, x) < 0.5 * apart(teacher, teacher, x)
    for a, b in zip(model.non_trainable_weights, teacher.non_trainable_weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.slow
def test_a_killed_fine_tuning_ends_with_the_same_bits(
    reference: Path,
    digits: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = tuned(reference, digits, tmp_path / "whole")
    again, kills = with_kills(
        monkeypatch,
        lambda count, _: count in (2, 5),
        lambda: tuned(reference, digits, tmp_path / "cut"),
    )
    assert kills == 2
    assert_same_bits(whole, again)


def test_zeros_and_clusters_that_it_came_with_stay(
    reference: Path, digits: Any, tmp_path: Path
) -> None:
    model = load_keras(reference)
    first, *others = compressible_kernels(model)
    first.assign(np.sign(first.numpy()) * 0.25)
    for weight in others:
        weight.assign(largest(weight.value, 0.7))
    save_keras(model, tmp_path / "small.keras")
    found = tuned(tmp_path / "small.keras", digits, tmp_path / "work", clusters=2)
    for weight, before in zip(
        compressible_kernels(found), compressible_kernels(model), strict=True
    ):
        np.testing.assert_array_equal(weight.numpy() == 0, before.numpy() == 0)
        assert (weight.numpy() != before.numpy())[before.numpy() != 0].any()
    assert len(np.unique(compressible_kernels(found)[0].numpy())) == 2


@pytest.mark.parametrize(("units", "is_of_classes"), [(4, True), (1, False)])
def test_the_loss_is_how_far_the_answers_are_apart(
    rng: np.random.Generator, units: int, is_of_classes: bool
) -> None:
    """The loss against its definition: KL divergence of classes, squared difference of values."""

    def net(seed: int) -> Any:
        keras.utils.set_random_seed(seed)
        x = inputs = keras.Input((5,), name="x")
        x = keras.layers.Dense(units, name="logits" if is_of_classes else "value")(x)
        if is_of_classes:
            x = keras.layers.Softmax()(x)
        return keras.Model({"x": inputs}, x)

    one, other = net(1), net(2)
    for kernel in (w for w in one.weights if w.name == "kernel"):  # then rounding leaves it
        kernel.assign(rounded_weight(kernel.value, ((-1, units), (0,))))
    x = {"x": rng.normal(size=(9, 5)).astype(np.float32)}
    found, _ = distillation_step(one, other, None, rounding=Rounding({}, {}))(x, None, None)
    p, q = other(x).numpy(), one(x).numpy()
    wanted = (p * np.log(p / q)).sum(1) if is_of_classes else ((p - q) ** 2).mean(1)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-3, atol=1e-5)


BALL = {"kind": "pgd", "norm": "linf", "epsilon": 0.15, "steps": 5}


def test_the_attack_goes_through_the_rounding(
    reference: Path, digits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the attack sees are the rounded answers, on the grid of the ranges, with a gradient."""
    seen: dict[str, Any] = {}

    def attack(model: Any, x: Any, labels: Any, seed: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            seen["logits"] = model(x, training=False)
        seen["gradient"] = tape.gradient(seen["logits"], x)
        seen["labels"] = labels
        return x

    monkeypatch.setattr(distillation, "attack_of", lambda settings: attack)
    model, teacher = load_keras(reference), load_keras(reference)
    x = to_model_inputs(digits.read(digits.split("validation")[:32]), digits.preprocess)
    step = distillation_step(
        model, teacher, None, rounding=Rounding(NARROW, {"image": (0.0, 1.0)}), attack=BALL
    )
    step(x, None, tf.constant([1, 2]))
    steps = seen["logits"].numpy() / (6.0 / 255)  # of the grid from -3 to 3
    np.testing.assert_allclose(steps, np.round(steps), atol=2e-3)
    has_gradient = np.abs(seen["gradient"].numpy()).max(axis=(1, 2, 3)) > 0
    assert has_gradient.mean() > 0.8  # ranges this narrow cut some samples off altogether
    np.testing.assert_array_equal(seen["labels"], teacher(x).numpy().argmax(axis=1))


def test_half_of_the_loss_is_of_what_the_attack_finds(
    reference: Path, digits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There, too, the network is to answer as the teacher does: to the same inputs."""
    model, teacher = load_keras(reference), load_keras(reference)
    x = to_model_inputs(digits.read(digits.split("validation")[:32]), digits.preprocess)
    rounding, seed = Rounding(NARROW, {}), tf.constant([1, 2])
    moved = {name: 1 - value for name, value in x.items()}
    monkeypatch.setattr(
        distillation, "attack_of", lambda settings: lambda *given: tf.stop_gradient(moved["image"])
    )
    plain = distillation_step(model, teacher, None, rounding=rounding)
    clean, there = (plain(shown, None, seed)[0] for shown in (x, moved))
    both, _ = distillation_step(model, teacher, None, rounding=rounding, attack=BALL)(x, None, seed)
    np.testing.assert_allclose(both, (clean + there) / 2, rtol=1e-3, atol=1e-5)


def test_an_attack_that_cannot_move_adds_nothing(reference: Path, digits: Any) -> None:
    model, teacher = load_keras(reference), load_keras(reference)
    x = to_model_inputs(digits.read(digits.split("validation")[:32]), digits.preprocess)
    rounding, seed = Rounding(NARROW, {}), tf.constant([1, 2])
    clean, _ = distillation_step(model, teacher, None, rounding=rounding)(x, None, seed)
    both, _ = distillation_step(model, teacher, None, rounding=rounding, attack=BALL)(x, None, seed)
    assert np.abs(both - clean).mean() > 0.01
    narrow = BALL | {"epsilon": 1e-9}
    same, _ = distillation_step(model, teacher, None, rounding=rounding, attack=narrow)(
        x, None, seed
    )
    np.testing.assert_allclose(same, clean, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_integers_withstand_more_where_they_learn_under_attack(
    start: Path,  # noqa: F811
    digits: Any,
    tmp_path: Path,
) -> None:
    """A hardened net, cut to half of its ranges; attacked through its own rounding."""
    ball = {"kind": "pgd", "norm": "linf", "epsilon": 0.1, "steps": 5}
    done = harden(start, digits, tmp_path / "hard", epochs=10, learning_rate=3e-3, attack=ball)
    save_keras(done.model, tmp_path / "hard.keras")
    model = load_keras(tmp_path / "hard.keras")
    x = to_model_inputs(digits.read(digits.split("test")), digits.preprocess)
    names = [n for n in (layer.name for layer in model.layers) if n.endswith("relu")]
    inner = keras.Model(model.inputs, [model.get_layer(name).output for name in names])
    spans = {
        name: (0.0, 0.5 * float(tf.reduce_max(found)))
        for name, found in zip(names, inner(x), strict=True)
    }

    def withstood(attack: Any, work: str) -> float:
        found = tuned(
            tmp_path / "hard.keras", digits, tmp_path / work, 10, spans=spans, attack=attack
        )
        labels = np.asarray(digits.labels[digits.split("test")])
        head = logits_model(keras, found)
        with rounding_scope(found, spans):
            moved = pgd(
                lambda z, training: head({"image": z}, training=training),
                x["image"], tf.constant(labels), ball=Ball("linf", 0.1), steps=20,
                seed=tf.constant([3, 4]),
            )  # fmt: skip
            answers = head({"image": moved}, training=False).numpy()
        return float((answers.argmax(axis=1) == labels).mean())

    assert withstood(ball, "adversarial") > withstood(None, "plain")
