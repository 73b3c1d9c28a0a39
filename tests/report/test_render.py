"""The page: whole whatever was left out, self-contained, and safe with any name."""

import copy
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from pipeline.report import charts, words
from pipeline.report.render import render_card
from tests.report.conftest import CONFIG, check, page, typed_documents
from tests.test_escape import PARSER, is_inert, names

VOID = {"meta", "br", "img", "link", "hr", "input", "line", "circle", "polyline", "rect", "path"}


class Balanced(HTMLParser):
    """Checks that every tag is closed, and notes what the page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [v or "" for name, v in attrs if name in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def read(html: str) -> Balanced:
    parser = Balanced()
    parser.feed(html)
    assert parser.open == []
    return parser


def without(documents: dict[str, Any], *names: str) -> dict[str, Any]:
    bent = copy.deepcopy(documents)
    for name in names:
        bent[name] = None
        bent["figures"].pop(name, None)
    return bent


def test_the_page_is_whole_and_loads_nothing(documents: dict[str, Any]) -> None:
    parser = read(page(documents))
    assert all(source.startswith(("data:image/", "#")) for source in parser.loads)
    assert "script" not in parser.tags
    assert not re.search(r"url\((?!['\"]?data:)", page(documents))


def test_it_says_what_ships_and_every_figure(documents: dict[str, Any]) -> None:
    html = page(documents)
    assert (
        "int8 ships: accuracy 95.0 % (trained model 95.2 %; the most frequent class 50.0 %), 2.0 kB"
        in html
    )
    for text in ("34", "99.00 %", "31.0 dB", "logistic regression", "vela 5", "noise is weaker"):
        assert text in html


def test_it_says_what_became_of_hardening(documents: dict[str, Any]) -> None:
    html = page(documents)
    assert "Hardening (mode fast) against PGD (epsilon 0.1" in html
    assert "75.0 %" in html
    assert "37.5 %" in html
    assert "0.9625 before" in html
    assert "collapsed in epoch 3" in html
    assert "restored from epoch 2" in html
    assert "No epoch was kept" in html
    bent = copy.deepcopy(documents)
    bent["robustness"] |= {"kept_epoch": 4, "collapse": None}
    assert "Epoch 4 was kept" in page(bent)
    assert "collapsed in epoch" not in page(bent)


def test_a_failed_gate_is_said_on_top_with_what_to_try(documents: dict[str, Any]) -> None:
    documents["verdict"]["passed"] = False
    documents["verdict"]["gates"]["int8"][0] |= {
        "passed": False,
        "remediation": "Try more samples.",
    }
    html = page(documents)
    assert "Nothing ships: int8 fails metric_drop" in html
    assert "Try more samples." in html
    assert "does not ship" in html
    assert "Nothing ships" in render_card(typed_documents(documents), CONFIG)


@pytest.mark.parametrize(
    "off", [("baseline",), ("audit",), ("robustness",), ("baseline", "audit", "robustness")]
)
def test_a_stage_that_is_off_leaves_a_whole_page(
    documents: dict[str, Any], off: tuple[str, ...]
) -> None:
    bent = without(documents, *off)
    if "robustness" in off:
        bent["histories"].pop("harden", None)
    read(page(bent))
    assert render_card(typed_documents(bent), CONFIG)


def test_a_skipped_audit_says_why(documents: dict[str, Any]) -> None:
    documents["audit"] |= {
        "skipped": "it needs one image input",
        "curve": [],
        "files": {},
        "checks": [],
    }
    documents["figures"]["audit"] = {"labels": np.zeros(0)}
    assert "Not attacked: it needs one image input" in page(documents)
    assert "Not measured: it needs one image input." in render_card(
        typed_documents(documents), CONFIG
    )


def test_attacks_stand_with_their_budgets_intervals_and_checks(documents: dict[str, Any]) -> None:
    audit = documents["audit"]
    audit["checks"].append(check("the differentiable copy decides as the file", 0.3))
    html = page(documents)
    read(html)
    for text in (
        "20 steps, 1 restart, 2 losses", "500 queries, 470 on average", "0.500 … 0.800",
        "by at most 0.1 of its range (Linf)", "loses 1.0 percentage points", "-0.5 to 2.0",
        "99.85 % of 150",
        "0.03 LSB", "blur", "79.0 % → 78.0 %"[:6], "integrated gradients before",
    ):  # fmt: skip
        assert text in html
    assert html.count('<span class="fail">fails</span>') == 1
    assert html.index("transferred from the trained model</th>") < html.index(
        "straight-through (white box)</th>"
    )
    audit["perturbation"], audit["restarts"] = "a length of at most 0.1", 3
    audit["files"]["model_int8.tflite"]["straight_through"] = {
        "skipped": "operation 3, WHILE",
        "is_white_box": False,
    }
    html = page(documents)
    assert "a length of at most 0.1" in html
    assert "3 restarts" in html
    assert "No straight-through attack: operation 3, WHILE" in html


def test_a_regression_has_values_instead_of_classes(documents: dict[str, Any]) -> None:
    documents["dataset"]["labels"]["names"] = None
    parity = documents["parity"]
    parity["metric"] = "r2"
    metrics = {"r2": 0.5, "mae": 40.0, "rmse": 50.0}
    parity["reference"]["metrics"] = metrics
    for row in parity["files"].values():
        row["metrics"] = metrics
        row["parity"] |= {"worst_class": None, "worst_class_drop": None}
    documents["baseline"]["models"][0]["metrics"] = metrics
    documents["audit"] = None
    documents["figures"] = {
        "dataset": {"sample_labels": np.ones(4)},
        "parity": {"labels": np.arange(9.0), "reference": np.arange(9.0), "int8": np.arange(9.0)},
    }
    html = page(documents, task="regression")
    read(html)
    assert "Predicted against true values" in html
    assert "R²" in html


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "a&b", '"quoted"', "'", "猫", "{{ x }}"]
)
def test_any_class_name_is_shown_as_it_is(documents: dict[str, Any], name: str) -> None:
    documents["dataset"]["labels"]["names"] = ["a", name]
    documents["parity"]["files"]["model_int8.tflite"]["parity"]["worst_class"] = name
    html = page(documents)
    assert "script" not in read(html).tags
    if name.isidentifier():
        assert name in html


def test_one_epoch_and_many_classes_are_drawn(documents: dict[str, Any]) -> None:
    documents["histories"]["train"] = {"epoch": [1.0], "loss": [1.0], "val_loss": [1.0]}
    names = [f"class {i}" for i in range(60)]
    documents["dataset"]["labels"]["names"] = names
    documents["figures"]["dataset"]["class_counts"] = np.ones((3, 60), np.int64)
    for name in ("confusion_reference", "confusion_int8"):
        documents["figures"]["parity"][name] = np.eye(60, dtype=np.int64) + np.eye(
            60, k=1, dtype=np.int64
        )
    html = page(documents)
    read(html)
    assert "Most frequent confusions of the int8 file" in html


def test_the_card_is_the_same_every_time(documents: dict[str, Any]) -> None:
    once, again = (typed_documents(copy.deepcopy(documents)) for _ in range(2))
    assert render_card(once, CONFIG) == render_card(again, CONFIG)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (20_472, "20.5 kB"),
        (2_500_000, "2.5 MB"),
    ],
)
def test_sizes_read_well(count: int | None, text: str) -> None:
    assert words.size(count) == text


@pytest.mark.parametrize("values", [[0.0, 0.0], [1.0], [1e-9, 1e9], [-5.0, 5.0]])
def test_a_chart_of_any_values_stays_in_its_frame(values: list[float]) -> None:
    drawn = charts.line_chart({"x": list(enumerate(values))}, title="t", x="x", y="y")
    for points in re.findall(r'points="([^"]*)"', drawn):
        for pair in points.split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= charts.WIDTH
            assert 0 <= y <= charts.HEIGHT


def test_a_file_that_decides_otherwise_is_never_said_to_decide_alike(
    documents: dict[str, Any],
) -> None:
    bent = copy.deepcopy(documents)
    bent["figures"]["parity"] = {
        name: value
        for name, value in bent["figures"]["parity"].items()
        if name != "changed_input_image"
    }
    alike = "predicts the same class as the trained model for every sample"
    assert alike not in page(bent)
    for row in bent["parity"]["files"].values():
        row["parity"]["agreement"] = 1.0
    assert alike in page(bent)


def test_an_encoder_and_what_came_before_training_are_told(documents: dict[str, Any]) -> None:
    documents["parity"]["encoder"] = {
        "encoder_int8.tflite": {
            "codes": {"sqnr_db": 41.9, "cosine": 0.99, "neighbor_overlap": 0.975},
            "clustering": {"clusters": 4, "with_reference": 0.91, "with_classes": 0.55},
            "reduction": {
                "input_size": 64,
                "code_size": 8,
                "trustworthiness": 0.987,
                "pca_trustworthiness": 0.961,
            },
        }
    }
    documents["pretraining"] = {
        "samples": 1300,
        "unlabeled": 1250,
        "labeled": 50,
        "reconstruction_loss": 0.01,
        "metric": "accuracy",
        "direction": "up",
        "metric_with": 0.84,
        "metric_without": 0.79,
    }
    documents["distillation"] = {
        "teacher_kind": "resnet8",
        "teacher_parameters": 78000,
        "parameters": 7000,
        "metric": "accuracy",
        "direction": "up",
        "teacher": 0.93,
        "metric_with": 0.91,
        "metric_without": 0.897,
    }
    documents["range_test"] = {
        "suggested_rate": 0.0031,
        "rates": [0.001, 0.01],
        "losses": [2.0, 1.0],
        "smoothed": [2.0, 1.5],
    }
    warned = {"code": "dead_relu", "text": "units are dead", "cure": "lower the rate"}
    documents["warnings"] = {"schema": 2, "warnings": [warned]}
    html, card = page(documents), render_card(typed_documents(documents), CONFIG)
    assert "The peak learning rate is 0.0031" in html
    for text in (html, card):
        assert "a resnet8 of 78,000 weights" in text
        assert "89.7 %" in text
    for said in ("64 input values become a code of 8", "0.961", "41.9 dB", "97.5 %", "0.550"):
        assert said in html
    for text in (html, card):
        assert "1,300 samples, 1,250 of them without a label" in text
        assert "50 labels: 84.0 % on validation" in text
        assert "79.0 %" in text
        assert "units are dead" in text
        assert "lower the rate" in text
    assert "codes 64 values as 8" in card


def test_runtimes_are_compared_where_several_ran(documents: dict[str, Any]) -> None:
    assert "arena" not in page(documents)
    bent = copy.deepcopy(documents)
    row = {"version": "2", "agreement": 0.99, "max_abs_lsb": None, "kernels": "reference"}
    for file in bent["parity"]["files"].values():
        for name, arena in (("litert", None), ("tflite-micro", 4272)):
            file["runtimes"][name] = row | {"disagreements": 3, "arena_bytes": arena}
    read(page(bent))
    assert "arena on tflite-micro</dt><dd>4.3 kB" in page(bent)
    assert "tflite-micro 2</td><td>reference</td>" in page(bent)
    card = render_card(typed_documents(bent), CONFIG)
    assert "an arena of 4272 bytes" in card
    assert "(reference kernels; 3 of" in card


def test_a_gate_without_a_value_was_not_measured(documents: dict[str, Any]) -> None:
    bent = copy.deepcopy(documents)
    gate = {
        "name": "arena_bytes",
        "value": None,
        "limit": 9000,
        "passed": False,
        "remediation": "why",
    }
    bent["verdict"] = {
        "passed": False, "ships": "int8", "gates": {"int8": [gate | {"direction": "at most"}]},
    }  # fmt: skip
    assert "not measured</td>" in page(bent)
    assert "≤ 9,000" in page(bent)


def test_pruning_is_told_where_there_was_any_and_zipped_sizes_always(
    documents: dict[str, Any],
) -> None:
    told = page(documents)
    read(told)
    assert "pruned to 50 % zeros, clustered to 16 values per kernel: 50.2 % of the weights" in told
    assert "conv/kernel" in told
    assert "1.1 kB" in told
    plain = documents | {"weights": documents["weights"] | {"validation": None}}
    assert "Pruning and clustering" not in page(plain)
    assert "50.3 %" in page(plain)
    card = render_card(typed_documents(documents), CONFIG)
    assert "2000 bytes (1100 gzipped)" in card
    assert "the float model loses 0.0030 accuracy on validation" in card


def test_the_card_has_the_usual_parts_and_says_what_nobody_stated(
    documents: dict[str, Any],
) -> None:
    card = render_card(typed_documents(documents), CONFIG)
    for part in (
        "Model details", "Intended use", "Data", "Metrics", "Metrics per class",
        "Robustness and privacy", "Limits",
    ):  # fmt: skip
        assert re.search(rf"^##+ {part}$", card, re.MULTILINE)
    assert card.count("not stated") == 4
    stated = CONFIG["report"] | {"license": "Apache-2.0", "out_of_scope": "Medicine."}
    card = render_card(typed_documents(documents), CONFIG | {"report": stated})
    assert "License: Apache-2.0" in card
    assert "Out of scope: Medicine." in card
    assert card.count("not stated") == 2


def test_groups_are_a_table_of_the_card(documents: dict[str, Any]) -> None:
    metrics = {name: {"accuracy": 0.75} for name in ("reference", "int8")}
    rows = {"north": {"samples": 12, "metrics": metrics}}
    documents["parity"]["groups"] = {"column": "region", "values": rows}
    assert "| north | 12 | 75.0 % | 75.0 % |" in render_card(typed_documents(documents), CONFIG)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=names)
def test_names_and_texts_of_others_stay_text(documents: dict[str, Any], name: str) -> None:
    bent = copy.deepcopy(documents)
    bent["dataset"]["labels"]["names"][0] = name
    report = CONFIG["report"] | dict.fromkeys(("intended_use", "license", "contact"), name)  # type: ignore[operator]
    card = render_card(typed_documents(bent), CONFIG | {"report": report})
    plain = render_card(typed_documents(documents), CONFIG)
    tokens = [[token.type for token in PARSER.parse(text)] for text in (card, plain)]
    assert tokens[0] == tokens[1]
    assert is_inert(card)
    kinds = {child.type for token in PARSER.parse(card) for child in token.children or ()}
    assert not kinds & {"html_inline", "link_open", "image"}
    assert "<script" not in page(bent)
