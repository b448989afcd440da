"""Strong dependence: 1 to 10 nats in 1–3 + 1–3 dimensions, under four margins.

Under unknown margins only the order of the values tells, and strong dependence leaves the order of a small
sample as it is. Neighbours in X change places in Y where the noise exceeds their distance: about
n² exp(−I/k) / 3.5 times in a pair that shares I/k nats. With less than 100 such exchanges the nats cannot be
had to a tenth; these datasets are the group ``"out of reach"``, where intervals must hold all the same.
``"turned"`` are normals whose columns of Y are mixed: a linear map of a side is no monotone map of columns.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from mistworks.dataset import FloatArray
from mistworks.distributions import JointDistribution
from mistworks.evaluation.distributions.pointwise import Array
from mistworks.evaluation.suites.base import Entry, GridSuite

NAME = "strong"
VERSION = "1"
SIZES = (100, 500, 2_000, 10_000)
LEVELS = (1.0, 2.0, 4.0, 6.0, 8.0, 10.0)
DIMENSIONS = ((1, 1), (2, 2), (3, 3), (1, 3), (3, 2))

OUT_OF_REACH, TURNED = "out of reach", "turned"

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
            reach = least_size(nats / min(dx, dy))
            for kind, joint in (("normal", StrongNormal), ("additive", AdditiveUniform)):
                for margin in (margins[number % 4], margins[(number + 2) % 4]):
                    name, law = f"{kind}-{margin}-{dx}x{dy}-{nats:g}", joint(dx, dy, nats, margin)
                    yield Entry(name, kind, law, min_n=reach)
                    yield Entry(name, OUT_OF_REACH, law, max_n=reach - 1)
                number += 1
            number += 1
            if dx == dy > 1:
                yield Entry(f"turned-{dx}x{dy}-{nats:g}", TURNED, StrongNormal(dx, dy, nats, "normal", True))


def least_size(nats: float) -> int:
    """The n at which pairs of so many nats change places a hundred times."""
    return math.ceil(math.sqrt(350 * math.exp(nats)))


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
    """Pairs of normals with −½ log(1 − ρ²) nats each.

    Attributes:
        turned: whether Y is turned at random within its dimensions.
    """

    turned: bool = False

    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw n points: shapes (n, dx) and (n, dy), float32."""
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
