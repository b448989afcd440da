"""Calibration: adjust a network's quantiles so that intervals have their nominal coverage.

Distributional conformal prediction (Chernozhukov, Wüthrich, Zhu, "Distributional conformal prediction", PNAS
2021): on data the network has not seen, compute the level of the truth in the predicted quantile function,
its probability integral transform (PIT). For a quantile that the truth is below with probability τ, request
the τ-quantile of these levels instead of τ.

Levels are written as z = Φ⁻¹(τ), and the predicted quantile function is extended linearly in z beyond
``LEVELS``, so that tails can widen without bound. The level to request depends smoothly on the number of
points, on the dimension and on the size of the estimate: there are tables at a few knots of each, and
interpolation between them.

Coverage holds for datasets of the families in the calibration data. Users bring others, so a sample that is
unlike those gets wider intervals, see `mistworks.estimation.widening`.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from mistworks.config import FrozenConfig
from mistworks.dataset import IntArray
from mistworks.errors import MistworksError
from mistworks.estimation.conformal import TABLE_LEVELS, Array, Knots, as_array, weighted_quantiles
from mistworks.estimation.estimate import LEVELS, LEVELS_Z
from mistworks.estimation.widening import Widening
from mistworks.normal import inverse_cdf

MIN_DATASETS = 50
"""Minimum number of datasets for a calibration."""

_MOST_KNOTS = {"log_n": 6, "size": 3, "log_d": 3}
_DATASETS_A_KNOT = {"log_n": 1000, "size": 2000, "log_d": 4000}
# Each table is shrunk towards the table of its number of points, with the weight of this many datasets.
_SHRINKAGE = 50.0
# Nats: the size of estimates is measured on the scale log(median + this).
_SMALL = 0.01

_FURTHEST = 1000.0
# Nats per unit of z: a quantile function that is flat at its end would never reach the truth.
_LEAST_SLOPE = 1e-3
# Minimum slope of a table's row beyond its last level: change of the requested z per unit of the wanted z.
_LEAST_STRETCH = 0.25
_Z = LEVELS_Z
_EXTENDED_Z = np.array([-_FURTHEST, *_Z, _FURTHEST])
_TABLE_Z = inverse_cdf(TABLE_LEVELS)
# Slopes of the tails are means from these levels outward, since the outermost levels alone are noisy.
_LOW, _HIGH = LEVELS.index(0.05), LEVELS.index(0.95)
# The same on both sides, since the levels are symmetric.
_TAIL, _REACH = float(_Z[-1] - _Z[_HIGH]), float(_FURTHEST - _Z[-1])


class Calibration(FrozenConfig):
    """The map from wanted levels to levels to request, given the sizes of a sample and its estimate.

    Attributes:
        log_n: knots of log n.
        size: knots of log(median + 0.01), with the median as the network predicts it, in nats.
        log_d: knots of log(dx + dy).
        table: levels to request as z, one row per combination of knots (those of ``log_d`` vary fastest), one
            column per level of a fixed ascending grid.
        datasets: number of datasets it was fitted on.
        widening: additional widening for strange samples; None if the network cannot measure strangeness.
    """

    log_n: Knots
    size: Knots
    log_d: Knots
    table: tuple[tuple[float, ...], ...]
    datasets: int
    widening: Widening | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if any(high <= low for knots in self._axes for low, high in pairwise(knots)):
            raise ValueError("Expected knots that increase. Fit it again.")
        rows, columns = len(self.log_n) * len(self.size) * len(self.log_d), len(TABLE_LEVELS)
        if len(self.table) != rows or any(len(row) != columns for row in self.table):
            raise ValueError(
                f"Expected a table with {rows} rows of {columns} numbers. Fit the calibration again."
            )
        if any(high < low for row in self.table for low, high in pairwise(row)):
            raise ValueError("Expected rows of the table that never decrease. Fit it again.")
        return self

    @classmethod
    def fit(
        cls, quantiles: Array, target: Array, n: IntArray, d: IntArray, rng: "np.random.Generator"
    ) -> "Calibration":
        """Fit on N datasets that were not used for training.

        Args:
            quantiles: as the network predicts them at ``LEVELS``, in order, shape (N, len(LEVELS)), nats.
            target: true mutual information, shape (N,), nats.
            n: number of points, shape (N,).
            d: dx + dy, shape (N,).
            rng: spreads the PIT over levels whose quantiles all equal the target, as happens at 0.

        Raises:
            MistworksError: there are fewer than ``MIN_DATASETS`` datasets, or numbers that are not finite.
        """
        if len(target) < MIN_DATASETS:
            raise MistworksError(
                f"Expected {MIN_DATASETS} datasets or more to calibrate, got {len(target)}. Generate more."
            )
        if not (np.isfinite(quantiles).all() and np.isfinite(target).all()):
            raise MistworksError(
                "Expected finite quantiles and true values to calibrate, got others. Look for the datasets "
                "on which the network fails."
            )
        pit = pit_z(quantiles, target, rng)
        values = _covariates(quantiles, n, d)
        knots = {name: _knots(value, name) for name, value in values.items()}
        table = tuple(
            tuple(np.round(weighted_quantiles(pit, weights), 4).tolist())
            for weights in _cells([_hats(values[name], knots[name]) for name in values])
        )
        return cls(**knots, table=table, datasets=len(target))

    def apply(self, quantiles: Array, n: IntArray, d: IntArray, strangeness: Array | None = None) -> Array:
        """Return calibrated quantiles at ``LEVELS``, in order and at least 0, shape (B, len(LEVELS)), nats.

        Args:
            quantiles: as the network predicts them, in order, shape (B, len(LEVELS)), nats.
            n: number of points, shape (B,).
            d: dx + dy, shape (B,).
            strangeness: strangeness of each sample, shape (B,); None treats all as familiar.
        """
        right, share = self._positions(quantiles, n, d, strangeness)
        extended = _extended(quantiles)
        rows = np.arange(len(quantiles))[:, None]
        left_value, right_value = extended[rows, right - 1], extended[rows, right]
        values = left_value + share * (right_value - left_value)
        # Rounding may leave a value one digit below the previous one.
        return np.maximum.accumulate(np.maximum(values, 0.0), axis=1)

    def median_position(self, quantiles: Array, n: IntArray, d: IntArray) -> tuple[int, float]:
        """Locate one sample's calibrated median among its predicted quantiles, shape (1, len(LEVELS)).

        Returns:
            The position of the quantile below, and the fraction of the way from it to the next.
        """
        right, share = self._positions(quantiles, n, d, None)
        middle = LEVELS.index(0.5)
        # Among the quantiles with one more on either side, where the median never is.
        below = int(np.clip(right[0, middle] - 2, 0, len(LEVELS) - 2))
        return below, float(share[0, middle])

    def _positions(
        self, quantiles: Array, n: IntArray, d: IntArray, strangeness: Array | None
    ) -> tuple[NDArray[np.intp], Array]:
        """Return, per wanted level, the next extended quantile above it and the fraction of the way."""
        requested = self._requested(quantiles, n, d)
        if self.widening is not None and strangeness is not None:
            requested = _stretched(requested, *self.widening.factors(strangeness))
        right = np.searchsorted(_EXTENDED_Z, requested).clip(1, len(_EXTENDED_Z) - 1)
        left_z, right_z = _EXTENDED_Z[right - 1], _EXTENDED_Z[right]
        return right, (requested - left_z) / (right_z - left_z)

    def _requested(self, quantiles: Array, n: IntArray, d: IntArray) -> Array:
        """Return the levels to request from the network as z, shape (B, len(LEVELS))."""
        log_n, size, log_d = (
            _hats(value, knots)
            for value, knots in zip(_covariates(quantiles, n, d).values(), self._axes, strict=True)
        )
        weights = log_n[:, :, None, None] * size[:, None, :, None] * log_d[:, None, None, :]
        return weights.reshape(len(weights), -1) @ self._full_table.values

    @property
    def sha256(self) -> str:
        """SHA-256 of its canonical JSON."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()

    @property
    def _axes(self) -> tuple[Knots, Knots, Knots]:
        return self.log_n, self.size, self.log_d

    @cached_property
    def _full_table(self) -> "_FullTable":
        return _FullTable(np.array([np.interp(_Z, _TABLE_Z, row) for row in self.table]))


@dataclass(frozen=True, slots=True, eq=False)
class _FullTable:
    """The table at ``LEVELS``, by linear interpolation in z. Pydantic cannot compare a bare array."""

    values: Array


def pit_z(quantiles: Array, target: Array, rng: "np.random.Generator") -> Array:
    """Return Φ⁻¹ of the probability integral transform of N targets, shape (N,).

    They are standard normal for calibrated quantiles. If several quantiles equal a target, its level is drawn
    uniformly from theirs. For a target of 0 these levels reach down to 0, as mutual information is never
    negative (Czado, Gneiting, Held, "Predictive model assessment for count data", Biometrics 2009, section
    2.1).

    Args:
        quantiles: at ``LEVELS``, in order, shape (N, len(LEVELS)).
        target: shape (N,), at least 0.
        rng: draws the levels.
    """
    from scipy.special import log_ndtr, ndtri_exp

    values = _extended(np.asarray(quantiles, dtype=np.float64))
    below, up_to = (values < target[:, None]).sum(axis=1), (values <= target[:, None]).sum(axis=1)
    last, rows = values.shape[1] - 1, np.arange(len(values))
    left, right = np.clip(below - 1, 0, last - 1), np.clip(below, 1, last)
    rise = values[rows, right] - values[rows, left]
    share = np.clip((target - values[rows, left]) / np.where(rise > 0, rise, 1.0), 0.0, 1.0)
    z = _EXTENDED_Z[left] + share * (_EXTENDED_Z[right] - _EXTENDED_Z[left])
    high = np.where(up_to > below, _EXTENDED_Z[np.clip(up_to - 1, 0, last)], z)
    spread = np.flatnonzero((high > z) | (target <= 0))
    # Logarithms, since levels underflow far below the lowest quantile.
    log_low = np.where(target[spread] <= 0, -np.inf, log_ndtr(z[spread]))
    log_high = log_ndtr(high[spread])
    drawn = 1 - rng.uniform(size=len(spread))
    z[spread] = ndtri_exp(log_high + np.log(drawn + (1 - drawn) * np.exp(log_low - log_high)))
    return np.asarray(z.clip(-_FURTHEST, _FURTHEST))


def _extended(quantiles: Array) -> Array:
    """Extend quantiles by one on either side, at z = ±``_FURTHEST``. The lower one may be below 0."""
    low, high = quantiles[:, :1], quantiles[:, -1:]
    low_slope = (quantiles[:, _LOW : _LOW + 1] - low) / _TAIL
    high_slope = (high - quantiles[:, _HIGH : _HIGH + 1]) / _TAIL
    return np.concatenate(
        [
            low - _REACH * np.maximum(low_slope, _LEAST_SLOPE),
            quantiles,
            high + _REACH * np.maximum(high_slope, _LEAST_SLOPE),
        ],
        axis=1,
    )


def _stretched(requested: Array, below: Array, above: Array) -> Array:
    """Return the levels to request instead, from ``requested`` at z times a factor on either side.

    Args:
        requested: requested levels by wanted level, shape (B, len(LEVELS)).
        below: factors for levels below one half, shape (B,).
        above: factors for those above, shape (B,).
    """
    result = requested.copy()
    for row in np.flatnonzero((below > 1) | (above > 1)):
        wanted = _Z * np.where(_Z < 0, below[row], above[row])
        values = requested[row]
        low_slope = max((values[_LOW] - values[0]) / _TAIL, _LEAST_STRETCH)
        high_slope = max((values[-1] - values[_HIGH]) / _TAIL, _LEAST_STRETCH)
        result[row] = (
            np.interp(wanted, _Z, values)
            + low_slope * np.minimum(wanted - _Z[0], 0.0)
            + high_slope * np.maximum(wanted - _Z[-1], 0.0)
        )
    return result.clip(-_FURTHEST, _FURTHEST)


def _covariates(quantiles: Array, n: IntArray, d: IntArray) -> dict[str, Array]:
    """The quantities that calibration depends on, by the name of their knots."""
    return {
        "log_n": np.log(n),
        "size": np.log(quantiles[:, LEVELS.index(0.5)] + _SMALL),
        "log_d": np.log(d),
    }


def _knots(values: Array, name: str) -> tuple[float, ...]:
    """Return knots at evenly spaced quantiles of the values, in a number that the data support."""
    count = int(np.clip(len(values) // _DATASETS_A_KNOT[name], 1, _MOST_KNOTS[name]))
    knots = np.quantile(values, (np.arange(count) + 0.5) / count)
    return tuple(np.unique(np.round(knots, 4)).tolist())


def _hats(values: Array, knots: tuple[float, ...]) -> Array:
    """Return weights, shape (N, K), of linear interpolation between knots and constant values beyond."""
    numbers = as_array(tuple(range(len(knots))))
    position = np.interp(values, as_array(knots), numbers)
    return np.asarray(np.maximum(1 - np.abs(position[:, None] - numbers), 0.0))


def _cells(hats: list[Array]) -> Iterator[Array]:
    """Return weights of the datasets in each combination of knots, shape (N,)."""
    log_n, size, log_d = hats
    for near in log_n.T:
        for of_size in size.T:
            for of_dimension in log_d.T:
                yield near * of_size * of_dimension + _SHRINKAGE * near / near.sum()


__all__ = ["MIN_DATASETS", "Calibration", "pit_z"]
