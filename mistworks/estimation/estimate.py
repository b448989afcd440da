"""An estimate: mutual information with its uncertainty, as quantiles at fixed levels."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mistworks.errors import MistworksError
from mistworks.normal import inverse_cdf

LEVELS: tuple[float, ...] = (0.001, *(level / 200 for level in range(1, 200)), 0.999)
"""Levels of the quantiles. Between these, quantiles are interpolated linearly."""

LEVELS_Z: NDArray[np.float64] = inverse_cdf(LEVELS)
"""Φ⁻¹ of the levels."""


UNFAMILIAR = 0.01
"""Below this familiarity, a sample counts as unlike the training data."""

Unit = Literal["nats", "bits"]
"""A bit is log 2 nats."""

_PER_NAT: dict[Unit, float] = {"nats": 1.0, "bits": 1 / math.log(2)}


@dataclass(frozen=True, slots=True, repr=False)
class Estimate:
    """Mutual information of one sample, in nats. ``float(estimate)`` is the point estimate.

    If one side is a function of the other up to rounding, mutual information is infinite or larger than the
    sample can show. Quantiles above the median are then infinite, and the median is a lower bound.

    Attributes:
        mi: the point estimate in nats, at least 0: the median for a network trained with the pinball loss,
            the mean for one trained with the squared error.
        quantiles: non-decreasing quantiles in nats at ``LEVELS``; None for the squared error.
        familiarity: how typical the sample is of the training data, between 0 and 1: the share of samples of
            the training families that are less typical. Intervals widen as it falls; below 0.01 the estimator
            warns. None if the estimator cannot measure it.
        n_used: number of rows that were used: of those passed, without missing values if these were dropped,
            and without exact copies of continuous points. None if no sample was read.
        joint_entropy: H(X,Y) in nats if all columns of both sides are classes, by Miller and Madow ("Note on
            the bias of information estimates", 1955); None for numbers.
    """

    mi: float
    quantiles: tuple[float, ...] | None = None
    familiarity: float | None = None
    n_used: int | None = None
    joint_entropy: float | None = None

    @property
    def bits(self) -> float:
        """The point estimate in bits."""
        return self.mi * _PER_NAT["bits"]

    @property
    def normalized(self) -> float:
        """The point estimate on a scale from 0, independent, to 1, one side determined by the other.

        For numbers √(1 − e^(−2I)), which is the absolute correlation of a Gaussian pair (Linfoot, "An
        informational measure of correlation", Information and Control 1, 1957). Where all columns are
        classes, I / H(X,Y), which is 1 less the distance of Rajski ("A metric space of discrete probability
        distributions", Information and Control 4, 1961); it is 1 only where each side determines the other.
        """
        if self.joint_entropy is None:
            return math.sqrt(-math.expm1(-2 * self.mi))
        return 1 - self.rajski_distance

    @property
    def rajski_distance(self) -> float:
        """1 − I / H(X,Y): 0 where each of two sets of classes determines the other, 1 for independent ones.

        Raises:
            MistworksError: a column holds numbers.
        """
        if self.joint_entropy is None:
            raise MistworksError(
                "Expected classes on both sides for Rajski's distance, got numbers. Use normalized, or name "
                "integer columns in classes="
            )
        # Entropy and mutual information are estimated apart.
        most = max(self.joint_entropy, self.mi)
        return 1 - self.mi / most if most > 0 else 1.0

    @property
    def median(self) -> float:
        """The median in nats.

        Raises:
            MistworksError: the estimator was trained with the squared error.
        """
        return self.quantile(0.5)

    @property
    def mean(self) -> float:
        """The mean in nats: of the quantile function, or the point estimate for the squared error."""
        if self.quantiles is None:
            return self.mi
        ends = self.quantiles[0], self.quantiles[-1]
        # ∫ Q(τ) dτ, exact for the linear interpolation; Q is constant beyond the outermost levels.
        return float(np.trapezoid([ends[0], *self.quantiles, ends[1]], [0.0, *LEVELS, 1.0]))

    @overload
    def quantile(self, tau: float) -> float: ...
    @overload
    def quantile(self, tau: Sequence[float] | NDArray[np.floating[Any]]) -> NDArray[np.float64]: ...
    def quantile(self, tau: ArrayLike) -> float | NDArray[np.float64]:
        """Return quantiles in nats at levels from 0.001 to 0.999: a float for a float, else an array.

        Raises:
            MistworksError: a level is out of range, or the estimator was trained with the squared error.
        """
        if self.quantiles is None:
            raise MistworksError(
                "Expected an estimator with quantiles, got one trained with objective squared-error. Train "
                "one with objective pinball."
            )
        levels = np.asarray(tau, dtype=np.float64)
        if not np.all((levels >= LEVELS[0]) & (levels <= LEVELS[-1])):
            raise MistworksError(
                f"Expected quantile levels from {LEVELS[0]} to {LEVELS[-1]}, got {tau!r}. Choose others."
            )
        quantiles = np.array(self.quantiles)
        finite = quantiles != np.inf
        values = np.interp(levels, LEVELS, np.where(finite, quantiles, 0.0))
        if not finite.all():
            values = np.where(levels > LEVELS[int(finite.sum()) - 1], np.inf, values)
        return float(values) if levels.ndim == 0 else values

    def interval(self, level: float = 0.9, unit: Unit = "nats") -> tuple[float, float]:
        """Return the central interval, which contains the true value with probability ``level``.

        Raises:
            MistworksError: level is not between 0 and 0.998, the unit is neither nats nor bits, or the
                estimator was trained with the squared error.
        """
        if unit not in get_args(Unit):
            raise MistworksError(f"Expected the unit nats or bits, got {unit!r}.")
        if not 0 <= level <= LEVELS[-1] - LEVELS[0]:
            raise MistworksError(
                f"Expected the level of an interval from 0 to {LEVELS[-1] - LEVELS[0]:.3f}, got {level}. "
                "Choose another."
            )
        margin, factor = max((1 - level) / 2, LEVELS[0]), _PER_NAT[unit]
        return self.quantile(margin) * factor, self.quantile(1 - margin) * factor

    def __float__(self) -> float:
        return float(self.mi)

    def __repr__(self) -> str:
        points = "" if self.n_used is None else f", n = {self.n_used:,}"
        return f"Estimate({self}{points})"

    def _repr_html_(self) -> str:
        """A line of text and the 90 % interval drawn to scale, for notebooks."""
        return f"<p><code>{html.escape(repr(self))}</code></p>{_drawn(self)}"

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


def averaged(estimates: Sequence[Estimate]) -> Estimate:
    """Return the average of estimates of disjoint parts of one sample, quantile by quantile.

    The interval is as wide as those of the parts: it leaves room for an error that all parts share. The
    familiarity is that of the least familiar part.
    """
    quantiles = [each.quantiles for each in estimates if each.quantiles is not None]
    familiarity = [each.familiarity for each in estimates if each.familiarity is not None]
    entropies = [each.joint_entropy for each in estimates if each.joint_entropy is not None]
    return Estimate(
        float(np.mean([each.mi for each in estimates])),
        tuple(np.mean(quantiles, axis=0).tolist()) if quantiles else None,
        min(familiarity, default=None),
        sum(each.n_used or 0 for each in estimates),
        float(np.mean(entropies)) if entropies else None,
    )


def _drawn(estimate: Estimate) -> str:
    """The 90 % interval and the median as an SVG picture; nothing without a finite interval."""
    if estimate.quantiles is None or not math.isfinite(estimate.interval()[1]):
        return ""
    low, high = estimate.interval()
    width, end = 300, max(high, 0.1) * 1.1
    left, right, middle = (20 + width * value / end for value in (low, high, estimate.mi))
    return (
        f'<svg width="{width + 40}" height="40" role="img" aria-label="{html.escape(str(estimate))}">'
        f'<g stroke="currentColor" stroke-width="1"><path d="M20 26h{width}M20 23v6"/></g>'
        f'<path d="M{left:.1f} 15H{right:.1f}" stroke="#0072b2" stroke-width="5"/>'
        f'<circle cx="{middle:.1f}" cy="15" r="5" fill="#0072b2"/>'
        '<g fill="currentColor" font-size="11" text-anchor="middle">'
        f'<text x="20" y="39">0</text><text x="{left:.1f}" y="9">{low:.2f}</text>'
        f'<text x="{right:.1f}" y="39">{high:.2f}</text></g></svg>'
    )


__all__ = ["LEVELS", "LEVELS_Z", "UNFAMILIAR", "Estimate", "Unit", "averaged"]
