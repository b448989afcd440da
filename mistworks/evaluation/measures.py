"""Accuracy of point estimates: error, bias and rank correlation by family, sample size and dimension."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator
from scipy.stats import rankdata

from mistworks.config import FrozenConfig
from mistworks.dataset import IntArray
from mistworks.errors import MistworksError
from mistworks.evaluation.results import Results

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ALL = "all"
OTHER = "other"
_TRACKED = ("mse", "bias", "mae", "rank_correlation", "baseline_mse", "failures", "count")


class Bins(FrozenConfig):
    """Bins of the sample size and of the dimension.

    Each bin includes its upper edge and excludes its lower one; the first includes both. So n = 500 is in
    ``"300-500"`` whether or not larger bins follow.

    Attributes:
        n_edges: edges of the bins of the sample size n.
        dimension_edges: edges of the bins of the dimension, the maximum of dx and dy.
    """

    n_edges: tuple[int, ...] = (10, 100, 300, 500, 1_000, 10_000)
    dimension_edges: tuple[int, ...] = (1, 2, 8, 16, 32, 64)

    @field_validator("n_edges", "dimension_edges")
    @classmethod
    def _increasing(cls, edges: tuple[int, ...]) -> tuple[int, ...]:
        if len(edges) < 2 or any(low >= high for low, high in pairwise(edges)):
            raise ValueError(f"Expected at least two increasing edges, got {edges}.")
        return edges

    @property
    def n_bins(self) -> tuple[str, ...]:
        """Names of the bins of n, such as ``"10-100"``, in increasing order."""
        return _names(self.n_edges)

    @property
    def dimension_bins(self) -> tuple[str, ...]:
        """Names of the bins of the dimension, in increasing order."""
        return _names(self.dimension_edges)

    def of_n(self, results: Results) -> NDArray[np.str_]:
        """The bin of n of each row; ``"other"`` outside all bins."""
        return _assign(results.n, self.n_edges)

    def of_dimension(self, results: Results) -> NDArray[np.str_]:
        """The bin of the dimension of each row; ``"other"`` outside all bins."""
        return _assign(np.maximum(results.dx, results.dy), self.dimension_edges)


DEFAULT_BINS = Bins()


@dataclass(frozen=True, slots=True)
class AccuracyRow:
    """Accuracy within one group of datasets. Standard errors are those of means over datasets.

    Attributes:
        suite: name of the suite.
        estimator: name of the estimator.
        family: family, or ``"all"``.
        n_bin: bin of the sample size, ``"other"`` outside the bins, or ``"all"``.
        dimension_bin: bin of the maximum of dx and dy, ``"other"`` outside the bins, or ``"all"``.
        count: number of datasets in the group.
        failures: number of datasets without a finite estimate. They are left out of all measures but
            ``baseline_mse``; a measure of too few datasets is None, and so is every error of an estimator
            whose unit is not nats.
        mse: mean squared error in nats².
        mse_se: standard error of ``mse``.
        bias: mean of estimate minus truth in nats.
        bias_se: standard error of ``bias``.
        variance: variance of estimate minus truth in nats², such that mse = bias² + variance.
        mae: mean absolute error in nats.
        mae_se: standard error of ``mae``.
        median_absolute_error: median absolute error in nats.
        rank_correlation: Spearman's rank correlation of estimate and truth.
        baseline_mse: MSE in nats² of a constant, the mean of the prior, over all datasets of the group.
    """

    suite: str
    estimator: str
    family: str
    n_bin: str
    dimension_bin: str
    count: int
    failures: int
    mse: float | None
    mse_se: float | None
    bias: float | None
    bias_se: float | None
    variance: float | None
    mae: float | None
    mae_se: float | None
    median_absolute_error: float | None
    rank_correlation: float | None
    baseline_mse: float


def accuracy(
    results: Results, *, prior_mean: float | None = None, bins: Bins = DEFAULT_BINS
) -> tuple[AccuracyRow, ...]:
    """Accuracy of one estimator on one suite, by family, bin of n and bin of dimension, totals first.

    Args:
        results: estimates beside the truth.
        prior_mean: constant for ``baseline_mse``: the mean MI in nats of the training distributions. None
            takes the mean truth of the suite, which no constant can beat.
        bins: bins of n and of the dimension.

    Raises:
        MistworksError: there are no datasets.
    """
    if len(results) == 0:
        raise MistworksError(
            f"Expected results of {results.estimator} on {results.suite} with at least one dataset, got "
            "none. Evaluate it first."
        )
    constant = float(results.mi.mean()) if prior_mean is None else prior_mean
    return tuple(_row(results[chosen], key, constant) for key, chosen in groups(results, bins))


def groups(
    results: Results, bins: Bins = DEFAULT_BINS
) -> Iterator[tuple[tuple[str, str, str], NDArray[np.bool_]]]:
    """Yield (family, bin of n, bin of dimension) and the mask of each group with datasets, totals first."""
    of_n, of_dimension = bins.of_n(results), bins.of_dimension(results)
    for family in (ALL, *np.unique(results.family).tolist()):
        in_family = _equal(results.family, family)
        for n_bin in (ALL, *bins.n_bins, OTHER):
            in_n_bin = in_family & _equal(of_n, n_bin)
            if not in_n_bin.any():
                continue
            for dimension_bin in (ALL, *bins.dimension_bins, OTHER):
                chosen = in_n_bin & _equal(of_dimension, dimension_bin)
                if chosen.any():
                    yield (family, n_bin, dimension_bin), chosen


def find(
    rows: Sequence[AccuracyRow],
    suite: str,
    family: str = ALL,
    n_bin: str = ALL,
    dimension_bin: str = ALL,
    estimator: str | None = None,
) -> AccuracyRow:
    """Return one row of a table, by default the total of a suite.

    Raises:
        MistworksError: there is no such row, or several because the table has several estimators.
    """
    matches = [
        row
        for row in rows
        if (row.suite, row.family, row.n_bin, row.dimension_bin) == (suite, family, n_bin, dimension_bin)
        and estimator in (None, row.estimator)
    ]
    if len(matches) != 1:
        raise MistworksError(
            f"Expected one row for suite {suite!r}, family {family!r}, n {n_bin!r}, dimension "
            f"{dimension_bin!r}, estimator {estimator or 'any'!r}, got {len(matches)}. The suites are "
            f"{', '.join(sorted({row.suite for row in rows}))}."
        )
    return matches[0]


def metrics(rows: Sequence[AccuracyRow]) -> dict[str, float]:
    """Return names and values for a tracker: ``"m-test.mse.n_10_100"``, ``"m-test.mse.all"``, …

    Raises:
        MistworksError: the table has several estimators, whose values would share names.
    """
    if len({row.estimator for row in rows}) > 1:
        raise MistworksError("Expected the rows of one estimator, got several. Pass one at a time.")
    values: dict[str, float] = {}
    for row in rows:
        if (row.family, row.dimension_bin) != (ALL, ALL):
            continue
        group = row.n_bin if row.n_bin in (ALL, OTHER) else f"n_{row.n_bin.replace('-', '_')}"
        for name in _TRACKED:
            value = getattr(row, name)
            if value is not None:
                values[f"{row.suite}.{name}.{group}"] = float(value)
    return values


def to_csv(rows: Sequence["DataclassInstance"]) -> str:
    """Write a table as CSV with a header; missing values are empty.

    Raises:
        MistworksError: there are no rows.
    """
    if not rows:
        raise MistworksError("Expected a table with at least one row, got none. Evaluate first.")
    text = io.StringIO()
    writer = csv.DictWriter(text, [column.name for column in fields(rows[0])], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def mean_and_error(values: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """Mean and standard error; None if there are too few values."""
    if len(values) == 0:
        return None, None
    error = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else None
    return float(values.mean()), error


def rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Spearman's rank correlation; None if either side is constant."""
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    # Without the p value that scipy.stats.spearmanr computes for each of many small groups.
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])


def _row(results: Results, key: tuple[str, str, str], constant: float) -> AccuracyRow:
    good = results.succeeded
    error = (results.estimate - results.mi)[good if results.in_nats else np.zeros_like(good)]
    (mse, mse_se), (bias, bias_se), (mae, mae_se) = map(mean_and_error, (error**2, error, np.abs(error)))
    return AccuracyRow(
        results.suite,
        results.estimator,
        *key,
        count=len(results),
        failures=int((~good).sum()),
        mse=mse,
        mse_se=mse_se,
        bias=bias,
        bias_se=bias_se,
        variance=float(error.var()) if len(error) else None,
        mae=mae,
        mae_se=mae_se,
        median_absolute_error=float(np.median(np.abs(error))) if len(error) else None,
        rank_correlation=rank_correlation(results.estimate[good], results.mi[good]),
        baseline_mse=float(((constant - results.mi) ** 2).mean()),
    )


def _equal(column: NDArray[np.str_], value: str) -> NDArray[np.bool_]:
    return np.ones(len(column), bool) if value == ALL else column == value


def _names(edges: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"{low}-{high}" for low, high in pairwise(edges))


def _assign(values: IntArray, edges: tuple[int, ...]) -> NDArray[np.str_]:
    names = np.array([OTHER, *_names(edges), OTHER])
    position = np.searchsorted(edges, values, side="left")
    position[values == edges[0]] = 1
    return names[position]


__all__ = [
    "ALL",
    "DEFAULT_BINS",
    "OTHER",
    "AccuracyRow",
    "Bins",
    "accuracy",
    "find",
    "groups",
    "mean_and_error",
    "metrics",
    "rank_correlation",
    "to_csv",
]
