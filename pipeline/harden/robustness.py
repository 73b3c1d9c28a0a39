"""Clean and robust accuracy of a Keras model: the share of samples that withstand PGD."""

from collections.abc import Callable, Sequence
from typing import Any

from pipeline.arrays import Array, Model
from pipeline.data.dataset import Dataset
from pipeline.device.runner import prepare_input
from pipeline.harden.space import Space
from pipeline.harden.space_attack import attack_in
from pipeline.harden.space_figures import attacked_figures
from pipeline.harden.space_search import Samples, outputs_of, searcher
from pipeline.harden.space_tokens import Texts


def clean_inputs(dataset: Dataset, positions: Array) -> Array:
    """Return the model inputs of samples (n, *shape), float32 in [0, 1]; there is one input."""
    (entry,) = dataset.preprocess["inputs"]
    return prepare_input(dataset.read(positions)[entry["name"]], entry)


def judge(
    model: Model,
    space: Space | Texts,
    samples: Samples,
    names: Sequence[str],
    *,
    steps: int,
    seed: int,
    has_one_step: bool = False,
) -> Callable[[], dict[str, Any]]:
    """Return a function that measures the current weights: see `attacked_figures`.

    Args:
        model: a classifier.
        space: what is attacked.
        samples: that are attacked.
        names: of the classes.
        steps: of PGD; of texts the space knows all.
        seed: of its random start.
        has_one_step: whether to measure `one_step` too: the share that withstands the plain sign
            step.
    """
    many = finder_in(model, space, steps=steps)
    one = searcher(model, space, attack_in(space, {"kind": "fgsm"})) if has_one_step else None

    def measured() -> dict[str, Any]:
        clean = outputs_of(model, space, samples, samples.x)
        attacked = outputs_of(model, space, samples, many(samples, seed=seed))
        found = attacked_figures(clean, attacked, samples.labels, names)
        if one is not None:
            other = outputs_of(model, space, samples, one(samples, seed=seed))
            held = attacked_figures(clean, other, samples.labels, names)
            found["one_step"] = held["robust"]
        return found

    return measured


def finder_in(model: Model, space: Space | Texts, *, steps: int) -> Callable[..., Array]:
    """Return (samples, *, seed, share=1.0) -> what PGD, or of texts substitution, finds.

    Args:
        model: a Keras classifier; the weights are those at the time of a call.
        space: what can be moved.
        steps: gradient steps.
    """
    return searcher(model, space, attack_in(space, {"kind": "pgd", "steps": steps}))
