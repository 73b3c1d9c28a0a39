"""Clean and robust accuracy of a Keras model under PGD, success rates and AUC per class."""

from collections.abc import Callable, Sequence

from pipeline.arrays import Array, Model
from pipeline.data.dataset import Dataset
from pipeline.documents.robustness import AttackMetrics, ClassRobustness
from pipeline.harden.attacks import attack_in
from pipeline.harden.run_attack import Samples, compile_attack, outputs_of
from pipeline.harden.word_substitution import ThreatModel
from pipeline.ondevice.prepare import prepare_input
from pipeline.ondevice.sanitize import remove_squeezing
from pipeline.tasks.metrics import area_under_roc


def clean_inputs(dataset: Dataset, positions: Array) -> Array:
    """Return samples of one input before input sanitization (n, *shape), float32 in [0, 1]."""
    (entry,) = remove_squeezing(dataset.preprocess).inputs
    return prepare_input(dataset.read(positions)[entry.name], entry)


def judge(
    model: Model,
    threat: ThreatModel,
    samples: Samples,
    *,
    names: Sequence[str],
    steps: int,
    seed: int,
    has_one_step: bool = False,
) -> Callable[[], AttackMetrics]:
    """Return a function that measures the current weights under PGD.

    Args:
        model: a classifier.
        threat: what the attack may change.
        samples: that are attacked.
        names: of the classes.
        steps: of PGD; texts are attacked by substitution.
        seed: of its random start.
        has_one_step: whether to measure accuracy under a single sign step too.
    """
    many = compile_pgd(model, threat, steps=steps)
    one = (
        compile_attack(model, threat, attack_in(threat, {"kind": "fgsm"})) if has_one_step else None
    )

    def measure() -> AttackMetrics:
        clean = outputs_of(model, threat, samples, x=samples.x)
        attacked = outputs_of(model, threat, samples, x=many(samples, seed=seed))
        metrics = measure_attack(clean, attacked, samples.labels, names=names)
        if one is None:
            return metrics
        other = outputs_of(model, threat, samples, x=one(samples, seed=seed))
        accuracy = measure_attack(clean, other, samples.labels, names=names).robust_accuracy
        return metrics.model_copy(update={"one_step_accuracy": accuracy})

    return measure


def compile_pgd(model: Model, threat: ThreatModel, *, steps: int) -> Callable[..., Array]:
    """Return (samples, *, seed, share=1.0) -> points (n, ...) of PGD, of texts of substitution.

    Args:
        model: a Keras classifier; the weights are those at the time of a call.
        threat: what the attack may change.
        steps: gradient steps.
    """
    return compile_attack(model, threat, attack_in(threat, {"kind": "pgd", "steps": steps}))


def measure_attack(
    clean: Array, attacked: Array, labels: Array, *, names: Sequence[str]
) -> AttackMetrics:
    """Return clean and robust accuracy, overall and per class.

    A sample that is misclassified without the attack is not robust, and no success of the attack.

    Args:
        clean: outputs without the attack (n, K).
        attacked: outputs under it (n, K).
        labels: class ids (n,).
        names: of the classes.
    """
    correct = clean.argmax(axis=1) == labels
    robust = correct & (attacked.argmax(axis=1) == labels)
    has_both = len(names) == 2 and 0 < int(labels.sum()) < len(labels)
    return AttackMetrics(
        clean_accuracy=float(correct.mean()),
        robust_accuracy=float(robust.mean()),
        classes=measure_classes(correct, robust, labels, names=names),
        auc=area_under_roc(labels, clean[:, 1]) if has_both else None,
        attacked_auc=area_under_roc(labels, attacked[:, 1]) if has_both else None,
    )


def measure_classes(
    correct: Array, robust: Array, labels: Array, *, names: Sequence[str]
) -> dict[str, ClassRobustness]:
    """Return class -> its metrics, of each class that has samples.

    Args:
        correct: whether each sample is correct without an attack (n,).
        robust: whether it is correct without and under every attack (n,).
        labels: class ids (n,).
        names: of the classes.
    """
    return {
        name: _of_class(correct[labels == k], robust[labels == k])
        for k, name in enumerate(names)
        if (labels == k).any()
    }


def _of_class(correct: Array, robust: Array) -> ClassRobustness:
    success = float((correct & ~robust).sum()) / float(correct.sum()) if correct.any() else None
    return ClassRobustness(
        samples=len(correct),
        recall=float(correct.mean()),
        robust_recall=float(robust.mean()),
        attack_success_rate=success,
    )
