"""Estimates beside one another, with their intervals."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mistworks.estimation.estimate import Estimate, Unit
from mistworks.plots.style import BLUE, FAINT, INK, SMALL, SOFT, TEXT, VERMILION, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_forest(
    estimates: Mapping[str, Estimate | None],
    ax: "Axes | None" = None,
    *,
    level: float = 0.9,
    unit: Unit = "nats",
) -> "Axes":
    """Draw estimates by name as a forest plot, the first one on top, with their values at the right.

    A circle with a thin and a thick line is an estimate with its interval and its interval at 50 %; a diamond
    is an estimate without an interval. An arrow is an interval without an upper end. The dashed line is
    independence.

    Args:
        estimates: by name; None for an estimator that is not defined for the sample.
        ax: where to draw; new axes in a new figure of pyplot if None.
        level: of the intervals.
        unit: ``"nats"`` or ``"bits"``.

    Raises:
        MistworksError: the level is not between 0 and 0.998, or matplotlib is not installed.
    """
    ax = new_axes(ax)
    ends = [0.0]
    rows = [(name, estimate, _interval(estimate, level, unit)) for name, estimate in estimates.items()]
    for _, estimate, interval in rows:
        ends += [] if estimate is None else [_value(estimate, unit)]
        ends += [end for end in interval or () if np.isfinite(end)]
    low, high = min(ends), max(ends)
    high = high if high > low else low + 0.1
    right = high + 0.06 * (high - low)
    for place, (_, estimate, interval) in enumerate(rows):
        if estimate is not None:
            _draw(ax, place, estimate, interval, unit, right)
        text = "not defined" if estimate is None else _text(_value(estimate, unit), interval)
        ax.text(1.02, place, text, transform=ax.get_yaxis_transform(), fontsize=SMALL, va="center", color=INK)
    ax.axvline(0, color=SOFT, linewidth=1, linestyle="--", zorder=0)
    ax.set_xlim(low - 0.04 * (high - low), right)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_yticks(range(len(rows)), [name for name, _, _ in rows], fontsize=SMALL)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x", color=FAINT, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.set_xlabel(f"mutual information, {unit}", fontsize=TEXT, color=INK)
    ax.set_title(f"estimates; lines: {level:.0%} interval, thick 50%", fontsize=TEXT, loc="left", color=INK)
    return ax


def _draw(
    ax: "Axes",
    place: int,
    estimate: Estimate,
    interval: tuple[float, float] | None,
    unit: Unit,
    right: float,
) -> None:
    value = _value(estimate, unit)
    if interval is None:
        ax.plot(value, place, "D", color=VERMILION, markersize=6)
        return
    for (low, high), width in ((interval, 1.8), (estimate.interval(0.5, unit=unit), 5.0)):
        ax.plot([low, min(high, right)], [place, place], color=BLUE, linewidth=width, solid_capstyle="butt")
    if np.isinf(interval[1]):
        ax.plot(right, place, ">", color=BLUE, markersize=7, clip_on=False)
    ax.plot(value, place, "o", color="white", markeredgecolor=BLUE, markeredgewidth=1.6, markersize=7)


def _interval(estimate: Estimate | None, level: float, unit: Unit) -> tuple[float, float] | None:
    if estimate is None or estimate.quantiles is None:
        return None
    return estimate.interval(level, unit=unit)


def _value(estimate: Estimate, unit: Unit) -> float:
    return estimate.bits if unit == "bits" else estimate.mi


def _text(value: float, interval: tuple[float, float] | None) -> str:
    if interval is None:
        return f"{value:.3f}"
    low, high = (f"{end:.3f}" if np.isfinite(end) else "∞" for end in interval)
    return f"{value:.3f}  [{low}, {high}]"


__all__ = ["plot_forest"]
