"""Membership inference and model extraction on the shipped model."""

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Array, only
from pipeline.audit import membership
from pipeline.audit.attacked import Attacked
from pipeline.audit.evasion import evenly
from pipeline.audit.extraction import Thief, extraction
from pipeline.audit.shadows import shadow_scores
from pipeline.documents.privacy import Extraction, Membership, MembershipAttack
from pipeline.models.predict import predict
from pipeline.seeds import fold_seed


@dataclass(frozen=True)
class MembershipScores:
    """Scores of the shipped file, (n,) each; the larger, the more likely learned."""

    members: Array
    nonmembers: Array
    positions: Array
    """Of the members."""


def infer_membership(
    attacked: Attacked,
    most: int | None,
    shadow_models: int | None,
    *,
    split: str,
    shift: str | None,
) -> tuple[Membership, MembershipScores | None]:
    """Return the results of membership inference, and the scores; None: it was not tried.

    Args:
        attacked: what is examined.
        most: members, and as many others, at most; None: it is not tried.
        shadow_models: how many are trained; None: none.
        split: where nonmembers are from.
        shift: what else than membership may tell the two sides apart.
    """
    if most is None:
        skipped = "audit.membership_samples is null"
        return Membership(skipped=skipped, split=split, shift=shift), None
    dataset, train = attacked.dataset, attacked.dataset.split("train")
    count = min(most, len(train), len(attacked.held))
    members, others = evenly(train, count), attacked.held[:count]
    pool = np.concatenate([members, others])
    labels = np.asarray(dataset.labels[pool])
    answers = {
        "file": attacked.ask(dataset.read(pool)),
        "reference": only(predict(attacked.model, dataset, pool)),
    }
    floors = {"file": attacked.floor, "reference": membership.FLOOR}
    scores = {n: membership.confidence(a, labels, floors[n]) for n, a in answers.items()}
    models = {name: _threshold_attacks(own, labels) for name, own in scores.items()}
    if shadow_models is not None:
        _ask_shadows(attacked, pool, shadow_models, scores, models)
    document = Membership(
        skipped=None, split=split, shift=shift, members=count, nonmembers=count, models=models
    )
    own = scores["file"]
    return document, MembershipScores(own[:count], own[count:], members)


def _threshold_attacks(scores: Array, labels: Array) -> dict[str, MembershipAttack]:
    """Return the attacks by a threshold on the score: one for all classes, and one per class."""
    half = len(scores) // 2
    members, others = scores[:half], scores[half:]
    levelled = membership.by_class(members, others, (labels[:half], labels[half:]))
    return {
        "confidence": membership.membership_metrics(members, others),
        "confidence_by_class": membership.membership_metrics(*levelled),
    }


def _ask_shadows(
    attacked: Attacked,
    pool: Array,
    count: int,
    scores: dict[str, Array],
    models: dict[str, dict[str, MembershipAttack]],
) -> None:
    """Add the likelihood ratio attack with shadow models."""
    half = len(pool) // 2
    shadows, learnt = shadow_scores(attacked, pool, count)
    for name, own in scores.items():
        ratio, estimator = membership.likelihood_ratio(own, shadows, learnt)
        result = membership.membership_metrics(ratio[:half], ratio[half:])
        models[name]["lira"] = result.model_copy(
            update={"estimator": estimator, "shadow_models": count}
        )


def measure_extraction(attacked: Attacked, queries: int | None, samples: int) -> Extraction | None:
    """Return how well a surrogate of the file can be trained by queries; None: not tried.

    Args:
        attacked: what is examined.
        queries: queries to the file, at most; None: it is not tried.
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
    return extraction(attacked.dataset, evenly(attacked.held, samples), attacked.ask, thief=thief)
