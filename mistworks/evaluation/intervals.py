"""Calibration: whether intervals hold the true mutual information as often as they say, and their width.

An estimator that gives intervals and fails on a dataset, or gives none there, does not cover it: failures
count against coverage and are shown beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv
from scipy.stats import chisquare

from mistworks.errors import MistworksError
from mistworks.evaluation.measures import ALL, DEFAULT_BINS, Bins, groups, mean_and_error
from mistworks.evaluation.results import QUANTILE_LEVELS, Results

LEVELS: tuple[float, ...] = (0.5, 0.8, 0.9, 0.95)
"""Levels of the central intervals that tables show."""

PIT_BINS = 20
"""Bins of the histogram of the probability integral transform: their edges are kept quantile levels."""


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """Central intervals of one level within one group of datasets.

    Attributes:
        suite: name of the suite.
        estimator: name of the estimator.
        family: family, or ``"all"``.
        n_bin: bin of the sample size, ``"other"`` outside the bins, or ``"all"``.
        level: nominal coverage.
        count: datasets in the group.
        failures: those among them without an interval; they are not covered.
        coverage: share of datasets whose interval holds the true MI.
        low: lower end of the Clopper–Pearson interval of the coverage.
        high: its upper end.
        width: mean width in nats, over datasets with an interval (sharpness).
        score: mean interval score in nats, over the same.
        score_se: its standard error.
    """

    suite: str
    estimator: str
    family: str
    n_bin: str
    level: float
    count: int
    failures: int
    coverage: float
    low: float
    high: float
    width: float
    score: float
    score_se: float | None


@dataclass(frozen=True, slots=True)
class FalseAlarmRow:
    """How often an interval excludes 0 although X and Y are independent.

    Attributes:
        suite: name of the suite.
        estimator: name of the estimator.
        n_bin: bin of the sample size, or ``"all"``.
        level: of the central interval.
        nominal: (1 − level) / 2, the rate that the lower end promises not to exceed.
        count: independent datasets in the group.
        failures: those among them without an interval; they raise no alarm and do not dilute the rate.
        alarms: datasets whose lower end is above 0.
        rate: alarms among the datasets with an interval.
        low: lower end of the Clopper–Pearson interval of the rate.
        high: its upper end.
    """

    suite: str
    estimator: str
    n_bin: str
    level: float
    nominal: float
    count: int
    failures: int
    alarms: int
    rate: float
    low: float
    high: float


def coverage(
    results: Results,
    *,
    levels: Sequence[float] = LEVELS,
    bins: Bins = DEFAULT_BINS,
    confidence: float = 0.95,
) -> tuple[CoverageRow, ...]:
    """Coverage and width of intervals by family and n bin, totals first; empty for point estimates.

    Intervals are closed: one that ends at 0 covers an MI of 0, so that on independent data an estimator whose
    estimates are never negative covers more often than its level. `pit` treats such ties without that excess.

    Args:
        results: estimates beside the truth.
        levels: of the central intervals.
        bins: how datasets are grouped.
        confidence: of the intervals of the coverage.
    """
    if not results.has_quantiles.any():
        return ()
    rows = []
    for level in levels:
        held, width, score = covered(results, level), _width(results, level), interval_score(results, level)
        for (family, n_bin, dimension_bin), chosen in groups(results, bins):
            if dimension_bin != ALL:
                continue
            kept = chosen & results.has_quantiles
            mean, error = mean_and_error(score[kept])
            low, high = clopper_pearson(int(held[chosen].sum()), int(chosen.sum()), confidence)
            rows.append(
                CoverageRow(
                    results.suite,
                    results.estimator,
                    family,
                    n_bin,
                    level,
                    count=int(chosen.sum()),
                    failures=int((chosen & ~kept).sum()),
                    coverage=float(held[chosen].mean()),
                    low=low,
                    high=high,
                    width=float(width[kept].mean()) if kept.any() else np.nan,
                    score=np.nan if mean is None else mean,
                    score_se=error,
                )
            )
    return tuple(rows)


def covered(results: Results, level: float) -> NDArray[np.bool_]:
    """Whether the central interval holds the true MI, shape (N,); not where there is no interval."""
    low, high = results.interval(level)
    return results.has_quantiles & (low <= results.mi) & (results.mi <= high)


def interval_score(results: Results, level: float) -> NDArray[np.float64]:
    """Interval score of each dataset in nats, shape (N,), NaN where there is no interval; less is better.

    S_α(l, u; x) = (u − l) + (2/α)(l − x)₊ + (2/α)(x − u)₊ with α = 1 − level (Gneiting and Raftery,
    "Strictly proper scoring rules, prediction, and estimation", JASA 2007, eq. 43).
    """
    low, high = results.interval(level)
    alpha = 1 - level
    outside = np.maximum(low - results.mi, 0) + np.maximum(results.mi - high, 0)
    return np.where(results.has_quantiles, high - low + 2 / alpha * outside, np.nan)


def pinball_loss(results: Results) -> NDArray[np.float64]:
    """Mean of the pinball loss over ``QUANTILE_LEVELS`` in nats, shape (N,), NaN without quantiles.

    ρ_τ(x − q) = (x − q)(τ − 1{x < q}) (Koenker and Bassett, "Regression quantiles", Econometrica 1978).
    """
    levels = np.array(QUANTILE_LEVELS)
    difference = results.mi[:, None] - results.quantiles
    return np.asarray((difference * (levels - (difference < 0))).mean(axis=1))


def pit(results: Results, rng: np.random.Generator) -> NDArray[np.float64]:
    """Probability integral transform F(truth) of each dataset, shape (N,), NaN where there are no quantiles.

    Uniform on (0, 1) for a calibrated estimator (Dawid 1984). F is linear between the kept quantiles. Where F
    is not determined by them it is randomised (Czado, Gneiting, Held, "Predictive model assessment for
    count data", Biometrics 2009, section 2.1): a truth beyond the outermost quantile is spread uniformly over
    the level left there, and a truth equal to several quantiles, as at a mass at 0, over the levels they
    span, down to 0 if the lowest is among them and up to 1 if the highest is.

    Args:
        results: estimates beside the truth.
        rng: what randomises.
    """
    kept = results.has_quantiles
    quantiles, truth = np.sort(results.quantiles[kept], axis=1), results.mi[kept, None]
    levels, last = np.array([0.0, *QUANTILE_LEVELS, 1.0]), len(QUANTILE_LEVELS)
    below, up_to = (quantiles < truth).sum(axis=1), (quantiles <= truth).sum(axis=1)
    tied = up_to > below
    low = np.where(tied & (below > 0), levels[np.minimum(below + 1, last)], levels[below])
    high = np.where(tied & (up_to < last), levels[up_to], levels[np.minimum(up_to + 1, last + 1)])
    share = rng.uniform(size=len(truth))
    inside = np.flatnonzero(~tied & (below > 0) & (below < last))
    left, right = quantiles[inside, below[inside] - 1], quantiles[inside, below[inside]]
    share[inside] = (truth[inside, 0] - left) / (right - left)
    values = np.full(len(results), np.nan)
    values[kept] = low + share * (high - low)
    return values


def pit_counts(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Histogram of the transform over ``PIT_BINS`` equal bins; NaN are left out."""
    return np.histogram(values[np.isfinite(values)], bins=PIT_BINS, range=(0, 1))[0].astype(np.int64)


def pit_p_value(values: NDArray[np.float64]) -> float:
    """Pearson's χ² test that the transform is uniform: small for a miscalibrated estimator.

    Raises:
        MistworksError: there are fewer than 5 values a bin, where the χ² approximation fails.
    """
    counts = pit_counts(values)
    if counts.sum() < 5 * PIT_BINS:
        raise MistworksError(
            f"{5 * PIT_BINS} datasets or more are needed to test calibration, and {counts.sum()} have "
            "quantiles; evaluate on more"
        )
    return float(chisquare(counts).pvalue)


def false_alarms(
    results: Results,
    *,
    levels: Sequence[float] = LEVELS,
    bins: Bins = DEFAULT_BINS,
    confidence: float = 0.95,
) -> tuple[FalseAlarmRow, ...]:
    """Rate of "lower end > 0" among datasets with a true MI of 0, by n bin; empty for point estimates."""
    null = results[results.mi == 0]
    if not null.has_quantiles.any():
        return ()
    rows = []
    for level in levels:
        alarm = null.has_quantiles & (null.interval(level)[0] > 0)
        for (family, n_bin, dimension_bin), chosen in groups(null, bins):
            if (family, dimension_bin) != (ALL, ALL):
                continue
            tried, alarms = int((chosen & null.has_quantiles).sum()), int(alarm[chosen].sum())
            low, high = clopper_pearson(alarms, tried, confidence)
            rows.append(
                FalseAlarmRow(
                    null.suite,
                    null.estimator,
                    n_bin,
                    level,
                    nominal=(1 - level) / 2,
                    count=int(chosen.sum()),
                    failures=int(chosen.sum()) - tried,
                    alarms=alarms,
                    rate=alarms / tried if tried else np.nan,
                    low=low,
                    high=high,
                )
            )
    return tuple(rows)


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact confidence interval of a proportion (Clopper and Pearson, Biometrika 1934); (0, 1) of none."""
    tail = (1 - confidence) / 2
    low = float(betaincinv(successes, trials - successes + 1, tail)) if successes > 0 else 0.0
    high = float(betaincinv(successes + 1, trials - successes, 1 - tail)) if successes < trials else 1.0
    return low, high


def _width(results: Results, level: float) -> NDArray[np.float64]:
    low, high = results.interval(level)
    return high - low
