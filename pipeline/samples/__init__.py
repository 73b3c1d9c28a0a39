"""KINDS: the kind of an input -> its record, one file each."""

from pipeline.samples.audio import AUDIO
from pipeline.samples.columns import CODES, COLUMNS
from pipeline.samples.image import IMAGE
from pipeline.samples.kind import Kind
from pipeline.samples.series import SERIES
from pipeline.samples.table import TABLE
from pipeline.samples.tokens import TOKENS

KINDS: dict[str, Kind] = {
    "image": IMAGE,
    "audio": AUDIO,
    "series": SERIES,
    "tokens": TOKENS,
    "table": TABLE,
    "columns": COLUMNS,
    "codes": CODES,
}
