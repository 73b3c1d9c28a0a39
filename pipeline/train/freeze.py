"""Fine-tuning in two phases: only the last layer, then all layers.

A new last layer would else send large errors through weights that are good already (Yosinski et
al. 2014, arXiv:1411.1792, section 4). Batch normalization keeps the statistics that it came with.
"""

from collections.abc import Callable, Hashable

from pipeline.arrays import Model
from pipeline.config.train_schema import Freeze

NORMALISING = ("BatchNormalization",)


def frozen_epochs(freeze: Freeze | None) -> int:
    """Return the number of epochs that train only the last layer."""
    return 0 if freeze is None else int(freeze.epochs)


def phases(model: Model, freeze: Freeze | None) -> Callable[[int], Hashable]:
    """Return a function that makes a model ready for an epoch, and names the phase it is in.

    Args:
        model: its layers are made trainable or not.
        freeze: the `train.freeze` section; None: everything learns all along.
    """
    if freeze is None:
        return lambda epoch: None
    weighted = [layer for layer in model.layers if layer.trainable_weights]
    *others, _ = weighted

    def phase(epoch: int) -> Hashable:
        is_frozen = epoch < freeze.epochs
        for number, layer in enumerate(others):
            normalizes = type(layer).__name__ in NORMALISING
            layer.trainable = not (is_frozen or normalizes or number < freeze.kept)
        return is_frozen

    return phase
