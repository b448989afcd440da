"""Strong dependence by pairs, with four margins and a given number of nats."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions import JointDistribution
from mistworks.evaluation.distributions.pointwise import Array

_INSIDE = 1e-15


@dataclass(frozen=True)
class _Strong(JointDistribution):
    """min(dx, dy) independent pairs with equal information; other columns are noise.

    Attributes:
        dx: dimension of X.
        dy: dimension of Y.
        nats: I(X;Y).
        margin: approximate margin of every column, one of ``MARGINS``.
    """

    dx: int
    dy: int
    nats: float
    margin: str

    @property
    @override
    def mutual_information(self) -> float:
        return self.nats

    @property
    def pairs(self) -> int:
        """Number of dependent pairs."""
        return min(self.dx, self.dy)

    def _with_margin(self, u: Array) -> FloatArray:
        return np.ascontiguousarray(MARGINS[self.margin](np.clip(u, _INSIDE, 1 - _INSIDE)), dtype=np.float32)


@dataclass(frozen=True)
class StrongNormal(_Strong):
    """Pairs of normals with −½ log(1 − ρ²) nats each.

    Attributes:
        turned: whether Y is multiplied by a random rotation.
    """

    turned: bool = False

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        x, y = rng.standard_normal((n, self.dx)), rng.standard_normal((n, self.dy))
        # σ² = 1 − ρ² = exp(−2I/k).
        noise = np.exp(-self.nats / self.pairs)
        common = slice(0, self.pairs)
        y[:, common] = np.sqrt(1 - noise**2) * x[:, common] + noise * y[:, common]
        if self.turned:
            y = y @ np.linalg.qr(rng.standard_normal((self.dy, self.dy)))[0]
        return self._with_margin(ndtr(x)), self._with_margin(ndtr(y))


@dataclass(frozen=True)
class AdditiveUniform(_Strong):
    """X ~ U(0, 1) and Y = X + U(−ε, ε) by pairs: ε − log 2ε nats each if ε ≤ ½, otherwise 1/4ε."""

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        x, y = rng.random((n, self.dx)), rng.random((n, self.dy))
        common = slice(0, self.pairs)
        half = half_width(self.nats / self.pairs)
        y[:, common] = (x[:, common] + half * (2 * y[:, common] - 1) + half) / (1 + 2 * half)
        return self._with_margin(x), self._with_margin(y)


def half_width(nats: float) -> float:
    """The ε at which additive uniform noise gives this mutual information."""
    if nats <= 0.5:
        return 0.25 / nats
    return float(
        np.exp(brentq(lambda log_half: np.exp(log_half) - np.log(2) - log_half - nats, -40, -np.log(2)))
    )


MARGINS: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {
        "normal": ndtri,
        "uniform": np.asarray,
        "cubed": lambda u: ndtri(u) ** 3,
        "exponential": lambda u: -np.log1p(-u),
    }
)
"""Quantile functions by name."""


__all__ = ["MARGINS", "AdditiveUniform", "StrongNormal", "half_width"]
