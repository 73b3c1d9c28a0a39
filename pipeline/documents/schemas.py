"""JSON schemas of all documents: `python -m pipeline.documents.schemas` writes configs/schemas/."""

import importlib
import pkgutil
import re
import sys
from pathlib import Path
from typing import Any

from pipeline import documents
from pipeline.artifacts import canonical_json
from pipeline.documents.record import Record

FOLDER = Path("configs/schemas")


def list_documents() -> dict[str, type[Record]]:
    """Return name -> record of every document that states its schema version."""
    records: dict[str, type[Record]] = {}
    for module in pkgutil.iter_modules(documents.__path__, "pipeline.documents."):
        for part in vars(importlib.import_module(module.name)).values():
            if isinstance(part, type) and issubclass(part, Record) and _is_whole(part):
                records[re.sub(r"(?<!^)(?=[A-Z])", "_", part.__name__).lower()] = part
    return dict(sorted(records.items()))


def _is_whole(record: type[Record]) -> bool:
    """Tell a document from its parts and bases: its docstring names the file."""
    return "schema_version" in record.model_fields and ".json" in (record.__doc__ or "")


def schema_of(record: type[Record]) -> dict[str, Any]:
    """Return the JSON schema of a document as it stands on disk."""
    return record.model_json_schema(by_alias=True, mode="serialization")


def write_schemas(folder: Path) -> None:
    """Write NAME.json for every document."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, record in list_documents().items():
        (folder / f"{name}.json").write_text(canonical_json(schema_of(record)))


if __name__ == "__main__":
    write_schemas(Path(*sys.argv[1:]) if len(sys.argv) > 1 else FOLDER)
