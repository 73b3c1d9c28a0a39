"""Quantization-aware training: the network learns to keep its outputs through int8's rounding.

Quantized distillation, Polino et al. 2018 (arXiv:1802.05668), section 3. Zeros and clusters that
the network came with stay.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.arrays import Model
from pipeline.compress.distillation import DistillationJob, Rounding, distill_network
from pipeline.compress.fake_quant import spans_of_layers
from pipeline.models.kernels import compressible_kernels
from pipeline.train.weight_constraints import made_small
from pipeline.train.workers import together


def fine_tune_for_int8(
    job: DistillationJob, ranges: Mapping[str, Any], *, clusters: int | None = None
) -> Any:
    """Return a network, fine-tuned for its int8 file.

    Args:
        job: student, teacher, data and epochs.
        ranges: what `tensor_ranges` says of the student's float32 file.
        clusters: values that a kernel takes at most, where it came clustered.

    Raises:
        Diverged: the loss is no longer a number.
    """
    return together(job.strategy, _fine_tuned, job, ranges, clusters)


def _fine_tuned(job: DistillationJob, ranges: Mapping[str, Any], clusters: int | None) -> Any:
    """Fine-tune the student, as one of the workers that do."""
    tensors = [(name, tuple(span)) for name, span in ranges["tensors"]]

    def rounding(model: Model) -> Rounding:
        return Rounding(spans_of_layers(model, tensors), ranges["inputs"])

    return distill_network(
        job, lambda model, steps: made_small(compressible_kernels(model), clusters), rounding
    )
