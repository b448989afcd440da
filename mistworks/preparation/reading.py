"""Read a user's numbers and class labels into one side of a sample.

Arrays, tensors, lists and tables of pandas, Polars and Arrow are read alike by every public function:

- Columns of strings, and categories without an order, hold class labels.
- Numbers, integers and truth values (0 and 1) are numbers, unless they are named as classes; ordered
  categories are the numbers of their positions.
- Dates and times are numbers since the earliest of them, durations are numbers.
- None, NaN and the missing values of each package are missing values; see `mistworks.preparation.table`.

Needs NumPy alone for arrays and lists: a tensor or a DataFrame is recognised without importing the package it
comes from.
"""

import sys
from collections.abc import Collection, Hashable, Sequence

from mistworks.errors import MistworksError
from mistworks.preparation.frames import (
    is_column,
    is_pandas_frame,
    is_read_by_narwhals,
    read_by_narwhals,
    read_pandas_column,
    read_pandas_frame,
)
from mistworks.preparation.pairing import paired
from mistworks.preparation.table import MIN_POINTS, Missing, Side, Table, complete
from mistworks.preparation.values import read_values

MAX_COLUMNS = 512


def read_table(values: object, name: str = "X", *, classes: Collection[Hashable] = ()) -> Table:
    """Read numbers and class labels of shape (n,) or (n, d), with missing values.

    Args:
        values: an array, tensor, list, or a table or column of pandas, Polars or Arrow; or a `Table`.
        name: what errors call it.
        classes: names of columns of numbers that are class labels.

    Raises:
        MistworksError: the values are not such, are infinite, or a class is no column.
    """
    table = _read(values, name)
    classes = _as_names(classes)
    _require_classes(classes, [table], [name])
    return table.with_classes(classes)


def read_tables(
    sides: Sequence[tuple[str, object]],
    *,
    classes: Collection[Hashable] = (),
    max_columns: int | None = MAX_COLUMNS,
) -> list[Table]:
    """Read several sides of one sample, with missing values.

    Rows of pandas objects are paired by their index, of all others by position.

    Args:
        sides: what errors call each, and what holds it.
        classes: names of columns of numbers that are class labels.
        max_columns: the largest number of columns of a side; None for no limit.

    Raises:
        MistworksError: one is not a side of a sample, they differ in their number of rows or in their index,
            or a class is no column.
    """
    names = [name for name, _ in sides]
    first = sides[0][1]
    tables = [_read(first, names[0])]
    tables += [_read(paired(first, values, names[0], name), name) for name, values in sides[1:]]
    for table, name in zip(tables, names, strict=True):
        _require_shape(table, name, max_columns)
    _require_equal_rows(tables, names)
    classes = _as_names(classes)
    if classes:
        _require_classes(classes, tables, names)
        tables = [table.with_classes(classes) for table in tables]
    return tables


def read_sides(
    sides: Sequence[tuple[str, object]],
    *,
    missing: Missing = "raise",
    classes: Collection[Hashable] = (),
    max_columns: int | None = MAX_COLUMNS,
) -> list[Side]:
    """Read several sides of one sample, of the same rows without missing values: see `read_tables`.

    Args:
        sides: what errors call each, and what holds it.
        missing: see `mistworks.preparation.table.Missing`.
        classes: names of columns of numbers that are class labels.
        max_columns: the largest number of columns of a side; None for no limit.

    Raises:
        MistworksError: as for `read_tables`, or values are missing.
    """
    tables = read_tables(sides, classes=classes, max_columns=max_columns)
    return complete(tables, [name for name, _ in sides], missing)[0]


def read_pair(
    x: object,
    y: object,
    name: str = "x",
    max_columns: int | None = MAX_COLUMNS,
    *,
    missing: Missing = "raise",
    classes: Collection[Hashable] = (),
) -> tuple[Side, Side]:
    """Read both sides of a sample: see `read_sides`.

    Args:
        x: n points of X.
        y: n points of Y.
        name: what errors call X.
        max_columns: the largest number of columns of X and of y; None for no limit.
        missing: see `mistworks.preparation.table.Missing`.
        classes: names of columns of numbers that are class labels.

    Raises:
        MistworksError: as for `read_sides`.
    """
    sides = read_sides([(name, x), ("y", y)], missing=missing, classes=classes, max_columns=max_columns)
    return sides[0], sides[1]


def read_side(values: object, name: str, max_columns: int | None = MAX_COLUMNS) -> Side:
    """Read numbers and class labels of shape (n,) or (n, d) without missing values.

    Args:
        values: an array, tensor, list, or a table or column of pandas, Polars or Arrow; or a `Side`, which is
            returned as it is.
        name: name of the side in errors.
        max_columns: maximum number of columns; None for no limit.

    Raises:
        MistworksError: the values are not at least five points of finite numbers and class labels.
    """
    return read_sides([(name, values)], max_columns=max_columns)[0]


def _read(values: object, name: str) -> Table:
    if isinstance(values, Table):
        return values
    _refuse_sparse(values, name)
    if is_read_by_narwhals(values):
        return read_by_narwhals(values, name)
    if is_pandas_frame(values):
        return read_pandas_frame(values, name)
    return read_pandas_column(values, name) if is_column(values) else read_values(values, name)


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


def _require_shape(table: Table, name: str, max_columns: int | None) -> None:
    points, columns = table.shape
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
            "second axis pass the transpose, else pass reduce='pca' to mistworks.estimate."
        )


def _require_equal_rows(tables: Sequence[Table], names: Sequence[str]) -> None:
    for table, name in zip(tables[1:], names[1:], strict=True):
        if len(table) != len(tables[0]):
            raise MistworksError(
                f"Expected {names[0]} and {name} with the same number of rows, got {len(tables[0]):,} and "
                f"{len(table):,}. Pass paired observations."
            )


def _as_names(classes: Collection[Hashable]) -> list[Hashable]:
    return [classes] if isinstance(classes, str) else list(classes)


def _require_classes(classes: Sequence[Hashable], tables: Sequence[Table], names: Sequence[str]) -> None:
    for each in classes:
        holders = [name for table, name in zip(tables, names, strict=True) if each in table.labels]
        if not holders:
            known = [repr(label) for table in tables for label in table.labels]
            raise MistworksError(
                f"Expected classes to be names of columns of {' or '.join(names)}, got {each!r}. Choose "
                f"among {', '.join(known[:10])}{', …' * (len(known) > 10)}."
            )
        if len(holders) > 1 and isinstance(each, int):
            raise MistworksError(
                f"Expected classes to be names of columns, got {each}, a position in both "
                f"{' and '.join(holders)}. Pass tables with named columns, or the labels as strings."
            )


__all__ = [
    "MAX_COLUMNS",
    "MIN_POINTS",
    "Missing",
    "Side",
    "Table",
    "read_pair",
    "read_side",
    "read_sides",
    "read_table",
    "read_tables",
]
