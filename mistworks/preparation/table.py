"""Columns of numbers and class labels as they were read, with and without missing values."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, TypeVar, get_args, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mistworks.errors import MissingValuesError, MistworksError, warn

MIN_POINTS = 5
DOUBLE_ROUNDING = float(np.finfo(np.float64).eps)

Missing = Literal["raise", "drop", "category"]
"""What happens to missing values: they are an error; rows that have one are left out; or a missing class
label is a class of its own, and a missing number is an error."""

_MOST_NAMED = 3


@dataclass(frozen=True, eq=False, slots=True)
class Table:
    """Columns as they were read, possibly with missing values.

    Attributes:
        values: one column per row, shape (d, n), float64; NaN where a value is missing, never infinite. Class
            labels are numbered from 0, in an order that means nothing. Integers too large for double
            precision are replaced by their ranks among the distinct values.
        nominal: which columns hold class labels, shape (d,).
        labels: names of the columns: their labels in a DataFrame, otherwise their positions.
        rounding: relative rounding error of the coarsest type of number among the columns.
    """

    values: NDArray[np.float64]
    nominal: NDArray[np.bool_]
    labels: tuple[Hashable, ...]
    rounding: float = DOUBLE_ROUNDING

    @property
    def shape(self) -> tuple[int, int]:
        """Number of points and of columns, as of an array of shape (n, d)."""
        return self.values.shape[1], self.values.shape[0]

    def __len__(self) -> int:
        return int(self.values.shape[1])

    def rows(self, rows: NDArray[np.intp]) -> Self:
        """Return the points at these positions."""
        return replace(self, values=np.ascontiguousarray(self.values[:, rows]))

    def columns(self, chosen: Sequence[int] | NDArray[Any]) -> Self:
        """Return the columns at these positions, or where a mask is true."""
        positions = np.arange(len(self.nominal))[chosen]
        return replace(
            self,
            values=self.values[positions],
            nominal=self.nominal[positions],
            labels=tuple(self.labels[position] for position in positions.tolist()),
        )

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Which values are missing, shape (d, n)."""
        return np.isnan(self.values)

    def position(self, name: Hashable, what: str) -> int:
        """Return the position of a column.

        Args:
            name: its label.
            what: what errors call the table.

        Raises:
            MistworksError: no column has this name, or several have.
        """
        places = [place for place, label in enumerate(self.labels) if label == name]
        if len(places) == 1:
            return places[0]
        got = f"which {len(places)} columns have" if places else "which is none"
        raise MistworksError(
            f"Expected the name of one column of {what}, got {name!r}, {got}. "
            f"Choose among {_listed(self.labels)}."
        )

    def with_classes(self, names: Iterable[Hashable]) -> Self:
        """Return the table with the columns of these names, where it has them, as class labels."""
        wanted = set(names)
        chosen = np.array([label in wanted for label in self.labels], dtype=np.bool_) & ~self.nominal
        if not chosen.any():
            return self
        values = self.values.copy()
        for position in np.flatnonzero(chosen):
            values[position] = _numbered(values[position])
        return replace(self, values=values, nominal=self.nominal | chosen)


class Side(Table):
    """Columns without missing values: one side of a sample, X, Y or what is given.

    `numpy.asarray` turns it into an array of shape (n, d).
    """

    __slots__ = ()

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.values.T, dtype=dtype, copy=copy)


AnyTable = TypeVar("AnyTable", bound=Table)


@overload
def joined(tables: Sequence[Side]) -> Side: ...
@overload
def joined(tables: Sequence[Table]) -> Table: ...
def joined(tables: Sequence[Table]) -> Table:
    """Return the columns of all tables beside one another; a `Side` if all are."""
    kind = Side if all(isinstance(table, Side) for table in tables) else Table
    return kind(
        np.concatenate([table.values for table in tables]),
        np.concatenate([table.nominal for table in tables]),
        tuple(label for table in tables for label in table.labels),
        max(table.rounding for table in tables),
    )


def random_part(
    tables: Sequence[AnyTable], most: int, what: str, rng: "np.random.Generator"
) -> list[AnyTable]:
    """Return at most so many rows of tables of the same rows, in their order.

    Args:
        tables: each of n rows.
        most: number of rows beyond which a random part is taken.
        what: what uses no more, in the warning.
        rng: chooses the part.

    Warns:
        MistworksWarning: a part was taken.
    """
    n = len(tables[0])
    if n <= most:
        return list(tables)
    warn(f"{what} uses up to {most:,} rows, and a random part of the {n:,} was used")
    rows = np.sort(rng.choice(n, most, replace=False))
    return [table.rows(rows) for table in tables]


def complete(
    tables: Sequence[Table], names: Sequence[str], missing: Missing = "raise"
) -> tuple[list[Side], NDArray[np.intp] | None]:
    """Return tables of the same rows without missing values.

    Args:
        tables: each of n rows.
        names: what errors call each.
        missing: see `Missing`.

    Returns:
        The tables, and the positions of the rows that are left; None if all are.

    Raises:
        MistworksError: values are missing and missing is ``"raise"``, numbers are missing and missing is
            ``"category"``, or fewer than five rows are left.
    """
    if missing not in get_args(Missing):
        raise MistworksError(f"Expected missing to be raise, drop or category, got {missing!r}.")
    if missing == "category":
        tables = [_with_missing_classes(table) for table in tables]
    left = np.ones(len(tables[0]), dtype=np.bool_)
    for table in tables:
        # One pass where all is well: a sum is a number unless a term is none.
        with np.errstate(over="ignore"):
            if np.isnan(table.values.sum()):
                left &= ~table.missing.any(axis=0)
    if left.all():
        return [_side(table) for table in tables], None
    if missing != "drop":
        _refuse(tables, names, missing)
    rows = np.flatnonzero(left)
    if len(rows) < MIN_POINTS:
        raise MistworksError(
            f"Expected at least {MIN_POINTS} rows without missing values in {' and '.join(names)}, got "
            f"{len(rows):,} of {len(left):,}. Fill missing values, or leave out columns with many."
        )
    return [_side(table.rows(rows)) for table in tables], rows


def row_numbers(side: Side) -> list[int]:
    """Return the positions of columns of class labels that differ in every row: they tell nothing."""
    return [
        column
        for column in np.flatnonzero(side.nominal).tolist()
        if len(set(side.values[column].tolist())) == len(side)
    ]


def require_repeated_classes(sides: Sequence[Side], names: Sequence[str]) -> None:
    """Refuse columns of class labels that number the rows.

    Args:
        sides: each of n rows.
        names: what errors call each.

    Raises:
        MistworksError: a column of class labels has n classes.
    """
    for side, name in zip(sides, names, strict=True):
        for column in row_numbers(side):
            where = name if side.labels == (0,) else f"column {side.labels[column]!r} of {name}"
            raise MistworksError(
                f"Expected classes that several rows have in {where}, got {len(side):,} classes in "
                f"{len(side):,} rows. Leave out columns that number the rows, or pass them as numbers."
            )


def _side(table: Table) -> Side:
    return (
        table if isinstance(table, Side) else Side(table.values, table.nominal, table.labels, table.rounding)
    )


def _with_missing_classes(table: Table) -> Table:
    holes = table.missing & table.nominal[:, None]
    if not holes.any():
        return table
    # Codes are numbered from 0, so that the largest plus 1 is free.
    free = np.nanmax(table.values, axis=1, initial=-1.0, keepdims=True) + 1
    return replace(table, values=np.where(holes, free, table.values))


def _refuse(tables: Sequence[Table], names: Sequence[str], missing: Missing) -> None:
    for table, name in zip(tables, names, strict=True):
        holes = table.missing
        if not holes.any():
            continue
        first = int(holes.any(axis=0).argmax())
        got = f"{holes.sum():,}{_of_columns(table, holes.sum(axis=1))}, the first in row {first:,}"
        if missing == "category":
            raise MissingValuesError(
                f"Expected missing values in columns of class labels only, got {got}, of {name}.",
                "missing numbers",
            )
        raise MissingValuesError(f"Expected no missing values in {name}, got {got}.", "them")


def _of_columns(table: Table, counts: NDArray[Any]) -> str:
    if len(counts) == 1 and table.labels == (0,):
        return ""
    faulty = np.flatnonzero(counts).tolist()
    if len(faulty) == 1:
        return f" in column {table.labels[faulty[0]]!r}"
    named = [f"{counts[column]:,} in column {table.labels[column]!r}" for column in faulty[:_MOST_NAMED]]
    others = f", and {len(faulty) - _MOST_NAMED} more columns" if len(faulty) > _MOST_NAMED else ""
    return f" ({', '.join(named)}{others})"


def _numbered(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return codes from 0 of the distinct values of a column, NaN where it is."""
    codes = np.full(len(column), np.nan)
    known = ~np.isnan(column)
    codes[known] = np.unique(column[known], return_inverse=True)[1]
    return codes


def _listed(labels: Sequence[Hashable]) -> str:
    return f"{', '.join(map(repr, labels[:10]))}{', …' * (len(labels) > 10)}"


__all__ = [
    "DOUBLE_ROUNDING",
    "MIN_POINTS",
    "Missing",
    "Side",
    "Table",
    "complete",
    "joined",
    "random_part",
    "require_repeated_classes",
    "row_numbers",
]
