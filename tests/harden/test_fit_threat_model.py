"""From settings to a threat: what does not fit the data is named, with the nearest right word."""

from typing import Any

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.harden.describe_threat_model import describe_perturbation, threat_model_document
from pipeline.harden.fit_threat_model import fit_threat_model
from pipeline.harden.run_attack import attacked_positions
from tests.harden import fakes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"columns": {"amuont": {}}}, "columns: amuont: .* did you mean 'amount'"),
        ({"columns": {"amount": {"to": ("a",)}}}, "columns.amount.to: the column holds numbers"),
        ({"columns": {"kind": {"change": 1.0}}}, "columns.kind.change: .* holds categories"),
        ({"columns": {"kind": {"to": ("e",)}}}, "'e' is no category of it; there are a, b, c, d"),
        ({"columns": {"age": {"change": 0.5}}}, "age: whole numbers move by 1 at least"),
        ({"columns": {"amount": {"whole": True}}}, "amount.whole: train has .*; wanted false"),
        ({"columns": {"amount": {"low": 9.0, "high": 1.0}}}, "wanted low below high; came 9 and 1"),
        ({"columns": {"amount": {}}, "classes": ("clas1",)}, "did you mean 'class1'"),
        ({"columns": {"amount": {}}, "inputs": ("feature",)}, "did you mean 'features'"),
        ({"columns": None}, "a table is attacked by its columns; .* amount, age, kind, score"),
        ({"tokens": 2}, "words are replaced only in texts"),
    ],
)
def test_what_does_not_fit_is_named(settings: dict[str, Any], message: str) -> None:
    data = fakes.rows()
    with pytest.raises(ConfigError, match=message):
        fit_threat_model(data, fakes.asked(**settings), fakes.network(data), where="harden.attack")


def test_all_mistakes_are_told_at_once() -> None:
    wrong = {"age": {"change": 0.5}, "kind": {"change": 1.0, "low": 2.0}}
    with pytest.raises(ConfigError) as told:
        fit_threat_model(fakes.rows(), fakes.asked(columns=wrong), None, where="audit")
    assert len(told.value.problems) == 3
    assert all(problem.startswith("audit.columns.") for problem in told.value.problems)


def test_an_unknown_channel_and_a_text_without_words_are_named() -> None:
    with pytest.raises(ConfigError, match=r"channels: lvel: .*did you mean 'level'"):
        fit_threat_model(fakes.series(), fakes.asked(channels=("lvel",)), None, where="audit")
    with pytest.raises(ConfigError, match="attacked word by word; wanted kind: substitute"):
        fit_threat_model(fakes.texts(), fakes.asked(), None, where="harden.attack")


def test_radius_range_and_wholeness_come_from_train() -> None:
    data = fakes.rows()
    raw = data.read(np.arange(300))["features"]
    threat: Any = fit_threat_model(
        data,
        fakes.asked(columns={"amount": {}, "age": {"high": 70.0}, "score": {}}, epsilon=0.5),
        None,
        where="audit",
    )
    (part,) = threat.parts
    assert part.radius[0] == pytest.approx(0.5 * raw[:, 0].std(dtype=np.float64), rel=1e-6)
    assert part.radius[3] == pytest.approx(0.5 * np.nanstd(raw[:, 3], dtype=np.float64), rel=1e-6)
    assert part.radius[2] == 0
    assert (part.low[1], part.high[1]) == (raw[:, 1].min(), 70)
    assert part.whole.tolist() == [False, True, False, False]


def test_words_and_document_say_what_moves() -> None:
    columns = {"amount": {"change": 5.0}, "kind": {"to": ("a", "b")}}
    asked = fakes.asked(columns=columns, classes=("class1",))
    threat = fit_threat_model(fakes.rows(), asked, None, where="audit")
    assert describe_perturbation(threat) == "amount by 5, kind to any of 2 categories"
    document = threat_model_document(threat)
    assert document.classes == ("class1",)
    rows = {row.name: row for row in document.inputs["features"].values}
    assert rows["amount"].max_change == 5
    assert rows["kind"].categories == ("a", "b")
    assert set(rows) == {"amount", "kind"}
    data = fakes.texts()
    texts = fit_threat_model(
        data, fakes.asked(tokens=2, candidates=3), fakes.network(data), where="audit"
    )
    assert describe_perturbation(texts) == "at most 2 words, each by one of its 3 nearest"


def test_enough_samples_of_a_rare_class_are_judged() -> None:
    rng = np.random.default_rng(0)
    labels, few = ((rng.random(5000) < share).astype(np.int64) for share in (0.2, 0.02))
    rare = fakes.asked(columns={"amount": {}}, classes=("class1",))
    threat = fit_threat_model(fakes.rows(), rare, None, where="audit")
    taken = attacked_positions(labels, threat, np.arange(5000), most=50)
    assert labels[taken].sum() == 50
    assert labels[taken[-1]] == 1
    assert (
        len(attacked_positions(few, threat, np.arange(5000), most=20)) == 200
    )  # ten times as many at most
    everybody = fit_threat_model(
        fakes.rows(), fakes.asked(columns={"amount": {}}), None, where="audit"
    )
    assert len(attacked_positions(labels, everybody, np.arange(5000), most=50)) == 50
