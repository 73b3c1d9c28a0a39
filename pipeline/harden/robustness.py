"""Clean and robust accuracy of a Keras model: accuracy under PGD."""

from collections.abc import Callable, Sequence

from pipeline.arrays import Array, Model
from pipeline.data.dataset import Dataset
from pipeline.documents.robustness import AttackMetrics
from pipeline.harden.space import Space
from pipeline.harden.space_attack import attack_in
from pipeline.harden.space_figures import measure_attack
from pipeline.harden.space_search import Samples, outputs_of, searcher
from pipeline.harden.space_tokens import Texts
from pipeline.ondevice.prepare import prepare_input


def clean_inputs(dataset: Dataset, positions: Array) -> Array:
    """Return the model inputs of samples (n, *shape), float32 in [0, 1]; there is one input."""
    (entry,) = dataset.preprocess.inputs
    return prepare_input(dataset.read(positions)[entry.name], entry)


def judge(
    model: Model,
    space: Space | Texts,
    samples: Samples,
    *,
    names: Sequence[str],
    steps: int,
    seed: int,
    has_one_step: bool = False,
) -> Callable[[], AttackMetrics]:
    """Return a function that measures the current weights under PGD.

    Args:
        model: a classifier.
        space: what is attacked.
        samples: that are attacked.
        names: of the classes.
        steps: of PGD; of texts the space knows all.
        seed: of its random start.
        has_one_step: whether to measure accuracy under a single sign step too.
    """
    many = finder_in(model, space, steps=steps)
    one = searcher(model, space, attack_in(space, {"kind": "fgsm"})) if has_one_step else None

    def measure() -> AttackMetrics:
        clean = outputs_of(model, space, samples, x=samples.x)
        attacked = outputs_of(model, space, samples, x=many(samples, seed=seed))
        metrics = measure_attack(clean, attacked, samples.labels, names=names)
        if one is None:
            return metrics
        other = outputs_of(model, space, samples, x=one(samples, seed=seed))
        accuracy = measure_attack(clean, other, samples.labels, names=names).robust_accuracy
        return metrics.model_copy(update={"one_step_accuracy": accuracy})

    return measure


def finder_in(model: Model, space: Space | Texts, *, steps: int) -> Callable[..., Array]:
    """Return (samples, *, seed, share=1.0) -> what PGD, or of texts substitution, finds.

    Args:
        model: a Keras classifier; the weights are those at the time of a call.
        space: what can be moved.
        steps: gradient steps.
    """
    return searcher(model, space, attack_in(space, {"kind": "pgd", "steps": steps}))
