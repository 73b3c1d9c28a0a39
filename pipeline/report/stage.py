"""Report. Reads what the other stages wrote; writes report.html, MODEL_CARD.md, advice.json.

No model is loaded, and the page is made also when a gate failed.
"""

import json
import logging
from pathlib import Path

from pipeline.artifacts import Inputs, Metrics
from pipeline.config.schema import Config
from pipeline.documents.advice import AdviceList
from pipeline.report.advice import advise
from pipeline.report.gather import gather, timings
from pipeline.report.render import render_card, render_report

log = logging.getLogger(__name__)

SHOWN = 3  # pieces of advice in the terminal; the page has all


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Render the page about the run, and the model card."""
    documents = gather(inputs)
    dumped = json.loads(config.model_dump_json())
    advice = advise(documents, dumped)
    page = render_report(documents, advice, dumped, times=timings(inputs["dataset"].parent))
    (out / "report.html").write_text(page)
    (out / "MODEL_CARD.md").write_text(render_card(documents, dumped))
    AdviceList(advice=tuple(advice)).write(out / "advice.json")
    for number, row in enumerate(advice[:SHOWN], 1):
        log.info("          %d. %s.", number, row.text)
    return Metrics({"report": (len(page.encode()), "bytes")})
