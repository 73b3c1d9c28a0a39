"""SOURCES: the `kind` in a config -> how to open it. Each lives in a file of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.data.bundled import open_bundled
from pipeline.data.csv_source import open_csv
from pipeline.data.image_folder import open_image_folder
from pipeline.data.samples import Source
from pipeline.data.tfds_source import open_tfds

SOURCES: dict[
    str, Callable[[Any, Path], Source]
] = {  # kind -> (section, folder of the config file) -> Source
    "bundled": open_bundled,
    "csv": open_csv,
    "image_folder": open_image_folder,
    "tfds": open_tfds,
}
