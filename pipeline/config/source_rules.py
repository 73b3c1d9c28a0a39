"""Rules about the source: what goes with its kind. They judge and never rewrite; see rules.py."""

from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

from pipeline.config.document import Path

Finding = tuple[Path, str]
BUNDLED = {  # name -> task, form of a sample
    "digits": ("classification", "image"),
    "breast_cancer": ("classification", "table"),
    "wine": ("classification", "table"),
    "diabetes": ("regression", "table"),
}
DIGITS_SIZE = (8, 8)  # pixels
BUILT_TASKS = ("classification", "regression", "forecasting")
FORMS = {  # kind of a source -> form of a sample
    "image_folder": "image",
    "audio_folder": "sound",
    "series_folder": "series",
    "series_csv": "series",
    "csv": "table",
    "text": "text",
}
PICTURES = ("image", "sound")  # what a cnn takes: sound becomes a picture of its pitches
GENERATED = "runs/generated"  # where the sets of some shipped configs are written
FOLDERS = {"image_folder": "path", "series_folder": "path", "tfds": "manual_dir"}
FILES = {
    "csv": ("path", "validation_path", "test_path"),
    "text": ("path", "validation_path", "test_path"),
    "npz": ("path",),
    "series_csv": ("windows_path",),
}


def form_of(source: Any) -> str | None:
    """Return image, sound, series, table or text; None: known only when the data is read."""
    if source.kind == "bundled":
        return BUNDLED[source.name][1]
    return FORMS.get(source.kind)


def article(form: str) -> str:
    """Return a form in a sentence."""
    return form if form in ("series", "text", "sound") else f"a {form}"


def said(source: Any) -> str:
    """Return a set's name, or its kind where it has none."""
    return str(getattr(source, "name", source.kind))


def task_is_built(config: Any, base: File) -> Iterator[Finding]:
    """Some tasks have no source yet."""
    if config.task not in BUILT_TASKS:
        yield (
            ("task",),
            f"no source for {config.task} is built yet; wanted one of {', '.join(BUILT_TASKS)}",
        )


def task_fits_source(config: Any, base: File) -> Iterator[Finding]:
    """A set answers one kind of question."""
    source = config.data.source
    if config.task not in BUILT_TASKS:
        return
    if source.kind == "series_csv":
        is_open = source.label is None and source.windows_path is None
        if is_open != (config.task == "forecasting"):
            yield (
                ("task",),
                "a series_csv without data.source.label and windows_path is for forecasting, one "
                f"with either is not; came {config.task}",
            )
        return
    if config.task == "forecasting":
        yield ("task",), f"forecasting needs a series_csv; came {said(source)}"
        return
    if source.kind in ("tfds", "csv", "text", "npz"):
        return
    right = BUNDLED[source.name][0] if source.kind == "bundled" else "classification"
    if config.task != right:
        yield ("task",), f"{said(source)} is a set for {right}; came {config.task}"


def model_fits_source(config: Any, base: File) -> Iterator[Finding]:
    """A network takes samples of some forms."""
    source = config.data.source
    if config.model.kind != "cnn":
        return
    form = form_of(source)
    if form is not None and form not in PICTURES:
        yield (
            ("model", "kind"),
            f"cnn needs images or sound and {said(source)} is {article(form)}; wanted mlp",
        )
    if source.kind in ("tfds", "npz") and len(source.inputs) > 1:
        yield (
            ("model", "kind"),
            f"cnn takes one input and data.source.inputs names {len(source.inputs)}; wanted mlp",
        )


def _size(source: Any) -> tuple[int, int]:
    """Return height and width of a picture, or rows and bands of a sound."""
    if source.kind == "bundled":
        return DIGITS_SIZE
    if source.kind == "image_folder":
        return source.height, source.width
    features, length = source.sound.features, 1000 * source.sound.seconds
    rows = 1 + int((length - features.window_ms) / features.stride_ms)
    return rows, getattr(features, "coefficients", features.bins)


def map_stays(config: Any, base: File) -> Iterator[Finding]:
    """A feature map must not shrink to nothing; the size of other sources is known later."""
    source, model = config.data.source, config.model
    if model.kind != "cnn" or form_of(source) not in PICTURES:
        return
    size = _size(source)
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
                    f"nothing is left of a {size[0]}x{size[1]} picture in block {block}; "
                    "wanted fewer blocks, pool: none, strides: 1 or padding: same"
                ),
            )
            return


def split_fits(config: Any, base: File) -> Iterator[Finding]:
    """A way of cutting needs what it goes by."""
    split, source = config.data.split, config.data.source
    where = ("data", "split", "by")
    if split.by == "given" and source.kind in ("bundled", "series_csv"):
        cure = "time or group" if source.kind == "series_csv" else "stratified or random"
        yield where, f"a {source.kind} set has no parts of its own; wanted {cure}"
    elif split.by == "given" and source.kind in ("csv", "text"):
        if not (source.test_path or source.validation_path):
            yield (
                where,
                "one file has no parts of its own; wanted stratified, random or group, or "
                "data.source.test_path",
            )
    elif split.by == "given" and source.kind == "tfds" and "train" not in source.splits:
        yield ("data", "source", "splits"), "wanted a train part, such as train: train"
    if split.by == "group" and not _has_groups(split, source):
        yield (
            where,
            "group needs to know what belongs together; wanted data.split.pattern, or "
            "data.source.group where there is such a column",
        )
    if split.by == "time" and source.kind != "series_csv" and not getattr(source, "time", None):
        yield where, "time needs a moment for each sample; wanted a series_csv, or a csv with time"
    if source.kind == "series_csv" and split.by in ("stratified", "random"):
        yield where, "windows of one series overlap; wanted time, or group to keep series apart"


def _has_groups(split: Any, source: Any) -> bool:
    """Tell whether something says, or may say, what belongs together."""
    may_say = (
        source.kind in ("series_csv", "audio_folder") or getattr(source, "fit", "") == "window"
    )
    return may_say or split.pattern is not None or getattr(source, "group", None) is not None


def report_groups_are_there(config: Any, base: File) -> Iterator[Finding]:
    """Figures are told apart by what the source has."""
    data = config.data
    if data.report_groups is None or data.source.kind in ("csv", "text"):
        return
    if data.report_groups != "group":
        yield ("data", "report_groups"), f"{said(data.source)} has no columns; wanted group"
    elif not _has_groups(data.split, data.source):
        yield (
            ("data", "report_groups"),
            "nothing says what belongs together; set data.split.pattern",
        )


def stratified_has_classes(config: Any, base: File) -> Iterator[Finding]:
    """Only classes can be stratified."""
    if config.data.split.by == "stratified" and config.task in ("regression", "forecasting"):
        yield (
            ("data", "split", "by"),
            f"stratified needs classes and the task is {config.task}; wanted random",
        )


def places_exist(config: Any, base: File) -> Iterator[Finding]:
    """Files and folders are looked for before anything is loaded."""
    source = config.data.source
    folder = FOLDERS.get(source.kind)
    for name, is_there, what in (
        *(((folder, File.is_dir, "folder"),) if folder else ()),
        *((name, File.is_file, "file") for name in FILES.get(source.kind, ())),
        *((("path", File.exists, "folder or file"),) if source.kind == "audio_folder" else ()),
    ):
        path = getattr(source, name)
        place = None if path is None else base / File(path).expanduser()
        if place is not None and not is_there(place):
            cure = "; `make generated` writes it" if GENERATED in str(place) else ""
            yield ("data", "source", name), f"wanted a {what}; there is none at {place}{cure}"
