"""Mixtures of normal distributions: finite mixtures, and a shared log-normal scale."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp
from typing_extensions import override

from mistworks.evaluation.distributions.pointwise import Array, PointwiseJoint

_SCALE_NODES = 400
_SCALE_RANGE = 9.0


@dataclass(frozen=True)
class Component:
    """A normal component of a mixture.

    Attributes:
        weight: probability of the component.
        mean: mean of (X, Y), dx + dy values.
        covariance: covariance matrix of (X, Y), as rows.
    """

    weight: float
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class GaussianMixture(PointwiseJoint):
    """(X, Y) ~ Σₖ wₖ N(μₖ, Σₖ). Margins are mixtures of the margins of components with the same weights.

    Attributes:
        components: the components; their weights sum to 1.
        dx: dimension of X.
    """

    components: tuple[Component, ...]
    dx: int

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return len(self.components[0].mean) - self.dx

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        which = rng.choice(len(self.components), size=n, p=[part.weight for part in self.components])
        points = rng.standard_normal((n, self.dx + self.dy))
        for number, part in enumerate(self.components):
            rows = which == number
            factor = np.linalg.cholesky(np.array(part.covariance))
            points[rows] = points[rows] @ factor.T + np.array(part.mean)
        return points[:, : self.dx], points[:, self.dx :]

    @override
    def pointwise(self, x: Array, y: Array) -> Array:
        whole = self._log_density(np.hstack([x, y]), slice(None))
        return whole - self._log_density(x, slice(self.dx)) - self._log_density(y, slice(self.dx, None))

    def _log_density(self, values: Array, block: slice) -> Array:
        return np.asarray(logsumexp(np.stack(list(self._log_terms(values, block))), axis=0))

    def _log_terms(self, values: Array, block: slice) -> Iterator[Array]:
        for part in self.components:
            factor = np.linalg.cholesky(np.array(part.covariance)[block, block])
            standard = solve_triangular(factor, (values - np.array(part.mean)[block]).T, lower=True)
            constant = np.log(part.weight) - np.log(factor.diagonal()).sum()
            size = values.shape[1]
            yield constant - 0.5 * np.square(standard).sum(axis=0) - 0.5 * size * np.log(2 * np.pi)


@dataclass(frozen=True)
class SharedVolatility(PointwiseJoint):
    """X = S U and Y = S V with U, V standard normal and S log-normal, all independent: uncorrelated.

    Densities are integrals over log S by the trapezoidal rule, which converges exponentially here.

    Attributes:
        dx: dimension of X.
        dy: dimension of Y.
        volatility: standard deviation of log S.
    """

    dx: int
    dy: int
    volatility: float

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        scale = np.exp(self.volatility * rng.standard_normal((n, 1)))
        return scale * rng.standard_normal((n, self.dx)), scale * rng.standard_normal((n, self.dy))

    @override
    def pointwise(self, x: Array, y: Array) -> Array:
        x_norm, y_norm = np.square(x).sum(axis=1), np.square(y).sum(axis=1)
        whole = self._log_density(x_norm + y_norm, self.dx + self.dy)
        return whole - self._log_density(x_norm, self.dx) - self._log_density(y_norm, self.dy)

    def _log_density(self, squared_norm: Array, size: int) -> Array:
        """Log density at points with a squared norm, without the factor (2π)^(−size/2), which cancels."""
        node = np.linspace(-_SCALE_RANGE, _SCALE_RANGE, _SCALE_NODES)
        log_scale = self.volatility * node
        log_weight = -0.5 * np.square(node) - logsumexp(-0.5 * np.square(node))
        exponents = -0.5 * squared_norm[:, None] * np.exp(-2.0 * log_scale)
        return np.asarray(logsumexp(exponents - size * log_scale + log_weight, axis=1))


def clusters(weights: tuple[float, ...], means: tuple[tuple[float, ...], ...], dx: int) -> GaussianMixture:
    """Build a mixture of clusters with identity covariance."""
    unit = diagonal((1.0,) * len(means[0]))
    parts = tuple(Component(weight, mean, unit) for weight, mean in zip(weights, means, strict=True))
    return GaussianMixture(parts, dx)


def diagonal(variances: tuple[float, ...]) -> tuple[tuple[float, ...], ...]:
    """Return the rows of a diagonal matrix."""
    return rows(np.diag(variances))


def rows(matrix: Array) -> tuple[tuple[float, ...], ...]:
    """Return the rows of a matrix as tuples, as in `Component`."""
    return tuple(tuple(float(value) for value in row) for row in matrix)


__all__ = ["Component", "GaussianMixture", "SharedVolatility", "clusters", "diagonal", "rows"]
