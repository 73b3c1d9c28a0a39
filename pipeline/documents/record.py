"""What every document on disk is made of: a closed, frozen record that reads and writes itself."""

import json
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.artifacts import read_json, write_json
from pipeline.errors import ArtifactError

SHOWN = 3  # problems of one document that a message names


class Record(BaseModel):
    """Base of all documents and of their parts; the docstring under a field documents it."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, populate_by_name=True
    )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a document.

        Raises:
            ArtifactError: the file is missing, is no JSON, or is no document of this form.
        """
        found = read_json(path)
        wanted = cls._schema()
        came = found.get("schema", wanted) if isinstance(found, dict) else wanted
        if came != wanted:
            raise ArtifactError(
                f"{path}: not of this version of Edgeline (schema {came}; wanted {wanted}); "
                "make it again with the stage or the command that wrote it"
            )
        try:
            return cls.model_validate_json(json.dumps(found))
        except ValidationError as error:
            raise ArtifactError(f"{path}: {_problems(error)}") from None

    @classmethod
    def _schema(cls) -> object:
        """Return the version of the document's form; None: a document that has none."""
        field = cls.model_fields.get("schema_version")
        return None if field is None else field.default

    def write(self, path: Path) -> None:
        """Write the document as canonical JSON, whole or not at all."""
        write_json(path, self.dump())

    def dump(self) -> dict[str, Any]:
        """Return the document as JSON values."""
        return self.model_dump(mode="json", by_alias=True)


def _problems(error: ValidationError) -> str:
    """Return what is wrong with a document, on one line."""
    problems = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'the document'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)
    ]
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return (
        f"not of this version of Edgeline ({'; '.join(problems[:SHOWN])}{more}); "
        "make it again with the stage or the command that wrote it"
    )
