"""What every section of a config is made of: the base class and the types that several share."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


@dataclass(frozen=True)
class Wanted:
    """Put into `Annotated`: says in words what a pattern asks for; messages quote it."""

    words: str


class Section(BaseModel):
    """Base of all sections: closed, frozen, strict; the docstring under a field documents it."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Task = Literal["classification", "regression", "forecasting", "anomaly"]
TaskMetric = Literal["auto", "accuracy", "macro_f1", "auc"]


def _is_pattern(text: str) -> str:
    """Refuse what is no regular expression."""
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"wanted a regular expression ({error}); came {text!r}") from error
    return text


Pattern = Annotated[
    str,
    Field(min_length=1),
    AfterValidator(_is_pattern),
    Wanted("a regular expression such as _([a-z]+)_"),
]


class Classes(Section):
    """What every source says of its classes."""

    class_names: tuple[str, ...] | None = None
    """All classes, in the order of the model's outputs; null: in alphabetical order. Whole numbers
    as labels are places in this list."""
    labels_path: str | None = None
    """A file with that order, relative to the config file: a name a line, with or without its
    number in front (labels.txt); or a .json of names, or of names with their numbers."""
