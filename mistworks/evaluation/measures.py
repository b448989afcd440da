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
    """How datasets are grouped by size.

    Each bin includes its upper edge and excludes its lower one, but the first includes both, so that n = 500
    is in ``"300-500"`` whether or not larger bins follow.

    Attributes:
        n_edges: edges of the bins of the sample size n.
        dimension_edges: edges of the bins of the dimension, the greater of dx and dy.
    """

    n_edges: tuple[int, ...] = (10, 100, 300, 500, 1_000, 10_000)
    dimension_edges: tuple[int, ...] = (1, 2, 8, 16, 32, 64)

    @field_validator("n_edges", "dimension_edges")
    @classmethod
    def _increasing(cls, edges: tuple[int, ...]) -> tuple[int, ...]:
        if len(edges) < 2 or any(low >= high for low, high in pairwise(edges)):
            raise ValueError(f"two or more increasing edges were expected, and {edges} came")
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
        """The bin of n of each row; ``"other"`` outside all of them."""
        return _assign(results.n, self.n_edges)

    def of_dimension(self, results: Results) -> NDArray[np.str_]:
        """The bin of the dimension of each row; ``"other"`` outside all of them."""
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
        dimension_bin: bin of the greater of dx and dy, ``"other"`` outside the bins, or ``"all"``.
        count: datasets in the group.
        failures: those among them without a finite estimate; the figures below up to the rank correlation
            are over the others, and none where there are too few.
        mse: mean squared error in nats².
        mse_se: its standard error.
        bias: mean of estimate minus truth in nats.
        bias_se: its standard error.
        variance: of estimate minus truth in nats², such that mse = bias² + variance.
        mae: mean absolute error in nats.
        mae_se: its standard error.
        median_absolute_error: in nats.
        rank_correlation: Spearman's, of estimate with truth.
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
    """The table of one estimator on one suite: every family by n bin by dimension bin, totals first.

    Args:
        results: estimates beside the truth.
        prior_mean: mean MI in nats of the distributions that the estimator was trained on, the constant that
            it is compared with; none takes the mean truth of the suite itself, which no constant can beat.
        bins: how datasets are grouped.

    Raises:
        MistworksError: there are no datasets.
    """
    if len(results) == 0:
        raise MistworksError(
            f"the results of {results.estimator} on {results.suite} hold no datasets, so there is nothing to "
            "measure; evaluate it first"
        )
    constant = float(results.mi.mean()) if prior_mean is None else prior_mean
    return tuple(_row(results[chosen], key, constant) for key, chosen in groups(results, bins))


def groups(
    results: Results, bins: Bins = DEFAULT_BINS
) -> Iterator[tuple[tuple[str, str, str], NDArray[np.bool_]]]:
    """Masks of the groups that hold datasets, under (family, n bin, dimension bin), totals first."""
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
    """One row of a table; by default the total of a suite.

    Raises:
        MistworksError: there is no such row, or there are several since the table has several estimators.
    """
    found = [
        row
        for row in rows
        if (row.suite, row.family, row.n_bin, row.dimension_bin) == (suite, family, n_bin, dimension_bin)
        and estimator in (None, row.estimator)
    ]
    if len(found) != 1:
        raise MistworksError(
            f"one row was expected for suite {suite!r}, family {family!r}, n {n_bin!r}, dimension "
            f"{dimension_bin!r}, estimator {estimator or 'any'!r}, and there are {len(found)}; the suites "
            f"are {', '.join(sorted({row.suite for row in rows}))}"
        )
    return found[0]


def metrics(rows: Sequence[AccuracyRow]) -> dict[str, float]:
    """Flat names and values for a tracker: ``"m-test.mse.n_10_100"``, ``"m-test.mse.all"``, …

    Raises:
        MistworksError: the table has several estimators, whose values would share their names.
    """
    if len({row.estimator for row in rows}) > 1:
        raise MistworksError("metrics of one estimator were expected, and several came; pass one at a time")
    found: dict[str, float] = {}
    for row in rows:
        if (row.family, row.dimension_bin) != (ALL, ALL):
            continue
        group = row.n_bin if row.n_bin in (ALL, OTHER) else f"n_{row.n_bin.replace('-', '_')}"
        for name in _TRACKED:
            value = getattr(row, name)
            if value is not None:
                found[f"{row.suite}.{name}.{group}"] = float(value)
    return found


def to_csv(rows: Sequence["DataclassInstance"]) -> str:
    """A table as CSV with a header; empty fields where there is no figure.

    Raises:
        MistworksError: there are no rows, so no header either.
    """
    if not rows:
        raise MistworksError("a table of at least one row was expected, and none came; evaluate first")
    text = io.StringIO()
    writer = csv.DictWriter(text, [column.name for column in fields(rows[0])], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def mean_and_error(values: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """Mean and its standard error, none where there are too few values for it."""
    if len(values) == 0:
        return None, None
    error = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else None
    return float(values.mean()), error


def rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Spearman's rank correlation, ties at their mean rank; none where either is constant."""
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])


def _row(results: Results, key: tuple[str, str, str], constant: float) -> AccuracyRow:
    good = results.succeeded
    error = (results.estimate - results.mi)[good]
    (mse, mse_se), (bias, bias_se), (mae, mae_se) = map(mean_and_error, (error**2, error, np.abs(error)))
    return AccuracyRow(
        results.suite,
        results.estimator,
        *key,
        count=len(results),
        failures=len(results) - len(error),
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
