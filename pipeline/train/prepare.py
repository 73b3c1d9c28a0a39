"""What is done to a batch before the step: preprocessing, then training-only changes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.arrays import Tensor
from pipeline.data.augment import augment
from pipeline.data.preprocess import to_model_inputs
from pipeline.documents.preprocess import Preprocess


def preparer(
    preprocess: Preprocess, changes: Sequence[Mapping[str, Any]]
) -> Callable[[Mapping[str, Any], Any], Mapping[str, Any]]:
    """Return (raw inputs, seed) -> augmented model inputs.

    Args:
        preprocess: contents of preprocess.json.
        changes: sections of `data.augment`, dumped.
    """

    def prepare(raw: Mapping[str, Any], seed: Tensor) -> Mapping[str, Any]:
        ready = to_model_inputs(raw, preprocess)
        return {name: augment(x, changes, seed) if changes else x for name, x in ready.items()}

    return prepare
