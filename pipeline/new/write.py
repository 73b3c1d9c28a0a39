"""Write the config: commented, as short as a person would write it, and checked by the loader."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts import atomic_path
from pipeline.config.load import load
from pipeline.data.findings import IMBALANCE
from pipeline.errors import ConfigError
from pipeline.escape import shell_word, yaml_comment, yaml_text
from pipeline.new.look import look
from pipeline.new.recipe import judged_by, metric_of, recipe
from pipeline.new.seen import Seen
from pipeline.tasks import TASKS

WIDTH = 110  # of a line that holds a mapping
SHOWN = 8  # classes that are named
PLAIN = re.compile(r"([A-Za-z_]|\.?\.?/)[\w\-./ ]*\Z")
WORDS = ("null", "true", "false", "yes", "no", "on", "off")


def write_config(file: Path, data: Path, target: str | None) -> str:
    """Inspect data, write a config for it, and return a summary in a few lines.

    Args:
        file: the config; it must not be there yet.
        data: a file or folder.
        target: the column to predict; None: it is guessed.

    Raises:
        ConfigError: the file is there, the data are not, or they are nothing that is known.
    """
    if file.exists():
        raise ConfigError(f"{file}: is there already; name another file, or remove it")
    if file.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"{file}: wanted a name that ends in .yaml")
    seen = look(data, target)
    text = config_text(file, seen)
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(file) as draft:
        draft.write_text(text)
        load(draft)  # what is written is valid
    what = "; ".join(line.rstrip(".") for line in seen.said)
    report = f"runs/{name_of(file)}/report/report.html"
    return (
        f"{file}: {seen.task} of {seen.modality} data. {what}.\n"
        f"Now: make export CONFIG={shell_word(str(file))}\nThe report will be {report}"
    )


def name_of(file: Path) -> str:
    """Return the name of a run: that of its config's file, in letters that a folder may have."""
    return (re.sub(r"[^a-z0-9_\-]+", "_", file.stem.lower()).strip("_-") or "new")[:64]


def config_text(file: Path, seen: Seen) -> str:
    """Return the text of the config."""
    name, metric = name_of(file), metric_of(seen)
    parts = recipe(seen)
    data: dict[str, Any] = {"source": _relative(seen.source, file.parent)}
    by = "given" if seen.is_given else TASKS[seen.task].split
    by = seen.extra.get("by", by)
    data |= {"split": {"by": by} | dict(seen.extra)}
    notes = _notes(seen, by)
    data |= seen.data
    data |= {key: parts.pop(key) for key in ("batch_size", "augment") if key in parts}
    lines = [
        f"# make export CONFIG={shell_word(str(file))}",
        f"# Report: runs/{name}/report/report.html; bundle: exported/{name}",
        *(f"# {yaml_comment(line)}" for line in (*seen.said, *_of_classes(seen))),
        f"name: {name}",
        "seed: 0",
        f"task: {seen.task}",
        *([f"task_metric: {metric}  # of uneven classes accuracy says little"] if metric else []),
        *_section("data", data, notes),
    ]
    for key in ("model", "train", "decision", "export", "gate"):
        if key in parts:
            lines += _section(key, parts[key], notes)
    return "\n".join(lines) + "\n"


def _relative(source: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the source with its paths as seen from the config's folder."""
    return {
        key: os.path.relpath(value, folder) if isinstance(value, Path) else value
        for key, value in source.items()
    }


def _of_classes(seen: Seen) -> list[str]:
    """Return lines on the classes, and on how uneven they are."""
    if not seen.classes:
        return []
    counts = seen.classes
    if not any(counts.values()):
        return [f"{len(counts)} classes."]
    named = [f"{name} {count:,}" for name, count in list(counts.items())[:SHOWN]]
    rest = "" if len(counts) <= SHOWN else f" and {len(counts) - SHOWN} more"
    said = [f"{len(counts)} classes: {', '.join(named)}{rest}."]
    if max(counts.values()) >= IMBALANCE * min(counts.values()):
        said.append("They are uneven: train.class_weights: balanced finds more of the rare ones,")
        said.append("and is right less often in all.")
    return said


SPLITS = {  # how a set is split -> what that means, and what else one may want
    "given": "the data say which sample is of which part",
    "stratified": "as many of each class everywhere; group: where samples belong together",
    "random": "every sample by itself; group: where samples belong together",
    "group": "what belongs together is in one part only",
    "time": "the latest are for the test",
}


AUGMENTED = {
    "image": {"augment": "add {kind: flip} where a flipped picture is of the same class"},
}


def _notes(seen: Seen, by: str) -> dict[str, str]:
    """Return what stands behind a key: why it is as it is, and what else one may want.

    Args:
        seen: the data.
        by: data.split.by.
    """
    split = SPLITS[by]
    if by == "given" and not seen.is_given:
        split += "; the test part is cut from train"
    elif "group" in seen.source and by in ("stratified", "random"):
        split = "whole groups, as many of each class everywhere"
    notes = {
        "by": split,
        **AUGMENTED.get(seen.modality, {}),
        **_gate_notes(seen),
        "early_stopping": "the best epoch is kept",
    }
    if note := TASKS[seen.task].agreement_note:
        notes["agreement"] = note
    if TASKS[seen.task].takes_changes:
        notes["ships"] = "256 steps are few"
    return notes


def _gate_notes(seen: Seen) -> dict[str, str]:
    """Return why a gate is wider than its default: the resolution of the test split."""
    judged = judged_by(seen)
    if not judged:
        return {}
    count, rarest = judged
    return {
        "metric_drop": f"two of about {count} tested samples, no three: one alone is "
        f"{1 / count:.3f}"
        if metric_of(seen) != "auc"
        else f"two of about {rarest} tested samples of the rarer class",
        "agreement": "three of them may be decided otherwise",
        "worst_class_drop": f"two of about {rarest} tested samples of a class",
        "robust_drop": "two of them, under attack",
    }


def _section(key: str, value: Any, notes: Mapping[str, str], depth: int = 0) -> list[str]:
    """Return a key with its value as lines: on one line where it fits."""
    pad, note = "  " * depth, notes.get(key)
    inner = [notes[k] for k in value if k in notes] if isinstance(value, dict) else []
    line = f"{pad}{key}: {_flow(value)}"
    behind = [text for text in (note, *inner) if text]
    if len(line) <= WIDTH and len(behind) <= 1 and (depth or key != "data"):
        return [f"{line}  # {behind[0]}" if behind else line]
    if not isinstance(value, dict):
        return [f"{line}  # {note}" if note else line]
    lines = [f"{pad}{key}:" + (f"  # {note}" if note else "")]
    for name, inside in value.items():
        lines += _section(name, inside, notes, depth + 1)
    return lines


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, str):
        is_plain = PLAIN.match(value) and value == value.strip() and value.lower() not in WORDS
        return value if is_plain and value.isprintable() else yaml_text(value)
    return json.dumps(value, ensure_ascii=False)
