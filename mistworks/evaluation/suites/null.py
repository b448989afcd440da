"""Independent pairs under ugly margins, at many n, dx and dy: the truth is 0.

Blocks may be dependent within themselves; only between X and Y nothing is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mistworks.dataset import FloatArray
from mistworks.distributions import JointDistribution
from mistworks.evaluation.suites.base import Entry, GridSuite

NAME = "null"
VERSION = "1"
SIZES = (10, 30, 100, 300, 500, 1_000)
REPLICATES = 2

Array = NDArray[np.float64]
Margin = Callable[[np.random.Generator, tuple[int, int]], Array]


@dataclass(frozen=True)
class Independent(JointDistribution):
    """X and Y independent, each block drawn from the margin of a name: I(X;Y) = 0.

    Attributes:
        x_margin: what X is drawn from, one of ``MARGINS``.
        y_margin: what Y is drawn from.
        dx: dimension of X.
        dy: dimension of Y.
    """

    x_margin: str
    y_margin: str
    dx: int
    dy: int

    @property
    def mutual_information(self) -> float:
        """Always 0."""
        return 0.0

    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw n points: shapes (n, dx) and (n, dy), float32."""
        x = MARGINS[self.x_margin](rng, (n, self.dx))
        y = MARGINS[self.y_margin](rng, (n, self.dy))
        return np.ascontiguousarray(x, dtype=np.float32), np.ascontiguousarray(y, dtype=np.float32)


def null(sizes: Sequence[int] = SIZES) -> GridSuite:
    """The suite at each of the given numbers of points."""
    return GridSuite(NAME, VERSION, tuple(_entries()), sizes, REPLICATES)


def _entries() -> Iterator[Entry]:
    for margin in MARGINS:
        yield _entry(margin, margin, 1, 1)
        yield _entry(margin, margin, 3, 3)
        yield _entry(margin, "normal", 2, 6)
    for dx, dy in ((1, 16), (8, 8), (16, 16), (2, 32), (32, 32)):
        yield _entry("normal", "normal", dx, dy)
    for margin in ("one-factor", "student", "lognormal"):
        yield _entry(margin, margin, 16, 16)
    for x_margin, y_margin in (
        ("cauchy", "binary"),
        ("spikes", "cauchy"),
        ("pareto", "huge"),
        ("tiny", "huge"),
    ):
        yield _entry(x_margin, y_margin, 1, 1)


def _entry(x_margin: str, y_margin: str, dx: int, dy: int) -> Entry:
    margins = x_margin if x_margin == y_margin else f"{x_margin}-{y_margin}"
    return Entry(f"{margins}-{dx}x{dy}", margins, Independent(x_margin, y_margin, dx, dy))


def _normal(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.standard_normal(shape)


def _one_factor(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Normal coordinates of correlation 0.9 with each other."""
    common, own = rng.standard_normal((shape[0], 1)), rng.standard_normal(shape)
    return np.asarray(np.sqrt(0.9) * common + np.sqrt(0.1) * own)


def _student(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Coordinates that share the scale of a Student-t with one degree of freedom."""
    return np.asarray(rng.standard_normal(shape) / np.sqrt(rng.chisquare(1.0, (shape[0], 1))))


def _spikes(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """A constant but for one value in twenty."""
    return np.where(rng.random(shape) < 0.05, rng.lognormal(3.0, 1.0, shape), 1.0)


def _zero_inflated(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return np.where(rng.random(shape) < 0.5, 0.0, rng.lognormal(0.0, 1.0, shape))


MARGINS: Mapping[str, Margin] = MappingProxyType(
    {
        "normal": _normal,
        "uniform": lambda rng, shape: rng.random(shape),
        "exponential": lambda rng, shape: rng.exponential(size=shape),
        "lognormal": lambda rng, shape: rng.lognormal(0.0, 2.0, shape),
        "cauchy": lambda rng, shape: rng.standard_cauchy(shape),
        "student": _student,
        "pareto": lambda rng, shape: rng.pareto(0.5, shape),
        "arcsine": lambda rng, shape: rng.beta(0.5, 0.5, shape),
        "bimodal": lambda rng, shape: rng.standard_normal(shape) + 10.0 * rng.integers(0, 2, shape),
        "one-factor": _one_factor,
        "binary": lambda rng, shape: rng.integers(0, 2, shape).astype(np.float64),
        "poisson": lambda rng, shape: rng.poisson(2.0, shape).astype(np.float64),
        "rounded": lambda rng, shape: np.rint(2.0 * rng.standard_normal(shape)) / 2.0,
        "zero-inflated": _zero_inflated,
        "spikes": _spikes,
        "huge": lambda rng, shape: 1e12 * rng.standard_normal(shape),
        "tiny": lambda rng, shape: 1e-12 * rng.standard_normal(shape),
        "far": lambda rng, shape: 1e6 + rng.standard_normal(shape),
    }
)
"""What a block is drawn from, by name: a generator and (n, d) → shape (n, d)."""
