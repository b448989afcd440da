"""Calibration: whether intervals contain the true mutual information as often as promised, and their width.

A dataset on which an estimator with intervals fails, or gives none, is not covered: failures count against
coverage and are reported beside it.
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
"""Levels of the central intervals in tables."""

PIT_BINS = 20
"""Bins of the histogram of the probability integral transform; their edges are stored quantile levels."""


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """Central intervals of one level within one group of datasets.

    Attributes:
        suite: name of the suite.
        estimator: name of the estimator.
        family: family, or ``"all"``.
        n_bin: bin of the sample size, ``"other"`` outside the bins, or ``"all"``.
        level: nominal coverage.
        count: number of datasets in the group.
        failures: number of them without an interval; they count as not covered.
        coverage: share of datasets whose interval contains the true MI.
        low: lower end of the Clopper–Pearson interval of the coverage.
        high: upper end of the same interval.
        width: mean width in nats over datasets with an interval (sharpness).
        score: mean interval score in nats over the same datasets.
        score_se: standard error of ``score``.
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
    """How often the lower end of an interval exceeds 0 although X and Y are independent.

    Attributes:
        suite: name of the suite.
        estimator: name of the estimator.
        n_bin: bin of the sample size, or ``"all"``.
        level: level of the central interval.
        nominal: (1 − level) / 2, the promised maximum rate.
        count: number of independent datasets in the group.
        failures: number of them without an interval. They raise no alarm and are left out of the rate.
        alarms: number of datasets with a lower end above 0.
        rate: alarms per dataset with an interval.
        low: lower end of the Clopper–Pearson interval of the rate.
        high: upper end of the same interval.
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
    """Coverage and width of intervals by family and bin of n, totals first.

    Empty for point estimates, and for measures that are not in nats, whose intervals cover no truth.

    Intervals are closed: an interval that ends at 0 covers an MI of 0. On independent data, estimators that
    are never negative therefore cover more often than their level; `pit` treats such ties without that
    excess.

    Args:
        results: estimates beside the truth.
        levels: levels of the central intervals.
        bins: bins of n.
        confidence: level of the intervals of the coverage.
    """
    if not results.has_intervals:
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
    """Whether the central interval contains the true MI, shape (N,); False without an interval.

    Raises:
        MistworksError: the estimates are not in nats.
    """
    results.require_nats()
    low, high = results.interval(level)
    return results.has_quantiles & (low <= results.mi) & (results.mi <= high)


def interval_score(results: Results, level: float) -> NDArray[np.float64]:
    """Interval score of each dataset in nats, shape (N,), NaN without an interval; lower is better.

    S_α(l, u; x) = (u − l) + (2/α)(l − x)₊ + (2/α)(x − u)₊ with α = 1 − level (Gneiting and Raftery,
    "Strictly proper scoring rules, prediction, and estimation", JASA 2007, eq. 43).

    Raises:
        MistworksError: the estimates are not in nats.
    """
    results.require_nats()
    low, high = results.interval(level)
    alpha = 1 - level
    outside = np.maximum(low - results.mi, 0) + np.maximum(results.mi - high, 0)
    return np.where(results.has_quantiles, high - low + 2 / alpha * outside, np.nan)


def pinball_loss(results: Results) -> NDArray[np.float64]:
    """Mean pinball loss over ``QUANTILE_LEVELS`` in nats, shape (N,), NaN without quantiles.

    ρ_τ(x − q) = (x − q)(τ − 1{x < q}) (Koenker and Bassett, "Regression quantiles", Econometrica 1978).

    Raises:
        MistworksError: the estimates are not in nats.
    """
    results.require_nats()
    levels = np.array(QUANTILE_LEVELS)
    difference = results.mi[:, None] - results.quantiles
    return np.asarray((difference * (levels - (difference < 0))).mean(axis=1))


def pit(results: Results, rng: np.random.Generator) -> NDArray[np.float64]:
    """Probability integral transform F(truth) of each dataset, shape (N,), NaN without quantiles.

    It is uniform on (0, 1) for a calibrated estimator (Dawid 1984). F is linear between the stored quantiles.
    Where they do not determine F, it is randomised (Czado, Gneiting, Held, "Predictive model assessment for
    count data", Biometrics 2009, section 2.1): a truth beyond the outermost quantile is uniform over the
    remaining levels, and a truth equal to several quantiles, such as a mass at 0, is uniform over the levels
    they span, down to 0 if the lowest is among them and up to 1 if the highest is.

    Args:
        results: estimates beside the truth.
        rng: source of the randomisation.

    Raises:
        MistworksError: the estimates are not in nats.
    """
    results.require_nats()
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
    """Pearson's χ² test of a uniform transform: the p value is small for a miscalibrated estimator.

    Raises:
        MistworksError: there are fewer than 5 values per bin, where the χ² approximation fails.
    """
    counts = pit_counts(values)
    if counts.sum() < 5 * PIT_BINS:
        raise MistworksError(
            f"Expected at least {5 * PIT_BINS} datasets with quantiles to test calibration, got "
            f"{counts.sum()}. Evaluate on more."
        )
    return float(chisquare(counts).pvalue)


def false_alarms(
    results: Results,
    *,
    levels: Sequence[float] = LEVELS,
    bins: Bins = DEFAULT_BINS,
    confidence: float = 0.95,
) -> tuple[FalseAlarmRow, ...]:
    """Rate of lower ends above 0 on datasets with a true MI of 0, by bin of n.

    Empty for point estimates, and for measures that are not in nats: 0 need not mean independence there.
    """
    null = results[results.mi == 0]
    if not null.has_intervals:
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
    """Exact confidence interval of a proportion (Clopper and Pearson, Biometrika 1934); (0, 1) for no trials.

    Like ``scipy.stats.binomtest(…).proportion_ci``, but in closed form, without its search for a root.
    """
    tail = (1 - confidence) / 2
    low = float(betaincinv(successes, trials - successes + 1, tail)) if successes > 0 else 0.0
    high = float(betaincinv(successes + 1, trials - successes, 1 - tail)) if successes < trials else 1.0
    return low, high


def _width(results: Results, level: float) -> NDArray[np.float64]:
    low, high = results.interval(level)
    return high - low


__all__ = [
    "LEVELS",
    "PIT_BINS",
    "CoverageRow",
    "FalseAlarmRow",
    "clopper_pearson",
    "coverage",
    "covered",
    "false_alarms",
    "interval_score",
    "pinball_loss",
    "pit",
    "pit_counts",
    "pit_p_value",
]
