"""Run an estimator on a suite. Each dataset gives one row; failures are recorded, not raised."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mistworks.baselines import MutualInformationEstimator
from mistworks.baselines.base import unit_of
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import Estimate
from mistworks.evaluation.results import QUANTILE_LEVELS, Results
from mistworks.evaluation.suites.base import ROOT_SEED, Case, Suite, labelled
from mistworks.randomness import stream

Pair = tuple[Any, Any]
"""Two arrays of float32, or the result of `labelled` for estimators that read classes."""

Identity = tuple[str, int, int]
"""Name, n and replicate: identifies a dataset of a suite at any choice of sizes."""

_BATCH_COUNT = 128
_BATCH_VALUES = 2**22
_FAILURE_LENGTH = 300


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
    """Run an estimator on some datasets of a suite and time each estimate.

    An estimator fails on a dataset if it raises an error or returns numbers that are not finite in float32;
    the row then gives the reason. Errors of the suite itself are raised.

    Args:
        estimator: the estimator. With ``estimate_many`` it gets batches, whose time is divided among samples
            in proportion to their number of values.
        suite: source of the datasets.
        positions: positions of the datasets in the suite.
        seconds: time after which no further dataset is started. The results then cover the first positions,
            at least one.

    Raises:
        MistworksError: there are no positions, or the suite cannot give a sample.
    """
    if len(positions) == 0:
        raise MistworksError("Expected at least one position, got none.")
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
    """Map the identity of every dataset of a suite to its position.

    Raises:
        MistworksError: two datasets have the same identity.
    """
    positions = {(case.name, case.n, case.replicate): position for position, case in enumerate(suite.cases())}
    if len(positions) < len(suite):
        raise MistworksError(
            f"Expected {len(suite):,} datasets of {suite.name} with distinct name, n and replicate, got "
            f"{len(positions):,}. Give equal ones different replicates."
        )
    return positions


def aligned(results: Results, positions: Mapping[Identity, int]) -> Results:
    """Select the rows of results with given datasets, each once, in the order of the suite.

    Args:
        results: results of the same version of the suite, possibly at other sizes.
        positions: positions in the suite, from `identities`.
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
    """Return positions 0 to ``count`` − 1, or a random ``limit`` of them in increasing order.

    The choice is the same at every call, and a larger limit adds to that of a smaller one. It is random
    because distributions repeat periodically in a suite: equal steps could choose the same few again and
    again.

    Args:
        count: number of datasets.
        limit: number of positions; None for all.
        block: choose whole blocks of this size, at least one.
    """
    if limit is None or count <= limit:
        return list(range(count))
    order = stream(ROOT_SEED, "suite-part", "order", count).permutation(count // block)
    chosen = sorted(order[: max(limit // block, 1)].tolist())
    return [start * block + offset for start in chosen for offset in range(block)]


def _batches(
    estimator: MutualInformationEstimator, suite: Suite, positions: Sequence[int]
) -> Iterator[list[tuple[Case, Pair]]]:
    most = _BATCH_COUNT if hasattr(estimator, "estimate_many") else 1
    reads_classes = getattr(estimator, "reads_classes", False)
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
    if hasattr(estimator, "estimate_many"):
        # A refused sample must only cost its own row: then each sample is estimated alone.
        with suppress(Exception):
            return _estimate_many(estimator.estimate_many, pairs)
    return [_estimate_one(estimator, x, y) for x, y in pairs]


def _estimate_many(
    estimate_many: Callable[[Sequence[Pair]], Sequence[Estimate]], pairs: Sequence[Pair]
) -> list[_Outcome]:
    started = time.perf_counter()
    estimates = estimate_many(pairs)
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
        return _failed(_reason(error), time.perf_counter() - started)


def _outcome(estimate: Estimate, seconds: float) -> _Outcome:
    quantiles = np.full(len(QUANTILE_LEVELS), np.nan)
    if estimate.quantiles is not None:
        quantiles = np.asarray(estimate.quantile(QUANTILE_LEVELS), dtype=np.float64)
        # An infinite upper end is stored as the largest number, which gives the interval a bad score.
        quantiles = np.where(quantiles == np.inf, np.finfo(np.float32).max, quantiles)
        if not _representable(quantiles).all():
            wrong = float(quantiles[~_representable(quantiles)][0])
            return _failed(f"a quantile of the estimate is {wrong}", seconds)
    mi = float(estimate.mi)
    if not _representable(np.array(mi)):
        return _failed(f"the estimate is {mi}", seconds)
    return _Outcome(mi, quantiles, seconds)


def _representable(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether values are numbers within the range of float32; beyond it, squares overflow."""
    return np.abs(values) <= np.finfo(np.float32).max


def _failed(reason: str, seconds: float) -> _Outcome:
    return _Outcome(math.nan, np.full(len(QUANTILE_LEVELS), np.nan), seconds, reason)


def _reason(error: Exception) -> str:
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
        unit=unit_of(estimator),
    )


__all__ = ["Identity", "Pair", "aligned", "identities", "random_part", "run_chunk"]
