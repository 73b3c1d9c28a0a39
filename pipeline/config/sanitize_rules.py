"""Rules about `data.sanitize` and the detector that is built on it."""

from collections.abc import Iterator
from pathlib import Path as File

from pipeline.config.document import Path
from pipeline.config.schema import Config
from pipeline.config.source_rules import article, form_of
from pipeline.tasks import TASKS

SMOOTHED = ("image", "sound", "series")  # what has neighbors: a table's columns have none
SECTION = ("data", "sanitize")


def fits(config: Config, base: File) -> Iterator[tuple[Path, str]]:
    """Refuse what cannot be done to this set, or has nothing to work on."""
    yield from _squeeze_fits(config)
    yield from _anomalies_are_far(config)
    yield from _detector_compares(config)
    yield from _attack_is_of_values(config)


def _squeeze_fits(config: Config) -> Iterator[tuple[Path, str]]:
    """Refuse what cannot be done to this kind of sample."""
    form, rule = form_of(config.data.source), config.data.sanitize
    if rule.median is not None and form not in (None, *SMOOTHED):
        yield (
            (*SECTION, "median"),
            f"is for images, sound and series, whose values have neighbors, and this set is "
            f"{article(form)}; wanted null",
        )
    if rule.bit_depth is not None and form == "text":
        yield (*SECTION, "bit_depth"), "is for numbers and this set is text; wanted null"


def _anomalies_are_far(config: Config) -> Iterator[tuple[Path, str]]:
    """Refuse to leave out of judgment what a detector of anomalies is there to flag."""
    if TASKS[config.task].has_threshold and config.data.sanitize.range != "clip":
        yield (
            (*SECTION, "range"),
            "what is far outside of train is what `task: anomaly` flags; wanted clip",
        )


def _detector_compares(config: Config) -> Iterator[tuple[Path, str]]:
    """Refuse a detector with nothing to compare."""
    if config.verify.detector is None:
        return
    path, rule = ("verify", "detector"), config.data.sanitize
    if not TASKS[config.task].can_abstain:
        yield path, f"is for classification; the task is {config.task}; wanted null"
    elif rule.bit_depth is None and rule.median is None:
        yield (
            path,
            "compares outputs with and without squeezing; set data.sanitize.bit_depth or median, "
            "or leave it out",
        )


def _attack_is_of_values(config: Config) -> Iterator[tuple[Path, str]]:
    """Refuse an audit whose attack through the squeezing is not known."""
    audit, rule = config.audit, config.data.sanitize
    is_squeezed = rule.bit_depth is not None or rule.median is not None
    if is_squeezed and audit is not None and audit.norm != "linf":
        yield (
            ("audit", "norm"),
            f"the attack through data.sanitize bounds every value; wanted linf; came {audit.norm}",
        )
