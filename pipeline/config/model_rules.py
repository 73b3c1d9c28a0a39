"""Rules about the model: what it takes, and that its shapes go together; see rules.py."""

from collections.abc import Iterator
from pathlib import Path as File
from typing import cast

from pipeline.arrays import Model
from pipeline.config.document import Path
from pipeline.config.folder_schema import AudioFolderSource
from pipeline.config.schema import Config
from pipeline.config.source_rules import article, form_of, not_there, source_label
from pipeline.config.source_schema import Source
from pipeline.tasks import TASKS

Finding = tuple[Path, str]
DIGITS_SIZE = (8, 8)  # pixels
PICTURES = ("image", "sound")  # sound is a picture of its pitches
STEPS = ("series", "text", *PICTURES)  # the rows of a picture are steps too
TAKES = {  # kind of a model -> forms of a sample, and words for them; the others take any
    **dict.fromkeys(
        ("cnn", "ds_cnn", "resnet8", "mobilenet", "application"), (PICTURES, "images or sound")
    ),
    "autoencoder": (("table", "series", *PICTURES), "numbers, images or sound"),
    **dict.fromkeys(("cnn1d", "rnn", "transformer"), (STEPS, "series, text, images or sound")),
}


def model_fits_source(config: Config, base: File) -> Iterator[Finding]:
    """A network takes samples of some forms."""
    source, kind = config.data.source, config.model.kind
    if kind not in TAKES:
        return
    forms, wanted = TAKES[kind]
    form = form_of(source)
    if form is not None and form not in forms:
        yield (
            ("model", "kind"),
            f"{kind} needs {wanted} and {source_label(source)} is {article(form)}; wanted mlp",
        )
    if source.kind in ("tfds", "npz") and len(source.inputs) > 1:
        yield (
            ("model", "kind"),
            f"{kind} takes one input and data.source.inputs names {len(source.inputs)}; wanted mlp",
        )


def model_fits_task(config: Config, base: File) -> Iterator[Finding]:
    """An autoencoder reconstructs its input; other detectors forecast a series' last step."""
    is_autoencoder = config.model.kind == "autoencoder"
    predicts_input = TASKS[config.task].predicts_input
    if is_autoencoder and not predicts_input and config.train.pretrain is None:
        yield (
            ("model", "kind"),
            f"an autoencoder is for anomaly, or learns {config.task} with train.pretrain",
        )
    if config.train.pretrain is not None and (not is_autoencoder or predicts_input):
        yield (
            ("train", "pretrain"),
            "pre-training is for an autoencoder with a task other than anomaly; wanted null",
        )
    if not predicts_input or is_autoencoder or config.model.kind == "file":
        return
    if form_of(config.data.source) not in (None, "series"):
        yield (
            ("model", "kind"),
            f"{config.model.kind} finds anomalies by a forecast, in series; wanted autoencoder",
        )


def shapes_agree(config: Config, base: File) -> Iterator[Finding]:
    """Settings of a model that have to go together."""
    model = config.model
    if model.kind == "transformer" and model.width % model.heads:
        yield (
            ("model", "width"),
            f"wanted a multiple of model.heads ({model.heads}); came {model.width}",
        )
    if model.kind != "cnn" or isinstance(model.padding, str):
        return
    if len(model.padding) != len(model.filters):
        yield (
            ("model", "padding"),
            f"wanted one word, or one for each of the {len(model.filters)} blocks; "
            f"came {len(model.padding)}",
        )


def given_exists(config: Config, base: File) -> Iterator[Finding]:
    """A network or weights that come from outside are looked for before anything is loaded."""
    model = config.model
    if model.kind == "file" and not (base / File(model.path).expanduser()).exists():
        yield ("model", "path"), f"there is none {not_there(base / File(model.path).expanduser())}"
    if model.kind != "application":
        return
    if model.name == "EfficientNetB0" and model.width != 1:
        yield ("model", "width"), f"EfficientNetB0 has only 1; came {model.width:g}"
    place = base / File(model.weights).expanduser()
    if model.weights not in ("none", "imagenet") and not place.is_file():
        yield ("model", "weights"), f"wanted none, imagenet or a file; there is none at {place}"


def map_stays(config: Config, base: File) -> Iterator[Finding]:
    """A feature map must not shrink to nothing; the size of other sources is known later."""
    source, model = config.data.source, config.model
    if model.kind not in ("cnn", "transformer") or form_of(source) not in PICTURES:
        return
    size = _size(source)
    if model.kind == "transformer":
        if model.patch is not None and model.patch > min(size):
            yield (
                ("model", "patch"),
                f"no patch fits into a {size[0]}x{size[1]} picture; wanted at most {min(size)}",
            )
        return
    block = _vanishes(model, min(size))
    if block is not None:
        yield (
            ("model", "filters"),
            (
                f"nothing is left of a {size[0]}x{size[1]} picture in block {block}; "
                "wanted fewer blocks, pool: none, strides: 1 or padding: same"
            ),
        )


def _vanishes(model: Model, side: int) -> int | None:
    """Return the block of a cnn in which nothing is left of a picture's shorter side."""
    for block in range(1, len(model.filters) + 1):
        one = isinstance(model.padding, str)
        padding = model.padding if one else model.padding[min(block, len(model.padding)) - 1]
        for _ in range(model.convolutions):
            whole = side - model.kernel_size + 1 if padding == "valid" else side
            side = -(-whole // model.strides) if whole > 0 else 0
        side = side // 2 if model.pool != "none" else side
        if side < 1:
            return block
    return None


def _size(source: Source) -> tuple[int, int]:
    """Return height and width of a picture, or rows and bands of a sound."""
    if source.kind == "bundled":
        return DIGITS_SIZE
    if source.kind == "image_folder":
        return source.height, source.width
    sound = cast(AudioFolderSource, source).sound
    features, length = sound.features, 1000 * sound.seconds
    rows = 1 + int((length - features.window_ms) / features.stride_ms)
    return rows, getattr(features, "coefficients", features.bins)
