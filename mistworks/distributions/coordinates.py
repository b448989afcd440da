"""Random blocks of coordinates: noise beside the informative columns, and the input of channels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from mistworks.dataset import FloatArray
from mistworks.distributions.dispersion import Matrix, cholesky_factor, factor_matrix
from mistworks.distributions.priors import log_uniform
from mistworks.distributions.transforms import CoordinateMap


@dataclass(frozen=True, eq=False)
class Coordinates:
    """A random vector: correlated standard normals z, with a margin for each coordinate.

    Attributes:
        margins: for each coordinate, the position of its margin in ``MARGINS``.
        correlation: correlation matrix of z, shape (size, size); None if the coordinates are independent.
    """

    margins: NDArray[np.int64]
    correlation: Matrix | None = None

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Draw n points, shape (n, size), float32."""
        values = rng.standard_normal((n, len(self.margins)), dtype=np.float32)
        if self.correlation is not None:
            values = values @ cholesky_factor(self.correlation).astype(np.float32).T
        for number, margin in enumerate(MARGINS):
            columns = np.flatnonzero(self.margins == number)
            if columns.size and number > 0:
                values[:, columns] = margin(values[:, columns])
        return values

    def restricted(self, columns: NDArray[np.int64]) -> "Coordinates":
        """Return the distribution of some of the coordinates."""
        correlation = self.correlation
        block = None if correlation is None else correlation[np.ix_(columns, columns)]
        return Coordinates(self.margins[columns], block)


def draw_coordinates(size: int, rng: np.random.Generator) -> Coordinates:
    """Draw coordinates, correlated or not, that are normal, have one other margin, or mixed margins."""
    kind = rng.random()
    if kind < 0.4:
        margins = np.zeros(size, dtype=np.int64)
    elif kind < 0.7:
        margins = np.full(size, rng.integers(len(MARGINS)))
    else:
        margins = rng.integers(len(MARGINS), size=size)
    if size < 2 or rng.random() < 0.5:
        return Coordinates(margins)
    return Coordinates(margins, factor_matrix(size, log_uniform(0.1, 2.0, rng), rng))


def place(
    informative: FloatArray, order: NDArray[np.int64], noise: Coordinates, rng: np.random.Generator
) -> FloatArray:
    """Put informative columns and columns of noise at their positions, shape (n, d), float32."""
    values = np.empty((len(informative), len(order)), dtype=np.float32)
    values[:, order] = np.hstack([informative, noise.sample(len(informative), rng)])
    return values


def _normal(z: FloatArray) -> FloatArray:
    return z


def _uniform(z: FloatArray) -> FloatArray:
    """Φ(z)."""
    return np.asarray(ndtr(z))


def _heavy(z: FloatArray) -> FloatArray:
    """z |z|."""
    return z * np.abs(z)


def _sign(z: FloatArray) -> FloatArray:
    """−1 or 1."""
    return np.where(z > 0, np.float32(1.0), np.float32(-1.0))


def _integer(z: FloatArray) -> FloatArray:
    """1.5 z, rounded."""
    return np.asarray(np.rint(np.float32(1.5) * z))


MARGINS: tuple[CoordinateMap, ...] = (_normal, _uniform, _heavy, np.exp, _sign, _integer)


__all__ = ["MARGINS", "Coordinates", "draw_coordinates", "place"]
