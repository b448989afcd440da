"""Parts of Plotly figures, without colours: those depend on the theme and the estimator."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mistworks.report.content import Trace, numbers

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


__all__ = ["PERCENT_TICKS", "by_row", "dot", "line_with_band", "reference", "scale", "vertical"]
