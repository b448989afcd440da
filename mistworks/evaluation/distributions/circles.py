"""Dependence on a circle: a noisy ring, and two angles."""

from dataclasses import dataclass

import numpy as np
from scipy.special import i0e, i1e, logsumexp
from typing_extensions import override

from mistworks.evaluation.distributions.pointwise import Array, PointwiseJoint, normal_log_density

_ANGLES = 256


@dataclass(frozen=True)
class NoisyRing(PointwiseJoint):
    """(X, Y) = (cos θ, sin θ) + N(0, σ² I) with θ uniform: uncorrelated, not independent.

    p(x, y) = exp(−(r² + 1)/(2σ²)) I₀(r/σ²) / (2πσ²) with r² = x² + y² (Rice); the margins are means over θ,
    by the trapezoidal rule, which converges exponentially on a period.

    Attributes:
        noise: σ.
    """

    noise: float

    dx = dy = 1

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        angle = rng.uniform(0.0, 2.0 * np.pi, (n, 1))
        noise = self.noise * rng.standard_normal((n, 2))
        return np.cos(angle) + noise[:, :1], np.sin(angle) + noise[:, 1:]

    @override
    def pointwise(self, x: Array, y: Array) -> Array:
        variance = self.noise**2
        radius = np.hypot(x[:, 0], y[:, 0])
        # i0e is I₀ without its exponential growth, which turns r² + 1 into (r − 1)².
        bessel = np.log(i0e(radius / variance))
        whole = bessel - np.square(radius - 1.0) / (2.0 * variance) - np.log(2.0 * np.pi * variance)
        return np.asarray(whole - self._log_margin(x) - self._log_margin(y))

    def _log_margin(self, values: Array) -> Array:
        angle = np.linspace(0.0, 2.0 * np.pi, _ANGLES, endpoint=False)
        return np.asarray(
            logsumexp(normal_log_density(values, np.cos(angle), self.noise), axis=1) - np.log(_ANGLES)
        )


@dataclass(frozen=True)
class Directions(PointwiseJoint):
    """Two directions (cos, sin) with uniform angles that differ by a von Mises angle with concentration κ.

    p(x, y)/p(x)p(y) = exp(κ cos(θ − φ))/I₀(κ), hence I(X;Y) = κ I₁(κ)/I₀(κ) − log I₀(κ) (Mardia and Jupp,
    "Directional Statistics", 2000, section 3.5.4: the entropy of the von Mises distribution).

    Attributes:
        concentration: κ.
    """

    concentration: float

    dx = dy = 2

    @property
    @override
    def closed_form(self) -> float:
        kappa = self.concentration
        return float(kappa * i1e(kappa) / i0e(kappa) - self._log_bessel())

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        angle = rng.uniform(0.0, 2.0 * np.pi, n)
        other = angle + rng.vonmises(0.0, self.concentration, n)
        return _direction(angle), _direction(other)

    @override
    def pointwise(self, x: Array, y: Array) -> Array:
        return np.asarray(self.concentration * (x * y).sum(axis=1) - self._log_bessel())

    def _log_bessel(self) -> float:
        return float(np.log(i0e(self.concentration))) + self.concentration


def _direction(angle: Array) -> Array:
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


__all__ = ["Directions", "NoisyRing"]
