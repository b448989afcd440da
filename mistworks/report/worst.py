"""The datasets with the largest errors of each estimator, with a scatter plot of their points."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from mistworks.dataset import FloatArray
from mistworks.evaluation.results import Results
from mistworks.report.content import Figure, Panel, Trace, numbers, shown
from mistworks.report.view import View, evenly

Sample = Callable[[str, int], tuple[FloatArray, FloatArray]]
"""Returns x of shape (n, dx) and y of shape (n, dy) of the dataset of a suite at a position."""

CASES = 4
"""Number of datasets shown per estimator and suite."""

_POINTS = 250


class Scatters:
    """Scatter plots of datasets, each drawn once for all estimators."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._drawn: dict[tuple[str, int], tuple[Trace, dict[str, object]]] = {}

    def draw(self, suite: str, position: int) -> tuple[Trace, dict[str, object]]:
        """Trace and layout of the two coordinates, one per side, with the largest rank correlation."""
        key = (suite, position)
        if key not in self._drawn:
            self._drawn[key] = _scatter(*self._sample(suite, position))
        return self._drawn[key]


def worst(view: View, suite: str, scatters: Scatters) -> list[Figure]:
    """Draw the datasets with the largest absolute errors of each estimator."""
    panels, greatest = [], []
    whole = max((len(part) for part in view.points_of(suite)), default=0)
    for part in view.points_of(suite):
        label, error = view.label(part), np.where(part.succeeded, np.abs(part.estimate - part.mi), -1.0)
        rows = [row for row in np.argsort(-error, kind="stable")[:CASES].tolist() if error[row] >= 0]
        panels += [_panel(label, part, row, scatters) for row in rows]
        if len(part) == whole:
            # Few datasets have no large errors.
            greatest += [(float(error[row]), label, part, row) for row in rows[:1]]
    if not greatest:
        return []
    error_of_most, label, part, row = min(greatest, key=lambda each: each[0])
    sentence = (
        f"The largest error is smallest for {label}: {shown(error_of_most)} nats on {part.name[row]} with "
        f"n = {part.n[row]:,}. Plots show up to {_POINTS} points in the two coordinates with the largest "
        "rank correlation, within the central 98% of each."
    )
    return [Figure(sentence, panels, choice=True)]


def _panel(label: str, part: Results, row: int, scatters: Scatters) -> Panel:
    trace, layout = scatters.draw(part.suite, int(part.position[row]))
    title = f"{part.name[row]}, n = {part.n[row]:,}, {part.dx[row]} + {part.dy[row]} dimensions"
    note = f"truth {shown(float(part.mi[row]))}, estimate {shown(float(part.estimate[row]))} nats"
    coloured = {**trace, "meta": {"role": "point", "estimator": label, "plain": True}}
    return Panel([coloured], layout, title, note, label)


def _scatter(x: FloatArray, y: FloatArray) -> tuple[Trace, dict[str, object]]:
    i, j = _most_correlated(x, y)
    chosen = evenly(len(x), _POINTS)
    trace: Trace = {
        "type": "scatter",
        "mode": "markers",
        "x": numbers(x[chosen, i], 3),
        "y": numbers(y[chosen, j], 3),
        "hoverinfo": "skip",
        "marker": {"size": 4, "opacity": 0.6},
    }
    layout = {
        "height": 210,
        "xaxis": {"title": {"text": f"x, coordinate {i + 1}"}, "range": _central(x[:, i])},
        "yaxis": {"title": {"text": f"y, coordinate {j + 1}"}, "range": _central(y[:, j])},
    }
    return trace, layout


def _most_correlated(x: FloatArray, y: FloatArray) -> tuple[int, int]:
    ranks = [rankdata(side, axis=0) for side in (x, y)]
    centred = [side - side.mean(axis=0) for side in ranks]
    spread = [np.maximum(np.linalg.norm(side, axis=0), 1e-12) for side in centred]
    correlation = np.abs(centred[0].T @ centred[1]) / spread[0][:, None] / spread[1]
    i, j = np.unravel_index(int(np.argmax(correlation)), correlation.shape)
    return int(i), int(j)


def _central(values: NDArray[np.floating]) -> list[float]:
    low, high = (float(end) for end in np.quantile(values.astype(np.float64), [0.01, 0.99]))
    margin = 0.06 * (high - low) or max(abs(high), 1.0) * 0.06
    return [float(f"{low - margin:.4g}"), float(f"{high + margin:.4g}")]


__all__ = ["CASES", "Sample", "Scatters", "worst"]
