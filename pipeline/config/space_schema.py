"""Settings of what an attacker can move: each is for one form of sample. Shared by attacks."""

from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.config.section import Count, Positive, Section

Name = Annotated[str, Field(min_length=1)]


class Change(Section):
    """How an attacker can change one column of a table; columns that are not listed stay."""

    change: Positive | None = None
    """How far a number moves either way, in the column's own unit: 50 is 50 dollars of an amount in
    dollars. null: `epsilon` times the column's standard deviation in train."""
    low: float | None = None
    """Least value that an attacker can give; null: the least in train."""
    high: float | None = None
    """Greatest value that an attacker can give; null: the greatest in train."""
    whole: bool | None = None
    """Whether the column holds only whole numbers; null: where all of train's are whole."""
    to: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """What a category can become; null: every category that is not rare, the 32 most frequent."""


class Reach(Section):
    """What of a sample an attacker can move; an image is open to them as a whole."""

    inputs: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """Inputs that are attacked, of a set with several; null: all that can be."""
    columns: Annotated[dict[Name, Change], Field(min_length=1)] | None = None
    """For tables: the columns that an attacker can change (an amount moves, an age does not)."""
    channels: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """For series: the channels that an attacker can change; null: all."""
    on: Literal["features", "waveform"] | None = None
    """For sound. features: the bands that the model sees, epsilon in their deviations. waveform:
    the recording itself in [-1, 1], in steps of 16 bits; epsilon is a fraction of full scale.
    null: features."""
    classes: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """Classes whose samples are attacked: a fraud hides, an honest payment does not. null: all."""


class Substitute(Section):
    """Words of a text, each in turn replaced by the candidate that hurts most.

    HotFlip (Ebrahimi et al. 2018, arXiv:1712.06751).
    """

    kind: Literal["substitute"]
    tokens: Annotated[int, Field(ge=1, le=50)] = 2
    """Words or characters that are replaced at most."""
    candidates: Annotated[int, Field(ge=1, le=1000)] = 20
    """Nearest words, by the network's own vectors, that a word can become: none that is unknown or
    rare."""
    inputs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1)] | None = None
    """The text that is attacked, of a set with several inputs."""
    classes: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """Classes whose samples are attacked; null: all."""


class AuditReach(Reach):
    """What the audit moves: null is what `harden.attack` moves."""

    tokens: Count | None = None
    """For texts: words that are replaced at most; null: as `harden` does."""
    candidates: Annotated[int, Field(ge=1, le=1000)] = 20
    """For texts, where `tokens` is given: nearest words that a word can become."""


# Any of these bounds an attacker; only of images the usual bounds are known.
SAID = ("epsilon", "columns", "channels", "on", "tokens")


def settings_of(section: Section) -> dict[str, Any]:
    """Return the settings of an attack as `harden.fit_threat_model.fit_threat_model` takes them.

    Args:
        section: `harden.attack`, of any kind, or `audit`; what its kind has not is null.
    """
    return AuditReach().model_dump() | {"epsilon": None} | section.model_dump()
