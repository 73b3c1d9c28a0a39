"""Whether an attack can be trusted: checks that a sound one passes and a broken defence fails.

Carlini et al. 2019 (arXiv:1902.06705), section 5, and Athalye et al. 2018 (arXiv:1802.00420),
section 3.1: a defence that hides its gradients only looks robust. A check that fails says that the
figures beside it are not to be believed, so it is no figure itself: it fails a gate.
"""

from collections.abc import Mapping
from typing import Any

Row = dict[str, Any]

SHARE = 0.02  # of the samples, that chance may move
FEW = 3  # samples that it may move where that is more
AGREEMENT = 0.99  # of a twin's decisions with its file's


def slack(samples: int) -> float:
    """Return the share of the samples that chance may move."""
    return max(SHARE, FEW / samples)


def of_gradients(found: Mapping[str, float], samples: int, on: str) -> list[Row]:
    """Return the checks of an attack by gradients.

    Those whose figures were not measured are left out: words have no epsilon, and where a column
    stays as it is an unbounded attack need not succeed.

    Args:
        found: accuracy under one restart: of `fewer` steps, `at` epsilon and at `twice` of it, and
            `unbounded`; and under `noise`.
        samples: that were attacked.
        on: whose gradients.
    """
    spare = slack(samples)
    rows = {
        "noise is weaker than the attack": (
            found["at"] - found["noise"],
            "accuracy under the attack less that under random noise of the same size: gradients "
            "that lead nowhere are no better than chance",
        )
    }
    if "fewer" in found:
        rows["more steps never help the defender"] = (
            found["at"] - found["fewer"],
            "accuracy under all steps less that under a fifth of them: gradients are noise, or "
            "answers are random",
        )
    if "twice" in found:
        rows["a larger epsilon never helps the defender"] = (
            found["twice"] - found["at"],
            "accuracy at twice epsilon less that at epsilon: the attack loses its way",
        )
    if "unbounded" in found:
        rows["an unbounded attack always succeeds"] = (
            found["unbounded"],
            "accuracy where any input may be made: only a broken attack leaves any",
        )
    return [_check(name, on, value, spare, means) for name, (value, means) in rows.items()]


def of_search(before: float, after: float, samples: int, on: str) -> Row:
    """Return the check that a search without gradients finds little that gradients missed.

    Args:
        before: accuracy under all attacks by gradients.
        after: accuracy when a search was done, too.
        samples: that were attacked.
        on: whose answers.
    """
    return _check(
        "gradients find what a search finds",
        on,
        before - after,
        slack(samples),
        "what Square attack breaks, without gradients, of what withstood them: the gradients are "
        "masked",
    )


def of_answers(changed: float, on: str) -> Row:
    """Return the check that a model answers twice alike; `changed`: share of other decisions."""
    return _check(
        "the same input has the same answer",
        on,
        changed,
        0.0,
        "share of decisions that change when asked again: a defence by chance must be attacked on "
        "average over its draws",
    )


def of_twin(
    agreement: float, *, own: float, transferred: float, noise: float, samples: int
) -> list[Row]:
    """Return the checks of an attack straight through a file's rounding.

    Args:
        agreement: share of decisions that the twin and the file have in common.
        own: the file's accuracy under the attack on its twin.
        transferred: the file's accuracy under what fooled the float reference, at equal budget.
        noise: the file's accuracy under random noise.
        samples: that were attacked.
    """
    return [
        _check(
            "the twin decides as the file does",
            "file",
            1 - agreement,
            1 - AGREEMENT,
            "share of decisions, clean and attacked, in which the network made of the file's own "
            "scales differs from the file: its gradients are not the file's",
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


def _check(name: str, on: str, value: float, limit: float, means: str) -> Row:
    passed = value <= limit + 1e-9
    return {
        "name": name,
        "on": on,
        "value": float(value),
        "limit": float(limit),
        "passed": bool(passed),
        "means": means,
    }
