"""Trials for TensorBoard's HParams page: values, score and costs, beside each trial's curves."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorboard.plugins.hparams import summary_v2


def write_hparams(folder: Path, rows: Sequence[Mapping[str, Any]], metric: str) -> None:
    """Write a run a trial below `folder`; refused trials have no figures and are left out.

    Args:
        folder: of TensorBoard logs.
        rows: of the ledger.
        metric: what the score is called.
    """
    for row in rows:
        if row["score"] is None:
            continue
        values = {path: _plain(value) for path, value in row["values"].items()}
        figures = {metric: row["score"], **row["costs"]}
        writer = tf.summary.create_file_writer(str(folder / row["trial"]))
        with writer.as_default():
            summary_v2.hparams(values | {"epochs": row["epochs"]}, trial_id=row["trial"])
            for name, value in figures.items():
                if value is not None:
                    tf.summary.scalar(f"trial/{name}", float(value), step=row["epochs"])
        writer.close()


def _plain(value: Any) -> Any:
    """Return a value as the page takes it: a number, a word or true or false."""
    return value if isinstance(value, int | float | str | bool) else str(value)
