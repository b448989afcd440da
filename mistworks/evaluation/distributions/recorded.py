"""Quantities recorded with limited resolution: rounded, or cut off at limits. The information is exact.

Written for evaluation alone, independently of the families that estimators are trained on.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr
from typing_extensions import override

from mistworks.evaluation.distributions.exact import ByTable, nodes, normal_cells
from mistworks.evaluation.distributions.pointwise import Array, normal_log_density, normal_pairs


@dataclass(frozen=True, eq=False)
class RoundedNormals(ByTable):
    """Standard normals with correlation ρ, rounded to multiples of a step: heights in cm, weights in kg.

    Attributes:
        correlation: ρ, −1 < ρ < 1.
        x_step: step of X in standard deviations.
        y_step: step of Y in standard deviations.
    """

    correlation: float
    x_step: float
    y_step: float

    dx = dy = 1

    @override
    def masses(self) -> Array:
        return normal_cells(self.correlation, _edges(self.x_step), _edges(self.y_step))

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n points in double precision, in multiples of the steps: shapes (n, 1) and (n, 1)."""
        x, y = normal_pairs(n, self.correlation, rng)
        return np.rint(x / self.x_step), np.rint(y / self.y_step)


@dataclass(frozen=True, eq=False)
class SignificantDigits(ByTable):
    """Log-normals with one significant digit, from normals with correlation ρ: prices, concentrations.

    Attributes:
        correlation: ρ, −1 < ρ < 1.
        scale: standard deviation of the logarithms.
    """

    correlation: float
    scale: float

    dx = dy = 1

    @override
    def masses(self) -> Array:
        """Probabilities of cells with edges 1.5, 2.5, …, 9.5 times powers of ten."""
        decades = 10.0 ** np.arange(-20, 20)[:, None]
        edges = np.log((decades * (np.arange(1, 10) + 0.5)).ravel()) / self.scale
        bounds = np.concatenate([[-np.inf], edges[np.abs(edges) < 8], [np.inf]])
        return normal_cells(self.correlation, bounds, bounds)

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        x, y = normal_pairs(n, self.correlation, rng)
        return _significant(np.exp(self.scale * x)), _significant(np.exp(self.scale * y))


@dataclass(frozen=True, eq=False)
class RoundedDelays(ByTable):
    """X is an exponential waiting time and Y is X plus another, both rounded down: times on two clocks.

    Attributes:
        x_step: tick of X, in units of the mean waiting time.
        y_step: tick of Y.
    """

    x_step: float
    y_step: float

    dx = dy = 1

    @override
    def masses(self) -> Array:
        """Probabilities of the cells up to a time of 25."""
        x_edges, y_edges = np.arange(0, 25, self.x_step), np.arange(0, 25, self.y_step)
        rows = []
        for low in x_edges[:-1]:
            x, weights = nodes(low, low + self.x_step, 4)
            arrived = -np.expm1(-np.maximum(y_edges - x[:, None], 0.0))
            rows.append((weights * np.exp(-x)) @ np.diff(arrived, axis=1))
        return np.stack(rows)

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n points in double precision, in ticks: shapes (n, 1) and (n, 1)."""
        x, delay = rng.exponential(size=(2, n, 1))
        return np.floor(x / self.x_step), np.floor((x + delay) / self.y_step)


@dataclass(frozen=True, eq=False)
class CensoredNormals(ByTable):
    """Standard normals with correlation ρ, each clipped at two limits: sensors with a floor and a ceiling.

    Attributes:
        correlation: ρ, −1 < ρ < 1.
        x_limits: lower and upper limit of X; −∞ and ∞ for none.
        y_limits: the same for Y.
    """

    correlation: float
    x_limits: tuple[float, float]
    y_limits: tuple[float, float]

    dx = dy = 1

    @override
    def masses(self) -> Array:
        """Masses of the atoms at the limits and of the nodes between them."""
        rho = self.correlation
        sigma = np.sqrt(1 - rho**2)
        (x_low, x_high), (y_low, y_high) = (np.clip(each, -9, 9) for each in (self.x_limits, self.y_limits))
        # Nodes over all of X. Those beyond a limit are merged into its atom afterwards.
        parts = [(-9.0, x_low), (x_low, x_high), (x_high, 9.0)]
        y, y_weights = nodes(y_low, y_high, 40)
        rows = []
        for low, high in parts:
            x, weights = nodes(low, high, 40) if high > low else (np.empty(0), np.empty(0))
            weights = weights * np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)
            below = ndtr((y_low - rho * x) / sigma)
            above = ndtr((rho * x - y_high) / sigma)
            inside = y_weights * np.exp(normal_log_density(y, rho * x[:, None], sigma))
            rows.append(weights[:, None] * np.column_stack([below, inside, above]))
        return np.vstack([rows[0].sum(axis=0), rows[1], rows[2].sum(axis=0)])

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        x, y = normal_pairs(n, self.correlation, rng)
        return np.clip(x, *self.x_limits), np.clip(y, *self.y_limits)


def _edges(step: float) -> Array:
    """Edges of a standard normal rounded to multiples of a step, up to seven standard deviations."""
    reach = np.ceil(7.0 / step)
    return np.concatenate([[-np.inf], step * (np.arange(-reach, reach) + 0.5), [np.inf]])


def _significant(values: Array) -> Array:
    power = 10.0 ** np.floor(np.log10(values))
    return np.rint(values / power) * power


__all__ = ["CensoredNormals", "RoundedDelays", "RoundedNormals", "SignificantDigits"]
