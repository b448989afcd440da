"""Accuracy of point estimates of mutual information: MSE and bias by sample size and family."""

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator

from mistworks.config import FrozenConfig
from mistworks.dataset import Dataset, FloatArray, Index, Source
from mistworks.errors import MistworksError

ALL = "all"
OTHER = "other"
_CHUNK = 256


class HasMi(Protocol):
    """An estimate: what the evaluation reads of it."""

    @property
    def mi(self) -> float:
        """The point estimate in nats."""


class PointEstimator(Protocol):
    """Anything that estimates mutual information from samples, the trained estimator among them."""

    def estimate_many(self, pairs: Sequence[tuple[FloatArray, FloatArray]]) -> Sequence[HasMi]:
        """One estimate for each pair (x, y) of shapes (n, dx) and (n, dy)."""


class AccuracyConfig(FrozenConfig):
    """How datasets are grouped.

    Attributes:
        n_edges: edges of the bins of the sample size. Each bin includes its lower edge and excludes its
            upper one, but the last includes both.
    """

    n_edges: tuple[int, ...] = (10, 100, 300, 500)

    @field_validator("n_edges")
    @classmethod
    def _increasing(cls, edges: tuple[int, ...]) -> tuple[int, ...]:
        if len(edges) < 2 or any(low >= high for low, high in pairwise(edges)):
            raise ValueError(f"two or more increasing edges were expected, and {edges} came")
        return edges

    @property
    def bins(self) -> tuple[str, ...]:
        """Names of the bins, such as ``"10-100"``, in increasing order."""
        return tuple(f"{low}-{high}" for low, high in pairwise(self.n_edges))

    def bin_of(self, n: NDArray[np.int64]) -> NDArray[np.str_]:
        """The bin of each sample size; ``"other"`` for those outside all of them."""
        names = np.array([OTHER, *self.bins, OTHER])
        position = np.searchsorted(self.n_edges, n, side="right")
        position[n == self.n_edges[-1]] = len(self.n_edges) - 1
        return names[position]


@dataclass(frozen=True, slots=True, eq=False)
class PointEstimates:
    """Estimates of one split beside the truth.

    Attributes:
        split: name of the split.
        index: the N rows of the split's index; its ``mi`` is the truth in nats.
        mi: estimates in nats, shape (N,), NaN or infinite where the estimator failed.
        baseline: the constant in nats that the estimates are compared with: the mean of the prior, or the
            mean truth of the split where no prior mean was given.
    """

    split: str
    index: Index
    mi: NDArray[np.float64]
    baseline: float

    def __post_init__(self) -> None:
        if self.mi.shape != (len(self.index),):
            raise MistworksError(
                f"one estimate a dataset was expected for {self.split}, shape ({len(self.index)},), "
                f"and shape {self.mi.shape} came"
            )

    @property
    def succeeded(self) -> NDArray[np.bool_]:
        """Which estimates are numbers within the range of float32; beyond it their squares have no mean."""
        return np.abs(self.mi) <= np.finfo(np.float32).max

    @property
    def family(self) -> NDArray[np.str_]:
        """Family and transform of each dataset in one name, such as ``"student-sparse/halfcube"``."""
        return np.char.add(np.char.add(self.index.family, "/"), self.index.transform)


@dataclass(frozen=True, slots=True)
class AccuracyRow:
    """Accuracy within one group of datasets.

    Attributes:
        split: name of the split.
        family: family and transform, or ``"all"``.
        n_bin: bin of the sample size, ``"other"`` outside the bins, or ``"all"``.
        count: datasets in the group.
        failures: those among them whose estimate did not succeed; all figures below are over the others.
        mse: mean squared error in nats²; none where every estimate failed.
        mse_se: its standard error; none below two estimates.
        bias: mean of estimate minus truth in nats.
        bias_se: its standard error.
        baseline_mse: MSE in nats² of a constant, over all datasets of the group.
    """

    split: str
    family: str
    n_bin: str
    count: int
    failures: int
    mse: float | None
    mse_se: float | None
    bias: float | None
    bias_se: float | None
    baseline_mse: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Point estimates of one or more splits and the table of their accuracy.

    Attributes:
        estimates: one entry a split, each split once.
        config: how datasets are grouped.
    """

    estimates: tuple[PointEstimates, ...]
    config: AccuracyConfig = field(default_factory=AccuracyConfig)

    def __post_init__(self) -> None:
        names = [part.split for part in self.estimates]
        if len(set(names)) < len(names):
            raise MistworksError(f"each split once was expected in an evaluation, and {names} came")

    @cached_property
    def rows(self) -> tuple[AccuracyRow, ...]:
        """The table: for each split every n bin by every family, with ``"all"`` for the totals."""
        return tuple(row for part in self.estimates for row in accuracy_rows(part, self.config))

    def row(self, split: str, family: str = ALL, n_bin: str = ALL) -> AccuracyRow:
        """One row of the table; by default the total of a split.

        Raises:
            MistworksError: the table has no such row.
        """
        for row in self.rows:
            if (row.split, row.family, row.n_bin) == (split, family, n_bin):
                return row
        splits = ", ".join(part.split for part in self.estimates)
        raise MistworksError(
            f"the evaluation has no row for split {split!r}, family {family!r}, n {n_bin!r}; its splits are "
            f"{splits}, its bins {', '.join(self.config.bins)}"
        )

    def join(self, other: "Evaluation") -> "Evaluation":
        """Both evaluations in one.

        Raises:
            MistworksError: they group datasets differently, or share a split.
        """
        if other.config != self.config:
            raise MistworksError(
                f"evaluations with equal bins were expected, and {self.config.bins} and "
                f"{other.config.bins} came"
            )
        return Evaluation(self.estimates + other.estimates, self.config)

    def metrics(self) -> dict[str, float]:
        """Flat names and values for a tracker: ``"test-imd.mse.n_10_100"``, ``"test-imd.mse.all"``, …"""
        found: dict[str, float] = {}
        for row in self.rows:
            if row.family != ALL:
                continue
            group = row.n_bin if row.n_bin in (ALL, OTHER) else f"n_{row.n_bin.replace('-', '_')}"
            for name in ("mse", "bias", "baseline_mse", "failures", "count"):
                value = getattr(row, name)
                if value is not None:
                    found[f"{row.split}.{name}.{group}"] = float(value)
        return found

    def to_csv(self) -> str:
        """The table as CSV with a header; empty fields where there is no figure."""
        text = io.StringIO()
        writer = csv.DictWriter(text, [column.name for column in fields(AccuracyRow)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in self.rows)
        return text.getvalue()

    def to_json(self) -> str:
        """Everything as JSON text that `from_json` reads back; failed estimates are null."""
        parts = [
            {
                "split": part.split,
                "baseline": part.baseline,
                "estimate": [value if math.isfinite(value) else None for value in part.mi.tolist()],
                "index": {column.name: getattr(part.index, column.name).tolist() for column in fields(Index)},
            }
            for part in self.estimates
        ]
        table = [asdict(row) for row in self.rows]
        return json.dumps(
            {"config": self.config.model_dump(mode="json"), "table": table, "estimates": parts},
            allow_nan=False,
        )

    @classmethod
    def from_json(cls, text: str) -> "Evaluation":
        """Read what `to_json` wrote.

        Raises:
            MistworksError: the text is not such an evaluation.
        """
        try:
            read = json.loads(text)
            return cls(
                tuple(_read_estimates(part) for part in read["estimates"]),
                AccuracyConfig.parse(read["config"]),
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise MistworksError(
                "the text is not an evaluation written by Evaluation.to_json "
                f"({type(error).__name__}: {error}); evaluate again"
            ) from None


def evaluate(
    estimator: PointEstimator,
    source: Source,
    *,
    split: str,
    prior_mean: float | None = None,
    config: AccuracyConfig | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Estimate every dataset of a split, one plain sample each, and compare with the truth.

    Holds one partition of samples at a time. A dataset that the estimator refuses counts as a failure.

    Args:
        estimator: what is evaluated.
        source: the split.
        split: its name in the table.
        prior_mean: mean MI in nats of the training split, the reference "estimate" that sees no data; none
            takes the mean truth of the evaluated split itself, which no constant can beat.
        config: how datasets are grouped.
        on_progress: called with datasets done and datasets in all.

    Raises:
        MistworksError: the split is empty, or a partition is missing or damaged.
    """
    index = source.index
    if len(index) == 0:
        raise MistworksError(f"the split {split!r} holds no datasets, so there is nothing to evaluate")
    mi = np.full(len(index), np.nan)
    done = 0
    for number in range(len(source.partition_bounds)):
        block = source.partition(number)
        for first in range(0, len(block), _CHUNK):
            datasets = block[first : first + _CHUNK]
            start = block.start + first
            mi[start : start + len(datasets)] = _point_estimates(estimator, datasets)
            done += len(datasets)
            if on_progress is not None:
                on_progress(done, len(index))
    baseline = float(index.mi.mean()) if prior_mean is None else prior_mean
    return Evaluation((PointEstimates(split, index, mi, baseline),), config or AccuracyConfig())


def accuracy_rows(estimates: PointEstimates, config: AccuracyConfig) -> Iterator[AccuracyRow]:
    """The rows of one split: totals first, then by family; within each all n, then the bins that occur."""
    bins, family = config.bin_of(estimates.index.n), estimates.family
    for name in (ALL, *np.unique(family).tolist()):
        of_family = np.ones(len(family), bool) if name == ALL else family == name
        for n_bin in (ALL, *config.bins, OTHER):
            chosen = of_family if n_bin == ALL else of_family & (bins == n_bin)
            if chosen.any():
                yield _row(estimates, name, n_bin, chosen)


def _row(estimates: PointEstimates, family: str, n_bin: str, chosen: NDArray[np.bool_]) -> AccuracyRow:
    truth = estimates.index.mi[chosen]
    finite = (estimates.mi[chosen] - truth)[estimates.succeeded[chosen]]
    mse, mse_se = _mean(finite**2)
    bias, bias_se = _mean(finite)
    return AccuracyRow(
        split=estimates.split,
        family=family,
        n_bin=n_bin,
        count=len(truth),
        failures=len(truth) - len(finite),
        mse=mse,
        mse_se=mse_se,
        bias=bias,
        bias_se=bias_se,
        baseline_mse=float(((estimates.baseline - truth) ** 2).mean()),
    )


def _mean(values: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """Mean and its standard error, none where there are too few values for it."""
    if len(values) == 0:
        return None, None
    error = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else None
    return float(values.mean()), error


def _point_estimates(estimator: PointEstimator, datasets: Sequence[Dataset]) -> list[float]:
    pairs = [(dataset.x, dataset.y) for dataset in datasets]
    try:
        return [float(estimate.mi) for estimate in estimator.estimate_many(pairs)]
    except MistworksError:
        # One refused dataset must cost its own row only, and must show as a failure.
        return [_estimate_or_nan(estimator, pair) for pair in pairs]


def _estimate_or_nan(estimator: PointEstimator, pair: tuple[FloatArray, FloatArray]) -> float:
    try:
        return float(estimator.estimate_many([pair])[0].mi)
    except MistworksError:
        return math.nan


def _read_estimates(part: Mapping[str, Any]) -> PointEstimates:
    columns: dict[str, Iterable[Any]] = part["index"]
    index = Index(
        **{name: np.array(columns[name], dtype=np.int64) for name in ("n", "dx", "dy")},
        mi=np.array(columns["mi"], dtype=np.float64),
        family=np.array(columns["family"], dtype=np.str_),
        transform=np.array(columns["transform"], dtype=np.str_),
    )
    mi = np.array([math.nan if value is None else value for value in part["estimate"]], dtype=np.float64)
    return PointEstimates(part["split"], index, mi, part["baseline"])
