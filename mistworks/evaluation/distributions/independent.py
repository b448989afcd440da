"""Independent blocks with difficult margins: heavy tails, integers, classes, pixels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions import JointDistribution

Array = NDArray[np.float64]
Margin = Callable[[np.random.Generator, tuple[int, int]], Array]


@dataclass(frozen=True)
class IndependentBlocks(JointDistribution):
    """X and Y independent, each with a named margin: I(X;Y) = 0.

    Attributes:
        x_margin: margin of X, one of ``MARGINS`` or ``DISCRETE_MARGINS``.
        y_margin: margin of Y.
        dx: dimension of X.
        dy: dimension of Y.
    """

    x_margin: str
    y_margin: str
    dx: int
    dy: int

    @property
    @override
    def mutual_information(self) -> float:
        return 0.0

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        margins = {**MARGINS, **DISCRETE_MARGINS}
        x = margins[self.x_margin](rng, (n, self.dx))
        y = margins[self.y_margin](rng, (n, self.dy))
        return np.ascontiguousarray(x, dtype=np.float32), np.ascontiguousarray(y, dtype=np.float32)


def _normal(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.standard_normal(shape)


def _one_factor(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Normal coordinates with mutual correlation 0.9."""
    common, own = rng.standard_normal((shape[0], 1)), rng.standard_normal(shape)
    return np.asarray(np.sqrt(0.9) * common + np.sqrt(0.1) * own)


def _student(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Coordinates of a Student-t with one degree of freedom, with a shared scale."""
    return np.asarray(rng.standard_normal(shape) / np.sqrt(rng.chisquare(1.0, (shape[0], 1))))


def _spikes(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """A constant, except for one value in twenty."""
    return np.where(rng.random(shape) < 0.05, rng.lognormal(3.0, 1.0, shape), 1.0)


def _zero_inflated(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return np.where(rng.random(shape) < 0.5, 0.0, rng.lognormal(0.0, 1.0, shape))


def _classes_of(states: int, power: float) -> Margin:
    """Codes of classes with probabilities proportional to rank^−power."""
    weights = np.arange(1, states + 1) ** -power

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
        return rng.choice(states, shape, p=weights / weights.sum()).astype(np.float64)

    return draw


def _blobs(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Square images with two bright spots, in grey levels from 0 to 16: many pixels are mostly 0."""
    n, side = shape[0], round(shape[1] ** 0.5)
    places = np.arange(side)
    image = np.zeros((n, side, side))
    for _ in range(2):
        row, column = rng.uniform(0.2 * side, 0.8 * side, (2, n, 1))
        profile = [np.exp(-0.5 * ((places - middle) / (0.15 * side)) ** 2) for middle in (row, column)]
        image += profile[0][:, :, None] * profile[1][:, None, :]
    return np.asarray(np.rint(16 * np.minimum(image, 1.0)).reshape(n, -1))


def _strokes(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Square images with one line in one of three directions, in grey levels from 0 to 16."""
    n, side = shape[0], round(shape[1] ** 0.5)
    places = np.arange(side) - (side - 1) / 2
    angle = np.pi / 3 * rng.integers(0, 3, (n, 1, 1)) + 0.1 * rng.standard_normal((n, 1, 1))
    offset = side / 8 * rng.standard_normal((n, 1, 1))
    distance = places[:, None] * np.cos(angle) + places * np.sin(angle) - offset
    grey = 20 * np.exp(-0.5 * (distance / (side / 8)) ** 2) + rng.integers(-1, 2, (n, side, side))
    return np.asarray(np.rint(np.clip(grey, 0, 16)).reshape(n, -1))


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
"""Margins of a block by name: functions of a generator and a shape (n, d)."""
DISCRETE_MARGINS: Mapping[str, Margin] = MappingProxyType(
    {
        "ages": lambda rng, shape: rng.integers(18, 76, shape).astype(np.float64),
        "percentages": lambda rng, shape: rng.integers(0, 101, shape).astype(np.float64),
        "grades": lambda rng, shape: rng.binomial(6, 0.6, shape).astype(np.float64),
        "thousands": lambda rng, shape: (1_000 * rng.geometric(0.03, shape)).astype(np.float64),
        "3-classes": _classes_of(3, 0.0),
        "10-classes": _classes_of(10, 1.0),
        "40-classes": _classes_of(40, 0.5),
        "200-classes": _classes_of(200, 0.5),
        "strokes": _strokes,
        "blobs": _blobs,
    }
)
"""Margins for the groups of integers, classes and pixels; images are square."""


__all__ = ["DISCRETE_MARGINS", "MARGINS", "Array", "IndependentBlocks", "Margin"]
