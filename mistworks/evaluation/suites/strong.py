"""Strong dependence: 1 to 10 nats in 1–3 + 1–3 dimensions, under four margins."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from mistworks.dataset import FloatArray
from mistworks.distributions import JointDistribution
from mistworks.evaluation.suites.base import Entry, GridSuite
from mistworks.evaluation.suites.pointwise import Array

NAME = "strong"
VERSION = "1"
SIZES = (100, 500, 2_000, 10_000)
LEVELS = (1.0, 2.0, 4.0, 6.0, 8.0, 10.0)
DIMENSIONS = ((1, 1), (2, 2), (3, 3), (1, 3), (3, 2))

_INSIDE = 1e-15


def strong(sizes: Sequence[int] = SIZES) -> GridSuite:
    """The suite at each of the given numbers of points."""
    return GridSuite(NAME, VERSION, tuple(_entries()), sizes)


def _entries() -> Iterator[Entry]:
    """Every level in every dimension, of both kinds, each under two of the four margins in turn."""
    margins = tuple(MARGINS)
    number = 0
    for dx, dy in DIMENSIONS:
        for nats in LEVELS:
            for kind, joint in (("normal", StrongNormal), ("additive", AdditiveUniform)):
                for margin in (margins[number % 4], margins[(number + 2) % 4]):
                    name = f"{kind}-{margin}-{dx}x{dy}-{nats:g}"
                    yield Entry(name, kind, joint(dx, dy, nats, margin))
                number += 1
            number += 1


@dataclass(frozen=True)
class _Strong(JointDistribution):
    """Min(dx, dy) independent pairs that share the information equally; other columns are noise.

    Attributes:
        dx: dimension of X.
        dy: dimension of Y.
        nats: I(X;Y).
        margin: what every column is distributed like, or nearly, one of ``MARGINS``.
    """

    dx: int
    dy: int
    nats: float
    margin: str

    @property
    def mutual_information(self) -> float:
        """I(X;Y) in nats."""
        return self.nats

    @property
    def pairs(self) -> int:
        """Number of dependent pairs."""
        return min(self.dx, self.dy)

    def _with_margin(self, u: Array) -> FloatArray:
        return np.ascontiguousarray(MARGINS[self.margin](np.clip(u, _INSIDE, 1 - _INSIDE)), dtype=np.float32)


@dataclass(frozen=True)
class StrongNormal(_Strong):
    """Pairs of normals with −½ log(1 − ρ²) nats each; the columns of Y are turned at random within Y."""

    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw n points: shapes (n, dx) and (n, dy), float32."""
        x, y = rng.standard_normal((n, self.dx)), rng.standard_normal((n, self.dy))
        # σ² = 1 − ρ² = exp(−2I/k).
        noise = np.exp(-self.nats / self.pairs)
        common = slice(0, self.pairs)
        y[:, common] = np.sqrt(1 - noise**2) * x[:, common] + noise * y[:, common]
        turn, _ = np.linalg.qr(rng.standard_normal((self.dy, self.dy)))
        return self._with_margin(ndtr(x)), self._with_margin(ndtr(y @ turn))


@dataclass(frozen=True)
class AdditiveUniform(_Strong):
    """X ~ U(0, 1) and Y = X + U(−ε, ε) by pairs: ε − log 2ε nats each if ε ≤ ½, else 1/4ε."""

    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw n points: shapes (n, dx) and (n, dy), float32."""
        x, y = rng.random((n, self.dx)), rng.random((n, self.dy))
        common = slice(0, self.pairs)
        half = half_width(self.nats / self.pairs)
        y[:, common] = (x[:, common] + half * (2 * y[:, common] - 1) + half) / (1 + 2 * half)
        return self._with_margin(x), self._with_margin(y)


def half_width(nats: float) -> float:
    """The ε at which additive uniform noise leaves so many nats."""
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
"""Quantile functions."""
