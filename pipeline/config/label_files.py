"""Files that say the order of a model's classes, as training tools write them."""

import json
import re
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError

BESIDE = ("labels.txt", "label.txt", "class_names.txt", "classes.txt", "labels.json",
          "class_indices.json", "class_names.json", "classes.json")  # fmt: skip
LIMIT_BYTES = 1 << 20
NUMBERED = re.compile(r"(\d+)[\s:,]+(\S.*)")


def find_labels(model: Path) -> Path | None:
    """Return the file of labels beside a model, or in the folder of one; None: there is none."""
    folder = model if model.is_dir() else model.parent
    own = [f"{model.stem}_labels.txt", f"{model.stem}.labels.txt", f"{model.stem}.txt"]
    return next((folder / name for name in (*own, *BESIDE) if (folder / name).is_file()), None)


def read_labels(path: Path) -> tuple[str, ...]:
    """Return the names of the classes by id.

    Args:
        path: a text file with a name a line, or a number and a name; or a .json that holds a list
            of names, name -> number, or number -> name.

    Raises:
        ConfigError: it cannot be read, holds no or doubled names, or numbers with gaps.
    """
    try:
        if path.stat().st_size > LIMIT_BYTES:
            raise ConfigError(
                f"{path}: larger than {LIMIT_BYTES:,} bytes; wanted a list of classes"
            )
        text = path.read_text(encoding="utf-8-sig")
        names = _from_json(json.loads(text)) if path.suffix == ".json" else _from_lines(text)
    except (OSError, ValueError) as error:
        wanted = "wanted a name a line, or .json with a list, name: number, or number: name"
        raise ConfigError(f"{path}: no list of classes: {error}; {wanted}") from error
    if len(set(names)) < max(2, len(names)):
        raise ConfigError(f"{path}: wanted two or more different classes; came {list(names)}")
    return names


def _from_lines(text: str) -> tuple[str, ...]:
    """Return the names of lines; numbers in front go where they count from 0 or 1."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    numbered = [NUMBERED.fullmatch(line) for line in lines]
    if lines and all(numbered):
        pairs = {match[2].strip(): int(match[1]) for match in numbered if match}
        if len(pairs) == len(lines) and _is_counted(list(pairs.values())):
            return tuple(sorted(pairs, key=lambda name: pairs[name]))
    return tuple(lines)


def _from_json(value: object) -> tuple[str, ...]:
    """Return the names of a list, or of a mapping from or to numbers."""
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return tuple(value)
    if isinstance(value, dict):
        pairs = value if all(isinstance(v, int) for v in value.values()) else _turned(value)
        if _is_counted(list(pairs.values())):
            return tuple(sorted(pairs, key=lambda name: pairs[name]))
    raise ValueError("it has another form, or its numbers have gaps")


def _turned(value: dict[str, Any]) -> dict[str, int]:
    return {str(name): int(number) for number, name in value.items()}


def _is_counted(numbers: list[int]) -> bool:
    """Return whether numbers are 0, 1, 2, … or 1, 2, 3, … in any order."""
    return sorted(numbers) in (list(range(len(numbers))), list(range(1, len(numbers) + 1)))
