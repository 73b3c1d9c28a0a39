"""What an attack did: accuracy, success on each class and area under the ROC curve. Pure NumPy."""

from collections.abc import Sequence
from typing import Any

from pipeline.arrays import Array
from pipeline.tasks.metrics import area_under_roc


def attacked_figures(
    clean: Array, attacked: Array, labels: Array, names: Sequence[str]
) -> dict[str, Any]:
    """Return clean and robust accuracy, and what the attack did to each class.

    A sample that is wrong without any attack is not robust either, and is no success of the attack.

    Args:
        clean: what the model answers without the attack (n, K).
        attacked: the same under it.
        labels: class ids (n,).
        names: of the classes.

    Returns:
        clean, robust; classes: name -> samples, recall, robust (recall under the attack), success
        (share of those right that the attack turned; None where none was right); auc and
        auc_attacked for two classes that both are there, else None.
    """
    right = clean.argmax(axis=1) == labels
    held = right & (attacked.argmax(axis=1) == labels)
    has_both = len(names) == 2 and 0 < int(labels.sum()) < len(labels)
    return {
        "clean": float(right.mean()),
        "robust": float(held.mean()),
        "classes": by_class(right, held, labels, names),
        "auc": area_under_roc(labels, clean[:, 1]) if has_both else None,
        "auc_attacked": area_under_roc(labels, attacked[:, 1]) if has_both else None,
    }


def by_class(
    right: Array, held: Array, labels: Array, names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return samples, recall, robust and success of each class that is there, by its name.

    Args:
        right: whether each sample is decided rightly without an attack (n,).
        held: whether it still is under every attack (n,); none that was wrong is.
        labels: class ids (n,).
        names: of the classes.
    """
    return {
        name: _of_class(right[labels == k], held[labels == k])
        for k, name in enumerate(names)
        if (labels == k).any()
    }


def _of_class(right: Array, held: Array) -> dict[str, Any]:
    turned = float((right & ~held).sum()) / float(right.sum()) if right.any() else None
    return {
        "samples": len(right),
        "recall": float(right.mean()),
        "robust": float(held.mean()),
        "success": turned,
    }
