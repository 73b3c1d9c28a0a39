"""TFLite metadata inside a file: labels, preprocessing, versions, as Android's tools read them.

The tables are those of metadata_schema.fbs (TensorFlow Lite Support 0.4.4, identifier M001), in the
model's buffer TFLITE_METADATA. labels.txt and preprocess.json are packed behind the model, as a zip
whose members are stored as they are. Whoever does not look for them sees the same model.
"""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.documents.preprocess import AudioEntry, Entry, ImageEntry, Preprocess
from pipeline.escape import label_line
from pipeline.ondevice.interpreter import match_input_name

NAME = "TFLITE_METADATA"
IDENTIFIER = b"M001"
PARSER = "1.0.0"  # the oldest that knows what is used here
LABELS, PREPROCESS = "labels.txt", "preprocess.json"
AXIS_LABELS, DESCRIPTIONS = 2, 1  # AssociatedFileType
FEATURE, IMAGE, AUDIO = 1, 2, 4  # ContentProperties
RGB, GRAYSCALE = 1, 2  # ColorSpaceType
NORMALIZATION = 1  # ProcessUnitOptions
DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip entry can carry


def add_metadata(file: str, described: Mapping[str, Any]) -> None:
    """Put metadata into a .tflite file, in its place.

    Args:
        file: path of the file.
        described: name, description, versions, and `preprocess`, the contents of preprocess.json.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    path, preprocess = Path(file), Preprocess.model_validate(described["preprocess"])
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(path.read_bytes()))
    graph = model.subgraphs[0]
    names = [bytes(graph.tensors[index].name).decode() for index in graph.inputs]
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(_document(described, preprocess, names))
    model.buffers.append(buffer)
    entry.name, entry.buffer = NAME, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    content = io.BytesIO(bytes(flatbuffer_utils.convert_object_to_bytearray(model)))
    with zipfile.ZipFile(content, "a") as archive:
        for name, text in _files(preprocess).items():
            archive.writestr(zipfile.ZipInfo(name, DATE), text)
    path.write_bytes(content.getvalue())


def _files(preprocess: Preprocess) -> dict[str, str]:
    """Return name -> text of the files that are appended to the model."""
    labels = preprocess.labels
    found = {} if labels is None else {LABELS: "".join(f"{label_line(name)}\n" for name in labels)}
    return found | {PREPROCESS: json.dumps(preprocess.dump(), sort_keys=True)}


def _document(
    described: Mapping[str, Any], preprocess: Preprocess, tensors: Sequence[str]
) -> bytes:
    """Return the ModelMetadata table.

    Args:
        described: as for `add_metadata`.
        preprocess: of the same.
        tensors: names of the graph's inputs, in order.
    """
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    entries = {entry.name: entry for entry in preprocess.inputs}
    named = [entries[match_input_name({"name": tensor}, entries)] for tensor in tensors]
    inputs = _vector(builder, [_input(builder, entry) for entry in named])
    outputs = _vector(builder, [_output(builder, preprocess)])
    graph = _table(builder, {2: inputs, 3: outputs})
    packed = _packed(builder, PREPROCESS, "what the model's inputs are made by", DESCRIPTIONS)
    whole = {
        0: builder.CreateString(described["name"]),
        1: builder.CreateString(described["description"]),
        2: builder.CreateString(described["versions"]),
        3: _vector(builder, [graph]),
        6: _vector(builder, [packed]),
        7: builder.CreateString(PARSER),
    }
    builder.Finish(_table(builder, whole), IDENTIFIER)
    return bytes(builder.Output())


def _input(builder: Any, entry: Entry) -> int:
    """Return the TensorMetadata of an input: what it is, and how numbers are normalized."""
    found = {
        0: builder.CreateString(entry.name),
        1: builder.CreateString(f"{entry.kind} {entry.shape}"),
        3: _content(builder, entry),
    }
    if isinstance(entry, ImageEntry):  # the model's input is (x - mean) / std, of pixels
        mean, std = _floats(builder, [entry.offset]), _floats(builder, [1 / entry.scale])
        options = _table(builder, {0: mean, 1: std})
        unit = _table(builder, {1: options}, bytes_of={0: NORMALIZATION})
        found[4] = _vector(builder, [unit])
    return _table(builder, found)


def _content(builder: Any, entry: Entry) -> int:
    """Return the Content of an input: a picture, sound, or numbers."""
    if isinstance(entry, ImageEntry):
        height, width, channels = entry.shape
        size = _table(builder, {}, numbers={0: width, 1: height})
        kind = IMAGE
        space = RGB if channels == 3 else GRAYSCALE
        properties = _table(builder, {1: size}, bytes_of={0: space})
    elif isinstance(entry, AudioEntry):
        kind = AUDIO
        properties = _table(builder, {}, numbers={0: entry.sample_rate, 1: 1})
    else:
        kind, properties = FEATURE, _table(builder, {})
    return _table(builder, {1: properties}, bytes_of={0: kind})


def _output(builder: Any, preprocess: Preprocess) -> int:
    """Return the TensorMetadata of the output: probabilities with their labels, or a value."""
    if preprocess.labels is None:
        texts = {0: "value", 1: "in the target's unit after preprocess.json's target"}
        return _table(builder, {slot: builder.CreateString(text) for slot, text in texts.items()})
    labels = _packed(builder, LABELS, "a class a line, in the order of the output", AXIS_LABELS)
    name = builder.CreateString("probability")
    content = _table(builder, {1: _table(builder, {})}, bytes_of={0: FEATURE})
    return _table(builder, {0: name, 3: content, 6: _vector(builder, [labels])})


def _packed(builder: Any, name: str, text: str, kind: int) -> int:
    """Return the AssociatedFile of a packed file."""
    strings = {0: builder.CreateString(name), 1: builder.CreateString(text)}
    return _table(builder, strings, bytes_of={2: kind})


def _table(
    builder: Any,
    offsets: Mapping[int, int],
    *,
    bytes_of: Mapping[int, int] | None = None,
    numbers: Mapping[int, int] | None = None,
) -> int:
    """Return a table: slot -> what was built before, and scalars of 8 and 32 bits."""
    small, large = bytes_of or {}, numbers or {}
    builder.StartObject(max([*offsets, *small, *large], default=-1) + 1)
    for slot, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    for slot, value in large.items():
        builder.PrependUint32Slot(slot, value, 0)
    for slot, value in small.items():
        builder.PrependUint8Slot(slot, value, 0)
    return int(builder.EndObject())


def _vector(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _floats(builder: Any, values: Sequence[float]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(float(value))
    return int(builder.EndVector())
