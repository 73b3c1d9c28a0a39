"""Rules about what is measured, and what must hold."""

from collections.abc import Iterator
from pathlib import Path as File

from pipeline.config import source_rules
from pipeline.config.document import Path
from pipeline.config.schema import Config
from pipeline.tasks import TASKS

ARENA = ("gate", "arena_bytes")
INTEGERS = ("int8", "int16x8")
WIDEST_LINF = 0.5  # a change by half of the range makes every picture gray


def arena_is_measured(config: Config, base: File) -> Iterator[tuple[Path, str]]:
    """Refuse a limit that nothing will be compared with."""
    if config.gate.arena_bytes is None:
        return
    if "tflite-micro" not in config.verify.runtimes:
        yield ARENA, "tflite-micro says how much it is; add tflite-micro to verify.runtimes"
    ships = config.export.ships
    if ships not in ("auto", *INTEGERS):
        yield ARENA, f"is for integer files and {ships} ships; wanted export.ships: auto or int8"


def metric_has_that_side(config: Config, base: File) -> Iterator[tuple[Path, str]]:
    """Refuse a least error and a most accuracy: nothing would be compared with them."""
    of_errors = TASKS[config.task].direction == "down"
    wrong, right = ("min_metric", "max_error")[:: 1 if of_errors else -1]
    if getattr(config.gate, wrong) is not None:
        better = "less" if of_errors else "more"
        yield ("gate", wrong), f"for {config.task} {better} is better; wanted {right}"


def recordings_are_measured(config: Config, base: File) -> Iterator[tuple[Path, str]]:
    """Refuse a least metric of recordings where there are none."""
    if config.gate.min_recording_auc is None:
        return
    if not TASKS[config.task].has_recordings or not source_rules.is_windowed(config.data.source):
        yield (
            ("gate", "min_recording_auc"),
            "is for anomaly, with samples that are windows of recordings; wanted null, or "
            "data.source.stride_s of an audio_folder, or fit: window of a series_folder",
        )


def robustness_is_measured(config: Config, base: File) -> Iterator[tuple[Path, str]]:
    """Refuse a least accuracy under attack where nothing attacks."""
    if config.gate.min_robust_accuracy is not None and config.audit is None:
        yield (
            ("gate", "min_robust_accuracy"),
            "the audit measures it, and audit is null; wanted one",
        )


def epsilon_fits_the_norm(config: Config, base: File) -> Iterator[tuple[Path, str]]:
    """Refuse a change of a value by more than makes sense; a length may be longer."""
    audit = config.audit
    if audit is None or audit.epsilon is None or audit.norm != "linf":
        return
    if source_rules.form_of(config.data.source) not in (None, "image"):
        return  # in deviations of train
    if audit.epsilon > WIDEST_LINF:
        yield (
            ("audit", "epsilon"),
            f"is {audit.epsilon:g}; under linf a value in [0, 1] changes by at most {WIDEST_LINF}: "
            "wanted less, or audit.norm: l2",
        )


def decision_has_classes(config: Config, base: File) -> Iterator[tuple[Path, str]]:
    """Refuse a threshold of a task without class probabilities, or one judged by accuracy.

    Accuracy falls where another threshold is chosen, and classical models are scored at 0.5.
    """
    if config.decision is None:
        if config.gate.decision_drop is not None:
            yield ("gate", "decision_drop"), "there is no threshold to compare at; wanted decision"
    elif not TASKS[config.task].has_softmax:
        yield ("decision",), f"the task is {config.task}; wanted classification, of two classes"
    elif config.task_metric != "auc":
        yield (
            ("task_metric",),
            f"{config.task_metric} depends on the threshold that decision chooses; wanted auc",
        )
