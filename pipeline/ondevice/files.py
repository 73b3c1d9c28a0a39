"""Read the files that people have, as the pipeline's data stage reads them."""

import contextlib
import os
import zipfile

import numpy as np

from pipeline.ondevice.columns import read_rows
from pipeline.ondevice.kinds import KINDS


def read_samples(path, entries):
    """Return name -> raw samples (N, *shape) of a file.

    Args:
        path: .npy or .npz, or what the kind of the input reads.
        entries: the inputs of preprocess.json.

    Raises:
        ValueError, OSError: it is no such file, or damaged.
    """
    suffix = os.path.splitext(path)[1].lower()
    entry = entries[0]
    names = [e.name for e in entries]
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as loaded:
            absent = [name for name in names if name not in loaded.files]
            if absent:
                words = ", ".join(absent), ", ".join(loaded.files) or "nothing"
                raise ValueError("%s: wanted arrays named %s; it holds %s" % (path, *words))
            return {e.name: _add_sample_axis(loaded[e.name], e) for e in entries}
    if suffix == ".npy" and len(entries) == 1:
        return {entry.name: _add_sample_axis(np.load(path, allow_pickle=False), entry)}
    if KINDS[entry.kind].read is None:
        return read_rows(path, entries)
    if len(entries) > 1:
        joined = ", ".join(names)
        raise ValueError("%s: this model has several inputs: give a .npz of %s" % (path, joined))
    return {entry.name: KINDS[entry.kind].read(path, entry)}


def _add_sample_axis(raw, entry):
    """Return an array with the axis of samples, where it holds one sample only."""
    axes = KINDS[entry.kind].row_axes or len(entry.shape) + 1
    return raw[None] if raw.ndim == axes - 1 else raw


@contextlib.contextmanager
def prefix_errors(path):
    """Turn whatever is wrong with an input file into one ValueError that begins with its path."""
    try:
        yield
    except UnicodeDecodeError:
        raise ValueError("%s: no text in UTF-8, which this model takes" % path) from None
    except zipfile.BadZipFile:
        raise ValueError("%s: damaged: no .npz archive" % path) from None
    except (EOFError, SyntaxError) as error:
        raise ValueError("%s: damaged or cut short: %s" % (path, error)) from None
    except ValueError as error:
        words = str(error)
        if words.startswith(str(path)):
            raise
        if "allow_pickle" in words:
            words = "no array of numbers; write it by numpy.save or numpy.savez"
        raise ValueError("%s: %s" % (path, words)) from None
