"""Values of one column of a table, or of one channel of a series."""

import numpy as np


def encode_number(values, column):
    """Return values in any shape on the scale that training fitted, float64.

    Unknown values (NaN) are imputed first.
    """
    x = impute_unknown(values, column)
    if column.encoding == "quantile":
        return np.interp(x, column.knots, column.quantile_values)
    x = np.clip(x, column.low, column.high)
    return (x - column.offset) * column.scale


def impute_unknown(values, column):
    """Return values as float64, with the column's own value in place of NaN."""
    return np.where(np.isnan(values), np.float32(column.impute_value), values).astype(np.float64)


def last_known_value(values):
    """Return the last of some values (T,) that is not NaN; NaN if all are."""
    known = values[~np.isnan(values)]
    return known[-1] if len(known) else np.float32("nan")
