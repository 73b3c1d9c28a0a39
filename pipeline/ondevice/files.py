"""Read the files that people have, as the pipeline's data stage reads them."""

import contextlib
import os
import sys
import tempfile
import zipfile

from pipeline.ondevice.bounds import MOST_BYTES, check_file_size, read_array, read_arrays
from pipeline.ondevice.columns import read_rows
from pipeline.ondevice.document import MissingFieldError
from pipeline.ondevice.kinds import KINDS

STANDARD_INPUT = "-"
SUFFIXES = {b"\x93NUMPY": ".npy", b"PK\x03\x04": ".npz"}  # by the first bytes; else a table or text


def read_samples(path, entries):
    """Return name -> raw samples (N, *shape) of a file, N at least 1.

    Args:
        path: .npy or .npz, or what the kind of the input reads; `-`: standard input.
        entries: the inputs of preprocess.json.

    Raises:
        ValueError, OSError: it is no such file, or damaged.
    """
    if path == STANDARD_INPUT:
        with _standard_input() as copy:
            try:
                return read_samples(copy, entries)
            except (ValueError, OSError) as error:
                raise ValueError(str(error).replace(copy, path)) from None
    check_file_size(path)
    try:
        raw = _read_file(path, entries)
    except (ValueError, MissingFieldError):
        raise
    except OSError as error:
        words = str(error) if path in str(error) else "%s: %s" % (path, error)
        raise ValueError(words) from None
    except (EOFError, SyntaxError, zipfile.BadZipFile, MemoryError):
        raise
    except Exception as error:  # whatever else a decoder makes of damaged bytes
        words = " ".join(str(error).split()) or type(error).__name__
        raise ValueError("%s: damaged, or no such file: %s" % (path, words)) from None
    counts = {name: len(values) if values.ndim else 0 for name, values in raw.items()}
    if not min(counts.values()):
        raise ValueError("%s: holds no sample" % path)
    if len(set(counts.values())) > 1:
        joined = ", ".join("%s %d" % item for item in counts.items())
        raise ValueError("%s: wanted as many samples of each input; it holds %s" % (path, joined))
    return raw


def _read_file(path, entries):
    """Return name -> raw samples of a file, however many."""
    suffix = os.path.splitext(path)[1].lower()
    entry = entries[0]
    names = [e.name for e in entries]
    if suffix == ".npz":
        arrays = read_arrays(path, names)
        return {e.name: _add_sample_axis(arrays[e.name], e) for e in entries}
    if suffix == ".npy" and len(entries) == 1:
        with open(path, "rb") as file:
            array = read_array(file, os.fstat(file.fileno()).st_size)
        return {entry.name: _add_sample_axis(array, entry)}
    if KINDS[entry.kind].read is None:
        return read_rows(path, entries)
    if len(entries) > 1:
        joined = ", ".join(names)
        raise ValueError("%s: this model has several inputs: give a .npz of %s" % (path, joined))
    return {entry.name: KINDS[entry.kind].read(path, entry)}


@contextlib.contextmanager
def _standard_input():
    """Give the path of a file with what comes on standard input."""
    content = sys.stdin.buffer.read(MOST_BYTES + 1)
    suffix = next((s for head, s in SUFFIXES.items() if content.startswith(head)), ".csv")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "standard_input" + suffix)
        with open(path, "wb") as file:
            file.write(content)
        yield path


def _add_sample_axis(raw, entry):
    """Return an array with the axis of samples, where it holds one sample only."""
    axes = KINDS[entry.kind].row_axes or len(entry.shape) + 1
    return raw[None] if raw.ndim == axes - 1 else raw


@contextlib.contextmanager
def prefix_errors(path):
    """Turn whatever is wrong with an input file into one ValueError that begins with its path."""
    try:
        yield
    except MemoryError:
        raise ValueError("%s: needs more memory than there is: give it in parts" % path) from None
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
