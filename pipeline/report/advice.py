"""ADVICE: what to do next, with the evidence, the weightiest first. Pure; no model is loaded.

It compares the shipped file with classical models on the same samples, and reads from the training
what limits it. The classical model is chosen on validation; its metrics are on `verify.split`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pipeline.data.findings import FEW, IMBALANCE
from pipeline.documents.advice import Advice
from pipeline.documents.parity import BaselineDrop
from pipeline.gate.remediation import RANKED
from pipeline.report.bottleneck import LINEAR, Finding, find_bottleneck, is_table, judge_size
from pipeline.report.gather import Documents
from pipeline.report.words import best_trivial, figure, shipped_file, size
from pipeline.tasks import TASKS

NEAR = 0.01  # of a metric: what one gives for a simpler model
LOST = 0.1  # recall that the smallest class lacks
FELL = 0.03  # of the metric from validation to test; relative for errors
TINY = 1e-9
FORGOT = 0.05  # recall of a class
BLIND: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "image": (("mlp", "perceptron"), (), "cnn, ds_cnn or resnet8, which use neighboring pixels"),
    "audio": (
        ("mlp", "perceptron"),
        (),
        "ds_cnn or cnn, which use neighbors in time and frequency",
    ),
    "series": (
        ("perceptron",),
        ("mlp",),
        "cnn1d, rnn or transformer, which use the order of the steps",
    ),
}
"""Kind of input -> families that ignore its order; those that do where it is long; what to try."""
MANY = 64  # steps of a series from which a model without order has many weights for little


def advise(documents: Documents, config: Mapping[str, Any]) -> list[Advice]:
    """Return pieces of advice, the weightiest first.

    Args:
        documents: what report/gather.py returns.
        config: the resolved config, dumped.
    """
    found = []
    for code, rule in ADVICE.items():
        if (finding := rule(documents, config)) is not None:
            found.append(Advice(code=code, weight=finding[0], text=finding[1]))
    return sorted(found, key=lambda row: -row.weight)


def _classical(d: Documents, config: Mapping[str, Any]) -> Finding:
    """Compare the classical model that is best on validation with the shipped file."""
    if d.baseline is None or d.parity.baseline is None:
        return None
    row, ours, file = d.baseline.model(d.baseline.best), _ours(d), shipped_file(d)
    theirs, metric = row.metrics[d.parity.metric], d.parity.metric
    if _sign(d) * (theirs - best_trivial(d.parity)[1]) <= 0:
        return None  # it learned nothing either
    compared = d.parity.baseline[row.name]
    low, high = compared.drop_ci95
    both = f"{row.name} reaches {figure(metric, theirs)} against your {figure(metric, ours)}"
    at = _at_size(row.size_bytes, file.bytes)
    interval = _interval(compared)
    if high < 0:
        return 1.0, (
            f"{both} {at} ({interval}): for this {'table' if is_table(d) else 'task'}, ship that, "
            "unless the device runs nothing but .tflite files"
        )
    if low <= 0:
        weight = 0.9 if compared.drop <= 0 else 0.6
        smaller = row.name if row.size_bytes < file.bytes else "the network"
        return weight, (
            f"{both} {at} ({interval}): {d.parity.samples:,} samples do not tell them apart, and "
            f"{smaller} is the smaller one"
        )
    return 0.1, f"{both} {at} ({interval}): the network is worth its size"


def _chance(d: Documents, config: Mapping[str, Any]) -> Finding:
    """Tell that the shipped file is no better than a constant prediction."""
    (name, chance), metric, ours = best_trivial(d.parity), d.parity.metric, _ours(d)
    if _sign(d) * (ours - chance) > 0:
        return None
    own = d.parity.files[shipped_file(d).file]
    if own.metrics.get("auc", 0.5) >= RANKED or own.skill_ci95[0] > 0:
        told = "AUC" if "auc" in own.metrics else "skill"
        reached = figure("auc", own.metrics.get("auc", own.skill))
        return 1.0, (
            f"{figure(metric, ours)} is no better than {name}, which has {figure(metric, chance)}, "
            f"but the model did learn: its {told} is {reached}, and its decisions do not use it; "
            "set task_metric or train.class_weights: balanced"
        )
    return 1.0, (
        f"{figure(metric, ours)} is no better than {name}, which has "
        f"{figure(metric, chance)}: the model learned nothing that holds on new samples; look at "
        "the samples in this report, at the window or length they are cut to, and at another family"
    )


def _linear(d: Documents, config: Mapping[str, Any]) -> Finding:
    """Tell that a linear model suffices, where the network is hardly better for certain."""
    if d.baseline is None or d.parity.baseline is None or config["model"]["kind"] == "perceptron":
        return None
    for row in d.baseline.models:
        compared = d.parity.baseline[row.name]
        if row.name in LINEAR and compared.drop_ci95[1] <= NEAR:
            metric = d.parity.metric
            return 0.8, (
                f"a linear model suffices: {row.name} reaches "
                f"{figure(metric, row.metrics[metric])} against {figure(metric, _ours(d))} "
                f"({_interval(compared)}); set "
                "model: {kind: perceptron} for a .tflite file of a few kB"
            )
    return None


def _few(d: Documents, config: Mapping[str, Any]) -> Finding:
    count = d.dataset.splits["train"]
    if count >= FEW:
        return None
    return 0.6, (
        f"{count:,} training samples are few for a network: look at the classical models first, "
        "augment (data.augment), or begin from trained weights (model.kind: application, or "
        "train.pretrain)"
    )


def _readable(d: Documents, config: Mapping[str, Any]) -> Finding:
    """Compare a tree that people can read, where the config asks for one."""
    if d.baseline is None or d.parity.baseline is None or not config["baseline"]["interpretable"]:
        return None
    row, metric = d.baseline.model("readable tree"), d.parity.metric
    tree, drop = row.tree, d.parity.baseline[row.name].drop
    if tree is None:
        return None
    verdict = (
        "ship the tree: it costs less than a point"
        if drop <= NEAR
        else f"interpretability costs {drop:.3f}"
    )
    return 0.95, (
        f"you asked for an interpretable model: a tree of depth {tree.depth} "
        f"({tree.leaves} leaves) reaches {figure(metric, row.metrics[metric])} against "
        f"{figure(metric, _ours(d))}; {verdict}"
    )


def _drift(d: Documents, config: Mapping[str, Any]) -> Finding:
    """Connect columns that are distributed otherwise in test with a metric that fell there."""
    found = next((row for row in d.dataset.findings if row.code == "drift"), None)
    (*_, row), metric = d.learning.rows, d.parity.metric
    if found is None or d.learning.metric != metric or d.parity.split != "test":
        return None
    tested, sign = d.parity.reference.metrics[metric], _sign(d)
    lost = sign * (row.validation - tested)
    lost = lost / max(row.validation, TINY) if sign < 0 else lost
    if lost <= FELL:
        return None
    return 0.95, (
        f"{figure(metric, row.validation)} on validation fell to {figure(metric, tested)} on test, "
        f"and the data differs there. {found.text} Look at how test was collected, add training "
        "samples like it, or leave such columns out"
    )


def _imbalance(d: Documents, config: Mapping[str, Any]) -> Finding:
    names, counts = d.class_names, d.figures["dataset"].get("class_counts")
    matrix = d.figures["parity"].get(f"confusion_{d.verdict.ships}")
    train = config["train"]
    is_met = train["class_weights"] is not None or train["oversample"] or train["loss"] == "focal"
    if not TASKS[config["task"]].learns_classes or counts is None or matrix is None or is_met:
        return None
    known = np.asarray(counts[0], float)
    rarest, commonest = int(known.argmin()), int(known.argmax())
    tested = np.maximum(matrix.sum(axis=1), 1)
    recall = np.diag(matrix) / tested
    accuracy = np.trace(matrix) / tested.sum()
    if known[commonest] < IMBALANCE * max(known[rarest], 1) or recall[rarest] > accuracy - LOST:
        return None
    return 0.85, (
        f"class {names[rarest]} has {known[rarest] / known.sum():.1%} of the training samples and "
        f"a recall of {recall[rarest]:.0%}, while accuracy is {accuracy:.0%}: set "
        "train.class_weights: balanced, train.oversample: true or train.loss: focal"
    )


def _family(d: Documents, config: Mapping[str, Any]) -> Finding:
    kind = config["model"]["kind"]
    for entry in d.preprocess.inputs:
        form = entry.kind
        blind, blind_to_long, better = BLIND.get(form, ((), (), ""))
        if kind in blind or (kind in blind_to_long and entry.shape[0] >= MANY):
            return 0.65, f"{kind} ignores the order of values in {form}: try model.kind {better}"
        cell = config["model"].get("cell")
        if kind == "rnn" and cell == "simple" and entry.shape[0] >= MANY:
            return 0.65, (
                f"simple cells forget what was {entry.shape[0]} steps ago: try model.cell lstm "
                "or gru, or kind cnn1d"
            )
    return None


def _forgot(d: Documents, config: Mapping[str, Any]) -> Finding:
    """Tell which class's recall fell by fine-tuning, or by adversarial fine-tuning."""
    stages = [("training", d.learning.fine_tuning)]
    if d.robustness is not None:
        stages.append(("adversarial fine-tuning", d.robustness.fine_tuning))
    for what, tuning in stages:
        if tuning is None or tuning.before.recall is None or tuning.after.recall is None:
            continue
        before, after = tuning.before.recall, tuning.after.recall
        lost = {name: before[name] - after[name] for name in before}
        worst = max(lost, key=lambda name: lost[name])
        if lost[worst] >= FORGOT:
            metric = d.learning.metric
            return 0.7, (
                f"{what} lowered the recall of class {worst} from {before[worst]:.0%} to "
                f"{after[worst]:.0%} (all classes: {figure(metric, tuning.before.metric)} "
                f"to {figure(metric, tuning.after.metric)}); use a smaller learning_rate, "
                "fewer epochs, or more clean samples (harden.clean_share)"
            )
    return None


ADVICE: dict[str, Callable[[Documents, Mapping[str, Any]], Finding]] = {
    "no_better_than_chance": _chance,
    "classical_model": _classical,
    "readable_model": _readable,
    "linear_model": _linear,
    "drift": _drift,
    "imbalance_ignored": _imbalance,
    "size_of_network": judge_size,
    "what_was_forgotten": _forgot,
    "better_family": _family,
    "few_samples": _few,
    "what_limits": find_bottleneck,
}


def _interval(compared: BaselineDrop) -> str:
    low, high = compared.drop_ci95
    return f"95 % interval of the difference {-high:+.3f} to {-low:+.3f}"


def _sign(d: Documents) -> int:
    return 1 if d.parity.direction == "up" else -1


def _ours(d: Documents) -> float:
    return d.parity.files[shipped_file(d).file].metrics[d.parity.metric]


def _at_size(theirs: int, ours: int) -> str:
    """Return how large one model is against the other, in a few words."""
    if theirs * 1.5 < ours:
        return f"at {size(theirs)} against {size(ours)}"
    share = theirs / max(1, ours)
    return f"at {share:.0f} times the size" if share >= 1.5 else "at the same size"
