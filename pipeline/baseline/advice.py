"""ADVICE: what to do next, with the evidence, the weightiest first. Pure; no model is loaded.

It compares the file that ships with classical models on the same samples, and reads from the
training what holds it back. The choice of the classical model is made on validation, and the words
on the split that was verified.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pipeline.baseline.limits import (
    LINEAR,
    Documents,
    Found,
    data_noun,
    size_of_network,
    what_limits,
)
from pipeline.data.findings import FEW, IMBALANCE, PARTS
from pipeline.report.words import figure, shipped_file, size
from pipeline.tasks import TASKS

NEAR = 0.01  # of a metric: what one gives for a simpler model
LOST = 0.1  # recall that the smallest class lacks
FORGOT = 0.05  # recall of a class
SEES: dict[str, tuple[tuple[str, ...], str]] = {  # input -> kinds that do not see its order
    "image": (
        ("mlp", "perceptron"),
        "cnn, ds_cnn or resnet8, which see that pixels are neighbours",
    ),
    "audio": (("mlp", "perceptron"), "ds_cnn or cnn, which see neighbours in time and pitch"),
    "series": (("perceptron",), "cnn1d, rnn or transformer, which see the order of the steps"),
}
MANY = 64  # steps of a series from which a net without order has many weights for little


def advise(documents: Documents, config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return pieces of advice, the weightiest first: code, weight in [0, 1], text.

    Args:
        documents: what report/gather.py returns.
        config: the resolved config, dumped.
    """
    found = []
    for code, rule in ADVICE.items():
        said = rule(documents, config)
        if said is not None:
            found.append({"code": code, "weight": said[0], "text": said[1]})
    return sorted(found, key=lambda row: -row["weight"])


def _classical(d: Documents, config: Mapping[str, Any]) -> Found:
    """Hold the classical model that is best on validation against the file that ships."""
    if d["baseline"] is None:
        return None
    row, ours, file = _row(d, d["baseline"]["best"]), _ours(d), shipped_file(d)
    theirs, metric = row["metrics"][d["parity"]["metric"]], d["parity"]["metric"]
    if (chance := _constant(d)) is not None and _sign(d) * (theirs - chance) <= 0:
        return None  # it knows nothing either
    behind = d["parity"]["baseline"][row["name"]]
    low, high = behind["drop_ci95"]
    both = f"{row['name']} reaches {figure(metric, theirs)} against your {figure(metric, ours)}"
    at = _at_size(row["size_bytes"], file["bytes"])
    sure = f"95 % interval of the difference {-high:+.3f} to {-low:+.3f}"
    if high < 0:
        return 1.0, (
            f"{both} {at} ({sure}): for this {data_noun(d)}, ship that, unless the device runs "
            "nothing but .tflite files"
        )
    if low <= 0:
        weight = 0.9 if behind["drop"] <= 0 else 0.6
        smaller = row["name"] if row["size_bytes"] < file["bytes"] else "the network"
        return weight, (
            f"{both} {at} ({sure}): {d['parity']['samples']:,} samples do not tell them apart, and "
            f"{smaller} is the smaller one"
        )
    return 0.1, f"{both} {at} ({sure}): the network is worth its place"


def _chance(d: Documents, config: Mapping[str, Any]) -> Found:
    """Tell that the file that ships knows no more than one constant answer."""
    metric, ours, chance = d["parity"]["metric"], _ours(d), _constant(d)
    if chance is None or _sign(d) * (ours - chance) > 0:
        return None
    return 1.0, (
        f"{figure(metric, ours)} is no better than one constant answer, which has "
        f"{figure(metric, chance)}: nothing was learnt that tells new samples apart; look at the "
        "samples in this report, at the window or length they are cut to, and at another family"
    )


def _linear(d: Documents, config: Mapping[str, Any]) -> Found:
    """Tell that a line is enough, where the network does hardly better."""
    if d["baseline"] is None or config["model"]["kind"] == "perceptron":
        return None
    names = [row["name"] for row in d["baseline"]["models"] if row["name"] in LINEAR]
    for name in names:
        behind, metric = d["parity"]["baseline"][name], d["parity"]["metric"]
        if behind["drop"] <= NEAR and behind["drop_ci95"][0] <= NEAR:
            theirs = _row(d, name)["metrics"][metric]
            return 0.8, (
                f"a linear model suffices: {name} reaches {figure(metric, theirs)} against "
                f"{figure(metric, _ours(d))}; set model: {{kind: perceptron}} and it is a .tflite "
                "file of a few kB"
            )
    return None


def _few(d: Documents, config: Mapping[str, Any]) -> Found:
    count = d["dataset"]["splits"]["train"]
    if count >= FEW:
        return None
    return 0.6, (
        f"{count:,} training samples are few for a network: look at the classical models first, "
        "augment (data.augment), or begin from trained weights (model.kind: application, or "
        "train.pretrain)"
    )


def _readable(d: Documents, config: Mapping[str, Any]) -> Found:
    """Answer where people must be able to read how it decides."""
    if d["baseline"] is None or not config["baseline"]["interpretable"]:
        return None
    row, metric = _row(d, "readable tree"), d["parity"]["metric"]
    tree, behind = row["tree"], d["parity"]["baseline"]["readable tree"]
    verdict = (
        "ship the tree: it costs less than a point"
        if behind["drop"] <= NEAR
        else f"being readable costs {behind['drop']:.3f}"
    )
    return 0.95, (
        f"you asked for a model that people can read: a tree of depth {tree['depth']} "
        f"({tree['leaves']} leaves) reaches {figure(metric, row['metrics'][metric])} against "
        f"{figure(metric, _ours(d))}; {verdict}"
    )


def _imbalance(d: Documents, config: Mapping[str, Any]) -> Found:
    names, counts = d["dataset"]["labels"]["names"], d["figures"]["dataset"].get("class_counts")
    matrix = d["figures"]["parity"].get(f"confusion_{d['verdict']['ships']}")
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
        f"class {names[rarest]} has {known[rarest] / known.sum():.1%} of the samples and is found "
        f"in {recall[rarest]:.0%} of its cases, all together in {accuracy:.0%}: set "
        "train.class_weights: balanced, train.oversample: true or train.loss: focal"
    )


def _family(d: Documents, config: Mapping[str, Any]) -> Found:
    kind = config["model"]["kind"]
    for entry in d["preprocess"]["inputs"]:
        form = entry["kind"]
        blind, better = SEES.get(form, ((), ""))
        if form == "series" and entry["shape"][0] >= MANY:
            blind = (*blind, "mlp")
        if kind in blind:
            return 0.65, f"a {kind} does not see how a {form} is ordered: try model.kind {better}"
        cell = config["model"].get("cell")
        if kind == "rnn" and cell == "simple" and entry["shape"][0] >= MANY:
            return 0.65, (
                f"simple cells forget what was {entry['shape'][0]} steps ago: try model.cell lstm "
                "or gru, or kind cnn1d"
            )
    return None


def _forgot(d: Documents, config: Mapping[str, Any]) -> Found:
    """Tell what fine-tuning, of a given network or against attacks, has unlearnt."""
    told = [("training", d["learning"]["fine_tuning"])]
    if d["robustness"] is not None:
        told.append(("adversarial fine-tuning", d["robustness"]["fine_tuning"]))
    for what, tuning in told:
        if tuning is None or tuning["before"]["recall"] is None:
            continue
        before, after = tuning["before"]["recall"], tuning["after"]["recall"]
        lost = {name: before[name] - after[name] for name in before}
        worst = max(lost, key=lambda name: lost[name])
        if lost[worst] >= FORGOT:
            metric = d["learning"]["metric"]
            return 0.7, (
                f"{what} forgot some of class {worst}: found in {before[worst]:.0%} of its cases "
                f"before and {after[worst]:.0%} after (all together "
                f"{figure(metric, tuning['before']['metric'])} and "
                f"{figure(metric, tuning['after']['metric'])}); use a smaller learning_rate, fewer "
                "epochs, or more clean samples (harden.clean_share)"
            )
    return None


ADVICE: dict[str, Callable[[Documents, Mapping[str, Any]], Found]] = {
    "no_better_than_chance": _chance,
    "classical_model": _classical,
    "readable_model": _readable,
    "linear_model": _linear,
    "imbalance_ignored": _imbalance,
    "size_of_network": size_of_network,
    "what_was_forgotten": _forgot,
    "better_family": _family,
    "few_samples": _few,
    "what_limits": what_limits,
}


def _row(d: Documents, name: str) -> dict[str, Any]:
    return dict(next(row for row in d["baseline"]["models"] if row["name"] == name))


def _constant(d: Documents) -> float | None:
    """Return the metric of the best constant answer; None where it is not known."""
    metric = d["parity"]["metric"]
    if metric == "accuracy" and (counts := d["figures"]["dataset"].get("class_counts")) is not None:
        tested = np.asarray(counts[PARTS.index(d["parity"]["split"])], float)
        return float(tested.max() / max(1.0, tested.sum()))
    return {"auc": 0.5, "r2": 0.0, "relative_mae": 1.0}.get(metric)


def _sign(d: Documents) -> int:
    return 1 if d["parity"]["direction"] == "up" else -1


def _ours(d: Documents) -> float:
    return float(d["parity"]["files"][shipped_file(d)["file"]]["metrics"][d["parity"]["metric"]])


def _at_size(theirs: int, ours: int) -> str:
    """Return how large one model is against the other, in a few words."""
    if theirs * 1.5 < ours:
        return f"at {size(theirs)} against {size(ours)}"
    share = theirs / max(1, ours)
    return f"at {share:.0f} times the size" if share >= 1.5 else "at the same size"
