"""Two series of the same times, evenly spaced and without missing values."""

import sys
import warnings
from typing import Any

import numpy as np

from mistworks.errors import MistworksError
from mistworks.preparation.pairing import paired
from mistworks.preparation.reading import Side, read_sides, read_table

LEAST_ROWS = 50
"""The smallest number of rows that a series has beyond its lags."""


def read_series(x: object, y: object, lags: int) -> tuple[Side, Side]:
    """Read two series of n times each.

    Args:
        x: shape (n,) or (n, d): an array, a tensor, a list, or a table or column of pandas, Polars or Arrow.
        y: likewise.
        lags: the largest lag.

    Raises:
        MistworksError: they are not series of the same times, an index of times is not sorted and evenly
            spaced, values are missing, or there are fewer than 50 rows beyond the lags.
    """
    if lags < 0:
        raise MistworksError(f"Expected lags of at least 0, got {lags}. Pass how many steps to look back.")
    sides = []
    for values, name in ((x, "x"), (paired_in_time(x, y), "y")):
        _require_even(values, name)
        table = read_table(values, name)
        if missing := int(table.missing.sum()):
            raise MistworksError(
                f"Expected a series {name} without missing values, got {missing:,} in {len(table):,} rows. "
                "Interpolate them, or pass the longest part without."
            )
        sides.append((name, table))
    first, second = read_sides(sides)
    if len(first) - lags < LEAST_ROWS:
        raise MistworksError(
            f"Expected at least {LEAST_ROWS} rows beyond {lags} lags, got {len(first):,} rows. Pass a longer "
            "series or fewer lags."
        )
    return first, second


def paired_in_time(x: object, y: object) -> object:
    """Return y, whose index is that of x where both have one.

    Raises:
        MistworksError: the indices differ.
    """
    for values, name in ((x, "x"), (y, "y")):
        _require_sorted(values, name)
    return paired(x, y)


def lagged(side: Side, lag: int, rows: np.ndarray[Any, np.dtype[np.intp]]) -> Side:
    """Return a side as it was some steps before each of these rows; at the ends of the series, around."""
    return side.rows((rows - lag) % len(side))


def _index_of(values: Any) -> Any:
    """The index of a pandas object where it holds times, otherwise None."""
    pandas = sys.modules.get("pandas")
    index = getattr(values, "index", None)
    if pandas is None or not isinstance(index, pandas.DatetimeIndex | pandas.PeriodIndex):
        return None
    return index


def _require_sorted(values: object, name: str) -> None:
    index = _index_of(values)
    if index is not None and not (index.is_monotonic_increasing and index.is_unique):
        raise MistworksError(
            f"Expected the times of {name} in order without repetition, got others. Pass "
            f"{name}.sort_index(), with one row per time."
        )


def _require_even(values: object, name: str) -> None:
    index = _index_of(values)
    if index is None or len(index) < 3 or index.freq is not None:
        return
    steps = np.diff(index.asi8)
    with warnings.catch_warnings():
        # pandas announces another type of what is only compared with None here.
        warnings.simplefilter("ignore")
        # Months and working days are regular, though not of equal length.
        even = bool((steps == steps[0]).all()) or index.inferred_freq is not None
    if not even:
        first = int((steps != np.median(steps)).argmax())
        raise MistworksError(
            f"Expected evenly spaced times in {name}, got a step of {index[first + 1] - index[first]} after "
            f"{index[first]}, where {np.median(np.diff(index))} is usual. Resample it, for instance by "
            f"{name}.asfreq or {name}.resample."
        )


__all__ = ["LEAST_ROWS", "lagged", "paired_in_time", "read_series"]
