"""Files of every format, and ten rungs of the ladder: ours against one conversion each by hand.

MobileNetV2 0.35 at 96 x 96, 100 calibration and 2,000 test images. By hand is what TensorFlow's
guides show: a converter for each file, and an interpreter that answers image after image.
"""

import contextlib
import itertools
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.compress.ladder import RUNGS, climb
from pipeline.config.schema import Gate
from pipeline.device.measure import run_file
from pipeline.documents.ladder import Measurement
from pipeline.documents.preprocess import ImageEntry, Preprocess
from pipeline.documents.recipe import FileRecipe
from pipeline.errors import ArtifactError
from pipeline.export.make import make_file
from pipeline.models.save import load_keras
from pipeline.ondevice.quantize import quantize
from tests.export.conftest import make_given

Array = np.ndarray[Any, np.dtype[Any]]

SHAPE, CLASSES = (96, 96, 3), 10
CALIBRATION, IMAGES = 100, 2000
FORMATS = ("float32", "float16", "dynamic", "int8")
BY_LADDER = [rung for rung in RUNGS if rung not in ("qat", "mixed_float")]  # ten that train nothing
COMMON = {"input_ranges": {"image": (0.0, 1.0)}}
# What a bench says of a rung; here what it costs is asked, not what comes of it.
MEASURED = Measurement(
    quantizer="ai-edge", bytes=0, metric=0.0, metric_drop=0.0, agreement=1.0,
    worst_class_drop=0.0, float_ops=0, agreement_samples=1000, agreement_at_least=0.997,
)  # fmt: skip

_seeds = itertools.count()


class Case:
    """A net with weights of its own, so that nothing that was made of another is of use."""

    def __init__(self, root: Path) -> None:
        """Write model, spec and calibration samples."""
        seed = next(_seeds)
        self.folder = root / f"case_{seed}"
        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)
        net = keras.applications.MobileNetV2(SHAPE, 0.35, weights=None, classes=CLASSES)
        rng = np.random.default_rng(seed)
        self.raw = rng.integers(0, 256, (IMAGES, *SHAPE), dtype=np.uint8)
        self.images = self.raw.astype(np.float32) / 255
        samples = {"image": self.images[:CALIBRATION]}
        make_given(net, self.folder, samples, scale=2.0, offset=-1.0)
        self.model = load_keras(self.folder / "model.keras")

    def make(self, name: str, form: str, recipe: FileRecipe, preprocess: Any) -> None:
        """Make a file as compress and export do, and measure it as verify does."""
        file = self.folder / f"{name}.tflite"
        make_file(
            file,
            form,
            recipe=recipe.model_copy(update=COMMON),
            models=self.folder,
            spec=self.folder / "spec.json",
            calibration=self.folder / "calibration.npz",
            io="int8",
            work=self.folder / "work",
        )
        with contextlib.suppress(ArtifactError):  # refused, as the ladder does: weights are random
            run_file(file, preprocess, {"image": self.raw})

    def convert(self, form: str) -> bytes:
        """Convert as one does by hand."""
        converter = tf.lite.TFLiteConverter.from_keras_model(self.model)
        if form != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if form == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if form == "int8":
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.representative_dataset = lambda: (
                [x[None]] for x in self.images[:CALIBRATION]
            )
            converter.inference_input_type = converter.inference_output_type = tf.int8
        return bytes(converter.convert())

    def answer_one_by_one(self, content: bytes) -> None:
        """Have a file answer image after image."""
        interpreter = tf.lite.Interpreter(model_content=content)
        interpreter.allocate_tensors()
        (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
        for image in self.images:
            interpreter.set_tensor(taken["index"], quantize(image[None], taken))
            interpreter.invoke()
            interpreter.get_tensor(given["index"])


def formats(folder: Path, entry: ImageEntry) -> dict[str, Callable[[], float]]:
    """Return how to make and measure four formats, by us and by hand: name -> seconds it takes.

    Args:
        folder: for the files.
        entry: how an image becomes a model input; its shape is set here.
    """

    def ours(case: Case, preprocess: Any) -> None:
        for form in FORMATS:
            case.make(form, form, RUNGS["int8"].recipe, preprocess)

    return _contenders(folder, entry, ours, FORMATS)


def rungs(folder: Path, entry: ImageEntry) -> dict[str, Callable[[], float]]:
    """Return how to climb ten rungs, all of them: by hand each is an int8 file. As `formats`."""

    def ours(case: Case, preprocess: Any) -> None:
        def bench(rung: str) -> Measurement:
            case.make(rung, RUNGS[rung].form, RUNGS[rung].recipe, preprocess)
            return MEASURED

        climb(BY_LADDER, Gate().model_dump(), exhaustive=True, kept={}, bench=bench)

    return _contenders(folder, entry, ours, ["int8"] * len(BY_LADDER))


def _contenders(
    folder: Path,
    entry: ImageEntry,
    ours: Callable[[Case, Any], None],
    by_hand: Sequence[str],
) -> dict[str, Callable[[], float]]:
    """Return both ways; imports count for neither: the worker and this process have them all."""
    shown = entry.model_copy(update={"shape": list(SHAPE), "color": "rgb"})
    preprocess = Preprocess(task="regression", labels=None, target=None, inputs=[shown])
    warm = Case(folder)
    warm.make("warm", "int8", RUNGS["int8"].recipe, preprocess)

    def theirs(case: Case) -> None:
        for form in by_hand:
            case.answer_one_by_one(case.convert(form))

    own = _timed(folder, lambda case: ours(case, preprocess))
    return {"edgeline": own, "by hand": _timed(folder, theirs)}


def _timed(folder: Path, run: Callable[[Case], None]) -> Callable[[], float]:
    def measured() -> float:
        case = Case(folder)
        started = time.perf_counter()
        run(case)
        seconds = time.perf_counter() - started
        shutil.rmtree(case.folder)
        return seconds

    return measured
