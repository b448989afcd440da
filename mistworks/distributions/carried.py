"""The carried family: latents of known mutual information, carried to the features of a modality."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy.linalg import solve_triangular
from scipy.special import ndtri
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Array, JointDistribution
from mistworks.distributions.block_maps import haar
from mistworks.distributions.checkerboard import Checkerboard, CheckerboardFamily
from mistworks.distributions.dispersion import Factor, RandomPairs, cholesky_factor
from mistworks.distributions.normal import Normal, NormalFamily
from mistworks.distributions.of_modality import ModalityFamily
from mistworks.distributions.priors import IntegerPrior, UniformInteger
from mistworks.distributions.tables import draw_cells
from mistworks.modality.flow import SplineFlow

LatentFamily = Annotated[NormalFamily | CheckerboardFamily, Field(discriminator="family")]

# Uniform ranks stay this far from 0 and 1: normal scores up to 5.2, about where float32 ends.
_EDGE = 1e-7


@dataclass(frozen=True, eq=False)
class NormalTables(JointDistribution):
    """Pairs (Uᵢ, Vᵢ) with copulas from tables and standard normal margins, among noise, then rotated.

    The cell of a pair is drawn from its table, and the rank is uniform within the cell's share of (0, 1), so
    that margins are exactly uniform; normal scores make them normal. Both sides are N(0, I), and I(U;V) = Σᵢ
    Σ p log(p / (p_row p_column)).

    Attributes:
        pairs: the tables; whether a side is atomic plays no role.
        x_rotation: orthogonal matrix of shape (dx, dx).
        y_rotation: the same for Y.
    """

    pairs: tuple[Checkerboard, ...]
    x_rotation: Array
    y_rotation: Array

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return len(self.x_rotation)

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return len(self.y_rotation)

    @property
    @override
    def mutual_information(self) -> float:
        return sum(pair.mutual_information for pair in self.pairs)

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        u, v = rng.standard_normal((n, self.dx)), rng.standard_normal((n, self.dy))
        for place, pair in enumerate(self.pairs):
            row, column = draw_cells(pair.cumulative, pair.table.shape, n, rng)
            u[:, place] = _scores(row, pair.table.sum(axis=1), rng)
            v[:, place] = _scores(column, pair.table.sum(axis=0), rng)
        return (
            np.ascontiguousarray(u @ self.x_rotation, dtype=np.float32),
            np.ascontiguousarray(v @ self.y_rotation, dtype=np.float32),
        )


def _scores(cell: np.ndarray, shares: Array, rng: np.random.Generator) -> Array:
    """Return normal scores of ranks that are uniform within the share of each cell, shape (n,)."""
    below = np.cumsum(shares) - shares
    rank = below[cell] + shares[cell] * rng.random(len(cell))
    return np.asarray(ndtri(np.clip(rank, _EDGE, 1.0 - _EDGE)))


def standardised(joint: Normal) -> Normal:
    """Return a normal distribution with N(0, I) on both sides and the same information.

    With L_x, L_y the Cholesky factors of Σ_xx and Σ_yy, the sides are multiplied by L_x⁻¹ and L_y⁻¹, so that
    Σ_xy becomes L_x⁻¹ Σ_xy L_y⁻ᵀ.
    """
    dx, matrix = joint.dx, joint.dispersion
    x_factor, y_factor = cholesky_factor(matrix[:dx, :dx].copy()), cholesky_factor(matrix[dx:, dx:].copy())
    half = solve_triangular(x_factor, matrix[:dx, dx:], lower=True)
    cross = solve_triangular(y_factor, half.T, lower=True).T
    result = np.eye(len(matrix))
    result[:dx, dx:], result[dx:, :dx] = cross, cross.T
    return Normal(result, dx)


@dataclass(frozen=True, eq=False)
class Carried(JointDistribution):
    """(X, Y) = (f⁻¹(U), f⁻¹(V)), with f the flow of a modality: X and Y are distributed like its features.

    f is a bijection, so that I(X;Y) = I(U;V).

    Attributes:
        latents: the distribution of (U, V), with standard normal sides.
        flow: f.
    """

    latents: JointDistribution
    flow: SplineFlow

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return self.latents.dx

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return self.latents.dy

    @property
    @override
    def mutual_information(self) -> float:
        return self.latents.mutual_information

    @property
    @override
    def standard_error(self) -> float:
        return self.latents.standard_error

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        u, v = self.latents.sample(n, rng)
        return self._carry(u), self._carry(v)

    def _carry(self, latents: FloatArray) -> FloatArray:
        return np.ascontiguousarray(self.flow.carry(latents.astype(np.float64)), dtype=np.float32)


class CarriedFamily(ModalityFamily):
    """Latents of random kinds, carried to the features of a modality.

    Attributes:
        kinds: families of the latents, equally likely. Normal ones are standardised (`standardised`);
            checkerboards are the copulas of pairs of coordinates (`NormalTables`).
        pairs: number of these pairs, at most min(dx, dy).
    """

    family: Literal["carried"] = "carried"
    kinds: Annotated[tuple[LatentFamily, ...], Field(min_length=1)] = (
        NormalFamily(dispersion=Factor()),
        NormalFamily(dispersion=RandomPairs()),
        CheckerboardFamily(),
    )
    pairs: IntegerPrior = UniformInteger(low=1, high=3)

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Carried:
        self.require_dimensions(dx, dy)
        kind = self.kinds[int(rng.integers(len(self.kinds)))]
        if isinstance(kind, NormalFamily):
            return Carried(standardised(kind.draw(dx, dy, rng)), self.opened.flow)
        pairs = tuple(kind.draw(1, 1, rng) for _ in range(min(self.pairs.draw(rng), dx, dy)))
        return Carried(NormalTables(pairs, haar(dx, rng), haar(dy, rng)), self.opened.flow)


__all__ = ["Carried", "CarriedFamily", "LatentFamily", "NormalTables", "standardised"]
