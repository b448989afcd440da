"""Which columns were selected, in which order, and how surely."""

import html
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mistworks.estimation.estimate import Estimate
from mistworks.extras import imported

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_COLOUR = "#0072b2"


class SelectedColumn(NamedTuple):
    """One column of a selection.

    Attributes:
        name: what it is called: its label in a table, else its position.
        position: where it is among the columns of X.
        gain: conditional mutual information I(column; y | columns before it), with its interval.
        total: I(columns up to this one; y), with its interval.
        p_value: of the test whether the best of the columns that were left, or the best pair of them, tells
            more of y than chance; an upper bound where the test stopped early.
        permutations: how many samples were permuted for it.
        in_pair: whether the column was found together with the one before or after it, since neither tells
            anything significant by itself.
    """

    name: Hashable
    position: int
    gain: Estimate
    total: Estimate
    p_value: float
    permutations: int
    in_pair: bool


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Selection:
    """Columns that tell about a target, in the order in which they were selected.

    Iteration gives their names, so that ``X[list(selection)]`` is the DataFrame of the selected columns.

    Attributes:
        columns: the selected columns.
        stopped: why no more were selected.
        n_columns: how many columns there were.
        n_used: number of rows that were used.
        alpha: level of the tests.
        level: level of the intervals that are shown.
    """

    columns: tuple[SelectedColumn, ...]
    stopped: str
    n_columns: int
    n_used: int
    alpha: float
    level: float

    @property
    def names(self) -> tuple[Hashable, ...]:
        """What the selected columns are called."""
        return tuple(column.name for column in self.columns)

    @property
    def positions(self) -> tuple[int, ...]:
        """Where the selected columns are in X."""
        return tuple(column.position for column in self.columns)

    @property
    def gains(self) -> tuple[Estimate, ...]:
        """I(column; y | columns before it) of each selected column, in nats."""
        return tuple(column.gain for column in self.columns)

    @property
    def p_values(self) -> tuple[float, ...]:
        """The p-value with which each was selected."""
        return tuple(column.p_value for column in self.columns)

    @property
    def total(self) -> Estimate:
        """I(all selected columns; y) in nats; 0 without a quantile if none was selected."""
        return self.columns[-1].total if self.columns else Estimate(0.0, n_used=self.n_used)

    def __len__(self) -> int:
        return len(self.columns)

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self.names)

    def to_frame(self) -> "pd.DataFrame":
        """A DataFrame with a row for each selected column, in order.

        Its columns are ``position``; ``gain``, ``lower``, ``upper`` and ``total`` in nats; ``p_value`` and
        ``in_pair``.

        Raises:
            MistworksError: pandas is not installed.
        """
        pandas = imported("pandas", "a DataFrame")
        rows = {
            "position": self.positions,
            "gain": [column.gain.mi for column in self.columns],
            "lower": [ends(column.gain, self.level)[0] for column in self.columns],
            "upper": [ends(column.gain, self.level)[1] for column in self.columns],
            "total": [column.total.mi for column in self.columns],
            "p_value": self.p_values,
            "in_pair": [column.in_pair for column in self.columns],
        }
        # Names that are tuples would otherwise become several levels.
        index = pandas.Index(self.names, name="column", tupleize_cols=False)
        frame: pd.DataFrame = pandas.DataFrame(rows, index=index)
        return frame

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw what each selected column tells beyond those above it, with its interval, the first on top.

        Arrows are intervals without an upper end.

        Args:
            ax: where to draw; None for new axes in a new figure of pyplot.

        Raises:
            MistworksError: matplotlib is not installed.
        """
        from mistworks.plots.style import new_axes

        ax = new_axes(ax)
        places = np.arange(len(self))
        values = np.array([column.gain.mi for column in self.columns])
        low, high = np.array([ends(column.gain, self.level) for column in self.columns]).reshape(-1, 2).T
        unbounded = np.isposinf(high)
        ax.hlines(places, low, np.where(unbounded, values, high), color=_COLOUR, linewidth=3)
        ax.plot(values, places, "o", color=_COLOUR)
        ax.set_yticks(places, [str(name) for name in self.names])
        ax.set_ylim(max(len(self), 1) - 0.5, -0.5)
        ax.set_xlim(0, 1.3 * values.max() if unbounded.any() else None)
        for place in np.flatnonzero(unbounded):
            ax.annotate("", (1, place), (values[place], place), ax.get_yaxis_transform(), "data", _ARROW)
        if not self.columns:
            ax.text(0.5, 0.5, "no column is selected", transform=ax.transAxes, ha="center", va="center")
        ax.set_xlabel(f"gain in nats, {100 * self.level:g} % interval")
        return ax

    def __repr__(self) -> str:
        head = f"Selection: {len(self)} of {self.n_columns} columns, n = {self.n_used:,}"
        if not self.columns:
            return f"{head}; {self.stopped}"
        width = max(6, *(len(str(name)) for name in self.names))
        lines = [f"{'column':<{width}}   gain in nats, {100 * self.level:g} % interval    total   p at most"]
        for column in self.columns:
            low, high = ends(column.gain, self.level)
            interval = f"[{low:.3f}, {high:.3f}]"
            lines.append(
                f"{column.name!s:<{width}}   {column.gain.mi:.3f}  {interval:<20}  {column.total.mi:7.3f}"
                f"   {column.p_value:.2g}{', in a pair' * column.in_pair}"
            )
        return "\n".join([head, *lines, f"Stopped: {self.stopped}."])

    def _repr_html_(self) -> str:
        """A table, for notebooks."""
        rows = []
        for column in self.columns:
            low, high = ends(column.gain, self.level)
            cells = (
                str(column.name), f"{column.gain.mi:.3f}", f"{low:.3f} to {high:.3f}",
                f"{column.total.mi:.3f}", f"{column.p_value:.2g}", "yes" if column.in_pair else "",
            )  # fmt: skip
            rows.append(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>")
        titles = (
            "column", "gain in nats", f"{100 * self.level:g} % interval", "total in nats", "p", "in a pair"
        )  # fmt: skip
        head = "".join(f"<th>{title}</th>" for title in titles)
        caption = f"{len(self)} of {self.n_columns} columns, n = {self.n_used:,}. Stopped: {self.stopped}."
        return (
            f"<table><caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>"
        )


def ends(estimate: Estimate, level: float) -> tuple[float, float]:
    """Return the ends of an interval in nats; NaN for an estimate without quantiles."""
    return (np.nan, np.nan) if estimate.quantiles is None else estimate.interval(level)


_ARROW = {"arrowstyle": "->", "color": _COLOUR, "linewidth": 3}

__all__ = ["SelectedColumn", "Selection", "ends"]
