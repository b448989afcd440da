"""Wider intervals for samples that are unlike the training data.

A calibration holds for datasets of the families that it was fitted on. For a sample that is unlike those, the
requested level z = Φ⁻¹(τ) is multiplied by a factor. The factor grows with how strange the sample is, and is
learned from families that some witnesses were trained without.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from mistworks.config import FrozenConfig
from mistworks.estimation.conformal import TABLE_LEVELS, Array, Knots, as_array, weighted_quantiles
from mistworks.normal import inverse_cdf

# Bins of strangeness with equal weight for the factors, and levels of its stored distribution.
_MOST_BINS, _DATASETS_A_BIN, _LEAST_IN_BIN = 16, 200, 30
_FACTOR_LEVELS = (0.925, 0.95, 0.975)
_MOST_FACTOR = 20.0
_LEAST_STRANGENESS = 1e-6
_FAMILIAR_LEVELS = (
    *(0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    *(0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 1.0),
)


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The performance of calibrated quantiles on N datasets.

    Attributes:
        z: Φ⁻¹ of the level at which the truth lies, shape (N,), see `pit_z`.
        log_strangeness: shape (N,).
        family: shape (N,).
    """

    z: Array
    log_strangeness: Array
    family: NDArray[np.str_]


class Widening(FrozenConfig):
    """How much wider an interval must be for a sample that is unlike the training data.

    The strangeness of a sample is the Mahalanobis distance of its standardised statistics from those of the
    training data, divided by the square root of their number: about 1 for a familiar sample.

    Attributes:
        strangeness: knots of log strangeness.
        below: factor of z below the median at each knot, at least 1.
        above: the same above the median.
        familiar: quantiles of log strangeness of the calibration datasets, at levels of a fixed grid.
    """

    strangeness: Knots
    below: Knots
    above: Knots
    familiar: tuple[float, ...]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not len(self.strangeness) == len(self.below) == len(self.above):
            raise ValueError("Expected one factor per knot on either side. Fit it again.")
        if len(self.familiar) != len(_FAMILIAR_LEVELS):
            raise ValueError(f"Expected {len(_FAMILIAR_LEVELS)} numbers in familiar. Fit it again.")
        if any(high <= low for low, high in pairwise(self.strangeness)):
            raise ValueError("Expected knots that increase. Fit it again.")
        rows = (self.below, self.above, self.familiar)
        if any(high < low for row in rows for low, high in pairwise(row)) or min(self.below + self.above) < 1:
            raise ValueError("Expected factors that are at least 1 and never decrease. Fit it again.")
        return self

    @classmethod
    def fit(cls, familiar: Scores, unseen: Sequence[Scores]) -> "Widening":
        """Fit on the performance of calibrated quantiles on familiar and on unseen families.

        A sample of a given strangeness may come from either, so both have the same weight. So has each unseen
        family, however many datasets it has, since the next family is a draw from families (Dunn, Wasserman,
        Ramdas, "Distribution-free prediction sets for two-layer hierarchical models", JASA 2023). Within bins
        of strangeness, the factor gives intervals of level 0.9 their coverage on either side. Factors are
        then made monotone by pooling adjacent violators.

        Args:
            familiar: performance on the calibration datasets, of the network that has seen their families.
            unseen: performance on datasets of left-out families, of networks that have not seen them.
        """
        parts = [familiar, *unseen]
        weights = np.concatenate(
            [np.full(len(familiar.z), 0.5 / len(familiar.z)), 0.5 * _even_weights(unseen)]
            if unseen
            else [np.full(len(familiar.z), 1.0 / len(familiar.z))]
        )
        strangeness = np.concatenate([part.log_strangeness for part in parts])
        z = np.concatenate([part.z for part in parts])
        order = np.argsort(strangeness, kind="stable")
        count = int(np.clip(len(z) // _DATASETS_A_BIN, 1, _MOST_BINS))
        mass = np.cumsum(weights[order])
        bins = [
            rows
            for rows in np.split(order, np.searchsorted(mass, np.arange(1, count) / count))
            if len(rows) >= min(_LEAST_IN_BIN, len(z))
        ]
        knots = np.array([np.average(strangeness[rows], weights=weights[rows]) for rows in bins])
        sides = [
            _monotone(
                np.array([_factor(sign * z[rows], weights[rows]) for rows in bins]),
                np.array([weights[rows].sum() for rows in bins]),
            )
            for sign in (-1.0, 1.0)
        ]
        kept = np.concatenate([[True], np.diff(np.round(knots, 4)) > 0])
        below, above = (tuple(np.round(side[kept], 4).tolist()) for side in sides)
        return cls(
            strangeness=tuple(np.round(knots[kept], 4).tolist()),
            below=below,
            above=above,
            familiar=tuple(np.round(np.quantile(familiar.log_strangeness, _FAMILIAR_LEVELS), 4).tolist()),
        )

    def factors(self, strangeness: Array) -> tuple[Array, Array]:
        """Return the factors of z below the median and above it, each of shape (B,)."""
        position, knots = np.log(np.maximum(strangeness, _LEAST_STRANGENESS)), as_array(self.strangeness)
        below, above = (np.interp(position, knots, as_array(side)) for side in (self.below, self.above))
        return below, above

    def familiarity(self, strangeness: Array) -> Array:
        """Return the share of calibration datasets that are stranger, shape (B,)."""
        position = np.log(np.maximum(strangeness, _LEAST_STRANGENESS))
        return 1.0 - np.interp(position, as_array(self.familiar), as_array(_FAMILIAR_LEVELS))


def _even_weights(parts: Sequence[Scores]) -> Array:
    """Return weights with sum 1 such that each family of each part weighs the same."""
    rows = []
    for part in parts:
        _, family, counts = np.unique(part.family, return_inverse=True, return_counts=True)
        rows.append(1.0 / counts[family])
    weights = np.concatenate(rows)
    return np.asarray(weights / weights.sum())


def _factor(z: Array, weights: Array) -> float:
    """Return the ratio of upper quantiles of z to the normal ones, between 1 and ``_MOST_FACTOR``."""
    upper = np.interp(_FACTOR_LEVELS, TABLE_LEVELS, weighted_quantiles(z, weights))
    return float(np.clip(np.mean(upper / inverse_cdf(_FACTOR_LEVELS)), 1.0, _MOST_FACTOR))


def _monotone(values: Array, weights: Array) -> Array:
    """Return the least-squares fit that never decreases, by pooling adjacent violators."""
    blocks: list[list[float]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        blocks.append([value, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            last, before = blocks.pop(), blocks.pop()
            total = last[1] + before[1]
            blocks.append([(last[0] * last[1] + before[0] * before[1]) / total, total, last[2] + before[2]])
    return np.concatenate([np.full(int(count), value) for value, _, count in blocks])


__all__ = ["Scores", "Widening"]
