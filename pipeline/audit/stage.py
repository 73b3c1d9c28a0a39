"""Attack what ships. Reads dataset, reference, files; writes audit.json, figures.npz.

PGD finds its inputs on the float reference; every file then decides on those very inputs, through
its own quantization. This is a transfer attack: it bounds the robustness of a file from above.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import SCHEMA, Inputs, Metrics, read_json, write_json
from pipeline.audit.evasion import checks, evenly, survivors, wilson
from pipeline.config.schema import Config
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.device.measure import run_file
from pipeline.seeds import fold_seed

Array = np.ndarray[Any, np.dtype[Any]]

DEFAULT_EPSILON = 0.1  # of [0, 1]; used where neither audit nor harden names one
SHOWN = 12  # adversarial examples in the report
CURVE = (0.25, 0.5, 1.0, 2.0)  # shares of epsilon of the curve
HUGE = 1.0  # epsilon at which every input can be reached
SLACK = 0.02  # a share of this many samples may move by chance


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Attack the reference, and show every file the inputs that came of it."""
    settings = config.audit
    assert settings is not None  # else the stage is off
    dataset = open_dataset(inputs["dataset"])
    epsilon = settings.epsilon or (
        config.harden.attack.epsilon if config.harden else DEFAULT_EPSILON
    )
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "norm": "linf",
        "epsilon": epsilon,
        "steps": settings.steps,
        "restarts": settings.restarts,
        "samples": 0,
        "skipped": None,
        "files": {},
        "curve": [],
        "checks": [],
    }
    kinds = [entry["kind"] for entry in dataset.preprocess["inputs"]]
    if config.task != "classification" or kinds != ["image"]:
        reason = "the attack needs classes and one image input in [0, 1]"
        write_json(out / "audit.json", document | {"skipped": reason})
        np.savez(out / "figures.npz", labels=np.zeros(0, np.int64))
        return Metrics(skipped={"evasion": reason})
    positions = evenly(dataset.split(config.verify.split), settings.samples)
    seed = fold_seed(config.seed, "audit")
    attacks = _attack(inputs, dataset, positions, epsilon, settings, seed)
    files = read_json(inputs["files"] / "files.json")
    rows, answers = {}, {}
    for entry in files["files"]:
        path = inputs["files"] / entry["file"]
        rows[entry["file"]], answers[entry["format"]] = _row(
            path, entry["format"], dataset, positions, attacks
        )
    document |= {
        "samples": len(positions),
        "reference": attacks["reference"],
        "files": rows,
        "curve": attacks["curve"],
        "checks": attacks["checks"],
    }
    write_json(out / "audit.json", document)
    np.savez(out / "figures.npz", **_figures(dataset, positions, attacks, answers[files["ships"]]))
    shipped = next(row for row in rows.values() if row["format"] == files["ships"])
    return Metrics(
        {"clean": (shipped["clean"], ""), "robust": (shipped["robust"], f"at epsilon {epsilon:g}")}
    )


def _attack(
    inputs: Inputs, dataset: Dataset, positions: Array, epsilon: float, settings: Any, seed: int
) -> dict[str, Any]:
    """Attack the reference: the inputs found, its own figures, the epsilon curve, the sanity checks."""
    from pipeline.harden.robustness import attacker, clean_inputs, right
    from pipeline.models.save import load_keras

    model = load_keras(inputs["reference"] / "model.keras")
    x, labels, find = clean_inputs(dataset, positions), dataset.labels[positions], attacker(model)

    def attacked(radius: float, steps: int, *purpose: str | int) -> Array:
        return find(x, labels, epsilon=radius, steps=steps, seed=fold_seed(seed, *purpose))

    def holds(inputs: Array) -> Array:
        return clean & right(model, inputs, labels)

    clean = right(model, x, labels)
    found = [attacked(epsilon, settings.steps, "restart", i) for i in range(settings.restarts)]
    robust = survivors(clean, [right(model, inputs, labels) for inputs in found])
    noise = np.random.Generator(np.random.Philox(fold_seed(seed, "noise")))
    noisy = np.clip(x + noise.uniform(-epsilon, epsilon, x.shape).astype(np.float32), 0, 1)
    curve = [{"epsilon": 0.0, "robust": float(clean.mean())}]
    for share in CURVE:
        survived = (
            robust if share == 1.0 else holds(attacked(share * epsilon, settings.steps, "curve"))
        )
        curve.append({"epsilon": share * epsilon, "robust": float(survived.mean())})
    figures = {
        "noise": float(holds(noisy).mean()),
        "robust": float(robust.mean()),
        "robust_fewer": float(
            holds(attacked(epsilon, max(1, settings.steps // 5), "restart", 0)).mean()
        ),
        "robust_twice": curve[-1]["robust"],
        "robust_huge": float(holds(attacked(HUGE, settings.steps, "huge")).mean()),
    }
    return {
        "clean_inputs": x,
        "found": found,
        "robust": robust,
        "curve": curve,
        "checks": checks(figures, SLACK),
        "reference": {
            "clean": float(clean.mean()),
            "robust": float(robust.mean()),
            "noise": figures["noise"],
        },
    }


def _row(
    path: Path, form: str, dataset: Dataset, positions: Array, attacks: dict[str, Any]
) -> tuple[dict[str, Any], tuple[Array, Array]]:
    """Return the figures of one file, and its answers to the clean and the first attacked inputs."""
    (name,) = (entry["name"] for entry in dataset.preprocess["inputs"])
    labels = dataset.labels[positions]
    asked = [attacks["clean_inputs"], *attacks["found"]]
    outputs = run_file(
        path, dataset.preprocess, {name: np.concatenate(asked)}, prepared=True
    ).outputs
    answers = outputs.argmax(axis=1).reshape(len(asked), len(positions))
    clean, *attacked = [answer == labels for answer in answers]
    robust = survivors(clean, attacked)
    count = len(positions)
    row = {
        "format": form,
        "clean": float(clean.mean()),
        "clean_ci95": wilson(int(clean.sum()), count),
        "float_robust": attacks["reference"]["robust"],
        "robust": float(robust.mean()),
        "robust_ci95": wilson(int(robust.sum()), count),
        "attacks": {"pgd_transfer": float(robust.mean())},
    }
    return row, (answers[0], answers[1])


def _figures(
    dataset: Dataset, positions: Array, attacks: dict[str, Any], answers: tuple[Array, Array]
) -> dict[str, Array]:
    """Return adversarial examples: those that fooled the shipped file first."""
    fooled = (answers[0] == dataset.labels[positions]) & (answers[1] != answers[0])
    shown = np.concatenate([np.flatnonzero(fooled), np.flatnonzero(~fooled)])[:SHOWN]
    return {
        "clean": attacks["clean_inputs"][shown],
        "adversarial": attacks["found"][0][shown],
        "labels": np.asarray(dataset.labels[positions[shown]]),
        "prediction_clean": answers[0][shown],
        "prediction_adversarial": answers[1][shown],
    }
