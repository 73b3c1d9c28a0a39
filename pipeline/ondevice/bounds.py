"""Limits of what is read, in one place: the declared size is checked before memory is taken."""

import os
import re
import zipfile

import numpy as np

MOST_BYTES = 1 << 29  # of a file, and of an array in it: what a device with 1 GB can hold once
MOST_PIXELS = 1 << 26  # of a picture: 64 megapixels, 200 MB in three colors
REFUSED = re.compile("[^A-Za-z0-9_.-]")  # in a name of a tensor; TensorFlow takes a few more
MOST_SOUND = 1 << 27  # values of a recording: over two hours at 16 kHz


def check_file_size(path):
    """Refuse a file that is too large to be read at once.

    Raises:
        ValueError, OSError: it is too large, or not there.
    """
    size = os.stat(path).st_size
    if size > MOST_BYTES:
        raise ValueError(
            "%s: %d MB; wanted %d at most: give it in parts" % (path, size >> 20, MOST_BYTES >> 20)
        )


def check_pixels(path, width, height):
    """Refuse a picture of an absurd size."""
    if width * height > MOST_PIXELS:
        raise ValueError(
            "%s: a picture of %d x %d pixels; wanted %d million at most: scale it down"
            % (path, width, height, MOST_PIXELS >> 20)
        )


def check_sound_length(path, values):
    """Refuse a recording that would be too long in memory."""
    if values > MOST_SOUND:
        raise ValueError(
            "%s: a recording of %d values; wanted %d at most: cut it" % (path, values, MOST_SOUND)
        )


def tensor_name(name):
    """Return a name that TensorFlow takes, by which a model has the input of an array's name."""
    known = REFUSED.sub("_", name)
    return known if re.match("[A-Za-z0-9]", known) else "x" + known


def read_array(stream, size=None):
    """Return an array of numbers from a .npy stream, after its declared size is known to be sound.

    Args:
        stream: at its start.
        size: bytes of the whole stream; None: unknown.

    Raises:
        ValueError: it is no array of numbers, or larger than MOST_BYTES, or cut short.
    """
    npy = np.lib.format
    is_first = npy.read_magic(stream) == (1, 0)
    read_header = npy.read_array_header_1_0 if is_first else npy.read_array_header_2_0
    shape, fortran_order, dtype = read_header(stream)
    if dtype.hasobject or dtype.fields is not None or min(shape, default=0) < 0:
        raise ValueError("no array of numbers; write it by numpy.save or numpy.savez")
    count = 1
    for length in shape:
        count *= length
    declared = count * dtype.itemsize
    if declared > MOST_BYTES:
        raise ValueError(
            "an array of %d MB; wanted %d at most: give it in parts"
            % (declared >> 20, MOST_BYTES >> 20)
        )
    if size is not None and size - stream.tell() < declared:
        raise ValueError("cut short: an array of %d bytes is declared" % declared)
    content = stream.read(declared)
    if len(content) < declared:
        raise ValueError("cut short: %d of %d bytes" % (len(content), declared))
    values = np.frombuffer(content, dtype, count)
    return values.reshape(shape[::-1]).T if fortran_order else values.reshape(shape)


def read_arrays(path, names=None):
    """Return name -> array of a .npz file.

    Args:
        path: the file.
        names: those that are read, as the model has them; None: all.

    Raises:
        ValueError, OSError, zipfile.BadZipFile: it is no such file, or a name is not there.
    """
    check_file_size(path)
    with zipfile.ZipFile(path) as archive:
        members = {
            info.filename[:-4]: info
            for info in archive.infolist()
            if info.filename.endswith(".npy")
        }
        if names is not None:
            members = {tensor_name(name): info for name, info in members.items()} | members
        wanted = list(members) if names is None else names
        absent = [name for name in wanted if name not in members]
        if absent:
            words = ", ".join(absent), ", ".join(members) or "nothing"
            raise ValueError("%s: wanted arrays named %s; it holds %s" % (path, *words))
        arrays, total = {}, 0
        for name in wanted:
            total += members[name].file_size
            if total > MOST_BYTES:
                raise ValueError(
                    "%s: arrays of more than %d MB: give them in parts" % (path, MOST_BYTES >> 20)
                )
            with archive.open(members[name]) as stream:
                arrays[name] = read_array(stream, members[name].file_size)
    return arrays
