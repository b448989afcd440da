"""Calibration: a network's quantiles turned into ones that hold the true mutual information as promised.

Distributional conformal prediction (Chernozhukov, Wüthrich, Zhu, "Distributional conformal prediction", PNAS
2021): on data the network has not seen, find the level at which the truth lies in the predicted quantile
function, its probability integral transform (PIT). To be below the truth with probability τ, ask the network
for the τ-quantile of those levels instead of for τ.

Levels are written as z = Φ⁻¹(τ), and the predicted quantile function is extended linearly in z beyond
``LEVELS``, so that tails can widen without bound. What level to ask for depends smoothly on the number of
points, on the dimension and on the size of the estimate: tables at a few knots of each, blended between them.

That holds for datasets of the families that were calibrated on. Users bring others, so a sample that is
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
"""Fewest datasets a calibration is fitted on."""

_MOST_KNOTS = {"log_n": 6, "size": 3, "log_d": 3}
_DATASETS_A_KNOT = {"log_n": 1000, "size": 2000, "log_d": 4000}
# Each table is shrunk towards that of its number of points by as many datasets.
_SHRINKAGE = 50.0
# Nats: estimates are told apart by size on the scale log(median + this).
_SMALL = 0.01

_FURTHEST = 1000.0
# Nats a unit of z: a quantile function that is flat at its end would never reach the truth.
_LEAST_SLOPE = 1e-3
# Of a table's row beyond its last level: how much more is asked for a unit of z that is wanted.
_LEAST_STRETCH = 0.25
_Z = LEVELS_Z
_EXTENDED_Z = np.array([-_FURTHEST, *_Z, _FURTHEST])
_TABLE_Z = inverse_cdf(TABLE_LEVELS)
# Slopes of the tails are means from here outward, since the outermost levels alone are noisy.
_LOW, _HIGH = LEVELS.index(0.05), LEVELS.index(0.95)
# The same on either side, since the levels are symmetric.
_TAIL, _REACH = float(_Z[-1] - _Z[_HIGH]), float(_FURTHEST - _Z[-1])


class Calibration(FrozenConfig):
    """What level to ask a network for, by the level that is wanted, the sizes of a sample and its estimate.

    Attributes:
        log_n: knots of log n.
        size: knots of log(median + 0.01), with the median as the network predicts it, in nats.
        log_d: knots of log(dx + dy).
        table: what to ask for as z, a row for each combination of knots (those of ``log_d`` vary fastest), a
            column for each level of a fixed ascending grid.
        datasets: how many datasets it was fitted on.
        widening: what strange samples need beyond that; None where the network cannot tell.
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
            raise ValueError("knots must increase; fit it again")
        rows, columns = len(self.log_n) * len(self.size) * len(self.log_d), len(TABLE_LEVELS)
        if len(self.table) != rows or any(len(row) != columns for row in self.table):
            raise ValueError(
                f"the table must have {rows} rows of {columns} numbers; fit the calibration again"
            )
        if any(high < low for row in self.table for low, high in pairwise(row)):
            raise ValueError("no row of the table may decrease; fit it again")
        return self

    @classmethod
    def fit(
        cls, quantiles: Array, target: Array, n: IntArray, d: IntArray, rng: "np.random.Generator"
    ) -> "Calibration":
        """Fit on N datasets that had no part in training.

        Args:
            quantiles: as the network predicts them at ``LEVELS``, in order, shape (N, len(LEVELS)), nats.
            target: true mutual information, shape (N,), nats.
            n: number of points, shape (N,).
            d: dx + dy, shape (N,).
            rng: spreads the PIT over the levels whose quantiles equal the target, as those of 0 do.

        Raises:
            MistworksError: there are fewer than ``MIN_DATASETS`` datasets, or numbers that are not finite.
        """
        if len(target) < MIN_DATASETS:
            raise MistworksError(
                f"Expected {MIN_DATASETS} datasets or more to calibrate, got {len(target)}. Generate more."
            )
        if not (np.isfinite(quantiles).all() and np.isfinite(target).all()):
            raise MistworksError(
                "Expected finite quantiles and true values to calibrate, got some that are not. Look for the "
                "datasets on which the network fails."
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
        """Calibrated quantiles at ``LEVELS``, in order and at least 0, shape (B, len(LEVELS)), nats.

        Args:
            quantiles: as the network predicts them, in order, shape (B, len(LEVELS)), nats.
            n: number of points, shape (B,).
            d: dx + dy, shape (B,).
            strangeness: of each sample, shape (B,); None takes all for familiar.
        """
        right, share = self._positions(quantiles, n, d, strangeness)
        extended = _extended(quantiles)
        rows = np.arange(len(quantiles))[:, None]
        left_value, right_value = extended[rows, right - 1], extended[rows, right]
        values = left_value + share * (right_value - left_value)
        # Rounding may leave a value a last digit below the one before.
        return np.maximum.accumulate(np.maximum(values, 0.0), axis=1)

    def median_position(self, quantiles: Array, n: IntArray, d: IntArray) -> tuple[int, float]:
        """Where one sample's calibrated median lies among its predicted quantiles, shape (1, len(LEVELS)).

        Returns:
            The position of the quantile below, and the share of the way from it to the next.
        """
        right, share = self._positions(quantiles, n, d, None)
        middle = LEVELS.index(0.5)
        # Of the quantiles with one more on either side; the median never lies among those.
        below = int(np.clip(right[0, middle] - 2, 0, len(LEVELS) - 2))
        return below, float(share[0, middle])

    def _positions(
        self, quantiles: Array, n: IntArray, d: IntArray, strangeness: Array | None
    ) -> tuple[NDArray[np.intp], Array]:
        """Of each level wanted, the extended quantile above what is asked for, and the share of the way."""
        asked = self._asked(quantiles, n, d)
        if self.widening is not None and strangeness is not None:
            asked = _stretched(asked, *self.widening.factors(strangeness))
        right = np.searchsorted(_EXTENDED_Z, asked).clip(1, len(_EXTENDED_Z) - 1)
        left_z, right_z = _EXTENDED_Z[right - 1], _EXTENDED_Z[right]
        return right, (asked - left_z) / (right_z - left_z)

    def _asked(self, quantiles: Array, n: IntArray, d: IntArray) -> Array:
        """What to ask the network for as z, shape (B, len(LEVELS))."""
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
    """The table at ``LEVELS``, by linear interpolation in z; pydantic could not compare a bare array."""

    values: Array


def pit_z(quantiles: Array, target: Array, rng: "np.random.Generator") -> Array:
    """Φ⁻¹ of the probability integral transform of N targets, shape (N,).

    Standard normal for calibrated quantiles. A target that several quantiles equal lies at a level drawn
    uniformly from theirs; those of a target of 0 reach down to level 0, as mutual information is never below
    (Czado, Gneiting, Held, "Predictive model assessment for count data", Biometrics 2009, section 2.1).

    Args:
        quantiles: at ``LEVELS``, in order, shape (N, len(LEVELS)).
        target: shape (N,), at least 0.
        rng: draws those levels.
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
    # Logarithms of levels, which underflow far below the lowest quantile.
    log_low = np.where(target[spread] <= 0, -np.inf, log_ndtr(z[spread]))
    log_high = log_ndtr(high[spread])
    drawn = 1 - rng.uniform(size=len(spread))
    z[spread] = ndtri_exp(log_high + np.log(drawn + (1 - drawn) * np.exp(log_low - log_high)))
    return np.asarray(z.clip(-_FURTHEST, _FURTHEST))


def _extended(quantiles: Array) -> Array:
    """Quantiles with one more on either side, at z = ±``_FURTHEST``; the lower one may be below 0."""
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


def _stretched(asked: Array, below: Array, above: Array) -> Array:
    """What to ask for instead of rows of ``asked``: what they say of z times a factor on either side.

    Args:
        asked: by the level that is wanted, shape (B, len(LEVELS)).
        below: factors for levels below one half, shape (B,).
        above: factors for those above, shape (B,).
    """
    result = asked.copy()
    for row in np.flatnonzero((below > 1) | (above > 1)):
        wanted = _Z * np.where(_Z < 0, below[row], above[row])
        values = asked[row]
        low_slope = max((values[_LOW] - values[0]) / _TAIL, _LEAST_STRETCH)
        high_slope = max((values[-1] - values[_HIGH]) / _TAIL, _LEAST_STRETCH)
        result[row] = (
            np.interp(wanted, _Z, values)
            + low_slope * np.minimum(wanted - _Z[0], 0.0)
            + high_slope * np.maximum(wanted - _Z[-1], 0.0)
        )
    return result.clip(-_FURTHEST, _FURTHEST)


def _covariates(quantiles: Array, n: IntArray, d: IntArray) -> dict[str, Array]:
    """What calibration depends on, by the name of its knots."""
    return {
        "log_n": np.log(n),
        "size": np.log(quantiles[:, LEVELS.index(0.5)] + _SMALL),
        "log_d": np.log(d),
    }


def _knots(values: Array, name: str) -> tuple[float, ...]:
    """Knots at evenly spread quantiles of the values, as many as there is data for."""
    count = int(np.clip(len(values) // _DATASETS_A_KNOT[name], 1, _MOST_KNOTS[name]))
    knots = np.quantile(values, (np.arange(count) + 0.5) / count)
    return tuple(np.unique(np.round(knots, 4)).tolist())


def _hats(values: Array, knots: tuple[float, ...]) -> Array:
    """Weights of linear interpolation between knots, constant beyond, shape (N, K); each row sums to 1."""
    numbers = as_array(tuple(range(len(knots))))
    position = np.interp(values, as_array(knots), numbers)
    return np.asarray(np.maximum(1 - np.abs(position[:, None] - numbers), 0.0))


def _cells(hats: list[Array]) -> Iterator[Array]:
    """Weights of the datasets in each combination of knots, shape (N,)."""
    log_n, size, log_d = hats
    for near in log_n.T:
        for of_size in size.T:
            for of_dimension in log_d.T:
                yield near * of_size * of_dimension + _SHRINKAGE * near / near.sum()
