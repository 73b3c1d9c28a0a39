"""Anomalies of timestamped series, listed in a JSON file beside them, as NAB has it."""

import json
from pathlib import Path

from pipeline.data.moments import moment
from pipeline.errors import ConfigError

Span = tuple[float, float]
"""Begin and end, in seconds."""


def read_spans(path: Path, files: dict[str, Path]) -> dict[str, list[Span]]:
    """Return name of a file -> its anomalies in seconds, from a JSON file.

    Raises:
        ConfigError: it is not there, no JSON, of another form, or names none of the files.
    """
    where = f"data.source.windows_path: {path}"
    try:
        said = json.loads(path.read_text())
        pairs = {key: [(moment(a), moment(b)) for a, b in spans] for key, spans in said.items()}
    except FileNotFoundError:
        raise ConfigError(f"{where}: no such file") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{where}: wanted JSON, name of a file -> list of [start, end]; {error}"
        ) from error
    found = {
        name: next((spans for key, spans in pairs.items() if file.absolute().match(key)), None)
        for name, file in files.items()
    }
    missing = [name for name, spans in found.items() if spans is None]
    if len(missing) == len(files):
        raise ConfigError(f"{where}: names none of the files, such as {missing[0]}")
    return {name: spans or [] for name, spans in found.items()}
