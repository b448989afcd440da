"""Differences between two estimators on the same datasets, with paired bootstrap confidence intervals."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mistworks.errors import MistworksError
from mistworks.evaluation.intervals import interval_score
from mistworks.evaluation.results import Results

Loss = Literal["mse", "mae", "interval-score"]

_CELLS = 2**22


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean loss of the first estimator minus that of the second, over their common datasets.

    Attributes:
        suite: name of the suite.
        first: name of the first estimator.
        second: name of the second.
        loss: the loss: squared error in nats², absolute error or interval score in nats.
        datasets: number of datasets compared.
        left_out: number of common datasets not compared, because one of the two failed.
        first_failures: number of common datasets on which the first failed.
        second_failures: number of common datasets on which the second failed.
        mean: the difference. Below 0, the first is better.
        low: lower end of the confidence interval.
        high: upper end of the confidence interval.
        confidence: level of the confidence interval.
    """

    suite: str
    first: str
    second: str
    loss: Loss
    datasets: int
    left_out: int
    first_failures: int
    second_failures: int
    mean: float
    low: float
    high: float
    confidence: float

    @property
    def significant(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


def paired_difference(
    first: Results,
    second: Results,
    rng: np.random.Generator,
    *,
    loss: Loss = "mse",
    level: float = 0.9,
    confidence: float = 0.95,
    resamples: int = 10_000,
    fallback: float | None = None,
) -> Difference:
    """Compare two estimators by a percentile bootstrap over datasets (Efron and Tibshirani 1993, ch. 13).

    Datasets are drawn with the losses of both estimators, so that the common difficulty of a dataset cancels.

    Args:
        first: results of one estimator.
        second: results of the other, on the same suite.
        rng: draws the resamples.
        loss: the loss to compare.
        level: level of the intervals for the interval score.
        confidence: level of the interval of the difference.
        resamples: number of bootstrap resamples.
        fallback: value in nats that replaces a failed estimate, such as the mean of the prior, so that
            failures cost (the interval score takes an interval of zero width there). None leaves out datasets
            on which either failed, and reports their number.

    Raises:
        MistworksError: the suites differ, there is no dataset to compare, or an estimator is not in nats.
    """
    first.require_nats()
    second.require_nats()
    first, second = matched(first, second)
    one, other = (_losses(each, loss, level, fallback) for each in (first, second))
    both = np.isfinite(one) & np.isfinite(other)
    if not both.any():
        raise MistworksError(
            f"Expected a dataset of {first.suite} on which both {first.estimator} and {second.estimator} "
            f"give what {loss} needs, got none. Evaluate both on it, or compare point estimates."
        )
    difference = (one - other)[both]
    low, high = bootstrap_interval(difference, rng, confidence=confidence, resamples=resamples)
    return Difference(
        first.suite,
        first.estimator,
        second.estimator,
        loss,
        datasets=int(both.sum()),
        left_out=int((~both).sum()),
        first_failures=int(_failed(first, loss).sum()),
        second_failures=int(_failed(second, loss).sum()),
        mean=float(difference.mean()),
        low=low,
        high=high,
        confidence=confidence,
    )


def matched(first: Results, second: Results) -> tuple[Results, Results]:
    """Return the rows of common datasets, in the order of the suite.

    Raises:
        MistworksError: suites or their versions differ, or there is no common dataset.
    """
    one, other = (first.suite, first.suite_version), (second.suite, second.suite_version)
    if one != other:
        raise MistworksError(
            f"Expected results on one suite, got {one[0]} version {one[1]} and {other[0]} version "
            f"{other[1]}. Evaluate both estimators on the same suite."
        )
    shared, rows, others = np.intersect1d(first.position, second.position, return_indices=True)
    if len(shared) == 0:
        raise MistworksError(
            f"Expected a common dataset of {first.suite} for {first.estimator} and {second.estimator}, got "
            "none. Evaluate both on the same part of the suite."
        )
    return first[rows], second[others]


def bootstrap_interval(
    values: NDArray[np.float64],
    rng: np.random.Generator,
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of values with shape (N,)."""
    means = np.empty(resamples)
    step = max(1, _CELLS // len(values))
    for start in range(0, resamples, step):
        drawn = rng.integers(len(values), size=(min(step, resamples - start), len(values)))
        means[start : start + step] = values[drawn].mean(axis=1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _losses(results: Results, loss: Loss, level: float, fallback: float | None) -> NDArray[np.float64]:
    """Losses of shape (N,); NaN where the estimator failed, unless there is a fallback."""
    error = results.estimate - results.mi
    missed = np.full(len(results), np.nan) if fallback is None else np.abs(fallback - results.mi)
    match loss:
        case "mse":
            values, replacement = error**2, missed**2
        case "mae":
            values, replacement = np.abs(error), missed
        case "interval-score":
            values, replacement = interval_score(results, level), 2 / (1 - level) * missed
        case _:
            raise MistworksError(
                f"Expected a known loss, got {loss!r}. Choose one of {', '.join(get_args(Loss))}."
            )
    return np.where(_failed(results, loss), replacement, values)


def _failed(results: Results, loss: Loss) -> NDArray[np.bool_]:
    return ~(results.has_quantiles if loss == "interval-score" else results.succeeded)


__all__ = ["Difference", "Loss", "bootstrap_interval", "matched", "paired_difference"]
