"""What a report is made of: sections of figures, each with its sentence, and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

EVERY_SUITE = "*"
"""In place of a suite: what does not depend on the suite that is chosen."""

Trace = dict[str, Any]
"""A trace of Plotly without colours, which its estimator and the reader's theme decide."""


@dataclass(frozen=True)
class Panel:
    """One plot.

    Attributes:
        traces: what is drawn.
        layout: of Plotly, without colours and fonts.
        title: above it.
        note: below it.
        estimator: whose panel it is; none if it shows several.
    """

    traces: Sequence[Trace]
    layout: Mapping[str, Any]
    title: str = ""
    note: str = ""
    estimator: str | None = None


@dataclass(frozen=True)
class Figure:
    """Plots that belong together and one sentence of what they show.

    Attributes:
        sentence: computed from what is drawn.
        panels: side by side where there is room.
        choice: whether one estimator is chosen whose panels are shown.
    """

    sentence: str
    panels: Sequence[Panel]
    choice: bool = False


@dataclass(frozen=True)
class Cell:
    """What a table shows, and the value that it is sorted by."""

    text: str
    value: float | str | None = None

    @classmethod
    def number(cls, value: float | None) -> "Cell":
        """A figure; a dash where there is none."""
        missing = value is None or not np.isfinite(value)
        return cls("–") if missing else cls(shown(value), value)

    @classmethod
    def count(cls, value: int) -> "Cell":
        """A whole number."""
        return cls(f"{value:,}", value)

    @classmethod
    def share(cls, value: float | None) -> "Cell":
        """A share in per cent."""
        return cls("–") if value is None or not np.isfinite(value) else cls(percent(value), value)


@dataclass(frozen=True)
class Table:
    """A table that can be sorted by any column.

    Attributes:
        title: above it.
        columns: names.
        rows: the suite whose row it is, or ``EVERY_SUITE``, and the cells.
        text_columns: how many columns from the left are words.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    text_columns: int = 1


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        key: its anchor.
        title: its heading.
        lede: how to read it.
        figures: by suite, or for ``EVERY_SUITE``.
        tables: below the figures.
        absent: said where there is nothing to show.
    """

    key: str
    title: str
    lede: str
    figures: Mapping[str, Sequence[Figure]] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    absent: str = "There is nothing to show."


def numbers(values: ArrayLike, digits: int = 4) -> list[float | None]:
    """Values to so many significant digits, none where they are not finite."""
    return [
        float(f"{value:.{digits}g}") if np.isfinite(value) else None
        for value in np.asarray(values, dtype=np.float64).ravel().tolist()
    ]


def shown(value: float | None) -> str:
    """Three significant digits, without an exponent where that is readable."""
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
    """A share in per cent, with a decimal where it matters."""
    return f"{value:.0%}" if value in (0, 1) or 0.1 <= value <= 0.9 else f"{value:.1%}"


def listed(names: Sequence[str], most: int = 4) -> str:
    """Names in a sentence."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
