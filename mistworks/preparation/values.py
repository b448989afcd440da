"""Arrays, tensors, lists and columns of Python objects, read into a table."""

import sys
from collections.abc import Hashable
from datetime import date, timedelta
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mistworks.errors import MistworksError
from mistworks.preparation.table import DOUBLE_ROUNDING, Table, joined

# Integers up to this are exact in double precision.
_EXACT = 2**53
_NOT_A_TIME = np.iinfo(np.int64).min
_ABSENT = {"NAType", "NaTType"}


def read_values(values: Any, name: str) -> Table:
    """Read anything but a DataFrame or a categorical.

    Args:
        values: of shape (n,) or (n, d).
        name: what errors call it.

    Raises:
        MistworksError: it does not hold numbers, dates, durations or class labels, or is infinite.
    """
    return read_array(_to_array(values, name), name)


def read_array(array: NDArray[Any], name: str) -> Table:
    """Read an array of shape (n,) or (n, d).

    Raises:
        MistworksError: as for `read_values`.
    """
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise MistworksError(
            f"Expected {name} of shape (n,) or (n, d), got shape {array.shape}. Reshape it to one row per "
            "point."
        )
    d = array.shape[1]
    labels = tuple(range(d))
    if array.dtype.kind in "biuf" or not array.size:
        return read_numbers(array.T, name, labels)
    return relabelled(joined([_read_column(array[:, j], column_name(j, name, d)) for j in labels]), labels)


def read_numbers(columns: NDArray[Any], name: str, labels: tuple[Hashable, ...] = (0,)) -> Table:
    """Read numbers of shape (d, n), NaN where missing.

    Raises:
        MistworksError: a number is infinite.
    """
    kind, size = columns.dtype.kind, columns.dtype.itemsize
    if (kind in "iu" and size == 8) or (kind == "f" and size > 8):
        columns = _kept_apart(columns)
    values = np.array(columns, dtype=np.float64, order="C")
    rounding = DOUBLE_ROUNDING
    if columns.dtype.kind == "f" and columns.dtype != np.float64:
        rounding = float(np.finfo(columns.dtype).eps)
    # One pass suffices for good data: a sum is finite unless a term is not, or it overflows.
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isfinite(values.sum()):
            _refuse_infinite(values, name, labels)
    return Table(values, np.zeros(len(values), dtype=np.bool_), labels, max(rounding, DOUBLE_ROUNDING))


def read_integers(column: NDArray[Any], missing: NDArray[np.bool_], name: str) -> Table:
    """Read one column of integers or truth values of shape (n,), some of which are missing."""
    known = column[~missing]
    table = read_numbers(known[None], name)
    values = np.full((1, len(column)), np.nan)
    values[0, ~missing] = table.values[0]
    return Table(values, table.nominal, table.labels)


def read_times(column: NDArray[Any], name: str) -> Table:
    """Read one column of dates, times or durations of shape (n,) as numbers since the earliest of them."""
    ticks = column.view(np.int64)
    missing = ticks == _NOT_A_TIME
    earliest = ticks[~missing].min(initial=np.iinfo(np.int64).max)
    # As unsigned integers, the difference of any two 64-bit integers is exact.
    return read_integers(ticks.view(np.uint64) - earliest.view(np.uint64), missing, name)


def read_labels(column: NDArray[Any], name: str) -> Table:
    """Read one column of class labels of shape (n,)."""
    values = column.tolist()
    missing = np.fromiter(map(_is_missing, values), dtype=np.bool_, count=len(values))
    numbers: dict[Hashable, int] = {}
    codes = np.full(len(values), np.nan)
    try:
        known = [
            numbers.setdefault(value, len(numbers))
            for value, absent in zip(values, missing.tolist(), strict=True)
            if not absent
        ]
    except TypeError:
        raise MistworksError(
            f"Expected numbers or class labels in {name}, got values that cannot be compared, such as "
            f"{next(value for value in values if type(value).__hash__ is None)!r}. Encode them first."
        ) from None
    codes[~missing] = known
    return Table(codes[None], np.array([True]), (0,))


def relabelled(table: Table, labels: tuple[Hashable, ...]) -> Table:
    """Return the table with other names of its columns."""
    return Table(table.values, table.nominal, labels, table.rounding)


def column_name(label: Hashable, name: str, count: int) -> str:
    """Return what errors call one of ``count`` columns."""
    return name if count == 1 else f"column {label!r} of {name}"


def _to_array(values: Any, name: str) -> NDArray[Any]:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(values, torch.Tensor):
        tensor = values.detach().cpu()
        # NumPy knows no bfloat16.
        return np.asarray(tensor.float() if tensor.dtype == torch.bfloat16 else tensor)
    # NumPy does not import its masked arrays by itself.
    masked = sys.modules.get("numpy.ma")
    if masked is not None and isinstance(values, masked.MaskedArray):
        return _unmasked(values)
    if isinstance(values, np.ndarray):
        return values
    try:
        array = np.asarray(values)
        if array.dtype.kind in "US":
            # A label among numbers would turn them all into strings.
            return np.asarray(values, dtype=object)
    except ValueError:
        raise MistworksError(
            f"Expected rows of equal length in {name}, got rows of different lengths. Pass an array of shape "
            "(n, d)."
        ) from None
    return array


def _unmasked(values: Any) -> NDArray[Any]:
    mask = np.ma.getmaskarray(values)
    if not mask.any():
        return np.asarray(values.data)
    unmasked = values.data.astype(np.float64 if values.dtype.kind in "biuf" else object)
    unmasked[mask] = np.nan if unmasked.dtype.kind == "f" else None
    return np.asarray(unmasked)


def _kept_apart(columns: NDArray[Any]) -> NDArray[Any]:
    """Replace columns with numbers that double precision would make equal by ranks of distinct values."""
    large = columns.size > 0 and (
        columns.dtype.kind == "f" or columns.max() > _EXACT or columns.min() < -_EXACT
    )
    if not large or (columns.dtype.kind == "f" and (columns == columns.astype(np.float64)).all()):
        return columns
    rows = [row if _is_exact(row) else np.unique(row, return_inverse=True)[1] for row in columns]
    return np.array(rows, dtype=np.float64).reshape(columns.shape)


def _is_exact(column: NDArray[Any]) -> bool:
    if column.dtype.kind == "f":
        return not np.isfinite(column).all() or bool((column == column.astype(np.float64)).all())
    return bool(column.max() <= _EXACT and column.min() >= -_EXACT)


def _read_column(column: NDArray[Any], name: str) -> Table:
    """Read a column of a type other than numbers."""
    kind = column.dtype.kind
    if kind == "c":
        raise MistworksError(
            f"Expected real numbers in {name}, got complex ones. Pass real and imaginary parts as columns."
        )
    if kind in "mM":
        return read_times(np.ascontiguousarray(column), name)
    if kind in "UST":
        return read_labels(column, name)
    if kind == "O":
        return _read_objects(column, name)
    raise MistworksError(
        f"Expected numbers or class labels in {name}, got values of type {column.dtype}. Drop them or encode "
        "them as numbers."
    )


def _read_objects(column: NDArray[Any], name: str) -> Table:
    values = column.tolist()
    present = [value for value in values if not _is_missing(value)]
    if any(isinstance(value, str | bytes) for value in present):
        return read_labels(column, name)
    missing = np.array([_is_missing(value) for value in values], dtype=np.bool_)
    for kind, unit in ((date, "datetime64[us]"), (timedelta, "timedelta64[us]")):
        if present and all(isinstance(value, kind) for value in present):
            times = np.full(len(values), "NaT", dtype=unit)
            times[~missing] = [_naive(value) for value in present]
            return read_times(times, name)
    for value in present:
        if not isinstance(value, Real | Decimal):
            raise MistworksError(
                f"Expected numbers or class labels in {name}, got {value!r}. Drop such values or encode "
                "them as numbers."
            )
    if all(isinstance(value, int) for value in present) and max(map(abs, present), default=0) > _EXACT:
        # They stay distinct even beyond 64 bits.
        ranks = {value: rank for rank, value in enumerate(sorted(set(present)))}
        present = [ranks[value] for value in present]
    numbers = np.full(len(values), np.nan)
    numbers[~missing] = [float(value) for value in present]
    return read_numbers(numbers[None], name)


def _naive(time: Any) -> Any:
    """A date, or a time in UTC without its zone, which NumPy does not take."""
    offset = time.utcoffset() if hasattr(time, "utcoffset") else None
    return time if offset is None else time.replace(tzinfo=None) - offset


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in _ABSENT:
        return True
    different = value != value
    return isinstance(different, bool | np.bool_) and bool(different)


def _refuse_infinite(columns: NDArray[np.float64], name: str, labels: tuple[Hashable, ...]) -> None:
    """Raise a `MistworksError` if one of the columns, shape (d, n), is infinite somewhere."""
    infinite = np.isinf(columns)
    if infinite.any():
        row, column = np.argwhere(infinite.T)[0].tolist()
        place = f"row {row:,}" if len(columns) == 1 else f"row {row:,} of column {labels[column]!r}"
        raise MistworksError(
            f"Expected finite numbers in {name}, got {infinite.sum():,} infinite ones, the first in {place}. "
            "Drop or clip them."
        )


__all__ = [
    "column_name",
    "read_array",
    "read_integers",
    "read_labels",
    "read_numbers",
    "read_times",
    "read_values",
    "relabelled",
]
