"""The content of a report: sections with figures, their sentences, and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

EVERY_SUITE = "*"
"""Placeholder for content that does not depend on the chosen suite."""

Trace = dict[str, Any]
"""A trace of Plotly without colours: those depend on its estimator and the theme of the reader."""


@dataclass(frozen=True)
class Panel:
    """One plot.

    Attributes:
        traces: the traces.
        layout: layout of Plotly, without colours and fonts.
        title: text above the panel.
        note: text below the panel.
        estimator: the estimator of the panel; None if it shows several.
    """

    traces: Sequence[Trace]
    layout: Mapping[str, Any]
    title: str = ""
    note: str = ""
    estimator: str | None = None


@dataclass(frozen=True)
class Figure:
    """Plots that belong together, with one sentence about them.

    Attributes:
        sentence: the finding, computed from the plotted data.
        panels: shown side by side if there is room.
        choice: whether only the panels of one chosen estimator are shown.
    """

    sentence: str
    panels: Sequence[Panel]
    choice: bool = False


@dataclass(frozen=True)
class Cell:
    """The text of a cell, and the value to sort by."""

    text: str
    value: float | str | None = None

    @classmethod
    def number(cls, value: float | None) -> "Cell":
        """A number; a dash if it is missing."""
        missing = value is None or not np.isfinite(value)
        return cls("–") if missing else cls(shown(value), value)

    @classmethod
    def count(cls, value: int) -> "Cell":
        """An integer."""
        return cls(f"{value:,}", value)

    @classmethod
    def share(cls, value: float | None) -> "Cell":
        """A share in per cent."""
        return cls("–") if value is None or not np.isfinite(value) else cls(percent(value), value)


@dataclass(frozen=True)
class Table:
    """A table that can be sorted by any column.

    Attributes:
        title: text above the table.
        columns: names of columns.
        rows: the suite of each row, or ``EVERY_SUITE``, and its cells.
        text_columns: number of columns from the left that hold words.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    text_columns: int = 1


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        key: anchor.
        title: heading.
        lede: how to read the section.
        figures: figures by suite, or for ``EVERY_SUITE``.
        tables: tables below the figures.
        absent: text shown without content.
    """

    key: str
    title: str
    lede: str
    figures: Mapping[str, Sequence[Figure]] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    absent: str = "There is nothing to show."


def numbers(values: ArrayLike, digits: int = 4) -> list[float | None]:
    """Round values to significant digits; None if they are not finite."""
    return [
        float(f"{value:.{digits}g}") if np.isfinite(value) else None
        for value in np.asarray(values, dtype=np.float64).ravel().tolist()
    ]


def shown(value: float | None) -> str:
    """Format with three significant digits, without an exponent if possible."""
    if value is None or not np.isfinite(value):
        return "–"
    return f"−{_magnitude(-value)}" if value < 0 else _magnitude(value)


def _magnitude(value: float) -> str:
    if value == 0:
        return "0"
    if 1e-4 <= value < 1e5:
        text = np.format_float_positional(value, precision=3, unique=False, fractional=False, trim="-")
        return f"{float(text):,.0f}" if value >= 1_000 else text
    return f"{value:.2e}"


def percent(value: float) -> str:
    """Format a share in per cent, with a decimal near 0 and 100 %."""
    return f"{value:.0%}" if value in (0, 1) or 0.1 <= value <= 0.9 else f"{value:.1%}"


def listed(names: Sequence[str], most: int = 4) -> str:
    """List names in a sentence."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


__all__ = [
    "EVERY_SUITE",
    "Cell",
    "Figure",
    "Panel",
    "Section",
    "Table",
    "Trace",
    "listed",
    "numbers",
    "percent",
    "shown",
]
