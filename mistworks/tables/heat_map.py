"""Heat maps of matrices between 0 and 1, with columns that belong together side by side."""

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mistworks.tables.packages import imported

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

_LONGEST_LABEL = 24
# More cells than that leave no room for figures in them.
_MOST_WRITTEN = 12
_INK = "#333333"
_NOTHING = "#e3e3e3"


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
    size = float(np.clip(300 / max(len(labels), 1), 5.0, 9.0))
    ax.set_xticks(range(len(labels)), labels, rotation=90, fontsize=size)
    ax.set_yticks(range(len(labels)), labels, fontsize=size)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    if len(labels) <= _MOST_WRITTEN:
        _write(ax, values, written, colours)
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.04, pad=0.03)
    bar.set_label("normalized mutual information", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    return ax


def shortened(label: Hashable) -> str:
    """Return a label on one line, at most 24 characters long."""
    text = " ".join(str(label).split())
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"


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
    side = float(np.clip(0.55 * count if count <= _MOST_WRITTEN else 0.17 * count + 4.0, 2.6, 24.0))
    margin = 0.3 + 0.075 * longest
    figure, ax = pyplot.subplots(figsize=(side + margin + 1.1, side + margin), layout="constrained")
    del figure
    return ax  # type: ignore[no-any-return]


def _write(ax: "Axes", values: Array, written: Array, colours: object) -> None:
    for (row, column), value in np.ndenumerate(values):
        if row == column:
            continue
        text = "?" if np.isnan(value) else f"{written[row, column]:.2f}"
        ink = _INK if np.isnan(value) or luminance(colours(value)) > 0.4 else "white"  # type: ignore[operator]
        ax.text(column, row, text, ha="center", va="center", fontsize=8, color=ink)


def luminance(colour: Sequence[float]) -> float:
    """Return the relative luminance of red, green and blue, from 0 to 1 (WCAG 2.2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


__all__ = ["clustered", "draw", "hex_colours", "luminance", "shortened"]
