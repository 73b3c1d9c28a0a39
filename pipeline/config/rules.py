"""Rules that span sections. They judge and never rewrite; each names what it reads.

A rule is skipped where something it reads is itself a mistake: one mistake, one message.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

from pipeline.config import tune_rules
from pipeline.config.document import Path
from pipeline.config.shape import one_of

Finding = tuple[Path, str]
BUNDLED = {  # name -> task, form of a sample
    "digits": ("classification", "image"),
    "breast_cancer": ("classification", "table"),
    "wine": ("classification", "table"),
    "diabetes": ("regression", "table"),
}
DIGITS_SIZE = (8, 8)  # pixels
BUILT_TASKS = ("classification", "regression")
COMPILED_TARGETS = ("mcu", "ethos-u55-128", "coral-edgetpu")
LOSSES = {
    "classification": ("auto", "categorical_crossentropy"),
    "regression": ("auto", "mse", "mae"),
}


@dataclass(frozen=True)
class Rule:
    """One judgement about several settings."""

    reads: tuple[str, ...]
    """Dotted paths; the rule is skipped when one of them is broken."""
    check: Callable[[Any, File], Iterator[Finding]]
    """(config, folder of the config file) -> path and message of each mistake."""


def broken_rules(config: Any, base: File, broken: set[Path]) -> Iterator[Finding]:
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


def form_of(source: Any) -> str | None:
    """Return "image" or "table"; None: it is known only when the data is read."""
    if source.kind == "bundled":
        return BUNDLED[source.name][1]
    return {"image_folder": "image", "csv": "table"}.get(source.kind)


def _said(source: Any) -> str:
    """Return a set's name, or its kind where it has none."""
    return str(getattr(source, "name", source.kind))


def _task_is_built(config: Any, base: File) -> Iterator[Finding]:
    if config.task not in BUILT_TASKS:
        yield (
            ("task",),
            f"no source for {config.task} is built yet; wanted one of {', '.join(BUILT_TASKS)}",
        )


def _task_fits_source(config: Any, base: File) -> Iterator[Finding]:
    source = config.data.source
    if source.kind in ("tfds", "csv") or config.task not in BUILT_TASKS:
        return
    right = BUNDLED[source.name][0] if source.kind == "bundled" else "classification"
    if config.task != right:
        yield ("task",), f"{_said(source)} is a set for {right}; came {config.task}"


def _model_fits_source(config: Any, base: File) -> Iterator[Finding]:
    source = config.data.source
    if config.model.kind != "cnn":
        return
    if form_of(source) == "table":
        yield (
            ("model", "kind"),
            f"cnn needs images and {_said(source)} is a table; wanted mlp",
        )
    if source.kind == "tfds" and len(source.inputs) > 1:
        yield (
            ("model", "kind"),
            f"cnn takes one input and data.source.inputs names {len(source.inputs)}; wanted mlp",
        )


def _map_stays(config: Any, base: File) -> Iterator[Finding]:
    """A feature map must not shrink to nothing; the size of other sources is known later."""
    source, model = config.data.source, config.model
    if model.kind != "cnn" or form_of(source) != "image":
        return
    size = DIGITS_SIZE if source.kind == "bundled" else (source.height, source.width)
    side = min(size)
    for block in range(1, len(model.filters) + 1):
        for _ in range(model.convolutions):
            whole = side - model.kernel_size + 1 if model.padding == "valid" else side
            side = -(-whole // model.strides) if whole > 0 else 0
        side = side // 2 if model.pool != "none" else side
        if side < 1:
            yield (
                ("model", "filters"),
                (
                    f"nothing is left of a {size[0]}x{size[1]} image in block {block}; "
                    "wanted fewer blocks, pool: none, strides: 1 or padding: same"
                ),
            )
            return


def _split_fits(config: Any, base: File) -> Iterator[Finding]:
    by, source = config.data.split.by, config.data.source
    if by == "given" and source.kind == "bundled":
        yield (
            ("data", "split", "by"),
            "bundled sets have no parts of their own; wanted stratified or random",
        )
    if by == "given" and source.kind == "csv" and not (source.test_path or source.validation_path):
        yield (
            ("data", "split", "by"),
            "one file has no parts of its own; wanted stratified, random or group, or "
            "data.source.test_path",
        )
    if by == "group" and getattr(source, "group", None) is None:
        yield (
            ("data", "split", "by"),
            (
                "group needs to know what belongs together; wanted data.source.group, a column of "
                "a csv"
            ),
        )
    if by == "given" and source.kind == "tfds" and "train" not in source.splits:
        yield ("data", "source", "splits"), "wanted a train part, such as train: train"


def _stratified_has_classes(config: Any, base: File) -> Iterator[Finding]:
    if config.data.split.by == "stratified" and config.task == "regression":
        yield (
            ("data", "split", "by"),
            f"stratified needs classes and the task is {config.task}; wanted random",
        )


def _test_part_is_there(config: Any, base: File) -> Iterator[Finding]:
    split = config.data.split
    if split.test == 0 and split.by != "given" and config.verify.split == "test":
        yield (
            ("data", "split", "test"),
            "verify.split is test, which would be empty; wanted a share above 0",
        )


def _folders_exist(config: Any, base: File) -> Iterator[Finding]:
    source = config.data.source
    key = {"image_folder": "path", "tfds": "manual_dir"}.get(source.kind)
    path = getattr(source, key) if key else None
    if key and path is not None and not (base / File(path).expanduser()).is_dir():
        where = base / File(path).expanduser()
        yield ("data", "source", key), f"wanted a folder; there is none at {where}"
    files = ("path", "validation_path", "test_path") if source.kind == "csv" else ()
    for name in files:
        file = getattr(source, name)
        if file is not None and not (base / File(file).expanduser()).is_file():
            where = base / File(file).expanduser()
            yield ("data", "source", name), f"wanted a file; there is none at {where}"


def _augment_is_for_images(config: Any, base: File) -> Iterator[Finding]:
    if config.data.augment and form_of(config.data.source) == "table":
        yield ("data", "augment"), "augmentation is for images and this set is a table; wanted []"


def _loss_fits_task(config: Any, base: File) -> Iterator[Finding]:
    wanted = LOSSES.get(config.task)
    if wanted and config.train.loss not in wanted:
        yield (
            ("train", "loss"),
            f"{config.train.loss} is no loss for {config.task}; wanted one of {', '.join(wanted)}",
        )


def _class_weights_have_classes(config: Any, base: File) -> Iterator[Finding]:
    if config.train.class_weights is not None and config.task != "classification":
        yield (
            ("train", "class_weights"),
            f"the task is {config.task}, which has no classes; wanted null",
        )


def _warmup_ends(config: Any, base: File) -> Iterator[Finding]:
    train = config.train
    if train.schedule.kind == "cosine" and train.schedule.warmup_epochs > train.epochs:
        yield (
            ("train", "schedule", "warmup_epochs"),
            (
                f"the rate would not reach its peak: wanted at most train.epochs ({train.epochs}); "
                f"came {train.schedule.warmup_epochs:g}"
            ),
        )


def _harden_has_images(config: Any, base: File) -> Iterator[Finding]:
    if config.harden is None:
        return
    if config.task != "classification":
        yield (
            ("harden",),
            f"attacks are for classification and the task is {config.task}; wanted null",
        )
    elif form_of(config.data.source) == "table":
        yield (
            ("harden",),
            "attacks are for images with values in [0, 1] and this set is a table; wanted null",
        )


def _ships_is_made(config: Any, base: File) -> Iterator[Finding]:
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


def _targets_have_int8(config: Any, base: File) -> Iterator[Finding]:
    export = config.export
    for position, target in enumerate(export.targets):
        if target in COMPILED_TARGETS and "int8" not in export.formats:
            yield (
                ("export", "targets", position),
                f"{target} is made from the int8 file; add int8 to export.formats",
            )


def _nothing_twice(config: Any, base: File) -> Iterator[Finding]:
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
    Rule(("task",), _task_is_built),
    Rule(("task", "data.source"), _task_fits_source),
    Rule(("data.source", "model.kind"), _model_fits_source),
    Rule(("data.source", "model"), _map_stays),
    Rule(("data.source", "data.split.by"), _split_fits),
    Rule(("task", "data.split.by"), _stratified_has_classes),
    Rule(("data.split", "verify.split"), _test_part_is_there),
    Rule(("data.source",), _folders_exist),
    Rule(("data.source", "data.augment"), _augment_is_for_images),
    Rule(("task", "train.loss"), _loss_fits_task),
    Rule(("task", "train.class_weights"), _class_weights_have_classes),
    Rule(("train.epochs", "train.schedule"), _warmup_ends),
    Rule(("task", "data.source", "harden"), _harden_has_images),
    Rule(("export.formats", "export.ships"), _ships_is_made),
    Rule(("export.formats", "export.targets"), _targets_have_int8),
    Rule(("export", "verify.runtimes", "compress"), _nothing_twice),
    Rule(("tune", "model", "train"), tune_rules.check_space),
)
