"""What holds a user's numbers and class labels, read into one side of a sample.

Arrays, tensors, DataFrames, Series and lists are read alike by every public function. Columns of strings and
of pandas' type ``category`` hold class labels, unless the categories are ordered; all other columns hold
numbers, and truth values are the numbers 0 and 1. Needs NumPy alone: a tensor or a DataFrame is recognised
without importing the package it comes from.
"""

import sys
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mistworks.errors import MistworksError
from mistworks.preparation.pairing import paired

MIN_POINTS = 5
MAX_COLUMNS = 512

# Whole numbers up to this are exact in double precision.
_EXACT = 2**53
_DOUBLE = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False, slots=True)
class Side:
    """One side of a sample, X or Y, as it was read.

    `numpy.asarray` turns it into an array of shape (n, d).

    Attributes:
        values: one column per row, shape (d, n), float64. Class labels are numbered from 0, in an order that
            means nothing. Integers too large for double precision are replaced by their ranks among the
            distinct values.
        nominal: which columns hold class labels, shape (d,).
        labels: what the columns are called: their labels in a DataFrame, else their positions.
        rounding: relative rounding error of the coarsest type of number among the columns.
    """

    values: NDArray[np.float64]
    nominal: NDArray[np.bool_]
    labels: tuple[Hashable, ...]
    rounding: float = _DOUBLE

    @property
    def shape(self) -> tuple[int, int]:
        """Number of points and of columns, as of an array of shape (n, d)."""
        return self.values.shape[1], self.values.shape[0]

    def __len__(self) -> int:
        return int(self.values.shape[1])

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.values.T, dtype=dtype, copy=copy)

    def rows(self, rows: NDArray[np.intp]) -> "Side":
        """The points at these positions."""
        return replace(self, values=np.ascontiguousarray(self.values[:, rows]))

    def columns(self, chosen: Sequence[int] | NDArray[Any]) -> "Side":
        """The columns at these positions, or where a mask is true."""
        positions = np.arange(len(self.nominal))[chosen]
        return Side(
            self.values[positions],
            self.nominal[positions],
            tuple(self.labels[position] for position in positions.tolist()),
            self.rounding,
        )


def read_pair(
    x: object, y: object, name: str = "x", max_columns: int | None = MAX_COLUMNS
) -> tuple[Side, Side]:
    """Both sides of a sample: see `read_side`.

    Rows of two pandas objects are paired by their index, of all others by position.

    Args:
        x: n points of X.
        y: n points of Y.
        name: what errors call X.
        max_columns: the largest number of columns of X; None for no limit.

    Raises:
        MistworksError: x or y is not a side of a sample, or they differ in their number of rows or in their
            index.
    """
    y = paired(x, y, name)
    sides = read_side(x, name, max_columns), read_side(y, "y")
    if len(sides[0]) != len(sides[1]):
        raise MistworksError(
            f"Expected {name} and y with the same number of rows, got {len(sides[0]):,} and "
            f"{len(sides[1]):,}. Pass paired observations."
        )
    return sides


def read_side(values: object, name: str, max_columns: int | None = MAX_COLUMNS) -> Side:
    """Numbers and class labels of shape (n,) or (n, d) as one side of a sample.

    Args:
        values: an array, tensor, DataFrame, Series or list; or a `Side`, which is returned as it is.
        name: what errors call it.
        max_columns: the largest number of columns; None for no limit.

    Raises:
        MistworksError: the values are not at least five points of finite numbers and class labels.
    """
    if isinstance(values, Side):
        return values
    _refuse_sparse(values, name)
    if hasattr(values, "columns") and hasattr(values, "iloc"):
        side = _read_frame(values, name)
    else:
        side = _read_values(values, name)
    _require_shape(side, name, max_columns)
    return side


def _refuse_sparse(values: object, name: str) -> None:
    sparse = sys.modules.get("scipy.sparse")
    if sparse is not None and sparse.issparse(values):
        raise MistworksError(
            f"Expected a dense table for {name}, got a sparse matrix. Pass {name}.toarray(), or choose "
            "columns first if that is too large."
        )

    if getattr(values, "is_sparse", False):
        raise MistworksError(
            f"Expected a dense table for {name}, got a sparse tensor. Pass {name}.to_dense()."
        )


def _read_frame(frame: Any, name: str) -> Side:
    labels = tuple(frame.columns)
    types = set(frame.dtypes)
    if len(types) == 1 and getattr(min(types, key=str), "kind", "O") in "biuf":
        array = np.asarray(frame)
        # Where numbers are missing, each column is read by itself, so that the error names it.
        if array.dtype.kind in "biu" or (array.dtype.kind == "f" and np.isfinite(array).all()):
            return _read_numbers(array.T, name, labels)
    read = [
        _read_values(frame.iloc[:, position], _column(label, name, len(labels)))
        for position, label in enumerate(labels)
    ]
    if not read:
        return Side(np.empty((0, len(frame))), np.empty(0, dtype=np.bool_), ())
    return _joined(read, labels)


def _joined(sides: Sequence[Side], labels: tuple[Hashable, ...]) -> Side:
    return Side(
        np.concatenate([side.values for side in sides]),
        np.concatenate([side.nominal for side in sides]),
        labels,
        max(side.rounding for side in sides),
    )


def _column(label: Hashable, name: str, count: int) -> str:
    return name if count == 1 else f"column {label!r} of {name}"


def _read_values(values: Any, name: str) -> Side:
    """Anything but a DataFrame."""
    if getattr(getattr(values, "dtype", None), "name", None) == "category":
        return _read_categories(values, name)
    return _read_array(_to_array(values, name), name)


def _read_categories(values: Any, name: str) -> Side:
    codes = np.asarray(getattr(values, "cat", values).codes)
    _require_labels(codes < 0, name)
    return Side(codes[None].astype(np.float64), np.array([not values.dtype.ordered]), (0,))


def _to_array(values: Any, name: str) -> NDArray[Any]:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(values, torch.Tensor):
        tensor = values.detach().cpu()
        # NumPy knows no bfloat16.
        return np.asarray(tensor.float() if tensor.dtype == torch.bfloat16 else tensor)
    # By itself NumPy does not import what masks arrays.
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


def _read_array(array: NDArray[Any], name: str) -> Side:
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
        return _read_numbers(array.T, name, labels)
    return _joined([_read_column(array[:, j], _column(j, name, d)) for j in labels], labels)


def _read_numbers(columns: NDArray[Any], name: str, labels: tuple[Hashable, ...] = (0,)) -> Side:
    """Numbers of shape (d, n)."""
    kind, size = columns.dtype.kind, columns.dtype.itemsize
    if (kind in "iu" and size == 8) or (kind == "f" and size > 8):
        columns = _kept_apart(columns)
    values = np.array(columns, dtype=np.float64, order="C")
    rounding = _DOUBLE
    if columns.dtype.kind == "f" and columns.dtype != np.float64:
        rounding = float(np.finfo(columns.dtype).eps)
    # One pass where all is well: a sum is finite unless a term is not, or it overflows.
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isfinite(values.sum()):
            _require_finite(values, name)
    return Side(values, np.zeros(len(values), dtype=np.bool_), labels, max(rounding, _DOUBLE))


def _kept_apart(columns: NDArray[Any]) -> NDArray[Any]:
    """Columns with numbers that double precision would make equal, as ranks among their distinct values."""
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


def _read_column(column: NDArray[Any], name: str) -> Side:
    """One column of a type other than numbers."""
    kind = column.dtype.kind
    if kind == "c":
        raise MistworksError(
            f"Expected real numbers in {name}, got complex ones. Pass real and imaginary parts as columns."
        )
    if kind in "USOT":
        values = column.tolist()
        if kind != "O" or any(isinstance(value, str | bytes) for value in values):
            return _read_labels(column, values, name)
        return _read_objects(values, name)
    raise MistworksError(
        f"Expected numbers or class labels in {name}, got values of type {column.dtype}. Drop them or encode "
        "them as numbers."
    )


def _read_labels(column: NDArray[Any], values: list[Any], name: str) -> Side:
    if column.dtype.kind in "US":
        codes = np.unique(column, return_inverse=True)[1]
    else:
        _require_labels(np.fromiter(map(_is_missing, values), dtype=np.bool_, count=len(values)), name)
        numbers: dict[Hashable, int] = {}
        codes = np.array([numbers.setdefault(value, len(numbers)) for value in values], dtype=np.int64)
    return Side(codes[None].astype(np.float64), np.array([True]), (0,))


def _read_objects(values: list[Any], name: str) -> Side:
    for value in values:
        if not (isinstance(value, Real) or _is_absent(value)):
            raise MistworksError(
                f"Expected numbers or class labels in {name}, got {value!r}. Drop such values or encode "
                "them as numbers."
            )
    if all(isinstance(value, int) for value in values) and max(map(abs, values), default=0) > _EXACT:
        # Beyond 64 bits too they are kept apart.
        ranks = {value: rank for rank, value in enumerate(sorted(set(values)))}
        values = [ranks[value] for value in values]
    numbers = [float(value) if isinstance(value, Real) else np.nan for value in values]
    return _read_numbers(np.array(numbers, dtype=np.float64)[None], name)


def _is_absent(value: object) -> bool:
    return value is None or type(value).__name__ == "NAType"


def _is_missing(label: Any) -> bool:
    return label is None or type(label).__name__ in {"NAType", "NaTType"} or bool(label != label)


def _require_labels(missing: NDArray[np.bool_], name: str) -> None:
    if missing.any():
        raise MistworksError(
            f"Expected a class label in every row of {name}, got {missing.sum()} missing, the first in row "
            f"{missing.argmax()}. Drop or fill those rows in all columns alike."
        )


def _require_finite(columns: NDArray[np.float64], name: str) -> None:
    """Raise a `MistworksError` unless the columns, shape (d, n), are finite."""
    finite = np.isfinite(columns)
    if not finite.all():
        faults = np.argwhere(~finite.T)
        row, column = faults[0].tolist()
        kind = "NaN" if np.isnan(columns[column, row]) else "infinity"
        place = f"row {row}" if len(columns) == 1 else f"row {row}, column {column}"
        raise MistworksError(
            f"Expected finite numbers in {name}, got {len(faults):,} that are not, the first {kind} in "
            f"{place}. Drop or fill those rows in x and y alike."
        )


def _require_shape(side: Side, name: str, max_columns: int | None) -> None:
    points, columns = side.shape
    if points < MIN_POINTS:
        raise MistworksError(
            f"Expected {name} with at least {MIN_POINTS} rows, got {points}. Pass more points: so few say "
            "nothing about dependence."
        )
    if columns == 0:
        raise MistworksError(f"Expected {name} with at least one column, got none. Pass at least one.")
    if max_columns is not None and columns > max_columns:
        raise MistworksError(
            f"Expected {name} with up to {max_columns} columns, got {columns:,}. If points lie along the "
            "second axis pass the transpose, else reduce the dimension first."
        )


def split_columns(side: Side) -> Iterable[Side]:
    """Each column as a side by itself."""
    return (side.columns([position]) for position in range(len(side.nominal)))


__all__ = [
    "MAX_COLUMNS",
    "MIN_POINTS",
    "Side",
    "read_pair",
    "read_side",
    "split_columns",
]
