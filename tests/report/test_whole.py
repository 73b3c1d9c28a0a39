"""The page of every task: whole, reachable by its contents, readable without eyes."""

import re
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from pipeline.device.browser import missing_parts
from pipeline.gate.gates import GATES
from pipeline.report.render import with_contents
from pipeline.report.words import format_fixed, gate_means, seconds
from tests.device.devtools import chromium
from tests.report.conftest import CONFIG, page

needs_browser = pytest.mark.skipif(missing_parts() is not None, reason="no Chromium")


def quantities(task: str) -> dict[str, Any]:
    """Return what verify keeps of a task with quantities."""
    rng = np.random.default_rng(1)
    labels = rng.normal(size=60)
    found = {"labels": labels, "reference": labels + 0.1, "int8": labels - 0.1}
    found |= {"changed_labels": labels[:2], "changed_reference": labels[:2]}
    found |= {"changed_file": labels[:2] + 1, "changed_input_image": np.zeros((2, 8, 8, 1))}
    if task == "forecasting":
        found |= {
            "forecast_indices": np.arange(60),
            "forecast_times": 1.7e9 + 3600.0 * np.arange(60),
            "forecast_last": np.ones(60, np.float32),
        }
    return found


@pytest.mark.parametrize(
    ("task", "texts"),
    [
        (
            "regression",
            ["Predictions of the int8 file against true values, 60", "Errors (predicted"],
        ),
        ("forecasting", ["days from 2023-11-14", "naive forecast", "int8 forecast"][1:]),
    ],
)
def test_quantities_are_shown_beside_the_truth(
    documents: dict[str, Any], task: str, texts: list[str]
) -> None:
    documents["dataset"]["labels"]["names"] = None
    documents["dataset"]["task"] = task
    documents["figures"]["parity"] = quantities(task)
    metrics = {"r2": 0.5, "mae": 40.0}
    documents["parity"]["metric"] = "r2"
    documents["parity"]["reference"]["metrics"] = metrics
    for row in documents["parity"]["files"].values():
        row["metrics"] = metrics
    documents["baseline"]["models"][0]["metrics"] = metrics
    documents["audit"] = None
    html = page(documents)
    for text in texts:
        assert text in html
    assert "largest disagreement" in html


@pytest.mark.parametrize(
    ("task", "text"), [("anomaly", "anomaly score / threshold"), ("classification", "ROC")]
)
def test_scores_stand_beside_their_threshold(
    documents: dict[str, Any], task: str, text: str
) -> None:
    scores = np.linspace(0.05, 0.95, 20)
    parity = {"labels": (scores > 0.4).astype(int), "score_reference": scores, "score_int8": scores}
    documents["figures"]["parity"] |= parity
    documents["dataset"]["task"] = task
    html = page(documents)
    assert text in html
    assert "threshold" in html


def test_every_table_has_a_caption_and_heads_with_a_scope(documents: dict[str, Any]) -> None:
    html = page(documents)
    assert html.count("<table") == html.count("<caption>")
    assert all("scope=" in head for head in re.findall(r"<th[ >][^>]*", html))
    assert all(re.search(r'aria-label="[^"]', head) for head in re.findall(r"<svg [^>]*", html))
    assert all(re.search(r'alt="[^"]', image) for image in re.findall(r"<img [^>]*", html))


def test_the_contents_lead_to_every_section(documents: dict[str, Any]) -> None:
    html = page(documents)
    places = re.findall(r'<section id="([^"]*)"', html)
    assert len(places) == html.count("<section") > 8
    assert re.findall(r'href="#([^"]*)"', html) == places


def test_verdict_and_advice_stand_open_and_the_rest_is_folded(documents: dict[str, Any]) -> None:
    html = page(documents)
    folded = re.findall(r"<details>\s*<summary><h2>(.*?)</h2></summary>\s*<section", html)
    links = re.findall(r'<a href="#part-\d+">(.*?)</a>', html)
    assert links[:2] == ["Verdict", "Advice"]
    assert links[2:] == folded
    assert html.count("<details>") == html.count("</details>") == html.count("</section>") - 2


@needs_browser
def test_a_link_of_the_contents_unfolds_its_section(
    documents: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "report.html").write_text(page(documents))
    with chromium() as tab:
        tab.send("Page.navigate", url=(tmp_path / "report.html").as_uri())
        tab.until("document.querySelectorAll('details').length > 8")
        assert tab.ask("document.querySelectorAll('details[open]').length") == 0
        tab.ask("document.querySelector('nav a[href=\"#part-4\"]').click()")
        opened = "document.querySelectorAll('details[open]')"
        tab.until(f"{opened}.length === 1")
        assert tab.ask(f"{opened}[0].contains(document.getElementById('part-4'))")
        shown = "document.getElementById('part-6').checkVisibility()"
        assert not tab.ask(shown)
        tab.send("Emulation.setEmulatedMedia", media="print")
        assert tab.ask(shown)  # on paper nothing is folded


def test_the_first_screen_has_what_decides(documents: dict[str, Any]) -> None:
    html = page(documents)
    head = html[html.index("<header") : html.index("</header>")]
    for wanted in ("drop, 95 % interval", "file size", "4 µs", "robust accuracy", "First advice"):
        assert wanted in head, wanted
    documents["audit"] = None
    head = page(documents).split("</header>")[0]
    assert "not measured" in head


def test_the_page_has_the_whole_config(documents: dict[str, Any]) -> None:
    html = page(documents)
    text = unescape(html.split("<pre><code>")[1].split("</code></pre>")[0])
    assert YAML(typ="safe").load(text) == CONFIG


def test_contents_of_a_page_without_sections_are_empty() -> None:
    assert with_contents("<ul><!--contents--></ul>") == "<ul></ul>"


def test_every_gate_is_explained() -> None:
    assert all(gate_means(name) for name in GATES)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (4e-6, "4 µs"), (0.0123, "12.3 ms"), (2.0, "2 s"), (600.0, "10.0 min")],
)
def test_times_read_well(value: float | None, text: str) -> None:
    assert seconds(value) == text


def test_what_rounds_to_zero_has_no_sign() -> None:
    assert format_fixed(-0.00001) == "0.0000"
    assert format_fixed(-0.25, 1) in ("-0.2", "-0.3")
