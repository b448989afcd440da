"""Invertible maps of whole blocks, which leave mutual information unchanged.

Spiral, Swiss roll and bimodal margins are those of Czyż et al., "Beyond Normal" (NeurIPS 2023).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from mistworks.dataset import FloatArray

_BISECTIONS = 60


@dataclass(frozen=True)
class Spiral:
    """x → exp(G ‖x‖²/d) x, with G the generator of the rotation of two coordinates, times a speed.

    The map keeps the norm, and so the angle: its inverse turns back by the same angle.

    Attributes:
        first: the coordinate turned towards ``second``.
        second: the other coordinate.
        speed: angle in radians at ‖x‖² = d.
    """

    first: int = 0
    second: int = 1
    speed: float = 1.0

    def __call__(self, values: FloatArray) -> FloatArray:
        """Return the turned points, shape (n, d)."""
        points = values.astype(np.float64)
        angle = self.speed * np.square(points).sum(axis=1) / points.shape[1]
        cos, sin = np.cos(angle), np.sin(angle)
        turned = points.copy()
        turned[:, self.first] = cos * points[:, self.first] - sin * points[:, self.second]
        turned[:, self.second] = sin * points[:, self.first] + cos * points[:, self.second]
        return turned.astype(np.float32)


def swiss_roll(values: FloatArray) -> FloatArray:
    """u in [0, 1], shape (n, 1) → t (cos t, sin t)/21 with t = 1.5π (1 + 2u), shape (n, 2)."""
    t = 1.5 * np.pi * (1.0 + 2.0 * values.astype(np.float64))
    return np.asarray(np.hstack([t * np.cos(t), t * np.sin(t)]) / 21.0, dtype=np.float32)


@dataclass(frozen=True)
class MixtureQuantile:
    """Standard normal z → F⁻¹(Φ(z)), with F the distribution function of a mixture of unit normals.

    Attributes:
        weights: weights of the components, with sum 1.
        means: means of the components.
    """

    weights: tuple[float, ...]
    means: tuple[float, ...]

    def __call__(self, values: FloatArray) -> FloatArray:
        """Return the mapped values, same shape, by bisection to double precision."""
        z = values.astype(np.float64)
        # F⁻¹(Φ(z)) lies between the minimum and the maximum of mean + z over components.
        low, high = z + min(self.means), z + max(self.means)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            below = self._normal_score(middle) < z
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray((low + high) / 2, dtype=np.float32)

    def _normal_score(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Φ⁻¹(F(v)), computed in the nearer tail to keep digits."""
        below, above = self._mean_of(ndtr, values, 1.0), self._mean_of(ndtr, values, -1.0)
        return np.where(below < 0.5, ndtri(below), -ndtri(above))

    def _mean_of(self, cdf: np.ufunc, values: NDArray[np.float64], sign: float) -> NDArray[np.float64]:
        terms: Sequence[NDArray[np.float64]] = [
            weight * cdf(sign * (values - mean))
            for weight, mean in zip(self.weights, self.means, strict=True)
        ]
        return np.asarray(sum(terms))


@dataclass(frozen=True)
class Wave:
    """(x₀, x₁) → (x₀ + a sin(f x₁), x₁): a shear along a sine.

    Attributes:
        amplitude: a.
        frequency: f, in radians per unit of x₁.
    """

    amplitude: float
    frequency: float

    def __call__(self, values: FloatArray) -> FloatArray:
        """Return the sheared points, shape (n, 2)."""
        sheared = values.copy()
        sheared[:, 0] += np.float32(self.amplitude) * np.sin(np.float32(self.frequency) * values[:, 1])
        return sheared


__all__ = ["MixtureQuantile", "Spiral", "Wave", "swiss_roll"]
