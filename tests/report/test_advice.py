"""Each piece of advice is given where its evidence is, and not elsewhere; the weightiest first."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipeline.documents.advice import Advice
from pipeline.report.advice import ADVICE, advise
from tests.report.conftest import CONFIG, good_run, learned, typed_documents

Change = Callable[[dict[str, Any], dict[str, Any]], None]


def told(change: Change | None = None) -> dict[str, Advice]:
    """Return code -> advice on a good run, bent by `change`."""
    documents = good_run()
    documents["dataset"]["splits"]["train"] = 7000
    config = CONFIG | {"model": dict(CONFIG["model"]), "train": dict(CONFIG["train"])}  # type: ignore[call-overload]
    if change is not None:
        change(documents, config)
    found = advise(typed_documents(documents), config)
    assert [row.weight for row in found] == sorted((r.weight for r in found), reverse=True)
    return {row.code: row for row in found}


def boosting(behind: float, *interval: float) -> Change:
    def change(d: dict[str, Any], config: dict[str, Any]) -> None:
        own = {"name": "gradient boosting", "metrics": {"accuracy": 0.95 - behind}}
        first = d["baseline"]["models"][0]
        d["baseline"]["models"].append(first | own | {"size_bytes": 200})
        d["baseline"]["best"] = "gradient boosting"
        row = {"drop": behind, "drop_ci95": list(interval)}
        d["parity"]["baseline"]["gradient boosting"] = row

    return change


def test_a_good_run_is_told_so() -> None:
    found = told()
    assert set(found) == {"classical_model", "what_limits"}
    assert "worth its size" in found["classical_model"].text
    assert all(row.weight < 0.2 for row in found.values())


@pytest.mark.parametrize(
    ("behind", "interval", "said"),
    [
        (-0.01, (-0.02, -0.005), "ship that"),
        (-0.005, (-0.02, 0.01), "do not tell them apart"),
        (0.02, (0.01, 0.03), "worth its size"),
        (0.05, (-0.01, 0.11), "do not tell them apart"),
    ],
)
def test_a_classical_model_is_held_against_the_file(
    behind: float, interval: tuple[float, float], said: str
) -> None:
    text = told(boosting(behind, *interval))["classical_model"].text
    assert "gradient boosting reaches" in text
    assert said in text
    assert "at 200 B against 2.0 kB" in text


def test_a_clear_loss_is_the_first_thing_that_is_said() -> None:
    assert next(iter(told(boosting(-0.01, -0.02, -0.005)))) == "classical_model"


def test_a_classical_model_that_knows_nothing_is_not_recommended() -> None:
    def guessing(d: dict[str, Any], config: dict[str, Any]) -> None:
        d["parity"]["trivial"] = {"the most frequent class": 0.91}
        boosting(0.05, 0.03, 0.07)(d, config)
        d["baseline"]["models"][-1]["metrics"]["accuracy"] = 0.9

    assert "classical_model" not in told(guessing)


def test_a_linear_model_that_is_near_suffices() -> None:
    def near(d: dict[str, Any], config: dict[str, Any]) -> None:
        row = {"drop": 0.004, "drop_ci95": [-0.002, 0.01]}
        d["parity"]["baseline"]["logistic regression"] = row

    assert "kind: perceptron" in told(near)["linear_model"].text


@pytest.mark.parametrize("interval", [(-0.03, 0.05), (-0.002, 0.02)])
def test_a_linear_model_that_may_be_worse_is_not_recommended(interval: list[float]) -> None:
    """With 50 test samples the same accuracy may be five points less."""

    def unsure(d: dict[str, Any], config: dict[str, Any]) -> None:
        row = {"drop": 0.004, "drop_ci95": list(interval)}
        d["parity"]["baseline"]["logistic regression"] = row

    assert "linear_model" not in told(unsure)


def drifting(tested: float, *, found: bool = True) -> Change:
    def change(d: dict[str, Any], config: dict[str, Any]) -> None:
        text = "A column is distributed otherwise in test than in train: rain (0.41)."
        row = {"level": "warning", "code": "drift", "text": text, "count": 1}
        d["dataset"]["findings"] = [row] if found else []
        d["learning"]["rows"] = [learned(1.0, 0.97, 0.95)]
        d["parity"]["reference"]["metrics"]["accuracy"] = tested

    return change


def test_drift_of_a_column_is_connected_with_a_metric_that_fell() -> None:
    text = told(drifting(0.81))["drift"].text
    assert "95.0 % on validation fell to 81.0 % on test" in text
    assert "rain (0.41)" in text


@pytest.mark.parametrize("change", [drifting(0.94), drifting(0.81, found=False)])
def test_no_drift_is_told_without_both_signs(change: Change) -> None:
    assert "drift" not in told(change)


def test_readers_get_a_tree() -> None:
    def asked(d: dict[str, Any], config: dict[str, Any]) -> None:
        tree = {"name": "readable tree", "tree": {"depth": 3, "leaves": 8}}
        d["baseline"]["models"].append(d["baseline"]["models"][0] | tree)
        d["parity"]["baseline"]["readable tree"] = {"drop": 0.05, "drop_ci95": [0.02, 0.08]}
        config["baseline"] = {"interpretable": True}

    assert "a tree of depth 3 (8 leaves) reaches 90.0 %" in told(asked)["readable_model"].text


def uneven(d: dict[str, Any], config: dict[str, Any]) -> None:
    d["figures"]["dataset"]["class_counts"] = np.array([[6500, 500], [1, 1], [1, 1]])
    d["figures"]["parity"]["confusion_int8"] = np.array([[950, 0], [30, 20]])


def test_a_rare_class_that_is_missed_is_told() -> None:
    text = told(uneven)["imbalance_ignored"].text
    assert "class b has 7.1% of the training samples and a recall of 40%" in text
    assert "class_weights: balanced" in text


@pytest.mark.parametrize("cure", [{"class_weights": "balanced"}, {"oversample": True}])
def test_imbalance_that_is_met_is_not_told(cure: dict[str, Any]) -> None:
    def met(d: dict[str, Any], config: dict[str, Any]) -> None:
        uneven(d, config)
        config["train"] |= cure

    assert "imbalance_ignored" not in told(met)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([learned(0.3, 0.99, 0.9), learned(1.0, 0.99, 0.902)], "too deep"),
        ([learned(0.3, 0.99, 0.85), learned(1.0, 0.99, 0.92)], "more data would help"),
        ([learned(0.3, 0.81, 0.8), learned(1.0, 0.81, 0.801)], "too shallow"),
        ([learned(0.3, 0.96, 0.93), learned(1.0, 0.97, 0.95)], "size fits"),
    ],
)
def test_a_learning_curve_tells_the_size(rows: list[Any], said: str) -> None:
    def curve(d: dict[str, Any], config: dict[str, Any]) -> None:
        d["learning"]["rows"] = rows

    assert said in told(curve)["size_of_network"].text


@pytest.mark.parametrize(
    ("kind", "model", "shape", "is_told"),
    [
        ("image", {"kind": "mlp"}, [8, 8, 1], True),
        ("image", {"kind": "cnn"}, [8, 8, 1], False),
        ("audio", {"kind": "mlp"}, [40, 30, 1], True),
        ("series", {"kind": "mlp"}, [24, 1], False),
        ("series", {"kind": "mlp"}, [128, 3], True),
        ("series", {"kind": "rnn", "cell": "simple"}, [128, 3], True),
        ("series", {"kind": "rnn", "cell": "lstm"}, [128, 3], False),
        ("columns", {"kind": "mlp"}, [12], False),
    ],
)
def test_a_family_that_does_not_see_the_order_is_told(
    kind: str, model: dict[str, Any], shape: list[int], is_told: bool
) -> None:
    def other(d: dict[str, Any], config: dict[str, Any]) -> None:
        d["preprocess"]["inputs"] = [{"name": "x", "kind": kind, "shape": shape}]
        config["model"] = model

    assert ("better_family" in told(other)) == is_told


def falling(d: dict[str, Any]) -> None:
    losses = [1.0 - 0.05 * i for i in range(12)]
    d["histories"]["train"] |= {"val_loss": losses}


def limited(what: str) -> Change:
    def change(d: dict[str, Any], config: dict[str, Any]) -> None:
        if what == "the learning rate":
            warned = {"code": "rate_too_high", "text": "it rises", "cure": "lower it"}
            d["warnings"]["warnings"] = [warned]
        if what == "the number of epochs":
            falling(d)
        if what == "the data":
            d["learning"]["rows"] = [learned(1.0, 0.99, 0.9)]
        if what == "how it is trained":
            d["parity"]["baseline"]["logistic regression"]["drop"] = -0.01
        if what == "the columns' information":
            d["preprocess"]["inputs"] = [{"name": "x", "kind": "columns", "shape": [5]}]
            d["learning"]["rows"] = [learned(1.0, 0.8, 0.79)]
        if what == "capacity":
            d["learning"]["rows"] = [learned(1.0, 0.9, 0.895)]

    return change


@pytest.mark.parametrize(
    "what",
    [
        "the learning rate",
        "the number of epochs",
        "the data",
        "how it is trained",
        "capacity",
        "the columns' information",
    ],
)
def test_what_limits_a_run_is_told_with_its_evidence(what: str) -> None:
    text = told(limited(what))["what_limits"].text
    assert text.startswith(f"the bottleneck is {what}")
    assert any(sign.isdigit() for sign in text) or "it rises" in text


def test_what_fine_tuning_forgot_is_told() -> None:
    def forgot(d: dict[str, Any], config: dict[str, Any]) -> None:
        d["robustness"]["fine_tuning"]["after"]["recall"]["b"] = 0.8

    text = told(forgot)["what_was_forgotten"].text
    assert "lowered the recall of class b from 96% to 80%" in text


@pytest.mark.parametrize(
    ("metric", "direction", "value", "is_told"),
    [
        ("auc", "up", 0.45, True),
        ("auc", "up", 0.6, False),
        ("r2", "up", -0.1, True),
        ("relative_mae", "down", 1.02, True),
        ("relative_mae", "down", 0.8, False),
        ("accuracy", "up", 0.9, True),
        ("accuracy", "up", 0.95, False),
    ],
)
def test_a_file_that_knows_nothing_is_told(
    metric: str, direction: str, value: float, is_told: bool
) -> None:
    def guessing(d: dict[str, Any], config: dict[str, Any]) -> None:
        trivial = {"accuracy": 0.9, "relative_mae": 1.0, "auc": 0.5, "r2": 0.0}[metric]
        d["parity"] |= {"metric": metric, "direction": direction, "trivial": {"a guess": trivial}}
        row = d["parity"]["files"]["model_int8.tflite"]
        row |= {"metrics": {metric: value}, "skill": 0.0, "skill_ci95": (-0.1, 0.1)}
        d["baseline"] = None

    assert ("no_better_than_chance" in told(guessing)) == is_told


def test_a_file_whose_scores_rank_well_is_not_told_that_it_learned_nothing() -> None:
    def ranking(d: dict[str, Any], config: dict[str, Any]) -> None:
        d["parity"]["trivial"] = {"the most frequent class": 0.998}
        row = d["parity"]["files"]["model_int8.tflite"]
        row |= {
            "metrics": {"accuracy": 0.998, "auc": 0.996},
            "skill": 0.0,
            "skill_ci95": (0.0, 0.0),
        }

    text = told(ranking)["no_better_than_chance"].text
    assert "learned nothing" not in text
    assert "its AUC is 0.996" in text


def test_few_samples_are_told() -> None:
    def few(d: dict[str, Any], config: dict[str, Any]) -> None:
        d["dataset"]["splits"]["train"] = 300

    assert "300 training samples are few" in told(few)["few_samples"].text


def test_no_baseline_and_no_attack_leave_the_other_advice() -> None:
    def off(d: dict[str, Any], config: dict[str, Any]) -> None:
        d |= {"baseline": None, "robustness": None}

    assert set(told(off)) == {"what_limits"}


def test_every_piece_of_advice_has_a_test() -> None:
    from pathlib import Path

    here = Path(__file__).read_text()
    assert all(f'"{code}"' in here for code in ADVICE)
