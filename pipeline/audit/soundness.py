"""Whether an attack can be trusted: checks that a sound one passes and a broken one fails.

Carlini et al. 2019 (arXiv:1902.06705), section 5, and Athalye et al. 2018 (arXiv:1802.00420),
section 3.1: a defense that hides its gradients only looks robust. A failed check says that
robust accuracy is not to be trusted: it fails a gate.
"""

from collections.abc import Mapping
from typing import Literal

from pipeline.documents.evasion import Check

On = Literal["reference", "file"]

FRACTION = 0.02  # of the samples, that chance may move
FEW = 3  # samples that it may move where that is more
AGREEMENT = 0.99  # of a copy's decisions with its file's


def slack(samples: int) -> float:
    """Return the fraction of the samples that chance may move."""
    return max(FRACTION, FEW / samples)


def of_gradients(accuracies: Mapping[str, float], samples: int, on: On) -> list[Check]:
    """Return the checks of an attack by gradients.

    Those that were not measured are left out: words have no epsilon, and where a column
    stays as it is an unbounded attack need not succeed.

    Args:
        accuracies: under one restart: of `fewer` steps, `at` epsilon and at `twice` of it, and
            `unbounded`; and under `noise`.
        samples: that were attacked.
        on: whose gradients.
    """
    spare = slack(samples)
    rows = {
        "noise is weaker than the attack": (
            accuracies["at"] - accuracies["noise"],
            "accuracy under the attack less that under random noise of the same size: gradients "
            "that lead nowhere are no better than chance",
        )
    }
    if "fewer" in accuracies:
        rows["more steps never help the defender"] = (
            accuracies["at"] - accuracies["fewer"],
            "accuracy under all steps less that under a fifth of them: gradients are noise, or "
            "outputs are random",
        )
    if "twice" in accuracies:
        rows["a larger epsilon never helps the defender"] = (
            accuracies["twice"] - accuracies["at"],
            "accuracy at twice epsilon less that at epsilon: the attack loses its way",
        )
    if "unbounded" in accuracies:
        rows["an unbounded attack always succeeds"] = (
            accuracies["unbounded"],
            "accuracy where the attack may make any input: only a broken attack leaves some",
        )
    return [_check(name, on, value, spare, means) for name, (value, means) in rows.items()]


def of_search(before: float, after: float, samples: int, *, on: On) -> Check:
    """Return the check that a search succeeds on few samples where gradients failed.

    Args:
        before: accuracy under all attacks by gradients.
        after: accuracy when a search was done, too.
        samples: that were attacked.
        on: whose outputs.
    """
    return _check(
        "gradients find what a search finds",
        on,
        before - after,
        slack(samples),
        "robust accuracy under gradient attacks less that under Square attack too, which needs no "
        "gradients: they are masked",
    )


def of_repetition(changed: float, on: On) -> Check:
    """Return the check that a repeated input has the same decision; `changed`: rate of others."""
    return _check(
        "the same input has the same output",
        on,
        changed,
        0.0,
        "fraction of decisions that change on the same input: attack a randomized defense in "
        "expectation over its randomness",
    )


def of_copy(
    agreement: float, *, own: float, transferred: float, noise: float, samples: int
) -> list[Check]:
    """Return the checks of an attack straight through a file's rounding.

    Args:
        agreement: fraction of decisions that the differentiable copy and the file share.
        own: the file's accuracy under the attack on its copy.
        transferred: the file's accuracy under adversarial examples of the float reference.
        noise: the file's accuracy under random noise.
        samples: that were attacked.
    """
    return [
        _check(
            "the differentiable copy decides as the file",
            "file",
            1 - agreement,
            1 - AGREEMENT,
            "fraction of decisions, clean and attacked, in which the differentiable copy and the "
            "file differ: its gradients are not the file's",
        ),
        _check(
            "the file's own gradients beat transferred inputs",
            "file",
            own - transferred,
            slack(samples),
            "accuracy under the attack through the rounding less that under inputs made for the "
            "float model: rounding hides the gradient",
        ),
        _check(
            "transferred inputs beat noise",
            "file",
            transferred - noise,
            slack(samples),
            "accuracy under inputs made for the float model less that under random noise",
        ),
    ]


def _check(name: str, on: On, value: float, limit: float, meaning: str) -> Check:
    return Check(
        name=name,
        on=on,
        value=float(value),
        limit=float(limit),
        passed=bool(value <= limit + 1e-9),
        meaning=meaning,
    )
