"""Archimedean and Farlie–Gumbel–Morgenstern copulas under skewed margins.

Mutual information depends on the copula c alone: its pointwise value is log c(F(x), G(y)). Formulas are from
Nelsen, "An Introduction to Copulas" (2006), sections 3.2.5 and 4.2.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import stats
from typing_extensions import override

from mistworks.evaluation.distributions.pointwise import Array, PointwiseJoint

_SERIES = 2_000

MARGINS: Mapping[str, Any] = MappingProxyType(
    {
        "exponential": stats.expon(),
        "gamma": stats.gamma(0.5),
        "lognormal": stats.lognorm(1.0),
        "pareto": stats.pareto(1.5),
        "weibull": stats.weibull_min(0.7),
    }
)
"""Skewed distributions of one coordinate, by name."""


class Copula(ABC):
    """A distribution on the unit square with uniform margins."""

    @abstractmethod
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n pairs: u and v, shape (n,) each."""

    @abstractmethod
    def log_density(self, u: Array, v: Array) -> Array:
        """log c(u, v), shape (n,)."""

    @property
    def mutual_information(self) -> float | None:
        """∬ c log c in nats if it has a closed form, otherwise None."""
        return None


@dataclass(frozen=True)
class GumbelHougaard(Copula):
    """C(u, v) = exp(−((−log u)^θ + (−log v)^θ)^(1/θ)): dependence of the upper tails.

    Attributes:
        theta: θ ≥ 1.
    """

    theta: float

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n pairs with a positive stable frailty of index 1/θ (Marshall and Olkin 1988)."""
        alpha = 1.0 / self.theta
        angle, waiting = rng.uniform(0.0, np.pi, n), rng.exponential(size=n)
        # Kanter's (1975) representation of the positive stable law.
        frailty = (np.sin((1 - alpha) * angle) / waiting) ** ((1 - alpha) / alpha)
        frailty *= np.sin(alpha * angle) / np.sin(angle) ** (1 / alpha)
        hazards = rng.exponential(size=(2, n)) / frailty
        u, v = np.exp(-(hazards**alpha))
        return u, v

    @override
    def log_density(self, u: Array, v: Array) -> Array:
        theta = self.theta
        a, b = -np.log(u), -np.log(v)
        total = a**theta + b**theta
        root = total ** (1 / theta)
        powers = (theta - 1) * np.log(a * b) + (2 / theta - 2) * np.log(total)
        return np.asarray(a + b - root + powers + np.log1p((theta - 1) / root))


@dataclass(frozen=True)
class Clayton(Copula):
    """C(u, v) = (u^−θ + v^−θ − 1)^(−1/θ): dependence of the lower tails.

    Attributes:
        theta: θ > 0.
    """

    theta: float

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n pairs with a gamma frailty of shape 1/θ (Marshall and Olkin 1988)."""
        frailty = rng.gamma(1.0 / self.theta, size=n)
        u, v = (1.0 + rng.exponential(size=(2, n)) / frailty) ** (-1.0 / self.theta)
        return u, v

    @override
    def log_density(self, u: Array, v: Array) -> Array:
        theta = self.theta
        total = u**-theta + v**-theta - 1.0
        powers = (1 + theta) * np.log(u * v) + (2 + 1 / theta) * np.log(total)
        return np.asarray(np.log1p(theta) - powers)


@dataclass(frozen=True)
class Frank(Copula):
    """C(u, v) = −log(1 + (e^−θu − 1)(e^−θv − 1)/(e^−θ − 1))/θ: dependence without tails.

    Attributes:
        theta: θ ≠ 0, with the sign of the dependence.
    """

    theta: float

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n pairs: v by inverting its distribution given u."""
        theta = self.theta
        u, level = rng.random((2, n))
        shrunk = level * np.expm1(-theta) / (level + (1 - level) * np.exp(-theta * u))
        return u, np.asarray(-np.log1p(shrunk) / theta)

    @override
    def log_density(self, u: Array, v: Array) -> Array:
        theta = self.theta
        gap = -np.expm1(-theta)
        rest = gap - np.expm1(-theta * u) * np.expm1(-theta * v)
        return np.asarray(np.log(theta * gap) - theta * (u + v) - 2 * np.log(np.abs(rest)))


@dataclass(frozen=True)
class FarlieGumbelMorgenstern(Copula):
    """c(u, v) = 1 + θ (1 − 2u)(1 − 2v): weak dependence.

    Attributes:
        theta: θ, −1 ≤ θ ≤ 1.
    """

    theta: float

    @property
    @override
    def mutual_information(self) -> float:
        """Σₘ θ²ᵐ / (2m (2m − 1) (2m + 1)²) in nats.

        With s = 1 − 2u and t = 1 − 2v uniform on (−1, 1), expand (1 + θst) log(1 + θst) in powers of θst: the
        odd ones have mean 0, and E[(st)²ᵐ] = 1/(2m + 1)².
        """
        power = 2.0 * np.arange(1, _SERIES)
        terms = np.abs(self.theta) ** power / (power * (power - 1) * (power + 1) ** 2)
        return float(terms.sum())

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n pairs: v by inverting its distribution given u, the root of a quadratic."""
        u, level = rng.random((2, n))
        slope = self.theta * (1 - 2 * u)
        return u, 2 * level / (1 + slope + np.sqrt(np.square(1 + slope) - 4 * slope * level))

    @override
    def log_density(self, u: Array, v: Array) -> Array:
        return np.asarray(np.log1p(self.theta * (1 - 2 * u) * (1 - 2 * v)))


@dataclass(frozen=True)
class CopulaJoint(PointwiseJoint):
    """A copula with margins for X and Y.

    Attributes:
        copula: the copula.
        x_margin: name of the margin of X, one of ``MARGINS``.
        y_margin: name of the margin of Y.
    """

    copula: GumbelHougaard | Clayton | Frank | FarlieGumbelMorgenstern
    x_margin: str
    y_margin: str

    dx = dy = 1

    @property
    @override
    def closed_form(self) -> float | None:
        """The mutual information of the copula."""
        return self.copula.mutual_information

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        u, v = self.copula.draw(n, rng)
        return MARGINS[self.x_margin].ppf(u)[:, None], MARGINS[self.y_margin].ppf(v)[:, None]

    @override
    def pointwise(self, x: Array, y: Array) -> Array:
        """log c(F(x), G(y)) in nats, shape (n,)."""
        u, v = MARGINS[self.x_margin].cdf(x[:, 0]), MARGINS[self.y_margin].cdf(y[:, 0])
        return self.copula.log_density(u, v)


__all__ = [
    "MARGINS",
    "Clayton",
    "Copula",
    "CopulaJoint",
    "FarlieGumbelMorgenstern",
    "Frank",
    "GumbelHougaard",
]
