"""Mutual information by tables: of finite distributions exactly, of others over the nodes of a quadrature.

Let (x_i), (y_j) be nodes with weights a_i, b_j and p a density, or probabilities where a side has atoms. The
masses m_ij = a_i b_j p(x_i, y_j) have margins a_i p(x_i) and b_j p(y_j), so that
m_ij / (m_i m_j) = p(x_i, y_j) / (p(x_i) p(y_j)): the information of the table of masses is the quadrature of
I(X;Y), and exact where both sides are finite.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import ndtr, xlogy

from mistworks.dataset import FloatArray
from mistworks.distributions import JointDistribution
from mistworks.evaluation.distributions.pointwise import Array

_FAR = 9.0
"""Beyond so many standard deviations a normal distribution has a mass of 1e-19."""
_ROUNDING = 1e-12
_PIECE = 0.25
_ORDER = 8


class ByTable(JointDistribution):
    """A joint distribution whose mutual information is that of a table of masses. Subclasses are frozen."""

    @abstractmethod
    def masses(self) -> Array:
        """Probabilities of pairs of states or of nodes, shape (states or nodes of X, of Y)."""

    @abstractmethod
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n points in double precision: shapes (n, dx) and (n, dy)."""

    @property
    def mutual_information(self) -> float:
        """I(X;Y) in nats, of the table."""
        return table_information(self.masses())

    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw n points: shapes (n, dx) and (n, dy), float32."""
        x, y = self.draw(n, rng)
        return np.ascontiguousarray(x, dtype=np.float32), np.ascontiguousarray(y, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Tabled(ByTable):
    """Finitely many states a side with given joint probabilities.

    Attributes:
        table: joint probabilities with sum 1, shape (Kx, Ky).
        x_values: what X is in each of its states, shape (Kx, dx); all different.
        y_values: what Y is in each of its states, shape (Ky, dy); all different.
    """

    table: Array
    x_values: Array
    y_values: Array

    @property
    def dx(self) -> int:  # type: ignore[override]
        """Dimension of X."""
        return int(self.x_values.shape[1])

    @property
    def dy(self) -> int:  # type: ignore[override]
        """Dimension of Y."""
        return int(self.y_values.shape[1])

    def masses(self) -> Array:
        """The table."""
        return self.table

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n points in double precision: shapes (n, dx) and (n, dy)."""
        bounds = np.cumsum(self.table.ravel())
        cells = np.searchsorted(bounds / bounds[-1], rng.random(n), side="right")
        rows, columns = np.divmod(cells, self.table.shape[1])
        return self.x_values[rows], self.y_values[columns]


def numbered(table: Array, x_start: float = 0.0, y_start: float = 0.0) -> Tabled:
    """A table, normalised, whose states are consecutive integers, one column a side."""
    x_values, y_values = (np.arange(float(size))[:, None] for size in table.shape)
    return Tabled(table / table.sum(), x_values + x_start, y_values + y_start)


def table_information(masses: Array) -> float:
    """Σ m log(m / (m₊ m₊)) in nats of a table of masses, which is normalised first; 0 below rounding."""
    table = masses / masses.sum()
    independent = table.sum(axis=1, keepdims=True) * table.sum(axis=0)
    information = float(xlogy(table, table / np.where(independent > 0, independent, 1.0)).sum())
    return information if information > _ROUNDING else 0.0


def entropy(probabilities: Sequence[float] | Array) -> float:
    """−Σ p log p in nats."""
    p = np.asarray(probabilities, dtype=np.float64)
    return float(-xlogy(p, p).sum())


def nodes(low: float, high: float, pieces: int, order: int = _ORDER) -> tuple[Array, Array]:
    """Nodes and weights of the Gauss–Legendre rule on equal pieces of an interval, (pieces · order) each."""
    points, weights = np.polynomial.legendre.leggauss(order)
    edges = np.linspace(low, high, pieces + 1)
    half = (high - low) / (2 * pieces)
    middle = (edges[:-1] + edges[1:]) / 2
    return (middle[:, None] + half * points).ravel(), np.tile(half * weights, pieces)


def normal_cells(rho: float, x_edges: Array, y_edges: Array) -> Array:
    """Probabilities of rectangles under standard normals of correlation ρ.

    P(cell) = ∫ φ(x) [Φ((b′ − ρx)/σ) − Φ((b − ρx)/σ)] dx over the cell's x, with σ² = 1 − ρ².

    Args:
        rho: ρ, −1 < ρ < 1.
        x_edges: increasing edges of the cells of X, shape (Kx + 1,); ±∞ at the ends.
        y_edges: the same of Y, shape (Ky + 1,).

    Returns:
        Shape (Kx, Ky).
    """
    bounded = np.clip(x_edges, -_FAR, _FAR)
    rows = []
    for low, high in pairwise(bounded.tolist()):
        x, weights = nodes(low, high, max(1, int(np.ceil((high - low) / _PIECE))))
        below = ndtr((y_edges - rho * x[:, None]) / np.sqrt(1 - rho**2))
        density = weights * np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)
        rows.append(density @ np.diff(below, axis=1))
    return np.stack(rows)
