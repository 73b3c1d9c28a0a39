"""The gradient attack on a file, straight through its rounding.

An integer file has no gradient. Its differentiable copy, made of the file's own weights and scales,
has one; that the two decide alike is measured and required.
"""

from collections.abc import Mapping

import numpy as np

from pipeline.arrays import Array
from pipeline.audit import soundness
from pipeline.audit.adaptive import front_of
from pipeline.audit.gradient_attack import attack_by_gradients
from pipeline.audit.images import FileAttack, FileCase, gradient_checks
from pipeline.audit.whitebox import box_of_copy
from pipeline.documents.evasion import StraightThrough
from pipeline.models.tflite.differentiable import differentiable_copy
from pipeline.models.tflite.node import Refused


def attack_straight_through(case: FileCase, masks: Mapping[str, Array]) -> FileAttack:
    """Attack the file's differentiable copy; the file decides what is correct; masks are (n,)."""
    images = case.images
    try:
        copy = differentiable_copy(case.queries.file)
    except Refused as error:
        skipped = StraightThrough(skipped=str(error), is_white_box=False)
        return FileAttack(None, row={"straight_through": skipped})
    box = box_of_copy(copy, front_of(images.entry))

    def is_correct(x: Array) -> Array:
        return masks["clean"] & case.is_correct(x)

    result = attack_by_gradients(
        box, is_correct, images.x, labels=images.labels, by=case.by, purpose="twin"
    )
    shown = [images.x, *case.reference.gradients.examples.values(), *result.examples.values()]
    x = np.concatenate(shown)
    of_file, of_copy = case.queries.outputs(x), box.outputs(x)
    agreement = float((of_file.argmax(axis=1) == of_copy.argmax(axis=1)).mean())
    noise = float(result.masks["noise"].mean())
    checks = soundness.of_copy(
        agreement,
        own=float(result.robust.mean()),
        transferred=float(masks["pgd_transfer"].mean()),
        noise=noise,
        samples=len(images.x),
    )
    row = StraightThrough(
        skipped=None,
        agreement=agreement,
        inputs=len(x),
        mean_lsb=float(np.abs(of_file - of_copy).mean()) / copy.step if copy.step else None,
        noise_accuracy=noise,
        is_white_box=checks[0].passed,
    )
    checks += gradient_checks(result, images, case.by, on="file")
    return FileAttack(
        result.robust, result.examples, {"straight_through": row}, {}, tuple(checks), result, box
    )
