"""Documents for tests: a test names the fields that matter, the others are filled in."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.documents.dataset import DatasetDocument
from pipeline.documents.preprocess import Entry, Preprocess
from pipeline.documents.record import Record

CELLS = {"missing": [""], "delimiter": ",", "number_format": "plain"}
FIELDS: dict[str, dict[str, Any]] = {
    "image": {
        "raw_dtype": "uint8", "offset": 0.0, "scale": 1 / 255, "background": [255, 255, 255],
        "value_range": None,
    },
    "table": {"raw_dtype": "float32", "offset": 0.0, "scale": 1.0, "columns": None},
    "columns": {"raw_dtype": "float32", "strip": None} | CELLS,
    "codes": {"raw_dtype": "float32", "strip": None, "vocabulary_size": 9} | CELLS,
    "audio": {
        "raw_dtype": "int16", "every": None, "coefficients": None, "features": "log_mel",
        "shape": [4, 2, 1], "sample_rate": 8000, "samples": 400, "window": 100, "stride": 100,
        "fft": 128, "low_hz": 20.0, "high_hz": 4000.0, "bins": 2, "offset": [0.0, 0.0],
        "scale": [1.0, 1.0],
    },
    "series": {
        "raw_dtype": "float32", "fit": "pad", "stride": 1, "per_window_standardize": False,
        "floor": 1e-3, "header": False,
    } | CELLS,
    "tokens": {
        "raw_dtype": "uint8", "unit": "words", "lower": True, "max_bytes": 1000,
        "vocabulary": [], "vocabulary_size": 9,
    },
}  # fmt: skip


def entry_of(fields: Mapping[str, Any]) -> Entry:
    """Return an input of preprocess.json."""
    return preprocess_of([fields]).inputs[0]


def preprocess_of(entries: Sequence[Mapping[str, Any] | Record], **others: Any) -> Preprocess:
    """Return preprocess.json with some inputs; without classes it is a regression's."""
    task = "regression" if others.get("labels") is None else "classification"
    document = {"task": task, "labels": None, "target": None} | others
    return Preprocess.model_validate({**document, "inputs": [_filled(e) for e in entries]})


def _filled(entry: Mapping[str, Any] | Record) -> dict[str, Any]:
    if isinstance(entry, Record):
        return entry.dump()
    kind = entry["kind"]
    filled = {"name": "x", "shape": [1]} | FIELDS[kind] | dict(entry)
    if kind == "image":
        filled.setdefault("color", "gray" if filled["shape"][-1] == 1 else "rgb")
    if kind == "series":
        filled.setdefault("length", filled["shape"][0])
    if kind in ("columns", "codes", "series"):
        columns = enumerate(filled.get("columns", []))
        filled["columns"] = [_column(i, column) for i, column in columns]
    return filled


def _column(index: int, column: Mapping[str, Any]) -> dict[str, Any]:
    filled = {"name": f"c{index}", "kind": "number"} | dict(column)
    if filled["kind"] == "category":
        indices = filled.setdefault("category_index", list(range(len(filled.get("values", [])))))
        filled.setdefault("values", [f"v{i}" for i in range(len(indices))])
        return {"width": len(indices) + 1} | filled
    if "encoding" in filled:
        return filled
    scaled = {"low": 0.0, "high": 1.0, "offset": 0.0, "scale": 1.0}
    return {"encoding": "robust", "impute_value": 0.0} | scaled | filled


def meta_of(
    inputs: Sequence[Mapping[str, Any]] = (), names: Sequence[str] | None = None, **others: Any
) -> DatasetDocument:
    """Return dataset.json of a set in memory, of which no file is read."""
    stored = {"layout": "fixed", "shards": [], "rows": [], "shapes": None, "offsets": None}
    document: dict[str, Any] = {
        "task": "classification", "samples": 0, "ids": "ids.npy", "groups": None,
        "windows": False, "timestamps": None, "report_groups": None, "splits": {},
        "fingerprint": "0", "findings": [],
        "labels": {"file": "labels.npy", "names": None if names is None else list(names)},
        "inputs": [stored | dict(entry) for entry in inputs],
    }  # fmt: skip
    if "labels" in others:
        others["labels"] = document["labels"] | others["labels"]
    return DatasetDocument.model_validate(document | others)
