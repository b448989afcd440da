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
    """Mean loss of the first estimator minus that of the second, over the datasets both were given.

    Attributes:
        suite: name of the suite.
        first: name of the first estimator.
        second: name of the second.
        loss: what is compared: squared error in nats², absolute error or interval score in nats.
        datasets: how many are compared.
        left_out: how many both were given and are not compared, since either failed on them.
        first_failures: datasets both were given on which the first failed.
        second_failures: and the second.
        mean: the difference; below 0 the first is better.
        low: lower end of its confidence interval.
        high: its upper end.
        confidence: its level.
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

    Datasets are drawn together with the losses of both estimators, so that what makes a dataset hard for
    both cancels.

    Args:
        first: results of one estimator.
        second: results of the other, on the same suite.
        rng: what draws the resamples.
        loss: what is compared.
        level: of the intervals whose score is compared.
        confidence: of the interval of the difference.
        resamples: bootstrap resamples.
        fallback: what a failed estimate counts as, in nats, the mean of the prior for instance (and for the
            interval score an interval of no width there), so that failing costs; none leaves datasets out
            on which either failed, and their number is in the answer.

    Raises:
        MistworksError: the two are of different suites or have no dataset to compare.
    """
    first, second = matched(first, second)
    one, other = (_losses(each, loss, level, fallback) for each in (first, second))
    both = np.isfinite(one) & np.isfinite(other)
    if not both.any():
        raise MistworksError(
            f"{first.estimator} and {second.estimator} have no dataset of {first.suite} on which both give "
            f"what {loss} needs; evaluate both on it, and compare points where there are no quantiles"
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
    """The rows of the datasets that both were given, in the order of the suite.

    Raises:
        MistworksError: they are of different suites or versions of it, or share no dataset.
    """
    one, other = (first.suite, first.suite_version), (second.suite, second.suite_version)
    if one != other:
        raise MistworksError(
            f"results on one suite were expected, and {one[0]} version {one[1]} and {other[0]} version "
            f"{other[1]} came; evaluate both on the same"
        )
    shared, rows, others = np.intersect1d(first.position, second.position, return_indices=True)
    if len(shared) == 0:
        raise MistworksError(
            f"{first.estimator} and {second.estimator} were given no dataset of {first.suite} in common; "
            "evaluate both on the same part of it"
        )
    return first[rows], second[others]


def bootstrap_interval(
    values: NDArray[np.float64],
    rng: np.random.Generator,
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of values of shape (N,)."""
    means = np.empty(resamples)
    step = max(1, _CELLS // len(values))
    for start in range(0, resamples, step):
        drawn = rng.integers(len(values), size=(min(step, resamples - start), len(values)))
        means[start : start + step] = values[drawn].mean(axis=1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _losses(results: Results, loss: Loss, level: float, fallback: float | None) -> NDArray[np.float64]:
    """Losses of shape (N,), NaN where the estimator failed and nothing stands in."""
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
                f"a loss is one of {', '.join(get_args(Loss))}, and {loss!r} came; choose one of them"
            )
    return np.where(_failed(results, loss), replacement, values)


def _failed(results: Results, loss: Loss) -> NDArray[np.bool_]:
    return ~(results.has_quantiles if loss == "interval-score" else results.succeeded)
