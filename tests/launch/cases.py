"""Train small networks by one strategy, in this process or with the others of its cluster.

python -m tests.launch.cases STRATEGY DATASET OUT CASE...   writes OUT/CASE.npz: weights, and losses
"""

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

SGD = {"kind": "sgd", "learning_rate": 0.05, "momentum": 0.9}
ADAMW = {"kind": "adamw", "learning_rate": 1e-3}
# Batch normalization is in each of them; 60 steps, or 3 where one is to be fast.
TRAINED: dict[str, dict[str, Any]] = {
    "few": {"epochs": 1, "optimizer": ADAMW | {"clip_norm": 0.5}, "ema": 0.9},
    "sgd": {"optimizer": SGD},
    "adamw": {"optimizer": ADAMW},
    "clip_norm": {"optimizer": ADAMW | {"clip_norm": 0.5}},
    "clip_value": {"optimizer": SGD | {"clip_value": 0.01}},
    "ema": {"optimizer": SGD, "ema": 0.9},
    "augmented": {"optimizer": ADAMW},
    "range_test": {"optimizer": SGD, "range_test": True, "epochs": 1},
    "distilled": {"optimizer": ADAMW},
    "stopped": {"optimizer": SGD, "epochs": 6, "early_stopping": {"patience": 1}},
}
HARDENED: dict[str, dict[str, Any]] = {
    "fgsm_mix": {"mode": "fgsm_mix"},
    "pgd": {"mode": "pgd", "attack": {"kind": "pgd", "steps": 3, "epsilon": 0.1}},
    "trades": {"mode": "trades", "attack": {"kind": "pgd", "steps": 3, "epsilon": 0.1}},
}
SMALL = ("pruned", "qat")
AUGMENT = [
    {"kind": "translate", "fraction": 0.1},
    {"kind": "color", "brightness": 0.1, "contrast": 0.1, "saturation": 0.1},
]


def main(strategy: str, dataset: str, out: str, *names: str) -> None:
    if strategy == "mirrored":
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * 2
        )
    from pipeline.launch.place import place_here
    from pipeline.train import workers

    place = place_here()
    if place is not None and not place.is_chief:
        workers.follow()
        return
    from pipeline.data.dataset import open_dataset

    with contextlib.nullcontext() if place is None else workers.lead_workers():
        for name in names:
            folder = Path(out) / name
            (folder / "work").mkdir(parents=True, exist_ok=True)
            digits = open_dataset(Path(dataset))
            weights, losses = made(name, strategy, digits, folder)
            np.savez(Path(out) / f"{name}.npz", np.array(losses), *weights)


def made(name: str, strategy: str, digits: Any, folder: Path) -> tuple[list[Any], list[float]]:
    """Return weights and the losses of the epochs."""
    if name in TRAINED:
        found = trained(name, strategy, digits, folder)
        return found.model.get_weights(), [row["loss"] for row in found.history]
    if name in HARDENED:
        hardened = adversarial(name, strategy, digits, folder)
        return hardened.model.get_weights(), [row["loss"] for row in hardened.history]
    return small(name, strategy, digits, folder).get_weights(), [0.0]


def spec(**more: Any) -> Any:
    from tests.conftest import make_spec, model_settings

    model = model_settings(kind="cnn", filters=[4], dense=[8], dropout=0.0)
    image = {"name": "image", "shape": [8, 8, 1], "dtype": "float32"}
    return make_spec(model, [image], {"task": "classification", "units": 10}, **more)


def trained(name: str, strategy: str, digits: Any, folder: Path) -> Any:
    from pipeline.config.schema import Train
    from pipeline.train.distill import train_distilled
    from pipeline.train.supervised import train_network

    taught = {"teacher": spec().model.model_dump(mode="json") | {"filters": [8]}, "compare": False}
    extra = {"distill": taught} if name == "distilled" else {}
    settings = {"epochs": 3, "strategy": strategy} | TRAINED[name] | extra
    section = Train.model_validate_json(json.dumps(settings))
    learning = {
        "batch_size": 64,
        "augment": AUGMENT if name == "augmented" else [],
        "seed": 3,
        "out": folder,
        "begin": give(start(folder.parent / "start.keras")),
    }
    if extra:
        return train_distilled(spec(), section, digits, **learning)[0]
    return train_network(spec(), section, digits, **learning)


def give(path: Path) -> Any:
    """Return what gives a network the weights of a file: of the chief alone."""
    from pipeline.models.save import load_keras

    return lambda model: model.set_weights(load_keras(path).get_weights())


def start(path: Path) -> Path:
    """Write the network to begin with, once."""
    import keras

    from pipeline.models import MODELS
    from pipeline.models.save import save_keras

    if not path.exists():
        keras.utils.clear_session()
        save_keras(MODELS["cnn"](keras, spec(seed=7)), path)
    return path


def adversarial(name: str, strategy: str, digits: Any, folder: Path) -> Any:
    from pydantic import TypeAdapter

    from pipeline.config.schema import Harden, Optimizer, Train
    from pipeline.harden.fine_tune import Plan, harden_network
    from pipeline.train.losses import loss_of

    settings = {"epochs": 3, "learning_rate": 1e-3} | HARDENED[name]
    section = TypeAdapter(Harden).validate_python(settings)
    optimizing = TypeAdapter(Optimizer).validate_python(ADAMW)
    loss = loss_of(Train(), "classification")
    plan = Plan(section, optimizing, loss, "classification", None, 64, [], 3, strategy)
    return harden_network(start(folder.parent / "start.keras"), digits, plan, out=folder)


def small(name: str, strategy: str, digits: Any, folder: Path) -> Any:
    from pipeline.compress.distillation import DistillationJob
    from pipeline.compress.prune import prune_network
    from pipeline.compress.qat import fine_tune_for_int8
    from pipeline.config.export_schema import Prune, Qat

    settings = Prune(epochs=3, learning_rate=1e-3) if name == "pruned" else Qat(epochs=3)
    path = start(folder.parent / "start.keras")
    job = DistillationJob(
        path,
        path,
        digits,
        settings,
        f"compress.{name}",
        seed=3,
        strategy=strategy,
        batch_size=64,
        augment=[],
        work=folder,
    )
    if name == "pruned":
        return prune_network(job)
    return fine_tune_for_int8(job, {"tensors": [], "inputs": {"image": (0.0, 1.0)}})


if __name__ == "__main__":
    main(*sys.argv[1:])
