"""Rules about the source: what goes with its kind. They judge and never rewrite; see rules.py."""

from collections.abc import Iterator
from pathlib import Path as File

from pipeline.config.data_schema import Split
from pipeline.config.document import Path
from pipeline.config.schema import Config
from pipeline.config.source_schema import Source
from pipeline.tasks import TASKS

Finding = tuple[Path, str]
BUNDLED = {  # name -> task, form of a sample
    "digits": ("classification", "image"),
    "breast_cancer": ("classification", "table"),
    "wine": ("classification", "table"),
    "diabetes": ("regression", "table"),
}
FORMS = {  # kind of a source -> form of a sample
    "image_folder": "image",
    "audio_folder": "sound",
    "series_folder": "series",
    "series_csv": "series",
    "csv": "table",
    "text": "text",
}
CURES = {  # where sets of shipped configs lie -> how they get there
    "runs/generated": "; `make generated` writes it",
    "runs/data": "; the first lines of the config say what to put there",
}
FOLDERS = {"tfds": "manual_dir"}
PARTED = ("csv", "text", "series_csv")  # parts are files, or a column says them
EITHER = ("image_folder", "audio_folder", "series_folder")  # a folder, an archive or a listing
FILES = {
    "csv": ("path", "validation_path", "test_path"),
    "text": ("path", "validation_path", "test_path"),
    "npz": ("path",),
    "series_csv": ("windows_path",),
}


def form_of(source: Source) -> str | None:
    """Return image, sound, series, table or text; None: known only when the data is read."""
    if source.kind == "bundled":
        return BUNDLED[source.name][1]
    return FORMS.get(source.kind)


def is_windowed(source: Source) -> bool:
    """Tell whether samples are windows of recordings."""
    return getattr(source, "stride_s", None) is not None or getattr(source, "fit", "") == "window"


def cuts_by_time(source: Source) -> bool:
    """Tell whether parts that are not given are cut by time: windows overlap, nothing groups."""
    return source.kind == "series_csv" and source.group is None


def article(form: str) -> str:
    """Return a form in a sentence."""
    return form if form in ("series", "text", "sound") else f"a {form}"


def source_label(source: Source) -> str:
    """Return a set's name, or its kind where it has none."""
    return str(getattr(source, "name", source.kind))


def task_fits_source(config: Config, base: File) -> Iterator[Finding]:
    """A bundled set has one task."""
    source = config.data.source
    if source.kind == "series_csv":
        is_open = source.label is None and source.windows_path is None
        if is_open != TASKS[config.task].takes_changes:
            yield (
                ("task",),
                "a series_csv without data.source.label and windows_path is for forecasting, one "
                f"with either is not; came {config.task}",
            )
        return
    if TASKS[config.task].takes_changes:
        yield ("task",), f"forecasting needs a series_csv; came {source_label(source)}"
        return
    if source.kind in ("tfds", "csv", "text", "npz"):
        return
    right = BUNDLED[source.name][0] if source.kind == "bundled" else "classification"
    asked = "classification" if TASKS[config.task].has_classes else config.task
    if asked != right:
        yield ("task",), f"{source_label(source)} is a set for {right}; came {config.task}"


def split_fits(config: Config, base: File) -> Iterator[Finding]:
    """A way of cutting needs what it goes by."""
    split, source = config.data.split, config.data.source
    where = ("data", "split", "by")
    if split.by == "given" and source.kind == "bundled":
        yield where, "a bundled set has no parts of its own; wanted stratified or random"
    elif split.by == "given" and source.kind in PARTED and not _has_parts(source):
        cure = "time or group" if source.kind == "series_csv" else "stratified, random or group"
        yield (
            where,
            f"one file has no parts of its own; wanted {cure}, or data.source.test_path, or "
            "data.source.split where a column says the part",
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


def _has_parts(source: Source) -> bool:
    """Tell whether a source names files of several parts, or a column that says the part."""
    return any(getattr(source, key) for key in ("validation_path", "test_path", "split"))


def one_says_the_part(config: Config, base: File) -> Iterator[Finding]:
    """A column says the part, or files are parts."""
    source = config.data.source
    files = [key for key in ("validation_path", "test_path") if getattr(source, key, None)]
    if getattr(source, "split", None) and files:
        yield (
            ("data", "source", "split"),
            f"a column says the part, and so does data.source.{files[0]}; wanted one of them",
        )


def _has_groups(split: Split, source: Source) -> bool:
    """Tell whether something says, or may say, what belongs together."""
    may_say = source.kind in ("series_csv", *EITHER) or getattr(source, "fit", "") == "window"
    return may_say or split.pattern is not None or getattr(source, "group", None) is not None


def report_groups_are_there(config: Config, base: File) -> Iterator[Finding]:
    """Metrics per group need a column that the source has."""
    data = config.data
    if data.report_groups is None or data.source.kind in ("csv", "text"):
        return
    if data.report_groups != "group":
        yield ("data", "report_groups"), f"{source_label(data.source)} has no columns; wanted group"
    elif not _has_groups(data.split, data.source):
        yield (
            ("data", "report_groups"),
            "nothing says what belongs together; set data.split.pattern",
        )


def stratified_has_classes(config: Config, base: File) -> Iterator[Finding]:
    """Only classes can be stratified."""
    if config.data.split.by == "stratified" and not TASKS[config.task].has_classes:
        yield (
            ("data", "split", "by"),
            f"stratified needs classes and the task is {config.task}; wanted random",
        )


def places_exist(config: Config, base: File) -> Iterator[Finding]:
    """Files and folders are looked for before anything is loaded."""
    source = config.data.source
    folder = FOLDERS.get(source.kind)
    for name, is_there, what in (
        *(((folder, File.is_dir, "folder"),) if folder else ()),
        *((name, File.is_file, "file") for name in FILES.get(source.kind, ())),
        *((("path", File.exists, "folder or file"),) if source.kind in EITHER else ()),
    ):
        path = getattr(source, name)
        place = None if path is None else base / File(path).expanduser()
        if place is not None and not is_there(place):
            yield ("data", "source", name), f"wanted a {what}; there is none {not_there(place)}"


def not_there(place: File) -> str:
    """Say where nothing is, and how it gets there."""
    return f"at {place}" + next((cure for part, cure in CURES.items() if part in str(place)), "")
