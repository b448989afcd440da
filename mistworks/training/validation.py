"""Validation: errors of an estimator on a split, in bounded memory."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mistworks.dataset import IntArray
from mistworks.errors import MistworksError
from mistworks.estimation.estimate import LEVELS, Estimate
from mistworks.estimation.estimator import Estimator
from mistworks.training.batching import AnySource
from mistworks.training.losses import pinball


@dataclass(frozen=True, slots=True)
class ValidationFigures:
    """Errors on a split: `loss` in nats or nats², whatever ``loss_scale`` is; `mse`; `bias` in nats."""

    loss: float
    mse: float
    bias: float


def validate(estimator: Estimator, source: AnySource, max_datasets: int | None = None) -> ValidationFigures:
    """Estimate all datasets of a split, or ``max_datasets`` evenly spread over it, one partition at a time.

    Raises:
        MistworksError: the split holds no datasets.
    """
    if not len(source):
        raise MistworksError("Expected datasets in the validation split, got none. Generate some first.")
    count = min(len(source), max_datasets or len(source))
    chosen = np.linspace(0, len(source) - 1, count).round().astype(np.int64)
    losses, errors = [], []
    for number, (start, stop) in enumerate(source.partition_bounds):
        rows = chosen[(chosen >= start) & (chosen < stop)] - start
        if len(rows):
            loss, error = _partition_errors(estimator, source, number, rows)
            losses.append(loss)
            errors.append(error)
    error = np.concatenate(errors)
    return ValidationFigures(
        float(np.concatenate(losses).mean()), float(np.square(error).mean()), float(error.mean())
    )


def _partition_errors(
    estimator: Estimator, source: AnySource, number: int, rows: IntArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    estimates = estimator.estimate_block(source.partition(number), rows)
    target = source.index.mi[slice(*source.partition_bounds[number])][rows]
    error = np.array([estimate.mi for estimate in estimates]) - target
    if estimator.objective == "squared-error":
        return np.square(error), error
    return _pinball(estimates, target), error


def _pinball(estimates: list[Estimate], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the pinball loss of each dataset, averaged over `estimation.LEVELS`."""
    quantiles = torch.tensor([estimate.quantiles for estimate in estimates], dtype=torch.float64)
    levels = torch.tensor(LEVELS, dtype=torch.float64).expand_as(quantiles)
    return np.asarray(pinball(quantiles, torch.from_numpy(target), levels))


__all__ = ["ValidationFigures", "validate"]
