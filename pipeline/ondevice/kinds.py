"""KINDS: what the device does with each kind of sample; a kind has a row here and its own file."""

import collections

from pipeline.ondevice.audio import (
    check_audio_shape,
    encode_audio,
    fit_sound_samples,
    floats_to_int16,
)
from pipeline.ondevice.columns import (
    check_categories,
    check_row_shape,
    encode_codes,
    encode_columns,
)
from pipeline.ondevice.image import (
    check_image_shape,
    fit_image_size,
    read_image,
    scale_values,
)
from pipeline.ondevice.sanitize import find_out_of_limits
from pipeline.ondevice.series import encode_series, read_series
from pipeline.ondevice.sound_files import read_recording
from pipeline.ondevice.table import check_exact_shape, clip_to_limits, read_plain_table
from pipeline.ondevice.tokens import (
    check_text_shape,
    encode_tokens,
    find_unknown_texts,
    read_texts,
)

# Functions of raw samples (N, ...) and an input of preprocess.json:
#   check_shape        raises ValueError for a wrong shape
#   encode             checked samples -> model input
#   fit                samples of the right type -> at the size of the input
#   from_float         floats -> the integers of training; None: they are refused
#   find_out_of_range  index of a sample far outside the training range -> what is wrong with it
# read is (path, entry) -> raw samples of a file; None: it is read by the names of its columns.
# row_axes is the number of axes of raw samples with N; None: those of the input's shape, and N.
# has_unknown says whether NaN stands for an unknown value; filter_axes is how many axes of a sample
# are smoothed.
Kind = collections.namedtuple(
    "Kind",
    "check_shape encode read fit from_float find_out_of_range row_axes has_unknown filter_axes",
)


def _keep_size(raw, entry):
    """Return samples that have the size of the input already."""
    return raw


_PLAIN = Kind(
    check_shape=check_exact_shape,
    encode=scale_values,
    read=read_plain_table,
    fit=_keep_size,
    from_float=None,
    find_out_of_range=find_out_of_limits,
    row_axes=None,
    has_unknown=False,
    filter_axes=1,
)
_ROWS = _PLAIN._replace(
    check_shape=check_row_shape, read=None, fit=check_categories, row_axes=2, has_unknown=True
)
KINDS = {
    "image": _PLAIN._replace(
        check_shape=check_image_shape, fit=fit_image_size, read=read_image, filter_axes=2
    ),
    "table": _PLAIN._replace(fit=clip_to_limits),
    "columns": _ROWS._replace(encode=encode_columns),
    "codes": _ROWS._replace(encode=encode_codes),
    "audio": _PLAIN._replace(
        check_shape=check_audio_shape,
        encode=encode_audio,
        read=read_recording,
        fit=fit_sound_samples,
        from_float=floats_to_int16,
        row_axes=2,
    ),
    "series": _PLAIN._replace(encode=encode_series, read=read_series, has_unknown=True),
    "tokens": _PLAIN._replace(
        check_shape=check_text_shape,
        encode=encode_tokens,
        read=read_texts,
        find_out_of_range=find_unknown_texts,
        row_axes=2,
    ),
}
