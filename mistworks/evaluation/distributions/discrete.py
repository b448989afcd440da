"""Classes, counts, decisions, rounding and detection limits: at least one side has atoms."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, gammaln, log_ndtr, logsumexp, ndtr, xlogy
from typing_extensions import override

from mistworks.evaluation.distributions.exact import table_information
from mistworks.evaluation.distributions.pointwise import (
    Array,
    PointwiseJoint,
    normal_log_density,
    normal_pairs,
)


@dataclass(frozen=True)
class Classes(PointwiseJoint):
    """X = k with probability pₖ, and Y given X = k is N(μₖ, diag(σₖ²)).

    Attributes:
        probabilities: pₖ, with sum 1.
        means: μₖ, dy values each.
        scales: σₖ, one per class.
    """

    probabilities: tuple[float, ...]
    means: tuple[tuple[float, ...], ...]
    scales: tuple[float, ...]

    dx = 1

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return len(self.means[0])

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        which = rng.choice(len(self.probabilities), size=n, p=self.probabilities)
        noise = np.array(self.scales)[which, None] * rng.standard_normal((n, self.dy))
        return which[:, None].astype(np.float64), np.array(self.means)[which] + noise

    @override
    def pointwise(self, x: Array, y: Array) -> Array:
        scales = np.array(self.scales)[:, None]
        given = normal_log_density(y[:, None, :], np.array(self.means), scales).sum(axis=2)
        own = np.take_along_axis(given, x.astype(np.int64), axis=1)[:, 0]
        return np.asarray(own - logsumexp(given, axis=1, b=np.array(self.probabilities)))


@dataclass(frozen=True)
class Table(PointwiseJoint):
    """Two categories with the joint probabilities of a contingency table: I = Σ p log(p / p₊).

    Attributes:
        probabilities: probabilities of (row, column), with sum 1.
    """

    probabilities: tuple[tuple[float, ...], ...]

    dx = dy = 1

    @property
    @override
    def closed_form(self) -> float:
        return table_information(np.array(self.probabilities))

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        table = np.array(self.probabilities)
        cells = rng.choice(table.size, size=n, p=table.ravel())
        row, column = np.divmod(cells, table.shape[1])
        return row[:, None].astype(np.float64), column[:, None].astype(np.float64)

    @override
    def pointwise(self, x: Array, y: Array) -> Array:
        table = np.array(self.probabilities)
        row, column = x[:, 0].astype(np.int64), y[:, 0].astype(np.int64)
        independent = table.sum(axis=1)[row] * table.sum(axis=0)[column]
        return np.asarray(np.log(table[row, column] / independent))


@dataclass(frozen=True)
class Counts(PointwiseJoint):
    """X ~ Gamma(shape, rate), Y given X ~ Poisson(X), such as spikes given a rate; Y is negative binomial.

    Attributes:
        shape: shape of the gamma distribution.
        rate: rate of the gamma distribution.
    """

    shape: float
    rate: float

    dx = dy = 1

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        mean = rng.gamma(self.shape, 1.0 / self.rate, (n, 1))
        return mean, rng.poisson(mean).astype(np.float64)

    @override
    def pointwise(self, x: Array, y: Array) -> Array:
        """log p(y | x) − log p(y) in nats, shape (n,); y! cancels."""
        mean, count = x[:, 0], y[:, 0]
        given = xlogy(count, mean) - mean
        success = np.log(self.rate / (1.0 + self.rate))
        margin = gammaln(count + self.shape) - gammaln(self.shape)
        return np.asarray(given - (margin + self.shape * success - count * np.log1p(self.rate)))


@dataclass(frozen=True)
class Decisions(PointwiseJoint):
    """X standard normal in several dimensions, Y = 1 with probability 1/(1 + exp(−w·x)), otherwise 0.

    P(Y = 1) = ½ by symmetry.

    Attributes:
        weights: w.
    """

    weights: tuple[float, ...]

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return len(self.weights)

    dy = 1

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        x = rng.standard_normal((n, self.dx))
        chosen = rng.random(n) < expit(x @ np.array(self.weights))
        return x, chosen[:, None].astype(np.float64)

    @override
    def pointwise(self, x: Array, y: Array) -> Array:
        """log p(y | x) − log ½ in nats, shape (n,)."""
        sign = 2.0 * y[:, 0] - 1.0
        return np.asarray(np.log(2.0) - np.logaddexp(0.0, -sign * (x @ np.array(self.weights))))


@dataclass(frozen=True)
class Parity(PointwiseJoint):
    """X standard normal in d dimensions; Y normal with the sign of x₁…x_d, flipped with probability q.

    Any d − 1 coordinates of X are independent of Y. I(X;Y) = log 2 + q log q + (1 − q) log(1 − q).

    Attributes:
        dx: d.
        flipped: q, 0 < q < 1.
    """

    dx: int
    flipped: float

    dy = 1

    @property
    @override
    def closed_form(self) -> float:
        q = self.flipped
        return float(np.log(2.0) + xlogy(q, q) + xlogy(1 - q, 1 - q))

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        x = rng.standard_normal((n, self.dx))
        sign = np.where(rng.random(n) < self.flipped, -1.0, 1.0) * np.sign(x.prod(axis=1))
        return x, (sign * np.abs(rng.standard_normal(n)))[:, None]

    @override
    def pointwise(self, x: Array, y: Array) -> Array:
        """log p(sign y | x) − log ½ in nats, shape (n,)."""
        agrees = np.sign(x.prod(axis=1)) == np.sign(y[:, 0])
        return np.log(2.0 * np.where(agrees, 1.0 - self.flipped, self.flipped))


@dataclass(frozen=True)
class SharedDropout(PointwiseJoint):
    """With probability q both X and Y are 0, otherwise log-normal from normals with correlation ρ.

    Both X and Y show whether a point dropped out: I(X;Y) = h(q) + (1 − q)(−½ log(1 − ρ²)) with
    h(q) = −q log q − (1 − q) log(1 − q).

    Attributes:
        dropout: q, 0 < q < 1.
        correlation: ρ, −1 < ρ < 1.
    """

    dropout: float
    correlation: float

    dx = dy = 1

    @property
    @override
    def closed_form(self) -> float:
        q, rho = self.dropout, self.correlation
        return float(-xlogy(q, q) - xlogy(1 - q, 1 - q) - 0.5 * (1 - q) * np.log1p(-(rho**2)))

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        x, y = normal_pairs(n, self.correlation, rng)
        seen = rng.random((n, 1)) >= self.dropout
        return np.where(seen, np.exp(x), 0.0), np.where(seen, np.exp(y), 0.0)

    @override
    def pointwise(self, x: Array, y: Array) -> Array:
        seen = x[:, 0] > 0
        logs = np.log(np.where(seen, x[:, 0], 1.0)), np.log(np.where(seen, y[:, 0], 1.0))
        ratio = _normal_ratio(*logs, self.correlation) - np.log1p(-self.dropout)
        return np.asarray(np.where(seen, ratio, -np.log(self.dropout)))


@dataclass(frozen=True)
class Rounded(PointwiseJoint):
    """Standard normals with correlation ρ; X is rounded to multiples of a step.

    Attributes:
        correlation: ρ, −1 < ρ < 1.
        step: resolution of X.
    """

    correlation: float
    step: float

    dx = dy = 1

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        x, y = normal_pairs(n, self.correlation, rng)
        return self.step * np.rint(x / self.step), y

    @override
    def pointwise(self, x: Array, y: Array) -> Array:
        """log P(x | y) − log P(x) in nats, shape (n,)."""
        low, high = x[:, 0] - self.step / 2, x[:, 0] + self.step / 2
        mean, scale = self.correlation * y[:, 0], np.sqrt(1 - self.correlation**2)
        given = _interval((low - mean) / scale, (high - mean) / scale)
        return np.asarray(np.log(given) - np.log(_interval(low, high)))


@dataclass(frozen=True)
class Censored(PointwiseJoint):
    """Standard normals with correlation ρ; Y is max(Y, limit), as with a detection limit.

    Attributes:
        correlation: ρ, −1 < ρ < 1.
        limit: detection limit.
    """

    correlation: float
    limit: float

    dx = dy = 1

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        x, y = normal_pairs(n, self.correlation, rng)
        return x, np.maximum(y, self.limit)

    @override
    def pointwise(self, x: Array, y: Array) -> Array:
        rho = self.correlation
        beyond = (self.limit - rho * x[:, 0]) / np.sqrt(1 - rho**2)
        atom = log_ndtr(beyond) - log_ndtr(self.limit)
        return np.where(y[:, 0] > self.limit, _normal_ratio(x[:, 0], y[:, 0], rho), atom)


def _normal_ratio(x: Array, y: Array, rho: float) -> Array:
    """log p(x, y) − log p(x) − log p(y) of standard normals with correlation ρ."""
    quadratic = (2 * rho * x * y - rho**2 * (x**2 + y**2)) / (2 * (1 - rho**2))
    return np.asarray(quadratic - 0.5 * np.log1p(-(rho**2)))


def _interval(low: Array, high: Array) -> Array:
    """P(low < Z < high) of a standard normal, computed in the lower tail to keep digits."""
    flipped = low > 0
    low, high = np.where(flipped, -high, low), np.where(flipped, -low, high)
    return np.asarray(ndtr(high) - ndtr(low))


__all__ = ["Censored", "Classes", "Counts", "Decisions", "Parity", "Rounded", "SharedDropout", "Table"]
