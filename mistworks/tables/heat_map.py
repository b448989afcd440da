"""Heat maps of matrices between 0 and 1, with columns that belong together side by side."""

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mistworks.extras import imported

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

Array = NDArray[np.float64]

COLOURS = "Blues"
"""A colour map from nearly white to dark whose lightness alone tells values apart."""

_LONGEST_LABEL = 24
# More columns than that leave no room for figures in the cells.
_MOST_WRITTEN = 15
_INK = "#333333"
_NOTHING = "#dedede"
# In inches; and of the height of a cell, how much a line of text may take.
_CELL, _WRITTEN_CELL, _LEAST_SIDE, _MOST_SIDE = 0.16, 0.48, 2.6, 30.0
_LINE = 0.7


def clustered(normalized: Array) -> NDArray[np.intp]:
    """Return an order of columns in which those that tell about one another are neighbours.

    The leaves of average linkage with distances 1 − normalized, in the order that makes neighbours most alike
    (Bar-Joseph, Gifford and Jaakkola, "Fast optimal leaf ordering for hierarchical clustering", 2001); a pair
    without an estimate is as far apart as an independent one.

    Args:
        normalized: between 0 and 1, symmetric, shape (columns, columns).
    """
    if len(normalized) < 3:
        return np.arange(len(normalized))
    hierarchy = imported("scipy.cluster.hierarchy", "a clustered heat map")
    first, second = np.triu_indices(len(normalized), 1)
    distances = 1.0 - np.nan_to_num(normalized[first, second], nan=0.0)
    tree = hierarchy.linkage(distances, method="average", optimal_ordering=True)
    return np.asarray(hierarchy.leaves_list(tree), dtype=np.intp)


def draw(
    normalized: "pd.DataFrame", mi: "pd.DataFrame", ax: "Axes | None", *, cluster: bool, cmap: str
) -> "Axes":
    """Draw a heat map.

    Args:
        normalized: what colours show, between 0 and 1.
        mi: what is written into the cells of a small matrix, in nats.
        ax: where; None for a new figure.
        cluster: order columns by `clustered`.
        cmap: name of a colour map of matplotlib.

    Raises:
        MistworksError: matplotlib is missing, or SciPy to cluster.
    """
    values = normalized.to_numpy()
    order = clustered(values) if cluster else np.arange(len(values))
    values, written = values[np.ix_(order, order)], mi.to_numpy()[np.ix_(order, order)]
    labels = [shortened(normalized.index[position]) for position in order]
    ax = _new_axes(len(labels), max(map(len, labels))) if ax is None else ax
    colours = imported("matplotlib", "a heat map").colormaps[cmap].with_extremes(bad=_NOTHING)
    # A column and itself: no finding, and as strong as can be.
    np.fill_diagonal(values, np.nan)
    image = ax.imshow(np.ma.masked_invalid(values), cmap=colours, vmin=0.0, vmax=1.0, aspect="equal")
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.04, pad=0.03)
    is_small = len(labels) <= _MOST_WRITTEN
    bar.set_label("normalized MI; cells: nats" if is_small else "normalized MI", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    height = _cell_height(ax, len(labels))
    size = float(np.clip(_LINE * height, 2.0, 9.0))
    ax.set_xticks(range(len(labels)), labels, rotation=90, fontsize=size)
    ax.set_yticks(range(len(labels)), labels, fontsize=size)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    if is_small:
        _write(ax, values, written, colours, min(8.0, 0.3 * height))
    return ax


def shortened(label: Hashable) -> str:
    """Return a label on one line, at most 24 characters long: its beginning and its end."""
    text = " ".join(str(label).split())
    half = _LONGEST_LABEL // 2
    return text if len(text) <= _LONGEST_LABEL else f"{text[:half]}…{text[1 - half :]}"


def hex_colours(values: Array, cmap: str) -> list[list[str]]:
    """Return the colour of each value as ``#rrggbb``; that of nothing for NaN."""
    matplotlib = imported("matplotlib.colors", "a heat map")
    colours = imported("matplotlib", "a heat map").colormaps[cmap]
    return [
        [_NOTHING if np.isnan(value) else matplotlib.to_hex(colours(value)) for value in row]
        for row in values.tolist()
    ]


def _new_axes(count: int, longest: int) -> "Axes":
    pyplot = imported("matplotlib.pyplot", "a heat map")
    cell = _WRITTEN_CELL if count <= _MOST_WRITTEN else _CELL
    side = float(np.clip(cell * count, _LEAST_SIDE, _MOST_SIDE))
    # Labels are 9 points high at most, and about half as wide as high.
    margin = 0.2 + 0.5 * min(9.0, _LINE * 72 * side / count) / 72 * longest * 1.2
    axes: Axes = pyplot.subplots(figsize=(1.05 * side + margin + 0.8, side + margin), layout="constrained")[1]
    return axes


def _cell_height(ax: "Axes", count: int) -> float:
    """Height of a cell in points, as far as it is known before labels take their room."""
    box = ax.get_window_extent()
    return 72 * min(box.width, box.height) / ax.figure.dpi / count


def _write(ax: "Axes", values: Array, written: Array, colours: "Colormap", size: float) -> None:
    for (row, column), value in np.ndenumerate(values):
        if row == column:
            continue
        text = "–" if np.isnan(value) else f"{written[row, column]:.2f}"
        dark = not np.isnan(value) and luminance(colours(float(value))) < 0.3
        ink = "white" if dark else _INK
        ax.text(column, row, text, ha="center", va="center", fontsize=size, color=ink)


def luminance(colour: Sequence[float]) -> float:
    """Return the relative luminance of red, green and blue, from 0 to 1 (WCAG 2.2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


__all__ = ["COLOURS", "clustered", "draw", "hex_colours", "luminance", "shortened"]
