"""Structured dispersion matrices, the parameter of every elliptical family.

Coordinates are ordered X first, Y second. All matrices are correlation matrices: symmetric, positive
definite, with a diagonal of ones. Structures and priors follow arXiv 2511.18945; `lvm` is the
latent-variable model of Czyż et al., "Beyond Normal" (NeurIPS 2023).
"""

from abc import ABC, abstractmethod
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, field_validator

from mistworks.config import FrozenConfig
from mistworks.distributions.base import require_at_least
from mistworks.distributions.priors import Uniform, within

Matrix = NDArray[np.float64]


def _loading(prior: Uniform) -> Uniform:
    # Beyond 1000 a squared loading swallows the ones on the diagonal in double precision.
    return within(prior, 0.0, 1000.0, "a loading")


Loading = Annotated[Uniform, AfterValidator(_loading)]


class DispersionPrior(FrozenConfig, ABC):
    """A prior over dispersion matrices of one structure."""

    structure: str

    @property
    def least_dimension(self) -> int:
        """The smallest dx and dy for which the structure is defined."""
        return 1

    @abstractmethod
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Matrix:
        """A correlation matrix of shape (dx + dy, dx + dy)."""


class Dense(DispersionPrior):
    """Equal correlation o between all coordinates: Σ = (1 − o) I + o 11ᵀ."""

    structure: Literal["dense"] = "dense"
    correlation: Uniform = Uniform(low=0.0, high=0.5)

    @field_validator("correlation")
    @classmethod
    def _positive_definite(cls, prior: Uniform) -> Uniform:
        return within(prior, 0.0, 0.999, "correlation")

    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Matrix:
        """A dense matrix with o drawn from its prior."""
        matrix = np.full((dx + dy, dx + dy), self.correlation.draw(rng))
        np.fill_diagonal(matrix, 1.0)
        return matrix


class LatentVariable(DispersionPrior):
    """The latent-variable Gaussian: a factor shared by all, one for each side, and k interacting pairs.

    α² everywhere, plus β² on the X block and on the Y block, plus 1 on the diagonal; for i < k, λ² on
    (xᵢ,xᵢ), (yᵢ,yᵢ) and (xᵢ,yᵢ); for i ≥ k, η² on the diagonal; then normalised. k is uniform on
    1, …, min(dx, dy).
    """

    structure: Literal["lvm"] = "lvm"
    alpha: Loading = Uniform(low=0.0, high=1.0)
    lambda_: Loading = Uniform(low=0.1, high=3.0)
    beta: Loading = Uniform(low=0.0, high=1.5)
    eta: Loading = Uniform(low=0.1, high=5.0)

    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Matrix:
        """A latent-variable matrix with k, α, λ, β, η drawn from their priors."""
        pairs = int(rng.integers(1, min(dx, dy), endpoint=True))
        alpha, lambda_ = self.alpha.draw(rng), self.lambda_.draw(rng)
        beta, eta = self.beta.draw(rng), self.eta.draw(rng)
        return latent_variable_matrix(dx, dy, pairs, alpha=alpha, lambda_=lambda_, beta=beta, eta=eta)


class Sparse(DispersionPrior):
    """k independent interacting pairs of one strength s: `lvm` with α = β = 0 and λ = η = s.

    k is uniform on 1, …, min(dx, dy). The correlation of a pair is s² / (1 + s²).
    """

    structure: Literal["sparse"] = "sparse"
    strength: Loading = Uniform(low=0.1, high=5.0)

    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Matrix:
        """A sparse matrix with k and s drawn from their priors."""
        pairs = int(rng.integers(1, min(dx, dy), endpoint=True))
        return sparse_matrix(dx, dy, pairs, self.strength.draw(rng))


class TwoPair(DispersionPrior):
    """Exactly two interacting pairs of one strength s: `sparse` with k = 2."""

    structure: Literal["2pair"] = "2pair"
    strength: Loading = Uniform(low=0.1, high=5.0)

    @property
    def least_dimension(self) -> int:
        """Two pairs need two coordinates on each side."""
        return 2

    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Matrix:
        """A sparse matrix of two pairs with s drawn from its prior."""
        return sparse_matrix(dx, dy, 2, self.strength.draw(rng))


Dispersion = Annotated[Dense | LatentVariable | Sparse | TwoPair, Field(discriminator="structure")]


def latent_variable_matrix(
    dx: int, dy: int, pairs: int, *, alpha: float, lambda_: float, beta: float, eta: float
) -> Matrix:
    """The correlation matrix of the latent-variable Gaussian, shape (dx + dy, dx + dy).

    Raises:
        MistworksError: dx or dy is less than the number of pairs.
    """
    require_at_least("dx", dx, pairs)
    require_at_least("dy", dy, pairs)
    matrix = np.full((dx + dy, dx + dy), alpha**2, dtype=np.float64)
    matrix[:dx, :dx] += beta**2
    matrix[dx:, dx:] += beta**2
    diagonal = np.full(dx + dy, 1.0 + eta**2)
    diagonal[:pairs] = diagonal[dx : dx + pairs] = 1.0 + lambda_**2
    matrix.flat[:: dx + dy + 1] += diagonal
    paired = np.arange(pairs)
    matrix[paired, dx + paired] += lambda_**2
    matrix[dx + paired, paired] += lambda_**2
    scale = 1.0 / np.sqrt(matrix.diagonal())
    matrix *= scale[:, None] * scale
    return matrix


def sparse_matrix(dx: int, dy: int, pairs: int, strength: float) -> Matrix:
    """The correlation matrix of ``pairs`` independent pairs of correlation s² / (1 + s²).

    Raises:
        MistworksError: dx or dy is less than the number of pairs.
    """
    require_at_least("dx", dx, pairs)
    require_at_least("dy", dy, pairs)
    matrix = np.eye(dx + dy)
    paired = np.arange(pairs)
    correlation = strength**2 / (1.0 + strength**2)
    matrix[paired, dx + paired] = matrix[dx + paired, paired] = correlation
    return matrix
