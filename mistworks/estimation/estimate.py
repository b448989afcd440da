"""An estimate: mutual information with its uncertainty, as quantiles at fixed levels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mistworks.errors import MistworksError
from mistworks.normal import inverse_cdf

LEVELS: tuple[float, ...] = (0.001, *(level / 200 for level in range(1, 200)), 0.999)
"""Levels at which quantiles are computed; between them they are interpolated linearly."""

LEVELS_Z: NDArray[np.float64] = inverse_cdf(LEVELS)
"""Φ⁻¹ of the levels."""


UNFAMILIAR = 0.01
"""Below this familiarity a sample is called unlike the training data."""


@dataclass(frozen=True, slots=True, repr=False)
class Estimate:
    """Mutual information of one sample, in nats. ``float(estimate)`` is the point estimate.

    Where one side is a function of the other to rounding, mutual information is infinite or as large as the
    sample lets on: quantiles above the median are infinite then, and the median is a lower bound.

    Attributes:
        mi: the point estimate in nats, at least 0: the median for a network trained with the pinball loss,
            the mean for one trained with the squared error.
        quantiles: quantiles in nats at ``LEVELS``, not decreasing; None for the squared error.
        familiarity: how much the sample is like those that the estimator was trained on, between 0 and 1: the
            share of samples of the training families that are less like the rest. Intervals widen as it
            falls; below 0.01 the estimator warns. None where the estimator cannot tell.
    """

    mi: float
    quantiles: tuple[float, ...] | None = None
    familiarity: float | None = None

    @property
    def median(self) -> float:
        """The median in nats.

        Raises:
            MistworksError: the model was trained with the squared error.
        """
        return self.quantile(0.5)

    @property
    def mean(self) -> float:
        """The mean in nats: of the quantile function, or the point estimate for the squared error."""
        if self.quantiles is None:
            return self.mi
        ends = self.quantiles[0], self.quantiles[-1]
        # ∫ Q(τ) dτ, exact for the linear interpolation; beyond the outermost levels Q is constant.
        return float(np.trapezoid([ends[0], *self.quantiles, ends[1]], [0.0, *LEVELS, 1.0]))

    @overload
    def quantile(self, tau: float) -> float: ...
    @overload
    def quantile(self, tau: Sequence[float] | NDArray[np.floating[Any]]) -> NDArray[np.float64]: ...
    def quantile(self, tau: ArrayLike) -> float | NDArray[np.float64]:
        """Quantiles in nats at levels between 0.001 and 0.999: a float for a float, an array for an array.

        Raises:
            MistworksError: a level is outside, or the model was trained with the squared error.
        """
        if self.quantiles is None:
            raise MistworksError(
                "this model gives a point estimate only, since it was trained with objective squared-error; "
                "train one with objective pinball to have quantiles and intervals"
            )
        levels = np.asarray(tau, dtype=np.float64)
        if not np.all((levels >= LEVELS[0]) & (levels <= LEVELS[-1])):
            raise MistworksError(
                f"Expected quantile levels from {LEVELS[0]} to {LEVELS[-1]}, got {tau!r}. Ask for others."
            )
        quantiles = np.array(self.quantiles)
        finite = quantiles != np.inf
        values = np.interp(levels, LEVELS, np.where(finite, quantiles, 0.0))
        if not finite.all():
            values = np.where(levels > LEVELS[int(finite.sum()) - 1], np.inf, values)
        return float(values) if levels.ndim == 0 else values

    def interval(self, level: float = 0.9) -> tuple[float, float]:
        """The central interval, in nats, which holds the true value with probability ``level``.

        Raises:
            MistworksError: level is not between 0 and 0.998, or the model was trained with the squared error.
        """
        if not 0 <= level <= LEVELS[-1] - LEVELS[0]:
            raise MistworksError(
                f"Expected the level of an interval from 0 to {LEVELS[-1] - LEVELS[0]:.3f}, got {level}. "
                "Ask for another."
            )
        margin = max((1 - level) / 2, LEVELS[0])
        return self.quantile(margin), self.quantile(1 - margin)

    def __float__(self) -> float:
        return float(self.mi)

    def __repr__(self) -> str:
        unlike = f", familiarity={self.familiarity:.2g}" if self._is_unfamiliar else ""
        return f"Estimate(mi={self.mi!r}{unlike})"

    def __str__(self) -> str:
        unlike = (
            f"; unlike the training data: familiarity {self.familiarity:.2g}" if self._is_unfamiliar else ""
        )
        if self.quantiles is None:
            return f"{self.mi:.3f} nats{unlike}"
        low, high = self.interval(0.9)
        return f"{self.mi:.3f} nats, 90 % interval {low:.3f} to {high:.3f}{unlike}"

    @property
    def _is_unfamiliar(self) -> bool:
        return self.familiarity is not None and self.familiarity < UNFAMILIAR


__all__ = ["LEVELS", "LEVELS_Z", "UNFAMILIAR", "Estimate"]
