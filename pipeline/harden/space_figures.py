"""Accuracy under an attack, its success rate per class and area under the ROC curve. NumPy."""

from collections.abc import Sequence

from pipeline.arrays import Array
from pipeline.documents.robustness import AttackMetrics, ClassRobustness
from pipeline.tasks.metrics import area_under_roc


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
    right = clean.argmax(axis=1) == labels
    held = right & (attacked.argmax(axis=1) == labels)
    has_both = len(names) == 2 and 0 < int(labels.sum()) < len(labels)
    return AttackMetrics(
        clean_accuracy=float(right.mean()),
        robust_accuracy=float(held.mean()),
        classes=measure_classes(right, held, labels, names=names),
        auc=area_under_roc(labels, clean[:, 1]) if has_both else None,
        attacked_auc=area_under_roc(labels, attacked[:, 1]) if has_both else None,
    )


def measure_classes(
    right: Array, held: Array, labels: Array, *, names: Sequence[str]
) -> dict[str, ClassRobustness]:
    """Return class -> its metrics, of each class that has samples.

    Args:
        right: whether each sample is correct without an attack (n,).
        held: whether it is correct without and under every attack (n,).
        labels: class ids (n,).
        names: of the classes.
    """
    return {
        name: _of_class(right[labels == k], held[labels == k])
        for k, name in enumerate(names)
        if (labels == k).any()
    }


def _of_class(right: Array, held: Array) -> ClassRobustness:
    success = float((right & ~held).sum()) / float(right.sum()) if right.any() else None
    return ClassRobustness(
        samples=len(right),
        recall=float(right.mean()),
        robust_recall=float(held.mean()),
        attack_success_rate=success,
    )
