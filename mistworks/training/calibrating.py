"""Calibrate a trained estimator on a split it has not seen, in bounded memory."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mistworks.dataset import IntArray
from mistworks.errors import MistworksError
from mistworks.estimation.calibration import MIN_DATASETS, Calibration, pit_z
from mistworks.estimation.estimate import LEVELS
from mistworks.estimation.estimator import Estimator
from mistworks.estimation.widening import Scores, Widening
from mistworks.networks import Prediction, Predictor
from mistworks.randomness import stream
from mistworks.training.batching import AnySource
from mistworks.training.groups import groups_of

Array = NDArray[np.float64]


class _Predicted(NamedTuple):
    """Predictions of a network for N datasets, with shapes as in `mistworks.networks.Prediction`."""

    quantiles: Array
    n: IntArray
    d: IntArray
    strangeness: Array | None


def calibrate(
    estimator: Estimator,
    source: AnySource,
    seed: int,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Estimator:
    """Return the estimator with a calibration fitted on a split, with one partition at a time in memory.

    Its present calibration is ignored: the result depends only on the weights, the content of the split and
    the seed. If the estimator has witnesses, networks that were each trained without a group of families, the
    calibration learns from them how much wider intervals must be for strange samples.

    Args:
        estimator: an estimator with quantiles.
        source: a split that was not used for training.
        seed: seed for spreading true values of 0 over the levels whose quantiles are 0.
        on_progress: called with the share of datasets done.

    Raises:
        MistworksError: the network has no quantiles, or the split holds too few datasets.
    """
    if estimator.objective == "squared-error":
        raise MistworksError(
            "Expected a network with quantiles to calibrate, got one trained with objective squared-error. "
            "Train one with objective pinball."
        )
    index, networks = source.index, [estimator.network, *estimator.witnesses.values()]
    predicted = _predict(networks[0], source, partial(_report, on_progress, 0, len(networks)))
    rng = stream(seed, "calibration", "levels", 0)
    calibration = Calibration.fit(predicted.quantiles, index.mi, predicted.n, predicted.d, rng)
    if predicted.strangeness is None:
        return estimator.with_calibration(calibration)
    everything = np.ones(len(index), dtype=np.bool_)
    familiar = _scores(predicted, calibration, source, everything, rng)
    unseen = []
    for number, (group, witness) in enumerate(estimator.witnesses.items(), 1):
        seen = _predict(witness, source, partial(_report, on_progress, number, len(networks)))
        scores = _of_witness(seen, source, groups_of(index) == group, familiar, rng)
        unseen += [] if scores is None else [scores]
    widening = Widening.fit(familiar, unseen)
    return estimator.with_calibration(calibration.model_copy(update={"widening": widening}))


def _report(on_progress: Callable[[float], None], number: int, networks: int, share: float) -> None:
    on_progress((number + share) / networks)


def _of_witness(
    predicted: _Predicted,
    source: AnySource,
    left_out: NDArray[np.bool_],
    familiar: Scores,
    rng: np.random.Generator,
) -> Scores | None:
    """Score a witness on the group that it has not seen, calibrated on the rest; None for too few datasets.

    Strangeness is shifted so that datasets it has seen are as strange to it as to the estimator.
    """
    index = source.index
    if min(left_out.sum(), (~left_out).sum()) < MIN_DATASETS:
        return None
    seen = ~left_out
    calibration = Calibration.fit(
        predicted.quantiles[seen], index.mi[seen], predicted.n[seen], predicted.d[seen], rng
    )
    scores = _scores(predicted, calibration, source, left_out, rng)
    assert predicted.strangeness is not None
    shift = np.median(familiar.log_strangeness[seen]) - np.median(np.log(predicted.strangeness[seen]))
    return Scores(scores.z, scores.log_strangeness + shift, scores.family)


def _scores(
    predicted: _Predicted,
    calibration: Calibration,
    source: AnySource,
    chosen: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Scores:
    index = source.index
    quantiles = calibration.apply(predicted.quantiles[chosen], predicted.n[chosen], predicted.d[chosen])
    assert predicted.strangeness is not None
    return Scores(
        pit_z(quantiles, index.mi[chosen], rng), np.log(predicted.strangeness[chosen]), index.family[chosen]
    )


def _predict(network: Predictor, source: AnySource, on_progress: Callable[[float], None]) -> _Predicted:
    """Predict a whole split, without a calibration."""
    parts: list[Prediction] = []
    for number, (_, stop) in enumerate(source.partition_bounds):
        parts.append(network.predict_block(source.partition(number), mean=False))
        on_progress(stop / len(source))
    strangeness = [part.strangeness for part in parts if part.strangeness is not None]
    empty = np.empty((0, len(LEVELS)))
    return _Predicted(
        np.concatenate([empty, *(part.quantiles for part in parts if part.quantiles is not None)]),
        np.concatenate([np.empty(0, np.int64), *(part.n for part in parts)]),
        np.concatenate([np.empty(0, np.int64), *(part.d for part in parts)]),
        np.concatenate(strangeness) if strangeness else None,
    )


__all__ = ["Array", "calibrate"]
