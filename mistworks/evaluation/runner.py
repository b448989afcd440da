"""Puts an estimator to the datasets of a suite: one row each, and what fails is a row that says why."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mistworks.baselines import MutualInformationEstimator
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import Estimate
from mistworks.evaluation.results import QUANTILE_LEVELS, Results
from mistworks.evaluation.suites.base import ROOT_SEED, Case, Suite, labelled
from mistworks.randomness import stream

Pair = tuple[Any, Any]
"""Two arrays of float32; for an estimator that reads classes, what `labelled` makes of them."""

Identity = tuple[str, int, int]
"""Name, n and replicate: which dataset of a suite, whatever other sizes the suite holds."""

_BATCH_COUNT = 128
_BATCH_VALUES = 2**22
_FAILURE_LENGTH = 300


@runtime_checkable
class BatchEstimator(Protocol):
    """An estimator that computes many samples together."""

    def estimate_many(self, pairs: Sequence[Pair]) -> Sequence[Estimate]:
        """One estimate for each pair (x, y) of shapes (n, dx) and (n, dy)."""


@runtime_checkable
class ClassReader(Protocol):
    """An estimator that may read class labels as such; others get their codes as numbers."""

    @property
    def reads_classes(self) -> bool:
        """Whether it does."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    estimate: float
    quantiles: NDArray[np.float64]
    seconds: float
    failure: str = ""


def run_chunk(
    estimator: MutualInformationEstimator,
    suite: Suite,
    positions: Sequence[int],
    *,
    seconds: float = math.inf,
) -> Results:
    """Estimates of some datasets of a suite, timed one by one.

    An estimator that raises, or gives anything but finite numbers that float32 can hold, has failed on that
    dataset: the row says why. What goes wrong with the suite itself is raised.

    Args:
        estimator: what is evaluated; one with ``estimate_many`` is given batches, whose time is shared out in
            proportion to the number of values of each sample.
        suite: where the datasets come from.
        positions: of the datasets in the suite.
        seconds: time after which no further dataset is begun; the results are then of the first positions, at
            least one.

    Raises:
        MistworksError: there is no position, or the suite cannot give a sample.
    """
    if len(positions) == 0:
        raise MistworksError("the position of at least one dataset was expected, and none came; name some")
    started = time.perf_counter()
    cases: list[Case] = []
    outcomes: list[_Outcome] = []
    for batch in _batches(estimator, suite, positions):
        cases += [case for case, _ in batch]
        outcomes += _estimate(estimator, [pair for _, pair in batch])
        if time.perf_counter() - started >= seconds:
            break
    return _results(estimator, suite, positions[: len(cases)], cases, outcomes)


def identities(suite: Suite) -> dict[Identity, int]:
    """The position of every dataset of a suite by its identity.

    Raises:
        MistworksError: two datasets have the same.
    """
    found = {(case.name, case.n, case.replicate): position for position, case in enumerate(suite.cases())}
    if len(found) < len(suite):
        raise MistworksError(
            f"name, n and replicate tell the datasets of a suite apart, and among the {len(suite):,} of "
            f"{suite.name} there are {len(found):,}; give those that are alike different replicates"
        )
    return found


def aligned(results: Results, positions: Mapping[Identity, int]) -> Results:
    """The rows of results whose datasets are among those given, each once, in the order of the suite.

    Args:
        results: of the same version of the suite, perhaps at other sizes.
        positions: of the suite as `identities` gives them.
    """
    keys = zip(results.name.tolist(), results.n.tolist(), results.replicate.tolist(), strict=True)
    rows: dict[int, int] = {}
    for row, key in enumerate(keys):
        if (position := positions.get(key)) is not None:
            rows.setdefault(position, row)
    order = np.array(sorted(rows), dtype=np.int64)
    chosen = np.array([rows[position] for position in order.tolist()], dtype=np.int64)
    return replace(results[chosen], position=order)


def random_part(count: int, limit: int | None, block: int = 1) -> list[int]:
    """Positions 0 to ``count`` − 1 in order, or ``limit`` of them at random where they are more.

    The same at every call, and a greater limit adds to a smaller one's. Equal distances would meet the period
    in which distributions recur in a suite, and so choose the same few again and again.

    Args:
        count: number of datasets.
        limit: how many to choose; all if None.
        block: chosen are whole blocks of so many, one at least.
    """
    if limit is None or count <= limit:
        return list(range(count))
    order = stream(ROOT_SEED, "suite-part", "order", count).permutation(count // block)
    chosen = sorted(order[: max(limit // block, 1)].tolist())
    return [start * block + offset for start in chosen for offset in range(block)]


def _batches(
    estimator: MutualInformationEstimator, suite: Suite, positions: Sequence[int]
) -> Iterator[list[tuple[Case, Pair]]]:
    most = _BATCH_COUNT if isinstance(estimator, BatchEstimator) else 1
    reads_classes = isinstance(estimator, ClassReader) and estimator.reads_classes
    batch: list[tuple[Case, Pair]] = []
    values = 0
    for position in positions:
        case, (x, y) = suite.case(position), suite.sample(position)
        pair: Pair = x, y
        if reads_classes:
            pair = labelled(x, case.x_classes), labelled(y, case.y_classes)
        batch.append((case, pair))
        values += x.size + y.size
        if len(batch) == most or values >= _BATCH_VALUES:
            yield batch
            batch, values = [], 0
    if batch:
        yield batch


def _estimate(estimator: MutualInformationEstimator, pairs: Sequence[Pair]) -> list[_Outcome]:
    if isinstance(estimator, BatchEstimator):
        # One sample that is refused must cost its own row only: then each is given alone.
        with suppress(Exception):
            return _estimate_many(estimator, pairs)
    return [_estimate_one(estimator, x, y) for x, y in pairs]


def _estimate_many(estimator: BatchEstimator, pairs: Sequence[Pair]) -> list[_Outcome]:
    started = time.perf_counter()
    estimates = estimator.estimate_many(pairs)
    elapsed = time.perf_counter() - started
    values = np.array([x.size + y.size for x, y in pairs])
    shares = (elapsed * values / values.sum()).tolist()
    return [_outcome(estimate, share) for estimate, share in zip(estimates, shares, strict=True)]


def _estimate_one(estimator: MutualInformationEstimator, x: Any, y: Any) -> _Outcome:
    started = time.perf_counter()
    try:
        estimate = estimator.estimate(x, y)
        return _outcome(estimate, time.perf_counter() - started)
    except Exception as error:
        return _failed(_told(error), time.perf_counter() - started)


def _outcome(estimate: Estimate, seconds: float) -> _Outcome:
    quantiles = np.full(len(QUANTILE_LEVELS), np.nan)
    if estimate.quantiles is not None:
        quantiles = np.asarray(estimate.quantile(QUANTILE_LEVELS), dtype=np.float64)
        # An upper end may be infinite: kept as the largest number, it costs the interval its score.
        quantiles = np.where(quantiles == np.inf, np.finfo(np.float32).max, quantiles)
        if not _representable(quantiles).all():
            wrong = float(quantiles[~_representable(quantiles)][0])
            return _failed(f"a quantile of the estimate is {wrong}", seconds)
    mi = float(estimate.mi)
    if not _representable(np.array(mi)):
        return _failed(f"the estimate is {mi}", seconds)
    return _Outcome(mi, quantiles, seconds)


def _representable(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which are numbers within the range of float32; beyond it their squares have no mean."""
    return np.abs(values) <= np.finfo(np.float32).max


def _failed(reason: str, seconds: float) -> _Outcome:
    return _Outcome(math.nan, np.full(len(QUANTILE_LEVELS), np.nan), seconds, reason)


def _told(error: Exception) -> str:
    line = next(iter(str(error).splitlines()), "no message")
    sentence = line if isinstance(error, MistworksError) else f"{type(error).__name__}: {line}"
    return sentence[:_FAILURE_LENGTH]


def _results(
    estimator: MutualInformationEstimator,
    suite: Suite,
    positions: Sequence[int],
    cases: Sequence[Case],
    outcomes: Sequence[_Outcome],
) -> Results:
    return Results(
        suite=suite.name,
        suite_version=suite.version,
        estimator=estimator.name,
        estimator_version=estimator.version,
        position=np.array(positions, dtype=np.int64),
        name=np.array([case.name for case in cases], dtype=np.str_),
        family=np.array([case.family for case in cases], dtype=np.str_),
        n=np.array([case.n for case in cases], dtype=np.int64),
        dx=np.array([case.dx for case in cases], dtype=np.int64),
        dy=np.array([case.dy for case in cases], dtype=np.int64),
        replicate=np.array([case.replicate for case in cases], dtype=np.int64),
        mi=np.array([case.mi for case in cases], dtype=np.float64),
        mi_se=np.array([case.mi_se for case in cases], dtype=np.float64),
        estimate=np.array([outcome.estimate for outcome in outcomes], dtype=np.float64),
        quantiles=np.stack([outcome.quantiles for outcome in outcomes]),
        seconds=np.array([outcome.seconds for outcome in outcomes], dtype=np.float64),
        failure=np.array([outcome.failure for outcome in outcomes], dtype=np.str_),
    )
