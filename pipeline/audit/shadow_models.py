"""Shadow models: networks like the audited one, with known training samples.

An attacker who has data of the same kind trains them to see the outputs for training samples. Each
is the spec trained as `train` does, without hardening and quantization.
"""

import logging
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.arrays import Array, only
from pipeline.artifacts import WORK, write_arrays
from pipeline.audit.audited_model import AuditedModel
from pipeline.audit.membership import confidence, halves
from pipeline.data.dataset import Dataset
from pipeline.models.predict import predict
from pipeline.seeds import fold_seed
from pipeline.train.ablation import folder_of
from pipeline.train.strategy import alone
from pipeline.train.supervised import train_network

log = logging.getLogger(__name__)


def shadow_scores(audited: AuditedModel, pool: Array, models: int) -> tuple[Array, Array]:
    """Return the scores of the pool under each shadow model, and their training samples, (S, N).

    Each trains on half of the pool and all training samples beyond it, which is as many as the
    audited model has. Finished ones outlast an interruption.

    Args:
        audited: the model.
        pool: positions of members, then of as many others (N,).
        models: number of networks, even.
    """
    dataset, base = audited.dataset, audited.learning["seed"]
    is_in = halves(len(pool), models, fold_seed(base, "halves"))
    rest = np.setdiff1d(dataset.split("train"), pool)
    labels, rows = np.asarray(dataset.labels[pool]), []
    for number, own in enumerate(is_in):
        file = audited.out / WORK / f"shadow_{number}.npz"
        if not file.exists():
            log.info("          shadow model %d of %d", number + 1, models)
            positions = np.sort(np.concatenate([rest, pool[own]]))
            shown = replace(dataset, splits={**dataset.splits, "train": positions})
            seed = fold_seed(base, "shadow", number)
            model = retrain(audited, shown, f"shadow_{number}", seed=seed)
            outputs = only(predict(model, dataset, pool))
            write_arrays(file, {"scores": confidence(outputs, labels, audited.min_probability)})
        with np.load(file) as loaded:
            rows.append(loaded["scores"])
    return np.array(rows), is_in


def retrain(
    audited: AuditedModel, dataset: Dataset, name: str, *, seed: int, epochs: int | None = None
) -> Any:
    """Return a network that is trained as the audited one, on another dataset.

    Args:
        audited: the model.
        dataset: its train split is trained on.
        name: of the folder of its checkpoint.
        seed: of its weights and the order of samples.
        epochs: None: those of the audited one.
    """
    plain = {"distill": None, "pretrain": None, "range_test": False, "learning_curve": False}
    changed = plain if epochs is None else plain | {"epochs": epochs}
    trained = train_network(
        audited.spec.model_copy(update={"seed": seed}),
        alone(audited.training.model_copy(update=changed)),
        dataset,
        out=folder_of(audited.out, name),
        begin=audited.begin,
        is_watched=False,
        **(audited.learning | {"seed": seed}),
    )
    return trained.model
