"""Does the past of one series say about another what that one's own past does not? Transfer entropy."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mistworks.conditional import conditional_many
from mistworks.errors import MistworksError
from mistworks.estimation.estimate import Estimate
from mistworks.estimation.independence import statistics_given
from mistworks.estimation.many import Model
from mistworks.extras import imported
from mistworks.permutation.conditional import residuals_given
from mistworks.permutation.smoothing import Regression
from mistworks.permutation.statistics import larger, p_value
from mistworks.preparation.reading import Side
from mistworks.preparation.table import joined
from mistworks.series.reading import lagged, read_series
from mistworks.series.shifts import averaged_over_starts, rolled, shifts, spacing, thinned

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True, repr=False)
class TransferEntropy:
    """Transfer entropy from X to Y, I(Y_t; X_{t−1}, …, X_{t−k} | Y_{t−1}, …, Y_{t−k}).

    Attributes:
        estimate: the transfer entropy in nats, from rows that are ``spacing`` steps apart: quantiles are the
            means over all starts.
        p_value: the probability that a series X that says nothing has a statistic as large.
        lags: the number k of steps of the past.
        spacing: how many steps the rows of the estimate are apart to count as independent draws.
        statistic: what was tested, in units of its deviation over the shifts.
        shifted: the same of each shifted series.
    """

    estimate: Estimate
    p_value: float
    lags: int
    spacing: int
    statistic: float
    shifted: tuple[float, ...]

    @property
    def permutations(self) -> int:
        """How many shifted series the observed one was compared with."""
        return len(self.shifted)

    def to_frame(self) -> "pd.DataFrame":
        """Return a DataFrame of one row: ``lags``, ``transfer_entropy`` in nats, ``p_value``.

        Raises:
            MistworksError: pandas is not installed.
        """
        row = {"lags": self.lags, "transfer_entropy": self.estimate.mi, "p_value": self.p_value}
        frame: pd.DataFrame = imported("pandas", "a DataFrame").DataFrame([row])
        return frame

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the statistic among those of the shifted series.

        Args:
            ax: where to draw; None for new axes in a new figure of pyplot.

        Raises:
            MistworksError: matplotlib is not installed.
        """
        from mistworks.plots.style import new_axes

        ax = new_axes(ax)
        ax.hist(self.shifted, bins="auto", color="0.75", label=f"{self.permutations:,} shifted series")
        ax.axvline(self.statistic, color="C0", label=f"observed, p = {self.p_value:.3g}")
        ax.set(xlabel="statistic in deviations over the shifts", ylabel="number of series")
        ax.legend(frameon=False)
        return ax

    def __repr__(self) -> str:
        return f"TransferEntropy({self})"

    def __str__(self) -> str:
        return (
            f"{self.estimate}; {self.lags} lag{'s' * (self.lags != 1)}, "
            f"p = {self.p_value:.3g} by {self.permutations:,} shifts"
        )


def transfer_entropy(
    x: object,
    y: object,
    lags: int = 1,
    *,
    permutations: int = 200,
    model: Model = None,
    rng: np.random.Generator | int = 0,
) -> TransferEntropy:
    """Transfer entropy from X to Y in nats: I(Y_t; X_{t−1}, …, X_{t−k} | Y_{t−1}, …, Y_{t−k}) for k lags.

    What the past of X says about Y beyond Y's own past (Schreiber, "Measuring information transfer", Phys.
    Rev. Lett. 85, 2000). Exchange x and y for the other direction.

    **The test** first subtracts what a smooth regression on the past of Y predicts from the past of X and
    from Y, as `mistworks.independence_test` does. It compares the residuals with the same after shifting X
    against Y by random amounts, around its ends: that keeps the autocorrelation of each. The statistic is the
    chain rule for conditional mutual information or the squared correlations of the residuals, whichever is
    larger in units of its deviation over the shifts. Each series must be stationary: remove a trend first,
    for instance by differences. A third series that drives both, or a memory of Y longer than the lags, can
    make X say something about Y without driving it.

    **The interval** assumes independent draws. Rows are used that are as many steps apart as Bartlett's
    formula says for the residuals, see `mistworks.series.shifts.spacing`, and the quantiles from all
    starts are averaged.

    Args:
        x: n values over time, shape (n,) or (n, dx), evenly spaced: an array, a Series or DataFrame (its
            index of times sorted), a tensor or a list.
        y: likewise, at the same times.
        lags: the number k of steps of the past, of both series.
        permutations: how many shifts; the least possible p is 1 / (permutations + 1).
        model: an estimator, what `mistworks.load` takes, or None for the weights that come with the package.
        rng: where the shifts come from: a generator or a seed.

    Raises:
        MistworksError: x and y are not evenly spaced series of the same times without missing values, or lags
            or permutations are not possible.
    """
    if permutations < 1:
        raise MistworksError(f"Expected at least 1 permutation, got {permutations}. Use 200.")
    if lags < 1:
        raise MistworksError(f"Expected at least 1 lag, got {lags}. Use 1.")
    rng = np.random.default_rng(rng)
    x, y = read_series(x, y, lags)
    rows = np.arange(lags, len(x))
    left = residuals_given(
        past(x, lags, rows), y.rows(rows), Regression(past(y, lags, rows), rng), may_swap=False
    )
    n = len(rows)
    orders = [rolled(n, shift) for shift in (0, *shifts(n, permutations, lags + 1, rng).tolist())]
    estimated, correlated = statistics_given(left, orders, model)
    statistics = larger(estimated, correlated)
    observed, *shifted = statistics.tolist()
    apart = spacing(left.x.side, left.y.side)
    triple = past(x, lags, rows), y.rows(rows), left.given
    parts = [[side.rows(each) for side in triple] for each in thinned(np.arange(n), apart)]
    estimate = averaged_over_starts(conditional_many([(x, y, z) for x, y, z in parts], model))
    return TransferEntropy(estimate, p_value(statistics), lags, apart, observed, tuple(shifted))


def past(side: Side, lags: int, rows: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> Side:
    """Return the values 1, …, lags steps before each of these rows, beside one another."""
    return joined([lagged(side, lag, rows) for lag in range(1, lags + 1)])


__all__ = ["TransferEntropy", "transfer_entropy"]
