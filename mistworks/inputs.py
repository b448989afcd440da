"""Checks a user's X and Y, whatever holds them, and turns them into arrays the network can read."""

from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError

MIN_POINTS = 5
MAX_DIMENSIONS = 512
MAX_SMOOTH_POINTS = 2_000


def check_pair(x: object, y: object) -> tuple[FloatArray, FloatArray]:
    """X of shape (n, dx) and Y of shape (n, dy) as float32, each column shifted and scaled into [−1, 1].

    NumPy arrays, torch tensors, DataFrames, Series and lists are read; one axis means one coordinate. The
    shift and the scale, found in double precision, keep columns far from 0 apart in float32; mutual
    information does not change under them.

    Raises:
        MistworksError: the input is not a pair of samples of at least five points with finite numbers.
    """
    x_values, y_values = _read_pair(x, y)
    return _fit(x_values), _fit(y_values)


def ranked_pair(x: object, y: object) -> tuple[FloatArray, FloatArray]:
    """X of shape (n, dx) and Y of shape (n, dy) with each value's rank in its column, from 0, as float32.

    Equal values have equal ranks, and no rank is left out. For networks that read of each column its order
    alone: it is found in double precision here, and no single outlier can make ties of all other values.

    Raises:
        MistworksError: as `check_pair`.
    """
    x_values, y_values = _read_pair(x, y)
    return _ranks(x_values), _ranks(y_values)


def without_constants(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """X and Y as `check_pair` or `ranked_pair` gives them, less their constant columns, which are 0 there."""
    return _varying(x), _varying(y)


def check_tensors(x: torch.Tensor, y: torch.Tensor) -> None:
    """Refuse what has no smooth ranks: x and y are floating-point tensors of shapes (n, dx) and (n, dy).

    Raises:
        MistworksError: they are not, are not finite, or hold fewer than 5 points or more than 2,000.
    """
    for name, values in (("x", x), ("y", y)):
        floating = isinstance(values, torch.Tensor) and values.is_floating_point()
        if not floating or values.ndim != 2 or values.shape[1] == 0:
            raise MistworksError(
                f"{name} must be a floating-point tensor of shape (n, d) to have a gradient, and "
                f"{_told(values)} came; convert it"
            )
        _require_finite(values.detach().cpu().double().numpy(), name)
    if len(x) != len(y) or not MIN_POINTS <= len(x) <= MAX_SMOOTH_POINTS:
        raise MistworksError(
            f"x and y must have one number of rows, from {MIN_POINTS} to {MAX_SMOOTH_POINTS:,} for smooth "
            f"ranks, and {len(x)} and {len(y)} came; pass a part of the points"
        )


def _told(values: object) -> str:
    if isinstance(values, torch.Tensor):
        return f"one of type {values.dtype} and shape {tuple(values.shape)}"
    return f"a {type(values).__name__}"


def _varying(array: FloatArray) -> FloatArray:
    varies = array.any(axis=0)
    return array if varies.all() else np.ascontiguousarray(array[:, varies])


def _read_pair(x: object, y: object) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x_values, y_values = read_sample(x, "x"), read_sample(y, "y")
    if len(x_values) != len(y_values):
        raise MistworksError(
            f"x and y must have as many rows as one another, and {len(x_values)} and {len(y_values)} came; "
            "pass the two halves of the same observations"
        )
    return x_values, y_values


def read_sample(values: object, name: str) -> NDArray[np.float64]:
    """One half of a pair, of shape (n,) or (n, d), as it is but in double precision and of shape (n, d).

    Args:
        values: what holds the numbers.
        name: what errors call it.

    Raises:
        MistworksError: the values are not a sample of at least five points with finite numbers.
    """
    if hasattr(values, "columns") and hasattr(values, "iloc"):
        array = _read_frame(values.columns, values.iloc, name)
    else:
        array = _to_float(_to_array(values, name), name)
    if array.ndim == 1:
        array = array[:, None]
    _require_shape(array, name)
    _require_finite(array, name)
    return array


def _read_frame(columns: Iterable[object], cells: Any, name: str) -> NDArray[np.float64]:
    """A DataFrame, read column by column so that a fault can name its column."""
    found = [
        _to_float(_to_array(cells[:, position], name), f"column {label!r} of {name}")
        for position, label in enumerate(columns)
    ]
    return np.stack(found, axis=1) if found else np.empty((len(cells.obj), 0))


def _to_array(values: object, name: str) -> NDArray[Any]:
    if isinstance(values, torch.Tensor):
        tensor = values.detach().cpu()
        return np.asarray(tensor if tensor.is_complex() else tensor.double())
    if isinstance(values, np.ma.MaskedArray):
        return np.where(np.ma.getmaskarray(values), np.nan, values.data)
    try:
        return np.asarray(values)
    except ValueError:
        raise MistworksError(
            f"{name} must be a table with rows of equal length, and rows of different lengths came; pass an "
            "array of shape (n, d)"
        ) from None


def _to_float(array: NDArray[Any], name: str) -> NDArray[np.float64]:
    if array.dtype.kind == "c":
        raise MistworksError(
            f"{name} must hold real numbers, and complex ones came; pass real and imaginary parts as columns"
        )
    if array.dtype.kind == "O":
        array = _from_objects(array, name)
    if array.dtype.kind not in "biuf":
        raise MistworksError(
            f"{name} must hold numbers, and values of type {array.dtype} came; drop them or encode them as "
            "numbers"
        )
    return array.astype(np.float64)


def _from_objects(array: NDArray[Any], name: str) -> NDArray[np.float64]:
    for value in array.ravel():
        missing = value is None or type(value).__name__ == "NAType"
        if not (missing or isinstance(value, Real)):
            raise MistworksError(
                f"{name} must hold numbers, and {value!r} came; drop such values or encode them as numbers"
            )
    numbers = [float(value) if isinstance(value, Real) else np.nan for value in array.ravel()]
    return np.array(numbers, dtype=np.float64).reshape(array.shape)


def _require_shape(array: NDArray[np.float64], name: str) -> None:
    if array.ndim != 2:
        raise MistworksError(
            f"{name} must have one or two axes, (n,) or (n, d), and an array of shape {array.shape} came; "
            "reshape it to one row a point"
        )
    points, dimensions = array.shape
    if points == 0:
        raise MistworksError(f"{name} has no rows; pass at least {MIN_POINTS} points")
    if dimensions == 0:
        raise MistworksError(f"{name} has no columns; pass at least one coordinate")
    if points < MIN_POINTS:
        raise MistworksError(
            f"{name} must have at least {MIN_POINTS} rows, and {points} came; so few say nothing about "
            "dependence, so pass more"
        )
    if dimensions > MAX_DIMENSIONS:
        raise MistworksError(
            f"{name} may have up to {MAX_DIMENSIONS} columns, and {dimensions} came; if points lie along the "
            "second axis pass the transpose, else reduce the dimension first"
        )


def _require_finite(array: NDArray[np.float64], name: str) -> None:
    finite = np.isfinite(array)
    if not finite.all():
        faults = np.argwhere(~finite)
        row, column = faults[0]
        kind = "NaN" if np.isnan(array[row, column]) else "infinity"
        raise MistworksError(
            f"{name} must hold finite numbers, and {len(faults)} are not, the first being {kind} in row "
            f"{row}, column {column}; drop or fill those rows in x and y alike"
        )


def _fit(array: NDArray[np.float64]) -> FloatArray:
    """Columns less their median, in units of the largest deviation; a constant column becomes 0."""
    scaled = array / _largest(array)
    centred = scaled - np.median(scaled, axis=0)
    return np.ascontiguousarray(centred / _largest(centred), dtype=np.float32)


def _ranks(array: NDArray[np.float64]) -> FloatArray:
    columns = np.ascontiguousarray(array.T)
    order = columns.argsort(axis=1)
    ordered = np.take_along_axis(columns, order, axis=1)
    ranks = np.zeros(columns.shape, dtype=np.float32)
    ranks[:, 1:] = np.cumsum(ordered[:, 1:] != ordered[:, :-1], axis=1)
    unordered = np.empty_like(ranks)
    np.put_along_axis(unordered, order, ranks, axis=1)
    return np.ascontiguousarray(unordered.T)


def _largest(array: NDArray[np.float64]) -> NDArray[np.float64]:
    largest = np.abs(array).max(axis=0)
    return np.where(largest > 0, largest, 1.0)
