"""Read the bundle's JSON documents, and words for what is wrong with an input.

A document is read into objects with attributes, so that the same functions serve the records of
training and the device.
"""

import copy
import json
import os
import types


class MissingFieldError(AttributeError):
    """A document has no field of this name: it is damaged, or another version's."""


class Fields(types.SimpleNamespace):
    """An object of a document; a field that is not there is an error, never a default."""

    def __getattr__(self, name):
        raise MissingFieldError(
            "a document of the bundle has no field %r: it is damaged, or another version's; get "
            "the whole bundle again" % name
        )


def read_document(path):
    """Return a JSON file as nested objects: `document.inputs[0].shape`.

    Raises:
        ValueError: the file is no JSON object.
    """
    with open(path, encoding="utf-8") as file:
        document = json.load(file, object_hook=lambda fields: Fields(**fields))
    if not isinstance(document, Fields):
        raise ValueError("%s: wanted a JSON object" % path)
    return document


def replace_fields(document, **changes):
    """Return a copy of a document, or of a part of one, with other values of some fields."""
    changed = copy.copy(document)
    vars(changed).update(changes)
    return changed


def get_by_format(values, model):
    """Return what a document states for a .tflite file; None where it states nothing.

    Args:
        values: format (int8, float32, ...) -> value, a mapping or an object; None: there are none.
        model: path of the file, named model_<format>.tflite.
    """
    if values is None:
        return None
    by_format = values if isinstance(values, dict) else vars(values)
    return by_format.get(format_of(model))


def format_of(model):
    """Return the format that a file's name states: int8 of a/b/model_int8.tflite."""
    name = os.path.basename(model)
    return os.path.splitext(name)[0].replace("model_", "")


def column_name(column):
    """Return the name of a column, which is described or only named."""
    return getattr(column, "name", column)


def refuse_input(entry, wanted, got, remedy):
    """Raise a ValueError that names the input, what was wanted, what came and what to do."""
    raise ValueError("input %s: wanted %s, got %s; %s" % (entry.name, wanted, got, remedy))


def describe_range(values):
    """Return the least and the greatest of some numbers in words."""
    if not values.size:
        return "no value"
    return "from %g to %g" % (values.min(), values.max())
