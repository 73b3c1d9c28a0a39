"""files.json: every exported file, what is in it, and what compilers made of it."""

from typing import Literal

from pydantic import Field

from pipeline.documents.recipe import FileRecipe
from pipeline.documents.record import Record
from pipeline.documents.stages import Skipped
from pipeline.targets.compiler import CompileReport


class ModelTensor(Record):
    """An input or output of a .tflite file; real value = (integer - zero_point) * scale."""

    name: str
    """In the file's signature."""
    shape: tuple[int, ...]
    """With the batch, which is 1."""
    dtype: str
    """Such as int8 or float32."""
    scale: float | None
    """Null: it is not quantized."""
    zero_point: int | None
    """Null: it is not quantized."""


class FloatOperation(Record):
    """An operation of an integer file that computes in float."""

    op: str
    """TFLite's name, such as SOFTMAX."""
    why: str
    """Its tensor, and why it is in float."""


class FileContents(Record):
    """What a .tflite file holds."""

    input: ModelTensor
    """The first of the inputs."""
    output: ModelTensor
    """The first of the outputs."""
    inputs: tuple[ModelTensor, ...]
    """In the order in which the file takes them."""
    outputs: tuple[ModelTensor, ...]
    """In the order of the file."""
    ops: dict[str, int]
    """TFLite's name of an operation -> how many there are."""
    float_ops_left: tuple[FloatOperation, ...]
    """Of an integer format: operations that compute in float."""


class FileSizes(Record):
    """What identifies a file, and how large it is."""

    sha256: str
    """Of its bytes."""
    bytes: int
    """Of the file."""
    bytes_gzip: int
    """Of the file in gzip, at level 9."""


class FileEntry(FileContents, FileSizes):
    """One exported file."""

    format: str
    """float32, float16, dynamic, int8 or int16x8."""
    file: str
    """Its name."""
    zero_weights: float
    """Fraction of the weights that is zero."""
    recipe: FileRecipe
    """How it was made."""


class TargetFile(CompileReport):
    """What a target makes of the int8 file."""

    target: str
    """Of `export.targets`."""
    format: Literal["int8"] = "int8"
    """What is compiled."""
    file: str | None = None
    """The compiled file; null: there is none."""
    bytes: int | None = None
    """Of the compiled file."""


class EncoderFiles(Record):
    """The encoder of an autoencoder."""

    model: str
    """Its Keras file."""
    ships: str
    """The file that goes to the device."""
    files: tuple[FileEntry, ...]
    """float32, and the format that ships."""


class FrontEnd(Record):
    """The way by which the model went to the converter."""

    name: str
    """tf_keras, or Keras 3."""
    why: str | None
    """Why it is not tf_keras; null: it is."""


class Files(Record):
    """Contents of files.json, written by `export`."""

    schema_version: Literal[2] = Field(default=2, alias="schema")
    """Version of this document's form."""
    ships: str
    """Format of the shipped file."""
    front_end: FrontEnd
    """The way into the converter."""
    files: tuple[FileEntry, ...]
    """A file a format, in the order of `export.formats`."""
    encoder: EncoderFiles | None
    """Null: not asked for."""
    targets: tuple[TargetFile, ...]
    """In the order of `export.targets`."""
    skipped: tuple[Skipped, ...]
    """Files that were not made."""
    sources: tuple[str, ...]
    """C sources of the int8 file."""

    @property
    def shipped_entry(self) -> FileEntry:
        """The entry of the shipped file."""
        return next(entry for entry in self.files if entry.format == self.ships)
