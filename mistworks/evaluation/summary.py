"""One line about an estimator on a suite: what a table of many of them shows."""

from dataclasses import dataclass

import numpy as np

from mistworks.evaluation.intervals import coverage
from mistworks.evaluation.measures import accuracy
from mistworks.evaluation.results import Results

LEVEL = 0.9
"""Level of the intervals whose coverage is shown."""


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """An estimator on a suite. Figures are over the datasets where it did not fail; none where there is none.

    Attributes:
        suite: name of the suite.
        estimator: name of the estimator.
        estimator_version: its version.
        count: datasets it was evaluated on.
        failures: those among them without a finite estimate.
        mse: mean squared error in nats².
        mse_se: its standard error.
        mae: mean absolute error in nats.
        mae_se: its standard error.
        bias: mean of estimate minus truth in nats.
        bias_se: its standard error.
        coverage_90: share of all its datasets, failures too, whose central 90 % interval holds the truth;
            none for an estimator without intervals.
        seconds: median time of an estimate, as measured beside whatever else ran.
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


def summarise(results: Results) -> SummaryRow:
    """The line of one estimator on one suite.

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
    )
