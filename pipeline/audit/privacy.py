"""Who was learnt, and what can be copied: membership inference and extraction on what ships."""

from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.audit import membership
from pipeline.audit.attacked import Attacked
from pipeline.audit.evasion import evenly
from pipeline.audit.extraction import Thief, extraction
from pipeline.audit.shadows import shadow_scores
from pipeline.models.predict import predict
from pipeline.seeds import fold_seed


def told_apart(attacked: Attacked, most: int | None, shadow_models: int | None) -> dict[str, Any]:
    """Return the figures of membership inference, and its `scores`.

    Args:
        attacked: what is examined.
        most: members, and as many others, at most; None: it is not tried.
        shadow_models: how many are trained; None: none.

    Returns:
        What audit.json says; `scores` are those of the file for members and others, and who the
        members are: (n,) each; None where it was not tried.
    """
    if most is None:
        return {"skipped": "audit.membership_samples is null", "scores": None}
    dataset, train = attacked.dataset, attacked.dataset.split("train")
    count = min(most, len(train), len(attacked.held))
    members, others = evenly(train, count), attacked.held[:count]
    pool = np.concatenate([members, others])
    labels = np.asarray(dataset.labels[pool])
    answers = {
        "file": attacked.ask(dataset.read(pool)),
        "reference": predict(attacked.model, dataset, pool),
    }
    floors = {"file": attacked.floor, "reference": membership.FLOOR}
    scores = {n: membership.confidence(a, labels, floors[n]) for n, a in answers.items()}
    models = {name: {"attacks": _guessed(own, labels)} for name, own in scores.items()}
    if shadow_models is not None:
        _ask_shadows(attacked, pool, shadow_models, scores, models)
    return {
        "skipped": None,
        "members": count,
        "others": count,
        "models": models,
        "scores": (scores["file"][:count], scores["file"][count:], members),
    }


def _guessed(scores: Array, labels: Array) -> dict[str, Any]:
    """Return what thresholds on the answers tell: one for all classes, and one for each."""
    half = len(scores) // 2
    members, others = scores[:half], scores[half:]
    levelled = membership.by_class(members, others, (labels[:half], labels[half:]))
    return {
        "confidence": membership.membership_metrics(members, others),
        "confidence_by_class": membership.membership_metrics(*levelled),
    }


def _ask_shadows(
    attacked: Attacked, pool: Array, count: int, scores: dict[str, Array], models: dict[str, Any]
) -> None:
    """Add what the likelihood ratio against shadow models tells."""
    half = len(pool) // 2
    shadows, learnt = shadow_scores(attacked, pool, count)
    for name, own in scores.items():
        ratio, how = membership.likelihood_ratio(own, shadows, learnt)
        found = membership.membership_metrics(ratio[:half], ratio[half:])
        models[name]["attacks"]["lira"] = found | {"form": how, "models": count}


def measure_extraction(
    attacked: Attacked, queries: int | None, samples: int
) -> dict[str, Any] | None:
    """Return how well a network learns to decide as the file from its answers; None: not tried.

    Args:
        attacked: what is examined.
        queries: questions to the file, at most; None: it is not tried.
        samples: held back, that decisions are compared on, at most.
    """
    if queries is None:
        return None
    seed = fold_seed(attacked.learning["seed"], "extraction")
    thief = Thief(
        attacked.spec.model_copy(update={"seed": fold_seed(seed, "start")}),
        attacked.training,
        queries,
        attacked.learning["batch_size"],
        seed,
        attacked.out,
    )
    return extraction(attacked.dataset, evenly(attacked.held, samples), attacked.ask, thief)
