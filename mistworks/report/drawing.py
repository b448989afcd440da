"""Parts of Plotly figures, without colours: those depend on the theme and the estimator."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mistworks.report.content import Panel, Trace, numbers

PERCENT_TICKS = "~%"
"""Labels of an axis of shares, with as many decimals as tell them apart: 88.5%, not 88% and 89% twice."""


def line_with_band(
    label: str,
    x: NDArray[np.float64],
    mean: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> list[Trace]:
    """A line through means and the band between low and high, shape (K,) each."""
    band: Trace = {
        "type": "scatter",
        "x": numbers([*x, *x[::-1]]),
        "y": numbers([*low, *high[::-1]]),
        "mode": "lines",
        "fill": "toself",
        "hoverinfo": "skip",
        "meta": {"role": "band", "estimator": label},
    }
    line: Trace = {
        "type": "scatter",
        "x": numbers(x),
        "y": numbers(mean),
        "mode": "lines+markers",
        "name": label,
        "hovertemplate": "%{x:.4g}: %{y:.3g} nats<extra>%{fullData.name}</extra>",
        "meta": {"role": "line", "estimator": label},
    }
    return [band, line]


def dot(label: str, x: list[float | None], y: list[str]) -> Trace:
    """Marks of one estimator."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": numbers([np.nan if value is None else value for value in x]),
        "y": y,
        "meta": {"role": "point", "estimator": label},
    }


def share_map(
    columns: list[str], rows: list[str], shares: Sequence[Sequence[float]] | NDArray[np.float64], what: str
) -> Panel:
    """A map of shares between 0 and 1, blank where a share is NaN.

    Args:
        columns: names of the columns.
        rows: names of the rows.
        shares: shape (rows, columns).
        what: what the shares are of, such as ``"violated"``.
    """
    trace: Trace = {
        "type": "heatmap",
        "x": columns,
        "y": rows,
        "z": [numbers(line) for line in shares],
        "zmin": 0,
        "zmax": 1,
        "text": [[f"{value:.0%}" if np.isfinite(value) else "" for value in line] for line in shares],
        "texttemplate": "%{text}",
        "hovertemplate": f"%{{y}}<br>%{{x}}: %{{text}} {what}<extra></extra>",
        "hoverongaps": False,
        "xgap": 2,
        "ygap": 2,
        "colorbar": {"tickformat": ".0%", "thickness": 10, "outlinewidth": 0},
        "meta": {"role": "heat", "columns": True},
    }
    layout = {
        "height": 150 + 28 * len(rows),
        "xaxis": {"side": "top", "tickangle": -45, "showgrid": False},
        "yaxis": {"autorange": "reversed", "showgrid": False},
        "meta": {"wide": 260 + 58 * len(columns)},
    }
    return Panel([trace], layout)


def by_row(labels: list[str], title: str) -> dict[str, Any]:
    """Layout of a plot with one row per estimator."""
    return {
        "meta": {"row": 27},
        "xaxis": {"title": {"text": title}},
        "yaxis": {"categoryorder": "array", "categoryarray": labels[::-1], "showgrid": True},
    }


def scale(values: list[float | None]) -> str:
    """Logarithmic if all values are positive."""
    return "log" if all(value is None or value > 0 for value in values) else "linear"


def reference(x: list[float], y: list[float]) -> Trace:
    """A line that marks the ideal."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": numbers(x),
        "y": numbers(y),
        "hoverinfo": "skip",
        "meta": {"role": "reference"},
    }


def vertical(x: float) -> dict[str, Any]:
    """A vertical line that marks the ideal."""
    return {"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "meta": "reference"}


__all__ = ["PERCENT_TICKS", "by_row", "dot", "line_with_band", "reference", "scale", "share_map", "vertical"]
