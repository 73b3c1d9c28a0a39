"""Turn the gathered data into report.html and MODEL_CARD.md; pure, save for reading templates."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from pipeline.config.editor import as_yaml
from pipeline.documents.advice import Advice
from pipeline.escape import markdown
from pipeline.report import drawings, evasion, findings, regression_charts, search, words
from pipeline.report.gather import Documents

HERE = Path(__file__).parent
SECTION = re.compile(r"<section>\s*<h2>(.*?)</h2>(.*?)</section>", re.DOTALL)
OPEN = 2  # sections of the report that are not folded: verdict and advice


def render_report(
    documents: Documents,
    advice: Sequence[Advice],
    config: Mapping[str, Any],
    *,
    times: Mapping[str, Any],
) -> str:
    """Return the page: one file, no script, nothing loaded from elsewhere.

    Args:
        documents: what gather() returned.
        advice: on them.
        config: the sections that the page quotes, dumped.
        times: what gather.timings() returned.
    """
    page = (
        _environment(autoescape=True)
        .get_template("report.html.j2")
        .render(
            **_context(documents, config),
            advice=advice,
            times=times,
            settings=as_yaml(config),
            style=(HERE / "style.css").read_text(),
            curves=drawings.learning_curves(documents),
            samples=drawings.samples(documents, config["report"]["samples"]),
            targets=drawings.targets(documents),
            matrices=drawings.matrices(documents),
            pairs=drawings.confused_pairs(documents),
            value_charts=regression_charts.value_charts(documents),
            layers=drawings.layers(documents),
            trade=drawings.trade(documents, times["files"]),
            changed=drawings.changed_samples(documents),
            evasion=evasion.evasion_view(documents),
            membership_curve=findings.membership_curve(documents.audit),
            extraction_curve=findings.extraction_curve(documents.audit),
            search=search.context(documents.trials),
        )
    )
    return with_contents(page, unfolded=OPEN if advice else OPEN - 1)


def render_card(documents: Documents, config: Mapping[str, Any]) -> str:
    """Return the model card (Mitchell et al. 2019, arXiv:1810.03993); same facts, same bytes."""
    made = _environment(autoescape=False)
    made.finalize = _as_markdown
    return made.get_template("MODEL_CARD.md.j2").render(
        **_context(documents, config), recalls=drawings.recalls(documents)
    )


def _as_markdown(value: object) -> object:
    """Return what a template puts in, as text that Markdown shows as it is."""
    return markdown(value) if isinstance(value, str) else value


def with_contents(page: str, *, unfolded: int | None = None) -> str:
    """Return the page with a name on each section, and links to them at <!--contents-->.

    Args:
        page: its sections begin with a heading, and none lies in another.
        unfolded: how many stand open; the others are folded, and a link to one, or a search in the
            page, unfolds it. None: all stand open.
    """
    links: list[str] = []

    def named(found: re.Match[str]) -> str:
        heading, body = found[1], found[2]
        place = f"part-{len(links) + 1}"
        links.append(f'<li><a href="#{place}">{heading}</a></li>')
        if unfolded is None or len(links) <= unfolded:
            return f'<section id="{place}">\n<h2>{heading}</h2>{body}</section>'
        folded = f'<section id="{place}">{body}</section>'
        return f"<details>\n<summary><h2>{heading}</h2></summary>\n{folded}\n</details>"

    body = SECTION.sub(named, page)
    return body.replace("<!--contents-->", "".join(links), 1)


def environment(*, autoescape: bool, folder: Path = HERE) -> jinja2.Environment:
    """Return what templates are read with: an unknown name in one is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _environment(*, autoescape: bool) -> jinja2.Environment:
    made = environment(autoescape=autoescape)
    made.filters |= {"size": words.size, "gated": words.format_gate, "seconds": words.seconds}
    made.filters["fixed"] = words.format_fixed
    made.globals |= {"figure": words.figure, "metric_names": words.NAMES}
    made.globals |= {"evidence": findings.format_evidence, "gate_means": words.gate_means}
    return made


def _context(documents: Documents, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what both templates use."""
    shipped = words.shipped_file(documents)
    measured = documents.parity.files[shipped.file]
    audit = documents.audit
    attacked = None if audit is None or audit.skipped else audit.files.get(shipped.file)
    micro = measured.runtimes.get("tflite-micro")
    return {
        **vars(documents),
        "config": config,
        "sentence": words.verdict(documents),
        "lighter": words.lighter(documents.weights),
        "ships": shipped.format,
        "shipped": shipped,
        "measured": measured,
        "robust": None if attacked is None else attacked.robust_accuracy,
        "compared": len(measured.runtimes) > 1,
        "arena": None if micro is None else micro.arena_bytes,
        "metric": documents.parity.metric,
        "names": documents.dataset.labels.names,
        "skipped": [*documents.files.skipped, *documents.parity.skipped],
        "nothing": Markup(""),
    }
