"""Tables of pandas, Polars and Arrow, and their columns, read into a table.

Neither is imported: pandas objects are recognised by their attributes, the others by where their type is
defined, and read through narwhals.
"""

import sys
from typing import Any

import numpy as np

from mistworks.errors import MistworksError
from mistworks.preparation.table import Table, joined
from mistworks.preparation.values import (
    column_name,
    read_array,
    read_integers,
    read_labels,
    read_numbers,
    read_times,
    read_values,
    relabelled,
)

_BY_NARWHALS = {"polars", "pyarrow", "narwhals"}


def is_pandas_frame(values: object) -> bool:
    """Whether this is a DataFrame of pandas, or of a package with its interface."""
    return hasattr(values, "columns") and hasattr(values, "iloc")


def is_column(values: object) -> bool:
    """Whether this is a Series or an Index of pandas, or a categorical."""
    return hasattr(values, "dtype") and (hasattr(values, "iloc") or _is_categorical(values))


def is_read_by_narwhals(values: object) -> bool:
    """Whether this is a table or a column of Polars or Arrow."""
    return type(values).__module__.partition(".")[0] in _BY_NARWHALS


def read_pandas_frame(frame: Any, name: str) -> Table:
    """Read a DataFrame of n rows and d columns.

    Raises:
        MistworksError: a column does not hold numbers, dates, durations or class labels.
    """
    labels = tuple(frame.columns)
    types = set(frame.dtypes)
    if len(types) == 1 and isinstance(dtype := types.pop(), np.dtype) and dtype.kind in "biuf":
        return read_numbers(np.asarray(frame).T, name, labels)
    read = [
        read_pandas_column(frame.iloc[:, position], column_name(label, name, len(labels)))
        for position, label in enumerate(labels)
    ]
    if not read:
        return Table(np.empty((0, len(frame))), np.empty(0, dtype=np.bool_), ())
    return relabelled(joined(read), labels)


def read_pandas_column(column: Any, name: str) -> Table:
    """Read a Series, an Index or a categorical.

    Raises:
        MistworksError: it does not hold numbers, dates, durations or class labels.
    """
    table = _read_pandas_column(column, name)
    label = getattr(column, "name", None)
    return table if label is None else relabelled(table, (label,))


def read_by_narwhals(values: Any, name: str) -> Table:
    """Read a table or a column of Polars or Arrow.

    Raises:
        MistworksError: it is not in memory, or a column does not hold numbers, dates, durations or labels.
    """
    import narwhals.stable.v2 as nw

    arrow = sys.modules.get("pyarrow")
    if arrow is not None and isinstance(values, arrow.Array):
        values = arrow.chunked_array([values])
    try:
        native = nw.from_native(values, eager_only=True, allow_series=True)
    except TypeError:
        raise MistworksError(
            f"Expected a table in memory for {name}, got a {type(values).__name__}. Collect it first."
        ) from None
    if isinstance(native, nw.Series):
        table = _read_series(native, name)
        return relabelled(table, (native.name,)) if native.name else table
    labels = tuple(native.columns)
    if not labels:
        return Table(np.empty((0, 0)), np.empty(0, dtype=np.bool_), ())
    read = [_read_series(native[label], column_name(label, name, len(labels))) for label in labels]
    return relabelled(joined(read), labels)


def _is_categorical(values: object) -> bool:
    return getattr(getattr(values, "dtype", None), "name", None) == "category"


def _read_pandas_column(column: Any, name: str) -> Table:
    dtype = column.dtype
    if _is_categorical(column):
        codes = np.asarray(getattr(column, "cat", column).codes)
        values = np.where(codes < 0, np.nan, codes.astype(np.float64))
        return Table(values[None], np.array([not dtype.ordered]), (0,))
    kind = getattr(dtype, "kind", "O")
    if isinstance(dtype, np.dtype):
        return read_values(column, name)
    if kind in "mM":
        # Times with a zone are read in UTC.
        unit = "datetime64" if kind == "M" else "timedelta64"
        return read_array(np.asarray(column, dtype=f"{unit}[{getattr(dtype, 'unit', 'ns')}]"), name)
    if dtype.name.startswith("period"):
        return _read_pandas_column(column.dt.to_timestamp(), name)
    if kind in "biuf" and hasattr(dtype, "numpy_dtype"):
        missing = np.asarray(column.isna(), dtype=np.bool_)
        known = column[~missing].to_numpy(dtype=dtype.numpy_dtype)
        filled = np.zeros(len(column), dtype=known.dtype)
        filled[~missing] = known
        return read_integers(filled, missing, name) if missing.any() else read_numbers(filled[None], name)
    return read_values(column, name)


def _read_series(series: Any, name: str) -> Table:
    """One column, through narwhals."""
    import narwhals.stable.v2 as nw

    dtype = series.dtype
    missing = np.asarray(series.is_null().to_numpy(), dtype=np.bool_)
    if dtype.is_integer() or dtype == nw.Boolean:
        filled = series.fill_null(0 if dtype.is_integer() else False).to_numpy()
        return read_integers(filled, missing, name) if missing.any() else read_numbers(filled[None], name)
    if dtype.is_numeric():
        floats = series if dtype.is_float() else series.cast(nw.Float64)
        return read_numbers(np.where(missing, np.nan, floats.to_numpy())[None], name)
    if dtype in (nw.Date, nw.Datetime, nw.Duration):
        if dtype == nw.Datetime and dtype.time_zone is not None:
            series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        times = series.to_numpy()
        return read_times(np.where(missing, np.array("NaT", dtype=times.dtype), times), name)
    if dtype in (nw.String, nw.Categorical, nw.Enum, nw.Object, nw.Binary):
        labels = np.empty(len(series), dtype=object)
        labels[:] = series.to_list()
        return read_labels(labels, name)
    if dtype == nw.Unknown and missing.all():
        return read_numbers(np.full((1, len(series)), np.nan), name)
    raise MistworksError(
        f"Expected numbers or class labels in {name}, got values of type {dtype}. Drop them or encode them "
        "as numbers."
    )


__all__ = [
    "is_column",
    "is_pandas_frame",
    "is_read_by_narwhals",
    "read_by_narwhals",
    "read_pandas_column",
    "read_pandas_frame",
]
