"""Tell. Reads what the other stages wrote, as data; writes report.html and MODEL_CARD.md.

No model is loaded, and the page is made also when a gate failed.
"""

import json
from pathlib import Path

from pipeline.artifacts import Inputs, Metrics
from pipeline.config.schema import Config
from pipeline.report.gather import gather, seconds_by_stage
from pipeline.report.render import render_card, render_report


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Render the page about the run, and the model card."""
    documents = gather(inputs)
    dumped = json.loads(config.model_dump_json())
    page = render_report(documents, dumped, seconds_by_stage(inputs["dataset"].parent))
    (out / "report.html").write_text(page)
    (out / "MODEL_CARD.md").write_text(render_card(documents, dumped))
    return Metrics({"report": (len(page.encode()), "bytes")})
