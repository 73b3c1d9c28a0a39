"""The target of a regression or forecast, as preprocess.json has it."""

from pipeline.documents.record import Record


class Target(Record):
    """How model outputs become values: output * scale + offset."""

    offset: float
    """Mean of the training split, in the unit of the values."""
    scale: float
    """Standard deviation of the training split, in the unit of the values."""
    channel: int | None = None
    """Index of the channel whose change is forecast; null: no forecast."""
    horizon: int | None = None
    """Steps from the end of a window to the forecast; null: no forecast."""
