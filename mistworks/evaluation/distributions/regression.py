"""A response to a cause: curves with noise, noise that grows with the cause, and an interaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.special import logsumexp
from typing_extensions import override

from mistworks.evaluation.distributions.pointwise import Array, PointwiseJoint, normal_log_density

_NODES = 256
_FACTOR_RANGE = 9.0

CURVES: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {
        "sine": lambda x: np.sin(3.0 * np.pi * x),
        "parabola": lambda x: 2.0 * np.square(x) - 1.0,
        "dose-response": lambda x: 1.0 / (1.0 + np.exp(-8.0 * x)),
        "spiral": lambda x: (x + 1.5) * np.concatenate([np.cos(6.0 * x), np.sin(6.0 * x)], axis=-1),
        "flat": np.zeros_like,
    }
)
"""Mean of Y given X by name, from shape (n, 1) to (n, dy)."""


@dataclass(frozen=True)
class Regression(PointwiseJoint):
    """X ~ U(−1, 1), Y = f(X) + s exp(gX) ε with ε standard normal.

    p(y) = ½ ∫ p(y | x) dx, by Gauss–Legendre quadrature with nodes closer than the noise is wide.

    Attributes:
        curve: name of f, one of ``CURVES``.
        noise: s.
        growth: g, the growth rate of the noise with X.
    """

    curve: str
    noise: float
    growth: float = 0.0

    dx = 1

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return int(CURVES[self.curve](np.zeros((1, 1))).shape[1])

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        x = rng.uniform(-1.0, 1.0, (n, 1))
        return x, CURVES[self.curve](x) + self._scale(x) * rng.standard_normal((n, self.dy))

    @override
    def pointwise(self, x: Array, y: Array) -> Array:
        node, weight = np.polynomial.legendre.leggauss(_NODES)
        at_nodes = self._log_density(y[:, None, :], node[:, None])
        return np.asarray(self._log_density(y, x) - logsumexp(at_nodes, axis=1, b=weight / 2.0))

    def _log_density(self, y: Array, x: Array) -> Array:
        return np.asarray(normal_log_density(y, CURVES[self.curve](x), self._scale(x)).sum(axis=-1))

    def _scale(self, x: Array) -> Array:
        return np.asarray(self.noise * np.exp(self.growth * x))


@dataclass(frozen=True)
class Interaction(PointwiseJoint):
    """X = (X₁, X₂) standard normal, Y = X₁ X₂ + σ ε: neither coordinate of X correlates with Y.

    p(y) is one integral over X₁, given which Y ~ N(0, x₁² + σ²), by the trapezoidal rule.

    Attributes:
        noise: σ.
    """

    noise: float

    dx = 2
    dy = 1

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        x = rng.standard_normal((n, 2))
        return x, x.prod(axis=1, keepdims=True) + self.noise * rng.standard_normal((n, 1))

    @override
    def pointwise(self, x: Array, y: Array) -> Array:
        node = np.linspace(-_FACTOR_RANGE, _FACTOR_RANGE, _NODES)
        weight = np.exp(-0.5 * np.square(node))
        at_nodes = normal_log_density(y, 0.0, np.hypot(node, self.noise))
        given = normal_log_density(y[:, 0], x.prod(axis=1), self.noise)
        return np.asarray(given - logsumexp(at_nodes, axis=1, b=weight / weight.sum()))


__all__ = ["CURVES", "Interaction", "Regression"]
