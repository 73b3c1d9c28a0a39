"""Rules that span sections. They judge and never rewrite; each names what it reads.

A rule is skipped where something it reads is itself a mistake: one mistake, one message.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

from pipeline.config import (
    compress_rules,
    harden_rules,
    model_rules,
    sanitize_rules,
    source_rules,
    space_rules,
    tune_rules,
    verify_rules,
)
from pipeline.config.augment_schema import FITS
from pipeline.config.document import Path
from pipeline.config.schema import Config
from pipeline.config.shape import one_of
from pipeline.targets.registry import TARGETS
from pipeline.tasks import TASKS

Finding = tuple[Path, str]


@dataclass(frozen=True)
class Rule:
    """One judgment about several settings."""

    reads: tuple[str, ...]
    """Dotted paths; the rule is skipped when one of them is broken."""
    check: Callable[[Any, File], Iterator[Finding]]
    """(config, folder of the config file) -> path and message of each mistake."""


def broken_rules(config: Config, base: File, broken: set[Path]) -> Iterator[Finding]:
    """Yield the path and message of every rule that does not hold.

    Args:
        config: a Config, or the sound part of one.
        base: folder of the config file.
        broken: paths whose values are mistakes already.
    """
    for rule in RULES:
        reads = [tuple(path.split(".")) for path in rule.reads]
        if not any(_overlap(read, path) for read in reads for path in broken):
            yield from rule.check(config, base)


def _overlap(one: Path, other: Path) -> bool:
    """Tell whether one path holds the other."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _test_part_is_there(config: Config, base: File) -> Iterator[Finding]:
    split = config.data.split
    if split.test == 0 and split.by != "given" and config.verify.split == "test":
        yield (
            ("data", "split", "test"),
            "verify.split is test, which would be empty; wanted a fraction above 0",
        )


def _augment_fits(config: Config, base: File) -> Iterator[Finding]:
    form = source_rules.form_of(config.data.source)
    if form is None:
        return
    for position, change in enumerate(config.data.augment):
        if form not in FITS[change.kind]:
            fitting = [kind for kind, forms in FITS.items() if form in forms]
            wanted = one_of(tuple(fitting)) if fitting else "[]"
            yield (
                ("data", "augment", position, "kind"),
                f"{change.kind} is for {' and '.join(FITS[change.kind])}, and this set is "
                f"{source_rules.article(form)}; wanted {wanted}",
            )


def _mixup_has_classes(config: Config, base: File) -> Iterator[Finding]:
    is_mixed = any(change.kind == "mixup" for change in config.data.augment)
    if is_mixed and TASKS[config.task].predicts_input:
        yield ("data", "augment"), "mixup mixes labels too, which anomaly has not; leave it out"


def _losses_take_their_settings(config: Config, base: File) -> Iterator[Finding]:
    train = config.train
    is_class = TASKS[config.task].learns_classes
    smooth = ("auto", "categorical_crossentropy", "binary_crossentropy")
    if train.label_smoothing and not (is_class and train.loss in smooth):
        yield ("train", "label_smoothing"), "is for cross-entropy; wanted 0"
    if train.oversample and not is_class:
        yield ("train", "oversample"), f"the task is {config.task}, which has no classes"


def _teacher_fits(config: Config, base: File) -> Iterator[Finding]:
    train = config.train
    if train.distill is None:
        return
    if not TASKS[config.task].learns_classes:
        yield ("train", "distill"), f"is for classification; the task is {config.task}"
    if train.pretrain is not None:
        yield ("train", "distill"), "goes with train.pretrain: null"
    has_unknown = config.data.labeled is not None or config.data.unlabeled is not None
    if has_unknown and any(change.kind == "mixup" for change in config.data.augment):
        yield ("data", "augment"), "mixup mixes labels; samples without one leave nothing to mix"
    if train.distill.teacher.kind in ("file", "application", "autoencoder"):
        kind = train.distill.teacher.kind
        yield ("train", "distill", "teacher", "kind"), f"{kind} cannot teach; wanted another family"


def _untrained_came_trained(config: Config, base: File) -> Iterator[Finding]:
    train, model = config.train, config.model
    if train.epochs:
        return
    if model.kind != "file" or model.reset_weights or model.head != "keep":
        yield (
            ("train", "epochs"),
            "0 is for a network that came trained: model.kind file, its weights and head kept",
        )
    asked = {name: getattr(train, name) for name in ("distill", "pretrain", "freeze")}
    asked |= {"range_test": train.range_test, "learning_curve": train.learning_curve}
    paths = [("train", name) for name, value in asked.items() if value]
    for path in [*paths, *([("tune",)] if config.tune is not None else [])]:
        yield path, "nothing is trained where train.epochs is 0; take it out"


def _curve_is_of_one_kind(config: Config, base: File) -> Iterator[Finding]:
    if config.train.learning_curve and config.train.pretrain is not None:
        yield ("train", "learning_curve"), "does not go with train.pretrain; wanted false"


def _plateau_stands_alone(config: Config, base: File) -> Iterator[Finding]:
    if config.train.schedule.kind == "plateau" and config.train.freeze is not None:
        yield ("train", "schedule", "kind"), "plateau does not go with train.freeze; wanted cosine"


def _loss_fits_task(config: Config, base: File) -> Iterator[Finding]:
    wanted = ("auto", *TASKS[config.task].losses)
    if config.train.loss not in wanted:
        yield (
            ("train", "loss"),
            f"{config.train.loss} is no loss for {config.task}; wanted one of {', '.join(wanted)}",
        )


def _class_weights_have_classes(config: Config, base: File) -> Iterator[Finding]:
    if config.train.class_weights is not None and not TASKS[config.task].learns_classes:
        yield (
            ("train", "class_weights"),
            f"the task is {config.task}, which has no classes; wanted null",
        )


def _hidden_labels_have_a_task(config: Config, base: File) -> Iterator[Finding]:
    task = TASKS[config.task]
    for name in ("unlabeled", "labeled"):
        if getattr(config.data, name) is not None and not task.takes_hidden_labels:
            yield ("data", name), f"the task is {config.task}, which learns without; wanted null"
    if config.data.unlabeled is not None and not task.has_classes and task.takes_hidden_labels:
        yield (
            ("data", "unlabeled"),
            f"the task is {config.task}, which has no classes; wanted null",
        )


def _warmup_ends(config: Config, base: File) -> Iterator[Finding]:
    train = config.train
    warmup_epochs = getattr(train.schedule, "warmup_epochs", 0)
    if warmup_epochs > train.epochs:
        yield (
            ("train", "schedule", "warmup_epochs"),
            (
                f"the rate would not reach its peak: wanted at most train.epochs ({train.epochs}); "
                f"came {warmup_epochs:g}"
            ),
        )


def _freeze_ends(config: Config, base: File) -> Iterator[Finding]:
    train = config.train
    if train.freeze is not None and train.freeze.epochs >= train.epochs:
        yield (
            ("train", "freeze", "epochs"),
            f"wanted fewer than train.epochs ({train.epochs}), so that the others learn too; came "
            f"{train.freeze.epochs}",
        )


def _ships_is_made(config: Config, base: File) -> Iterator[Finding]:
    export = config.export
    made = one_of(tuple(dict.fromkeys(export.formats)))
    if export.ships == "auto" and "int8" not in export.formats:
        yield (
            ("export", "ships"),
            f"auto ships int8, which export.formats leaves out; wanted {made}",
        )
    if export.ships not in ("auto", *export.formats):
        yield (
            ("export", "ships"),
            f"{export.ships} is not in export.formats; add it there, or choose {made}",
        )


def _encoder_is_there(config: Config, base: File) -> Iterator[Finding]:
    if config.export.encoder and config.model.kind != "autoencoder":
        yield (
            ("export", "encoder"),
            f"{config.model.kind} has no encoder; wanted false, or model.kind: autoencoder",
        )


def _targets_have_int8(config: Config, base: File) -> Iterator[Finding]:
    export = config.export
    for position, target in enumerate(export.targets):
        if TARGETS[target].compiler is not None and "int8" not in export.formats:
            yield (
                ("export", "targets", position),
                f"{target} is made from the int8 file; add int8 to export.formats",
            )


def _only_classes_are_left_open(config: Config, base: File) -> Iterator[Finding]:
    if config.verify.abstain is not None and not TASKS[config.task].can_abstain:
        yield ("verify", "abstain"), f"is for classification; the task is {config.task}"


def _metric_is_of_the_task(config: Config, base: File) -> Iterator[Finding]:
    if config.task_metric != "auto" and not TASKS[config.task].other_scores:
        yield ("task_metric",), f"is for classification; the task is {config.task}; wanted auto"


def _nothing_twice(config: Config, base: File) -> Iterator[Finding]:
    lists = {
        ("export", "formats"): config.export.formats,
        ("export", "targets"): config.export.targets,
        ("verify", "runtimes"): config.verify.runtimes,
        ("compress", "quantize", "remedies"): config.compress.quantize.remedies,
    }
    for path, words in lists.items():
        for position, word in enumerate(words):
            if word in words[:position]:
                yield (*path, position), f"{word} is listed twice; take one out"


RULES = (
    Rule(("task", "data.source"), source_rules.task_fits_source),
    Rule(("data.source", "model.kind"), model_rules.model_fits_source),
    Rule(("model",), model_rules.shapes_agree),
    Rule(("task", "data.source", "model.kind", "train.pretrain"), model_rules.model_fits_task),
    Rule(("data.source", "model"), model_rules.map_stays),
    Rule(("model",), model_rules.given_exists),
    Rule(("data.source", "data.split"), source_rules.split_fits),
    Rule(("data.source",), source_rules.one_says_the_part),
    Rule(("task", "data.split.by"), source_rules.stratified_has_classes),
    Rule(("data.split", "verify.split"), _test_part_is_there),
    Rule(("data.source",), source_rules.places_exist),
    Rule(("data.source", "data.split", "data.report_groups"), source_rules.report_groups_are_there),
    Rule(("data.source", "data.augment"), _augment_fits),
    Rule(("task", "data.augment"), _mixup_has_classes),
    Rule(("task", "train"), _losses_take_their_settings),
    Rule(("task", "train", "data.augment", "data.labeled", "data.unlabeled"), _teacher_fits),
    Rule(("train",), _plateau_stands_alone),
    Rule(("train",), _curve_is_of_one_kind),
    Rule(("task", "train.loss"), _loss_fits_task),
    Rule(("task", "task_metric", "decision", "gate"), verify_rules.decision_has_classes),
    Rule(("task", "train.class_weights"), _class_weights_have_classes),
    Rule(("train.epochs", "train.schedule"), _warmup_ends),
    Rule(("train.epochs", "train.freeze"), _freeze_ends),
    Rule(("train", "model", "tune"), _untrained_came_trained),
    Rule(("task", "data", "verify.detector", "audit"), sanitize_rules.fits),
    Rule(("task", "verify.abstain"), _only_classes_are_left_open),
    Rule(("task", "task_metric"), _metric_is_of_the_task),
    Rule(("task", "data.unlabeled", "data.labeled"), _hidden_labels_have_a_task),
    Rule(("task", "data.source", "harden", "audit"), space_rules.attacks_fit),
    Rule(("harden",), harden_rules.epsilon_fits),
    Rule(("export.formats", "export.ships"), _ships_is_made),
    Rule(("export.encoder", "model.kind"), _encoder_is_there),
    Rule(("export.formats", "export.targets"), _targets_have_int8),
    Rule(("export", "verify.runtimes", "compress"), _nothing_twice),
    Rule(("gate.arena_bytes", "verify.runtimes", "export"), verify_rules.arena_is_measured),
    Rule(("task", "gate"), verify_rules.metric_has_that_side),
    Rule(("task", "data.source", "gate.min_recording_auc"), verify_rules.recordings_are_measured),
    Rule(("audit", "gate.min_robust_accuracy"), verify_rules.robustness_is_measured),
    Rule(("audit",), verify_rules.epsilon_fits_the_norm),
    Rule(("compress.prune",), compress_rules.pruning_ends),
    Rule(("compress.quantize", "export.ships"), compress_rules.the_first_rung_ships),
    Rule(("compress.prune", "compress.cluster"), compress_rules.zero_is_a_cluster),
    Rule(
        ("tune", "model", "train"),
        lambda config, base: tune_rules.check_space(config, base, broken_rules),
    ),
    Rule(("tune", "task", "data.source"), tune_rules.objective_fits),
    Rule(("tune", "export", "verify.runtimes"), tune_rules.limits_are_measured),
)
