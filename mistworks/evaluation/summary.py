"""One row about an estimator on a suite."""

from dataclasses import dataclass

import numpy as np

from mistworks.evaluation.intervals import coverage
from mistworks.evaluation.measures import accuracy
from mistworks.evaluation.results import Results
from mistworks.evaluation.suites.power import power_of
from mistworks.units import MeasureUnit

LEVEL = 0.9
"""Level of the intervals whose coverage is given."""


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """An estimator on a suite. Errors are over datasets without a failure.

    They are None if there are none, and for an estimator whose unit is not nats: that one is compared by rank
    correlation and power.

    Attributes:
        suite: name of the suite.
        estimator: name of the estimator.
        estimator_version: version of the estimator.
        count: number of datasets.
        failures: number of datasets without a finite estimate.
        mse: mean squared error in nats².
        mse_se: its standard error.
        mae: mean absolute error in nats.
        mae_se: its standard error.
        bias: mean of estimate minus truth in nats.
        bias_se: its standard error.
        coverage_90: share of all datasets, failures included, whose central 90 % interval contains the truth;
            None for an estimator without intervals.
        seconds: median time of an estimate, measured while other work may have been running.
        unit: unit of the estimates.
        rank_correlation: Spearman's rank correlation of estimate and truth; None if either is constant.
        power: rate at which the permutation test at level 5 % rejects independence on the dependent pairs of
            the suite ``"power"``; None on other suites.
    """

    suite: str
    estimator: str
    estimator_version: str
    count: int
    failures: int
    mse: float | None
    mse_se: float | None
    mae: float | None
    mae_se: float | None
    bias: float | None
    bias_se: float | None
    coverage_90: float | None
    seconds: float
    unit: MeasureUnit
    rank_correlation: float | None
    power: float | None


def summarise(results: Results) -> SummaryRow:
    """Summarise the results of one estimator on one suite.

    Raises:
        MistworksError: there are no datasets.
    """
    total = accuracy(results)[0]
    intervals = coverage(results, levels=(LEVEL,))
    return SummaryRow(
        suite=results.suite,
        estimator=results.estimator,
        estimator_version=results.estimator_version,
        count=total.count,
        failures=total.failures,
        mse=total.mse,
        mse_se=total.mse_se,
        mae=total.mae,
        mae_se=total.mae_se,
        bias=total.bias,
        bias_se=total.bias_se,
        coverage_90=intervals[0].coverage if intervals else None,
        seconds=float(np.median(results.seconds)),
        unit=results.unit,
        rank_correlation=total.rank_correlation,
        power=power_of(results),
    )


__all__ = ["LEVEL", "SummaryRow", "summarise"]
