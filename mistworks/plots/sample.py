"""Pictures of a sample: as it is, and without its margins."""

from collections.abc import Collection, Hashable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mistworks.extras import imported
from mistworks.plots.columns import Column, read_columns
from mistworks.plots.style import BLUE, INK, SMALL, SOFT, TEXT, density_colours, new_axes
from mistworks.preparation.table import Missing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

_MOST_POINTS = 3_000
_MOST_DISTINCT = 40
_MOST_IN_STRIP = 200
_GOLDEN = (np.sqrt(5) - 1) / 2


def plot_sample(
    x: object,
    y: object,
    ax: "Axes | None" = None,
    *,
    missing: Missing = "raise",
    classes: Collection[Hashable] = (),
) -> "Axes":
    """Draw a sample: points, a density of many points, boxes of classes, or the table of two classes.

    Up to 3,000 points are drawn one by one, more as hexagons, the darker the more they hold, on a logarithmic
    scale. Where both columns have few distinct values, the area of a point is how often they occur. Axes
    leave out the far tails; the title says how many points are beyond. Of more than 10 classes the most
    frequent are drawn. Of several columns of numbers on one side their first principal component is drawn,
    after each was replaced by its normal scores; of several columns with classes, the first column.

    Args:
        x: n points of X, as for `mistworks.estimate`.
        y: n points of Y.
        ax: where to draw; new axes in a new figure of pyplot if None.
        missing: see `mistworks.estimate`.
        classes: names of columns of numbers that are class labels.

    Raises:
        MistworksError: x and y are not a sample, values are missing, or matplotlib is not installed.
    """
    x_column, y_column, _ = read_columns(x, y, missing, classes)
    return draw_sample(x_column, y_column, new_axes(ax))


def plot_normal_scores(
    x: object,
    y: object,
    ax: "Axes | None" = None,
    *,
    missing: Missing = "raise",
    classes: Collection[Hashable] = (),
) -> "Axes":
    """Draw a sample without its margins, on which mutual information does not depend.

    Numbers are replaced by their normal scores Φ⁻¹(rank / (n + 1)): what is left is the dependence, without
    tails and scales. Two columns of classes have no ranks: drawn is how often each pair of them occurs,
    divided by how often it would if they were independent, on a logarithmic scale of colours.

    Args:
        x: n points of X, as for `mistworks.estimate`.
        y: n points of Y.
        ax: where to draw; new axes in a new figure of pyplot if None.
        missing: see `mistworks.estimate`.
        classes: names of columns of numbers that are class labels.

    Raises:
        MistworksError: as for `plot_sample`.
    """
    x_column, y_column, _ = read_columns(x, y, missing, classes)
    return draw_normal_scores(x_column, y_column, new_axes(ax))


def draw_sample(x: Column, y: Column, ax: "Axes") -> "Axes":
    """Draw two columns as they are."""
    n = len(x.values)
    title = [f"sample of {n:,} rows"]
    if x.classes is not None and y.classes is not None:
        _heat_map(ax, x, y, _counts(x, y), relative=False)
    elif x.classes is not None or y.classes is not None:
        outside = _boxes(ax, x, y)
        title += _beyond(outside)
    else:
        outside = _points(ax, x, y)
        title += _beyond(outside)
    title += [column.note for column in (x, y) if column.note]
    return _labelled(ax, x, y, "\n".join(title))


def draw_normal_scores(x: Column, y: Column, ax: "Axes") -> "Axes":
    """Draw two columns without their margins."""
    if x.classes is not None and y.classes is not None:
        counts = _counts(x, y)
        expected = counts.sum(axis=0) * counts.sum(axis=1, keepdims=True) / counts.sum()
        _heat_map(ax, x, y, counts / expected, relative=True)
        return _labelled(ax, x, y, "occurs … times as often as\nif independent")
    if x.classes is None and y.classes is None:
        _points(ax, x.scores, y.scores)
        most = 1.08 * max(float(np.abs(column.scores.values).max()) for column in (x, y))
        ax.set_xlim(-most, most)
        ax.set_ylim(-most, most)
    else:
        _boxes(ax, x.scores, y.scores)
    return _labelled(ax, x.scores, y.scores, "without margins: normal scores")


def _points(ax: "Axes", x: Column, y: Column) -> int:
    """Draw numbers; return how many points are beyond the axes."""
    n = len(x.values)
    x_ends, y_ends = _ends(x.values), _ends(y.values)
    if _distinct(x.values) <= _MOST_DISTINCT and _distinct(y.values) <= _MOST_DISTINCT:
        places, counts = np.unique(np.stack([x.values, y.values]), axis=1, return_counts=True)
        ax.scatter(places[0], places[1], s=260 * counts / counts.max(), color=BLUE, alpha=0.75, linewidths=0)
    elif n <= _MOST_POINTS:
        size = float(np.clip(5_000 / n, 5, 22))
        ax.scatter(x.values, y.values, s=size, color=BLUE, alpha=0.55 if n < 1_000 else 0.35, linewidths=0)
    else:
        norm = imported("matplotlib.colors", "a plot").LogNorm(1)
        ax.hexbin(
            x.values,
            y.values,
            gridsize=(52, 30),
            extent=(*x_ends, *y_ends),
            mincnt=1,
            norm=norm,
            cmap=density_colours(),
            linewidths=0.15,
        )
    ax.set_xlim(*x_ends)
    ax.set_ylim(*y_ends)
    outside = _outside(x.values, x_ends) | _outside(y.values, y_ends)
    return int(outside.sum())


def _boxes(ax: "Axes", x: Column, y: Column) -> int:
    """Draw numbers by class, with the points of small classes; return how many are beyond the axes."""
    upright = x.classes is not None
    by, numbers = (x, y.values) if upright else (y, x.values)
    ends = _ends(numbers)
    groups = [numbers[by.codes == code] for code in range(len(by.classes or ()))]
    ax.boxplot(
        groups,
        positions=range(len(groups)),
        orientation="vertical" if upright else "horizontal",
        widths=0.6,
        showfliers=False,
        medianprops={"color": INK, "linewidth": 1.6},
        boxprops={"color": BLUE},
        whiskerprops={"color": BLUE},
        capprops={"color": BLUE},
        manage_ticks=False,
    )
    for place, group in enumerate(groups):
        # Spread by equal steps: the same picture each time.
        strip = group[:: max(1, len(group) // _MOST_IN_STRIP)]
        across = place + 0.5 * (np.arange(len(strip)) * _GOLDEN % 1 - 0.5)
        pair = (across, strip) if upright else (strip, across)
        ax.scatter(*pair, s=7, color=BLUE, alpha=0.35, linewidths=0, zorder=0)
    (ax.set_ylim if upright else ax.set_xlim)(*ends)
    return int(_outside(numbers, ends).sum())


def _heat_map(ax: "Axes", x: Column, y: Column, table: NDArray[np.float64], *, relative: bool) -> None:
    """Draw a table of shape (classes of y, classes of x) with its values."""
    if relative:
        colours, scaled = (
            imported("matplotlib", "a plot").colormaps["PuOr_r"],
            np.log2(np.clip(table, 1 / 4, 4)),
        )
        low, high = -2.0, 2.0
    else:
        colours, scaled = density_colours(), table
        low, high = 0.0, float(table.max())
    ax.imshow(scaled, cmap=colours, vmin=low, vmax=high, aspect="auto", origin="lower")
    crowded = max(table.shape) > 6
    for (row, column), value in np.ndenumerate(table):
        share = (scaled[row, column] - low) / (high - low)
        dark = abs(share - 0.5) > 0.35 if relative else share > 0.5
        text = f"{value:.1f}" if relative else _compact(value)
        size, colour = SMALL - 2 if crowded else SMALL, "white" if dark else INK
        ax.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _compact(count: float) -> str:
    """A count in five characters at most."""
    return (
        f"{count:,.0f}"
        if count < 10_000
        else f"{count / 1_000:.0f}k"
        if count < 1e6
        else f"{count / 1e6:.1f}M"
    )


def _counts(x: Column, y: Column) -> NDArray[np.float64]:
    counts = np.zeros((len(y.classes or ()), len(x.classes or ())))
    np.add.at(counts, (y.codes, x.codes), 1)
    return counts


def _labelled(ax: "Axes", x: Column, y: Column, title: str) -> "Axes":
    ax.set_title(title, fontsize=TEXT, loc="left", color=INK)
    for column, axis, label in ((x, ax.xaxis, ax.set_xlabel), (y, ax.yaxis, ax.set_ylabel)):
        label(column.name, fontsize=TEXT, color=INK)
        _mark(axis, column)
    if x.classes is not None and sum(map(len, x.classes)) > 24:
        ax.tick_params(axis="x", labelrotation=35)
        for text in ax.get_xticklabels():
            text.set_horizontalalignment("right")
            text.set_rotation_mode("anchor")
    ax.tick_params(color=SOFT)
    return ax


def _mark(axis: "Axis", column: Column) -> None:
    """Choose the marks of an axis and their texts."""
    if column.classes is not None:
        axis.set_ticks(range(len(column.classes)), column.classes)
        return
    if column.dates:
        dates = imported("matplotlib.dates", "a plot")
        locator = dates.AutoDateLocator(maxticks=6)
        axis.set_major_locator(locator)
        axis.set_major_formatter(dates.ConciseDateFormatter(locator))
        return
    ticker = imported("matplotlib.ticker", "a plot")
    whole = bool((column.values == np.round(column.values)).all())
    axis.set_major_locator(ticker.MaxNLocator(6, steps=[1, 2, 5, 10], integer=whole))
    low, high = sorted(axis.get_view_interval())
    largest = max(abs(low), abs(high))
    if not 1e-2 < largest < 1e5 or high - low < 1e-3 * largest:
        # A power of ten at the end of the axis would lie on the title.
        digits = max(4, 3 + int(np.ceil(np.log10(largest / (high - low)))))
        axis.set_major_formatter(ticker.StrMethodFormatter(f"{{x:.{digits}g}}"))


def _beyond(count: int) -> list[str]:
    return [f"{count:,} beyond the axes"] if count else []


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    """Ends of an axis: of all values, or of the middle ones where tails would squeeze them."""
    low, high = float(values.min()), float(values.max())
    inner_low, inner_high = np.quantile(values, [0.02, 0.98]).tolist()
    reach = (inner_high - inner_low) or (high - low)
    if reach > 0:
        low, high = max(low, inner_low - reach), min(high, inner_high + reach)
    margin = 0.06 * (high - low) or 0.5
    return low - margin, high + margin


def _outside(values: NDArray[np.float64], ends: tuple[float, float]) -> NDArray[np.bool_]:
    return (values < ends[0]) | (values > ends[1])


def _distinct(values: NDArray[np.float64]) -> int:
    return len(np.unique(values))


__all__ = ["draw_normal_scores", "draw_sample", "plot_normal_scores", "plot_sample"]
