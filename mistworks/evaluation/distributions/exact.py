"""Mutual information by tables: exact for finite distributions, by quadrature for the others.

Let (x_i), (y_j) be nodes with weights a_i, b_j and p a density, or probabilities where a side has atoms. The
masses m_ij = a_i b_j p(x_i, y_j) have margins a_i p(x_i) and b_j p(y_j), so that
m_ij / (m_i m_j) = p(x_i, y_j) / (p(x_i) p(y_j)). The information of the table of masses is therefore the
quadrature of I(X;Y), and exact if both sides are finite.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import ndtr, xlogy
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions import JointDistribution, tables
from mistworks.evaluation.distributions.pointwise import Array

_FAR = 9.0
"""Beyond 9 standard deviations a normal distribution has a mass of 1e-19."""
_ROUNDING = 1e-12
_PIECE = 0.25
_ORDER = 8


class ByTable(JointDistribution):
    """A joint distribution whose mutual information is that of a table of masses."""

    @abstractmethod
    def masses(self) -> Array:
        """Probabilities of pairs of states or nodes, shape (states or nodes of X, of Y)."""

    @abstractmethod
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n points in double precision: shapes (n, dx) and (n, dy)."""

    @property
    @override
    def mutual_information(self) -> float:
        return table_information(self.masses())

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        x, y = self.draw(n, rng)
        return np.ascontiguousarray(x, dtype=np.float32), np.ascontiguousarray(y, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Tabled(ByTable):
    """Finitely many states per side with given joint probabilities.

    Attributes:
        table: joint probabilities with sum 1, shape (Kx, Ky).
        x_values: the value of X in each state, shape (Kx, dx), with distinct rows.
        y_values: the value of Y in each state, shape (Ky, dy), with distinct rows.
    """

    table: Array
    x_values: Array
    y_values: Array

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return int(self.x_values.shape[1])

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return int(self.y_values.shape[1])

    @override
    def masses(self) -> Array:
        return self.table

    @override
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        bounds = np.cumsum(self.table.ravel())
        cells = np.searchsorted(bounds / bounds[-1], rng.random(n), side="right")
        rows, columns = np.divmod(cells, self.table.shape[1])
        return self.x_values[rows], self.y_values[columns]


def numbered(table: Array, x_start: float = 0.0, y_start: float = 0.0) -> Tabled:
    """Normalise a table whose states are consecutive integers, one column per side."""
    x_values, y_values = (np.arange(float(size))[:, None] for size in table.shape)
    return Tabled(table / table.sum(), x_values + x_start, y_values + y_start)


def table_information(masses: Array) -> float:
    """Mutual information in nats of a table of masses, after normalising it; 0 below rounding errors."""
    information = tables.table_information(masses / masses.sum())
    return information if information > _ROUNDING else 0.0


def entropy(probabilities: Sequence[float] | Array) -> float:
    """−Σ p log p in nats."""
    p = np.asarray(probabilities, dtype=np.float64)
    return float(-xlogy(p, p).sum())


def nodes(low: float, high: float, pieces: int, order: int = _ORDER) -> tuple[Array, Array]:
    """Nodes and weights of the Gauss–Legendre rule on equal pieces of an interval, pieces · order each."""
    points, weights = np.polynomial.legendre.leggauss(order)
    edges = np.linspace(low, high, pieces + 1)
    half = (high - low) / (2 * pieces)
    middle = (edges[:-1] + edges[1:]) / 2
    return (middle[:, None] + half * points).ravel(), np.tile(half * weights, pieces)


def normal_cells(rho: float, x_edges: Array, y_edges: Array) -> Array:
    """Probabilities of rectangles under standard normals with correlation ρ.

    P(cell) = ∫ φ(x) [Φ((b′ − ρx)/σ) − Φ((b − ρx)/σ)] dx over the cell's x, with σ² = 1 − ρ².

    Args:
        rho: ρ, −1 < ρ < 1.
        x_edges: increasing edges of the cells of X, shape (Kx + 1,); ±∞ at the ends.
        y_edges: the same for Y, shape (Ky + 1,).

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


__all__ = ["ByTable", "Tabled", "entropy", "nodes", "normal_cells", "numbered", "table_information"]
