"""The step that estimates the pairs of a file and stores the estimates, on Dask workers."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import torch

from mistworks.baselines import MutualInformationEstimator, Trained
from mistworks.errors import MistworksError, MistworksWarning
from mistworks.estimation.estimator import Estimate
from mistworks.preparation.prepare import prepare
from storage.evaluations.estimators import EstimatorReference, open_estimator
from storage.tables.pairs import EstimateFolder, Pairs
from tasks.worker import Terms


@dataclass(frozen=True)
class Scoring:
    """The pairs of one file, to be estimated by one estimator.

    Attributes:
        folder: the folder of the estimates, which also names the pairs.
        estimator: the estimator.
    """

    folder: EstimateFolder
    estimator: EstimatorReference


def score_parts(scoring: Scoring, parts: Sequence[int], _terms: Terms) -> Iterator[int]:
    """Estimate parts of a file, one in memory at a time, and skip finished parts.

    A pair that cannot be estimated gives a row that says why.

    Raises:
        MistworksError: the file or the estimator has changed, or the target cannot be written.
    """
    # One process per core, so one thread per process.
    torch.set_num_threads(1)
    estimator = open_estimator(scoring.estimator)
    done = scoring.folder.done()
    for part in parts:
        if part not in done:
            pairs = scoring.folder.file.read(part)
            estimates = [_estimate(estimator, pairs, row) for row in range(len(pairs))]
            failures = sum(isinstance(estimate, str) for estimate in estimates)
            scoring.folder.write(part, _table(scoring, estimator, pairs, estimates), failures)
        yield 1


def _estimate(estimator: MutualInformationEstimator, pairs: Pairs, row: int) -> Estimate | str:
    try:
        x, y = pairs[row]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MistworksWarning)
            return estimator.estimate(x, y)
    except MistworksError as error:
        return str(error)


def _table(
    scoring: Scoring, estimator: MutualInformationEstimator, pairs: Pairs, estimates: Sequence[Estimate | str]
) -> Any:
    successes = [None if isinstance(estimate, str) else estimate for estimate in estimates]
    columns: dict[str, Any] = {} if pairs.identifiers is None else {"id": pairs.identifiers}
    columns["file"] = pa.array([scoring.folder.file.path] * len(successes), pa.string())
    columns["row"] = pa.array(range(pairs.first, pairs.first + len(successes)), pa.int64())
    columns["mi"] = pa.array([None if each is None else each.mi for each in successes], pa.float64())
    for level in scoring.folder.levels:
        for side, name in enumerate(("low", "high")):
            values = [_bound(each, level, side) for each in successes]
            columns[f"{name}_{100 * level:g}"] = pa.array(values, pa.float64())
    outside = [_outside(estimator, pairs, row) if each else None for row, each in enumerate(successes)]
    columns["outside"] = pa.array(outside, pa.string())
    failures = [estimate if isinstance(estimate, str) else None for estimate in estimates]
    columns["failure"] = pa.array(failures, pa.string())
    for name, value in _provenance(scoring, estimator).items():
        columns[name] = pa.array([value] * len(successes), pa.string())
    return pa.table(columns)


def _bound(estimate: Estimate | None, level: float, side: int) -> float | None:
    return None if estimate is None or estimate.quantiles is None else estimate.interval(level)[side]


def _outside(estimator: MutualInformationEstimator, pairs: Pairs, row: int) -> str | None:
    """Say how a pair exceeds the training range, outside of which its estimate may be far off."""
    if not isinstance(estimator, Trained):
        return None
    outside = estimator.estimator.training_range.outside(prepare(*pairs[row]))
    return None if outside is None else str(outside)


def _provenance(scoring: Scoring, estimator: MutualInformationEstimator) -> dict[str, str]:
    trained = estimator.estimator if isinstance(estimator, Trained) else None
    calibration = None if trained is None else trained.calibration
    return {
        "model": scoring.folder.model,
        "weights_sha256": "" if trained is None else trained.weights_sha256,
        "calibration_sha256": "" if calibration is None else calibration.sha256,
    }


__all__ = ["Scoring", "score_parts"]
