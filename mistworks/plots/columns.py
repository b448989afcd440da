"""What of each side of a sample is drawn: one column of numbers, dates or classes."""

from collections.abc import Collection, Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mistworks.extras import imported
from mistworks.plots.style import short
from mistworks.preparation.pairing import paired
from mistworks.preparation.reading import read_sides, read_table
from mistworks.preparation.scores import normal_scores
from mistworks.preparation.table import Missing, Side, Table, require_repeated_classes

MOST_CLASSES = 10
"""Of more classes, the most frequent are drawn, and the others together."""


@dataclass(frozen=True)
class Column:
    """One column to draw.

    Attributes:
        values: shape (n,): numbers, days since 1970 of dates, or positions of class names.
        name: what the axis is called.
        note: what a reader must know of it besides, or nothing.
        classes: names of classes, in the order they are drawn in; None for numbers.
        dates: whether the numbers are dates.
    """

    values: NDArray[np.float64]
    name: str
    note: str = ""
    classes: tuple[str, ...] | None = None
    dates: bool = False

    @property
    def codes(self) -> NDArray[np.intp]:
        """Positions of class names, shape (n,)."""
        return self.values.astype(np.intp)

    @property
    def scores(self) -> "Column":
        """The same with numbers replaced by their normal scores Φ⁻¹(rank / (n + 1)); classes as they are."""
        if self.classes is not None:
            return self
        return replace(
            self, values=normal_scores(self.values[None])[0], name=f"normal score of {self.name}", dates=False
        )


def read_columns(
    x: object, y: object, missing: Missing, classes: Collection[Hashable], given: object | None = None
) -> tuple[Column, Column, list[Side]]:
    """Read a sample; return what is drawn of X and of Y, and all sides whole.

    Raises:
        MistworksError: x and y are not a sample, or values are missing.
    """
    y = paired(x, y, "x", "y")
    tables = [read_table(x, "x"), read_table(y, "y")]
    named: list[tuple[str, object]] = [("x", tables[0]), ("y", tables[1])]
    if given is not None:
        named.append(("given", read_table(paired(x, given, "x", "given"), "given")))
    sides = read_sides(named, missing=missing, classes=classes)
    require_repeated_classes(sides, [name for name, _ in named])
    drawn = [
        _drawn(side, table.with_classes(classes), values, name)
        for side, table, values, name in zip(sides[:2], tables, (x, y), "xy", strict=True)
    ]
    return drawn[0], drawn[1], sides


def _drawn(side: Side, table: Table, values: object, name: str) -> Column:
    count = len(side.nominal)
    if count > 1 and not side.nominal.any():
        return Column(
            _principal_component(side.values),
            f"first component of {name}",
            f"{name}: first principal component of {count} columns",
        )
    label = side.labels[0]
    shown = name if count == 1 and label == 0 else short(str(label), 30)
    note = f"{name}: the first of {count} columns" if count > 1 else ""
    if side.nominal[0]:
        return _ordered(Column(side.values[0], shown, note), _class_names(side, table, values))
    days = _days(values, side.values[0])
    return Column(side.values[0] if days is None else days, shown, note, dates=days is not None)


def _principal_component(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """The first principal component of the normal scores of columns of shape (d, n), shape (n,)."""
    scores = normal_scores(columns)
    direction = np.linalg.eigh(scores @ scores.T)[1][:, -1]
    # The sign says nothing; the same one each time.
    return np.asarray(np.sign(direction[np.abs(direction).argmax()]) * direction @ scores)


def _class_names(side: Side, table: Table, values: object) -> list[str]:
    """The name of each code of the first column."""
    codes, rows = np.unique(table.values[0], return_index=True)
    row_of = {code: row for code, row in zip(codes.tolist(), rows.tolist(), strict=True) if code == code}
    count = int(side.values[0].max()) + 1
    return [
        _text(_cell(values, row_of[code], code)) if code in row_of else "missing"
        for code in map(float, range(count))
    ]


def _cell(values: Any, row: int, code: float) -> object:
    """What the user wrote in a row of the first column."""
    if isinstance(values, Table):
        return code
    if hasattr(values, "iloc"):
        return values.iloc[row] if values.ndim == 1 else values.iloc[row, 0]
    if type(values).__module__.partition(".")[0] in {"polars", "pyarrow", "narwhals"}:
        import narwhals.stable.v2 as nw

        native = nw.from_native(values, eager_only=True, allow_series=True)
        return (native if isinstance(native, nw.Series) else native[:, 0])[row]
    array = np.asarray(values, dtype=object)
    return array[row] if array.ndim == 1 else array[row, 0]


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, float | np.floating) and value == int(value) else str(value)


def _ordered(column: Column, names: list[str]) -> Column:
    """Put classes in the order of their names; of many, the most frequent and the others together."""
    counts = np.bincount(column.codes, minlength=len(names))
    present = [code for code in np.argsort(-counts, kind="stable").tolist() if counts[code]]
    kept = present if len(present) <= MOST_CLASSES else present[: MOST_CLASSES - 1]
    kept = sorted(kept, key=lambda code: _natural(names[code]))
    places = np.full(len(names), len(kept))
    places[kept] = np.arange(len(kept))
    shown = [short(names[code]) for code in kept]
    if others := len(present) - len(kept):
        shown.append(f"{others:,} others")
    return replace(column, values=places[column.codes].astype(np.float64), classes=tuple(shown))


def _natural(name: str) -> tuple[int, float, str]:
    try:
        return 0, float(name), name
    except ValueError:
        return 1, 0.0, name


def _days(values: Any, ticks: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Dates of pandas as days since 1970, from ticks since the earliest; None for anything else."""
    if not hasattr(values, "iloc"):
        return None
    column = values if values.ndim == 1 else values.iloc[:, 0]
    if getattr(column.dtype, "kind", "") != "M":
        return None
    pd = imported("pandas", "a plot")
    earliest = column.min()
    earliest = earliest if earliest.tzinfo is None else earliest.tz_convert(None)
    unit = getattr(column.dtype, "unit", None) or np.datetime_data(column.dtype)[0]
    day = pd.Timedelta(1, "D") / pd.Timedelta(1, unit)
    return np.asarray((earliest - pd.Timestamp(0)) / pd.Timedelta(1, "D") + ticks / day)


__all__ = ["MOST_CLASSES", "Column", "read_columns"]
