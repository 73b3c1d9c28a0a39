"""What is wrong with the files of a bundle, whatever its model computes."""

from pathlib import Path

from pipeline.arrays import Arrays
from pipeline.device.golden import LABELS
from pipeline.documents.manifest import Manifest
from pipeline.documents.preprocess import Preprocess

IDENTIFIER = b"TFL3"  # behind the first four bytes of a .tflite file


def file_problems(bundle: Path, manifest: Manifest) -> list[str]:
    """Return which .tflite files of the bundle do not begin like one."""
    problems = []
    for name in manifest.files:
        if name.endswith(".tflite"):
            with (bundle / name).open("rb") as file:
                if file.read(8)[4:] != IDENTIFIER:
                    problems.append(f"{name}: no .tflite model")
    return problems


def label_problems(stored: Arrays, preprocess: Preprocess, manifest: Manifest) -> list[str]:
    """Return which names of classes are not those of the golden outputs, in that order."""
    wanted = [str(name) for name in stored[LABELS]] if LABELS in stored else None
    places = {"preprocess.json": preprocess.labels, "manifest.json": manifest.labels}
    return [
        f"{name}: its labels are not those of golden.npz, or in another order"
        for name, labels in places.items()
        if labels != wanted
    ]
