"""The network and the training for the data: RECIPES, by modality.

The numbers are those of the shipped configs of each modality, which were tuned on real sets; epochs
go by how many samples there are. Whoever wants more searches: `edgeline tune`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.config.verify_schema import Gate
from pipeline.data.findings import IMBALANCE
from pipeline.new.seen import Seen
from pipeline.tasks import TASKS

SMALL, MANY = 40, 20_000  # side of a picture, and samples, that a plain CNN is best at
FEW = 2000  # pictures below which four plain blocks learn what a ResNet-8 learns by heart
TESTED = 0.2  # fraction of samples that is tested, where the data do not say which
SPARED = 2.5  # tested samples that may be lost to chance: two of them are less, three are more
STEPS = 10_000  # of the optimizer, about: what small nets need to converge

Sections = dict[str, Any]


def recipe(seen: Seen) -> Sections:
    """Return the sections batch_size, augment, model, train and gate, without defaults."""
    sections = RECIPES[seen.modality](seen)
    gate = gates_of(seen) | dict(sections.pop("gate", {}))
    if TASKS[seen.task].agreement is not None:
        gate["agreement"] = TASKS[seen.task].agreement
    decision = {"decision": {"metric": "f1"}} if metric_of(seen) == "auc" else {}
    return sections | decision | ({"gate": gate} if gate else {})


def gates_of(seen: Seen) -> Sections:
    """Return gates of a classifier that its test part is large enough to judge.

    A single sample can be more than a default allows: then two of them may be decided otherwise,
    which is what chance does to as good a file, and not three. Where a default is wider, it stays.
    """
    judged = judged_by(seen)
    if not judged:
        return {}
    count, rarest = judged
    allowed = {
        "metric_drop": SPARED / count,
        "agreement": 1 - (SPARED + 1) / count,
        "worst_class_drop": SPARED / rarest,
    }
    if metric_of(seen) == "auc":  # two positives, each from above all others to among equals
        allowed["metric_drop"] = allowed["auc_drop"] = SPARED / (2 * rarest)
    if seen.modality in ATTACKED:
        allowed["robust_drop"] = SPARED / count
    found = {}
    for name, value in allowed.items():
        wider, default = min if name == "agreement" else max, getattr(Gate(), name)
        if wider(value, default) != default:
            found[name] = round(min(1.0, max(0.0, value)), 3)
    return found


def metric_of(seen: Seen) -> str | None:
    """Return the value of `task_metric` for uneven classes, of which accuracy says little."""
    counts = [count for count in seen.classes.values() if count] if seen.classes else []
    if not TASKS[seen.task].learns_classes or len(counts) < 2:
        return None
    if max(counts) < IMBALANCE * min(counts):
        return None
    return "auc" if len(counts) == 2 else "macro_f1"


def judged_by(seen: Seen) -> tuple[int, int] | None:
    """Return about how many samples will be tested, of all and of the rarest class, at least 1."""
    tested = tested_of(seen)
    return (max(1, sum(tested.values())), max(1, min(tested.values()))) if tested else None


def tested_of(seen: Seen) -> Mapping[str, int] | None:
    """Return class -> samples that will be tested; None where nothing counts them."""
    if seen.is_given:
        return seen.tested
    if not seen.classes or not any(seen.classes.values()):
        return None
    return {name: int(TESTED * count) for name, count in seen.classes.items()}


def _epochs(seen: Seen, batch: int, least: int, most: int) -> int:
    return max(least, min(most, round(STEPS * batch / max(1, seen.samples))))


def _image(seen: Seen) -> Sections:
    shift = [{"kind": "translate", "fraction": 0.1}]
    if TASKS[seen.task].predicts_input:
        return {"model": {"kind": "autoencoder", "units": [64], "code": 16}}
    if seen.size <= SMALL and seen.samples >= MANY:
        model = {"kind": "cnn", "filters": [32, 64], "dense": [128], "batch_norm": False}
        return {
            "batch_size": 128,
            "augment": [{"kind": "translate", "fraction": 0.05}],
            "model": model | {"dropout": 0.4},
            "train": {"epochs": _epochs(seen, 128, 12, 40)},
        }
    if seen.size <= SMALL:
        return {
            "batch_size": 64,
            "augment": shift,
            "model": {"kind": "cnn", "filters": [24, 48], "dense": [64]},
            "train": {"epochs": _epochs(seen, 64, 15, 40), "optimizer": _rate(3e-3)},
        }
    if seen.samples < FEW:
        model = {"kind": "cnn", "filters": [16, 32, 64, 96], "head": "global_average", "dense": []}
        schedule = {"kind": "cosine", "warmup_epochs": 2}
        return {
            "batch_size": 16,
            "augment": shift,
            "model": model | {"dropout": 0.2},
            "train": {
                "epochs": _epochs(seen, 2, 12, 50),
                "optimizer": _rate(3e-3),
                "schedule": schedule,
            },
        }
    return {
        "batch_size": 32,
        "augment": shift,
        "model": {"kind": "resnet8", "dropout": 0.3},
        "train": {"epochs": _epochs(seen, 8, 12, 50), "optimizer": _rate(3e-3)},
    }


def _audio(seen: Seen) -> Sections:
    model = {"kind": "cnn", "filters": [16, 32, 32], "dense": [64]}
    return {"model": model, "train": {"epochs": _epochs(seen, 4, 15, 40)}}


def _recording(seen: Seen) -> Sections:
    model = {"kind": "cnn1d", "filters": [32, 64], "head": "flatten", "dropout": 0.2}
    epochs = _epochs(seen, 32, 15, 40)
    return {
        "batch_size": 32,
        "model": model,
        "train": {"epochs": epochs, "optimizer": _rate(2e-3)},
    }


def _series(seen: Seen) -> Sections:
    epochs = _epochs(seen, 64, 10, 30)
    if TASKS[seen.task].predicts_input:
        model = {"kind": "autoencoder", "units": [32], "code": 4}
        return {"model": model, "train": {"epochs": min(20, epochs)}}
    if TASKS[seen.task].learns_classes:
        model = {"kind": "cnn1d", "filters": [16, 32], "dropout": 0.2}
        return {"model": model, "train": {"epochs": epochs, "optimizer": _rate(2e-3)}}
    return {
        "model": {"kind": "mlp", "units": [32, 16]},
        "train": {"epochs": epochs, "optimizer": _rate(3e-3)},
        "export": {"ships": "int16x8"},  # 256 steps are coarse for a forecast
    }


def _table(seen: Seen) -> Sections:
    is_large = seen.samples >= MANY / 2
    units = [128, 64] if is_large else [32] if seen.samples >= 1000 else [16]
    batch = 256 if seen.samples >= MANY else 64
    stop = {"early_stopping": {"patience": 10}}
    if not TASKS[seen.task].has_classes:
        train = {"epochs": _epochs(seen, 160, 40, 120), "optimizer": _rate(3e-3), **stop}
        return {"batch_size": 128, "model": {"kind": "mlp", "units": units}, "train": train}
    model = {"kind": "mlp", "units": units} | ({"dropout": 0.3} if is_large else {})
    return {
        "batch_size": batch,
        "model": model,
        "train": {"epochs": _epochs(seen, 48, 15, 40), **stop},
    }


def _text(seen: Seen) -> Sections:
    model = {"kind": "transformer", "width": 32, "heads": 4, "blocks": 1, "dropout": 0.2}
    return {"model": model, "train": {"epochs": _epochs(seen, 4, 4, 20)}}


def _rate(rate: float) -> Mapping[str, Any]:
    return {"kind": "adamw", "learning_rate": rate}


ATTACKED = ("image",)  # others are attacked only where a config says so
RECIPES: dict[str, Callable[[Seen], Sections]] = {
    "image": _image,
    "audio": _audio,
    "recording": _recording,
    "series": _series,
    "table": _table,
    "text": _text,
}
