"""Calibrates a trained estimator on a split it has not seen, in bounded memory."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mistworks.calibration import Calibration
from mistworks.errors import MistworksError
from mistworks.estimation import Estimator
from mistworks.randomness import stream
from mistworks.training.batching import AnySource
from mistworks.training.validation import partition_estimates


def calibrate(
    estimator: Estimator,
    source: AnySource,
    seed: int,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Estimator:
    """The estimator with a calibration fitted on a split, one partition at a time in memory.

    A calibration that it has already is left out of account: the result follows from the weights, the content
    of the split and the seed.

    Args:
        estimator: with quantiles.
        source: a split that had no part in training.
        seed: of what spreads true values of 0 over the levels whose quantiles are 0.
        on_progress: told the share of datasets done.

    Raises:
        MistworksError: the model has no quantiles, or the split holds too few datasets.
    """
    if estimator.objective == "squared-error":
        raise MistworksError(
            "a model trained with objective squared-error has no quantiles to calibrate; train one with "
            "objective pinball"
        )
    plain, index = estimator.with_calibration(None), source.index
    quantiles: list[NDArray[np.float64]] = []
    for number, (start, stop) in enumerate(source.partition_bounds):
        estimates = partition_estimates(plain, source, number, np.arange(stop - start))
        quantiles.append(np.array([estimate.quantiles for estimate in estimates]))
        on_progress(stop / len(index))
    calibration = Calibration.fit(
        np.concatenate(quantiles or [np.empty((0, 0))]),
        index.mi,
        index.n,
        index.dx + index.dy,
        stream(seed, "calibration", "levels", 0),
    )
    return estimator.with_calibration(calibration)
