"""At which delay does one series say most about another? Mutual information at each lag, with a test."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mistworks.errors import MistworksError
from mistworks.estimation.estimate import Estimate
from mistworks.estimation.many import Model, estimate_many
from mistworks.extras import imported
from mistworks.permutation.smoothing import scored_columns
from mistworks.permutation.statistics import larger, means, squared_correlations
from mistworks.preparation.reading import Side
from mistworks.series.reading import lagged, read_series
from mistworks.series.shifts import averaged_over_starts, shifts, spacing, thinned

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True, repr=False)
class LagProfile:
    """Mutual information I(X_{t−l}; Y_t) at each lag l.

    Attributes:
        lags: the lags l, increasing; at positive ones X comes first.
        estimates: mutual information at each lag, from rows that are ``spacing`` steps apart: quantiles are
            the means over all starts.
        p_values: per lag, the probability that two independent stationary series have a statistic as large
            at any of these lags. So where p ≤ 0.05 is called significant, independent series have such a lag
            in about 5 % of cases (familywise).
        permutations: how many shifted series the observed one was compared with.
        spacing: how many steps rows are apart to count as independent draws; 1 without autocorrelation.
    """

    lags: tuple[int, ...]
    estimates: tuple[Estimate, ...]
    p_values: tuple[float, ...]
    permutations: int
    spacing: int

    @property
    def p_value(self) -> float:
        """The probability that two independent stationary series depend so much at any of these lags."""
        return min(self.p_values)

    @property
    def best(self) -> int:
        """The lag of the largest estimate."""
        return self.lags[int(np.argmax([each.mi for each in self.estimates]))]

    def to_frame(self, level: float = 0.9) -> "pd.DataFrame":
        """Return a DataFrame with a row per lag: ``mi``, ``lower``, ``upper`` in nats, and ``p_value``.

        Raises:
            MistworksError: pandas is not installed, or the estimator gives no intervals.
        """
        pandas = imported("pandas", "a DataFrame")
        ends = [each.interval(level) for each in self.estimates]
        columns = {
            "mi": [each.mi for each in self.estimates],
            "lower": [low for low, _ in ends],
            "upper": [high for _, high in ends],
            "p_value": self.p_values,
        }
        frame: pd.DataFrame = pandas.DataFrame(columns, index=pandas.Index(self.lags, name="lag"))
        return frame

    def plot(self, ax: "Axes | None" = None, *, level: float = 0.9, significance: float = 0.05) -> "Axes":
        """Draw estimates and intervals against the lag, significant lags filled.

        Args:
            ax: where to draw; None for new axes in a new figure of pyplot.
            level: level of the intervals.
            significance: familywise level of the lags that are filled.

        Raises:
            MistworksError: matplotlib is not installed, or the estimator gives no intervals.
        """
        from mistworks.plots.style import new_axes

        ax = new_axes(ax)
        lower, upper = zip(*(each.interval(level) for each in self.estimates), strict=True)
        mi = np.array([each.mi for each in self.estimates])
        lags, significant = np.array(self.lags), np.array(self.p_values) <= significance
        label = f"{100 * level:g} % interval"
        (line,) = ax.plot(lags, mi, marker="o", markerfacecolor="white", label="estimate")
        colour = line.get_color()
        ax.fill_between(lags, lower, upper, alpha=0.25, linewidth=0, color=colour, label=label)
        if significant.any():
            label = f"p ≤ {significance:g} over all lags"
            ax.plot(lags[significant], mi[significant], "o", color=colour, label=label)
        ax.set(xlabel="lag in steps", ylabel="mutual information in nats")
        ax.set_ylim(bottom=0)
        ax.legend(frameon=False)
        return ax

    def __repr__(self) -> str:
        return f"LagProfile(lags {self.lags[0]} to {self.lags[-1]}, best={self.best}, p={self.p_value:.3g})"

    def __str__(self) -> str:
        apart = "all rows" if self.spacing == 1 else f"rows {self.spacing} steps apart"
        head = (
            f"mutual information of X at t − lag and Y at t, in nats; p by {self.permutations:,} shifts, "
            f"over all lags; 90 % intervals from {apart}"
        )
        rows = [
            f"{lag:4d}  {estimate.mi:.3f}{_interval(estimate)}  p = {p:.3g}"
            for lag, estimate, p in zip(self.lags, self.estimates, self.p_values, strict=True)
        ]
        return "\n".join([head, *rows])


def lag_profile(
    x: object,
    y: object,
    lags: int = 10,
    *,
    negative: bool = False,
    permutations: int = 100,
    model: Model = None,
    rng: np.random.Generator | int = 0,
) -> LagProfile:
    """Mutual information I(X_{t−l}; Y_t) of two series at lags l = 0, …, lags.

    **The test** compares the series with itself shifted against the other by random amounts, around its ends:
    that keeps the autocorrelation of each, which a permutation of single rows would not. The statistic of a
    lag is the mean of the estimated distribution or the squared correlation of normal scores, whichever is
    larger in units of its deviation over the shifts. A p-value compares it with the largest over all lags of
    each shifted series (Westfall and Young, "Resampling-based multiple testing", 1993), so that the
    probability of any false alarm among all lags is about the level. Each series must be stationary: remove
    a trend first, for instance by differences. The level is approximate, since shifts of less than one
    fiftieth of the series, or less than the range of the lags, are left out.

    **Intervals** assume independent draws. Where both series are autocorrelated, neighbouring rows repeat
    each other, and an interval from all of them is too narrow and too high. So rows are used that are as many
    steps apart as Bartlett's formula says, see `mistworks.series.shifts.spacing`, and the quantiles from all
    starts are averaged. Intervals hold for each lag by itself.

    Args:
        x: n values over time, shape (n,) or (n, dx), evenly spaced: an array, a Series or DataFrame (its
            index of times sorted), a tensor or a list.
        y: likewise, at the same times.
        lags: the largest lag, in steps.
        negative: whether to look at negative lags too, where Y comes first.
        permutations: how many shifts; the least possible p is 1 / (permutations + 1).
        model: an estimator, what `mistworks.load` takes, or None for the weights that come with the package.
        rng: where the shifts come from: a generator or a seed.

    Raises:
        MistworksError: x and y are not evenly spaced series of the same times without missing values, or lags
            or permutations are not possible.
    """
    if permutations < 1:
        raise MistworksError(f"Expected at least 1 permutation, got {permutations}. Use 100.")
    x, y = read_series(x, y, 2 * lags if negative else lags)
    steps = list(range(-lags if negative else 0, lags + 1))
    n, window = len(x), len(steps)
    # The same rows of Y for each lag.
    rows = np.arange(lags, n - lags if negative else n)
    moved = np.concatenate([[0], shifts(n, permutations, window, np.random.default_rng(rng))])
    statistics = _statistics(x, y.rows(rows), [steps_of(steps, shift) for shift in moved], rows, model)
    largest = statistics[:, 1:].max(axis=0)
    p_values = tuple((1 + int((largest >= each).sum())) / len(moved) for each in statistics[:, 0])
    apart = spacing(x, y)
    estimates = _apart(x, y, steps, thinned(rows, apart), model)
    return LagProfile(tuple(steps), estimates, p_values, len(moved) - 1, apart)


def steps_of(lags: list[int], shift: int) -> list[int]:
    """The lags of a series that was shifted."""
    return [lag + int(shift) for lag in lags]


def _statistics(
    x: Side, y: Side, lags: list[list[int]], rows: NDArray[np.intp], model: Model
) -> NDArray[np.float64]:
    """The statistic at each of L lags for each of B shifts, shape (L, B), from lags of shape (B, L)."""
    unique = sorted({lag for each in lags for lag in each})
    place = {lag: position for position, lag in enumerate(unique)}
    places = np.array([[place[lag] for lag in each] for each in lags])
    estimates = means(estimate_many(((lagged(x, lag, rows), y) for lag in unique), model))
    scores_x, scores_y, everything = scored_columns(x), scored_columns(y), [np.arange(len(y))]
    correlated = np.array(
        [squared_correlations(scores_x[:, (rows - lag) % len(x)], scores_y, everything) for lag in unique]
    )
    return larger(estimates[places].T, correlated[places].T)


def _apart(
    x: Side, y: Side, lags: list[int], starts: list[NDArray[np.intp]], model: Model
) -> tuple[Estimate, ...]:
    def pairs() -> Iterator[tuple[Side, Side]]:
        for lag in lags:
            for rows in starts:
                yield lagged(x, lag, rows), y.rows(rows)

    estimates = estimate_many(pairs(), model)
    count = len(starts)
    return tuple(averaged_over_starts(estimates[count * at : count * (at + 1)]) for at in range(len(lags)))


def _interval(estimate: Estimate) -> str:
    if estimate.quantiles is None:
        return ""
    low, high = estimate.interval()
    return f"  [{low:.3f}, {high:.3f}]"


__all__ = ["LagProfile", "lag_profile"]
