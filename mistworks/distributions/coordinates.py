"""Random blocks of coordinates: what surrounds the coordinates that matter, and what enters a channel."""

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
    """A random vector given by correlated standard normals z and a margin for each coordinate.

    Attributes:
        margins: for each coordinate, its position in ``MARGINS``.
        correlation: of z, shape (size, size); None where the coordinates are independent.
    """

    margins: NDArray[np.int64]
    correlation: Matrix | None = None

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """n draws, shape (n, size), float32."""
        values = rng.standard_normal((n, len(self.margins)), dtype=np.float32)
        if self.correlation is not None:
            values = values @ cholesky_factor(self.correlation).astype(np.float32).T
        for number, margin in enumerate(MARGINS):
            columns = np.flatnonzero(self.margins == number)
            if columns.size and number > 0:
                values[:, columns] = margin(values[:, columns])
        return values

    def restricted(self, columns: NDArray[np.int64]) -> "Coordinates":
        """The distribution of some of the coordinates."""
        correlation = self.correlation
        block = None if correlation is None else correlation[np.ix_(columns, columns)]
        return Coordinates(self.margins[columns], block)


def draw_coordinates(size: int, rng: np.random.Generator) -> Coordinates:
    """Random coordinates: correlated or not; normal, all of one other margin, or of mixed margins."""
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
