"""Shadow models: networks like the attacked one, of which it is known what they learnt.

An attacker who has data of the same kind trains them to see what answers to learnt samples look
like. Each is the spec trained as `train` does, hardening and quantization left out.
"""

import logging
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.arrays import Array, only
from pipeline.artifacts import WORK, write_arrays
from pipeline.audit.attacked import Attacked
from pipeline.audit.membership import confidence, halves
from pipeline.data.dataset import Dataset
from pipeline.models.predict import predict
from pipeline.seeds import fold_seed
from pipeline.train.ablation import folder_of
from pipeline.train.strategy import alone
from pipeline.train.supervised import train_network

log = logging.getLogger(__name__)


def shadow_scores(attacked: Attacked, pool: Array, models: int) -> tuple[Array, Array]:
    """Return the scores of the pool under each shadow model (S, N), and which model learnt whom.

    Each learns half of the pool and all training samples beyond it, so that it learns as many as
    the attacked model did. What is done is kept, and not done again after an interruption.

    Args:
        attacked: what is examined.
        pool: members, then as many others (N,).
        models: how many networks, an even number.
    """
    dataset, base = attacked.dataset, attacked.learning["seed"]
    learnt = halves(len(pool), models, fold_seed(base, "halves"))
    rest = np.setdiff1d(dataset.split("train"), pool)
    labels, rows = np.asarray(dataset.labels[pool]), []
    for number, own in enumerate(learnt):
        kept = attacked.out / WORK / f"shadow_{number}.npz"
        if not kept.exists():
            log.info("          shadow model %d of %d", number + 1, models)
            positions = np.sort(np.concatenate([rest, pool[own]]))
            shown = replace(dataset, splits={**dataset.splits, "train": positions})
            seed = fold_seed(base, "shadow", number)
            model = trained_again(attacked, shown, f"shadow_{number}", seed=seed)
            answers = only(predict(model, dataset, pool))
            write_arrays(kept, {"scores": confidence(answers, labels, attacked.floor)})
        with np.load(kept) as found:
            rows.append(found["scores"])
    return np.array(rows), learnt


def trained_again(
    attacked: Attacked, dataset: Dataset, name: str, *, seed: int, epochs: int | None = None
) -> Any:
    """Return a network that was trained as the attacked one, on other samples.

    Args:
        attacked: what is examined.
        dataset: what is learnt.
        name: of the folder of its checkpoint.
        seed: of its weights and its order.
        epochs: None: as many as the attacked one.
    """
    plain = {"distill": None, "pretrain": None, "range_test": False, "learning_curve": False}
    changed = plain if epochs is None else plain | {"epochs": epochs}
    trained = train_network(
        attacked.spec.model_copy(update={"seed": seed}),
        alone(attacked.training.model_copy(update=changed)),
        dataset,
        out=folder_of(attacked.out, name),
        begin=attacked.begin,
        is_watched=False,
        **(attacked.learning | {"seed": seed}),
    )
    return trained.model
