"""SOURCES: the `kind` in a config -> how to open it. Each lives in a file of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.data.audio_folder import open_audio_folder
from pipeline.data.bundled import open_bundled
from pipeline.data.csv_source import open_csv
from pipeline.data.image_folder import open_image_folder
from pipeline.data.npz_source import open_npz
from pipeline.data.samples import Source
from pipeline.data.series_csv import open_series_csv
from pipeline.data.series_folder import open_series_folder
from pipeline.data.text_source import open_text
from pipeline.data.tfds_source import open_tfds

SOURCES: dict[
    str, Callable[[Any, Path, str | None], Source]
] = {  # kind -> (section, folder of the config file, column to report by) -> Source
    "audio_folder": open_audio_folder,
    "bundled": open_bundled,
    "csv": open_csv,
    "image_folder": open_image_folder,
    "npz": open_npz,
    "series_csv": open_series_csv,
    "series_folder": open_series_folder,
    "text": open_text,
    "tfds": open_tfds,
}
