"""Clean and robust accuracy of a Keras model: the share of samples that withstand the judge."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.harden.space import Space
from pipeline.harden.space_attack import attack_in
from pipeline.harden.space_figures import attacked_figures
from pipeline.harden.space_search import Finder, Samples, outputs_of, searcher
from pipeline.harden.space_tokens import Texts

Array = np.ndarray[Any, np.dtype[Any]]


def judge_of(model: Any, space: Space | Texts, *, steps: int) -> Finder:
    """Return (samples, *, seed, share=1.0) -> what PGD, or of texts substitution, finds.

    Args:
        model: a Keras classifier; the weights are those at the time of a call.
        space: what can be moved.
        steps: gradient steps.
    """
    return searcher(
        model, space, attack_in(space, {"kind": "pgd", "epsilon": None, "steps": steps})
    )


def right(model: Any, space: Space | Texts, samples: Samples, x: Array) -> Array:
    """Return whether the model decides rightly about samples with the points x in their place."""
    return outputs_of(model, space, samples, x).argmax(axis=1) == samples.labels


def robustness(
    model: Any,
    space: Space | Texts,
    samples: Samples,
    names: Sequence[str],
    *,
    find: Finder,
    seed: int,
) -> dict[str, Any]:
    """Return the figures of a model, clean and under attack; see `attacked_figures`.

    Args:
        model: what is judged, as it stands.
        space: what can be moved.
        samples: that are attacked.
        names: of the classes.
        find: its judge.
        seed: of the judge.
    """
    clean = outputs_of(model, space, samples, samples.x)
    attacked = outputs_of(model, space, samples, find(samples, seed=seed))
    return attacked_figures(clean, attacked, samples.labels, names)
