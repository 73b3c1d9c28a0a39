"""Membership inference and extraction of the shipped file, as rows of ATTACKS."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.arrays import Array, only
from pipeline.audit import membership
from pipeline.audit.audited_model import AuditedModel
from pipeline.audit.evasion import evenly
from pipeline.audit.extraction import Attacker, extraction
from pipeline.audit.shadow_models import shadow_scores
from pipeline.config.schema import Config
from pipeline.documents.privacy import Membership, MembershipAttack
from pipeline.models.predict import predict
from pipeline.seeds import fold_seed

SHIFTS = {  # how the data was split -> what else may separate members from nonmembers
    "random": None,
    "stratified": None,
    "group": "members and nonmembers are of different groups",
    "time": "members and nonmembers are of different times",
    "given": "members and nonmembers come from parts that the source made",
}


@dataclass(frozen=True)
class MembershipScores:
    """Scores of the shipped file, (n,) each; the larger, the more likely a member."""

    members: Array
    nonmembers: Array
    positions: Array
    """Of the members."""


def skip_membership(config: Config, reason: str) -> Membership:
    """Return the document where membership inference is off."""
    split, shift = config.verify.split, SHIFTS[config.data.split.by]
    return Membership(skipped=reason, split=split, shift=shift)


def membership_scores(audited: AuditedModel, most: int) -> MembershipScores:
    """Return the scores of members, at most so many, and of as many samples of `verify.split`."""
    members, nonmembers, labels = _pool(audited, most)
    raw = audited.dataset.read(np.concatenate([members, nonmembers]))
    scores = membership.confidence(audited.query(raw), labels, audited.min_probability)
    return MembershipScores(scores[: len(members)], scores[len(members) :], members)


def infer_membership(audited: AuditedModel, config: Config) -> dict[str, Any]:
    """Return `membership`: thresholds on the score, and with shadow models LiRA."""
    assert config.audit is not None  # else the stage is off
    assert config.audit.membership_samples is not None  # else the attack is off
    most, shadow_models = config.audit.membership_samples, config.audit.shadow_models
    members, nonmembers, labels = _pool(audited, most)
    pool, own = np.concatenate([members, nonmembers]), membership_scores(audited, most)
    reference = only(predict(audited.model, audited.dataset, pool))
    scores = {
        "file": np.concatenate([own.members, own.nonmembers]),
        "reference": membership.confidence(reference, labels, membership.FLOOR),
    }
    models = {name: _threshold_attacks(values, labels) for name, values in scores.items()}
    if shadow_models is not None:
        _add_shadow_attacks(audited, pool, shadow_models, scores, models)
    document = Membership(
        skipped=None,
        split=config.verify.split,
        shift=SHIFTS[config.data.split.by],
        members=len(members),
        nonmembers=len(nonmembers),
        models=models,
    )
    return {"membership": document}


def _pool(audited: AuditedModel, most: int) -> tuple[Array, Array, Array]:
    """Return positions of members and of as many nonmembers (n,), and the labels of both (2 n,)."""
    train = audited.dataset.split("train")
    count = min(most, len(train), len(audited.test))
    members, nonmembers = evenly(train, count), audited.test[:count]
    pool = np.concatenate([members, nonmembers])
    return members, nonmembers, np.asarray(audited.dataset.labels[pool])


def _threshold_attacks(scores: Array, labels: Array) -> dict[str, MembershipAttack]:
    """Return the attacks by a threshold on the score: one for all classes, and one per class."""
    half = len(scores) // 2
    members, others = scores[:half], scores[half:]
    by_class = membership.by_class(members, others, (labels[:half], labels[half:]))
    return {
        "confidence": membership.membership_metrics(members, others),
        "confidence_by_class": membership.membership_metrics(*by_class),
    }


def _add_shadow_attacks(
    audited: AuditedModel,
    pool: Array,
    count: int,
    scores: dict[str, Array],
    models: dict[str, dict[str, MembershipAttack]],
) -> None:
    """Add the likelihood ratio attack with shadow models."""
    half = len(pool) // 2
    shadows, is_in = shadow_scores(audited, pool, count)
    for name, own in scores.items():
        ratio, estimator = membership.likelihood_ratio(own, shadows, is_in)
        result = membership.membership_metrics(ratio[:half], ratio[half:])
        models[name]["lira"] = result.model_copy(
            update={"estimator": estimator, "shadow_models": count}
        )


def measure_extraction(audited: AuditedModel, config: Config) -> dict[str, Any]:
    """Return `extraction`: how often a surrogate, trained by queries, decides as the file."""
    assert config.audit is not None  # else the stage is off
    assert config.audit.extraction_queries is not None  # else the attack is off
    seed = fold_seed(audited.learning["seed"], "extraction")
    attacker = Attacker(
        audited.spec.model_copy(update={"seed": fold_seed(seed, "start")}),
        audited.training,
        config.audit.extraction_queries,
        audited.learning["batch_size"],
        seed,
        audited.out,
    )
    test = evenly(audited.test, config.audit.samples)
    return {"extraction": extraction(audited.dataset, test, audited.query, attacker=attacker)}
