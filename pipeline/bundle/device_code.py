"""device/ of a bundle: the shipped model's preprocessing, decision and bytes as a C library."""

from pathlib import Path

from pipeline.device_code.constants import c_symbol
from pipeline.device_code.firmware import make_firmware
from pipeline.device_code.library import make_library
from pipeline.device_code.model_array import make_model_array
from pipeline.device_code.parts import UnsupportedError
from pipeline.device_code.phone import make_kotlin
from pipeline.documents.manifest import Manifest

FOLDER = "device"
MOST_BYTES = 4 << 20  # of a model as an array: the flash of the largest microcontrollers


def write_device_code(bundle: Path, manifest: Manifest) -> None:
    """Write device/ into a bundle's folder; nothing where the library cannot do what it needs.

    Args:
        bundle: its folder, in which the .tflite files lie already.
        manifest: the document that the manifest will be; `skipped` says what is left out and why.
    """
    shipped = manifest.shipped_model
    try:
        sources = make_device_code(manifest)
    except UnsupportedError:
        return
    if shipped.bytes <= MOST_BYTES:
        content = (bundle / shipped.file).read_bytes()
        sources |= make_model_array(c_symbol(manifest.name), shipped.file, content)
    folder = bundle / FOLDER
    folder.mkdir()
    for name, text in sources.items():
        (folder / name).write_text(text)


def make_device_code(manifest: Manifest) -> dict[str, str]:
    """Return file name -> text of device/, but for the model's bytes.

    Raises:
        UnsupportedError: the library cannot do what the model needs; says what.
    """
    name, preprocess, shipped = manifest.name, manifest.preprocess, manifest.shipped_model
    has_array = shipped.bytes <= MOST_BYTES
    sources = make_library(name, preprocess, shipped)
    sources |= make_firmware(name, preprocess, shipped, has_array=has_array)
    try:
        return sources | make_kotlin(name, preprocess, shipped)
    except UnsupportedError:  # of forms and tables alone
        return sources
