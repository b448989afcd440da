"""Priors over structured dispersion matrices, the parameter of elliptical families.

Coordinates are ordered X first, Y second. All matrices are correlation matrices: symmetric, positive
definite, with a diagonal of ones. `dense`, `lvm`, `sparse` and `2pair` and their priors follow
arXiv 2511.18945; `lvm` is the latent-variable model of Czyż et al., "Beyond Normal" (NeurIPS 2023).
"""

from abc import ABC, abstractmethod
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, field_validator
from scipy.linalg import solve_triangular
from typing_extensions import override

from mistworks.config import FrozenConfig
from mistworks.distributions.base import require_at_least
from mistworks.distributions.priors import LogUniform, Probability, Uniform, within

Matrix = NDArray[np.float64]

_BLOCK = 64
_MOST_FACTORS = 8
_LARGEST_LOADING = 10.0


def _loading(prior: Uniform) -> Uniform:
    # A squared loading above 1000² would swamp the ones on the diagonal in double precision.
    return within(prior, 0.0, 1000.0, "a loading")


Loading = Annotated[Uniform, AfterValidator(_loading)]


def _moderate(prior: LogUniform) -> LogUniform:
    return within(prior, 0.0, _LARGEST_LOADING, "a loading")


FactorLoading = Annotated[LogUniform, AfterValidator(_moderate)]


class DispersionPrior(FrozenConfig, ABC):
    """A prior over dispersion matrices with one structure."""

    structure: str

    @property
    def least_dimension(self) -> int:
        """The smallest dx and dy for which the structure is defined."""
        return 1

    @abstractmethod
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Matrix:
        """Draw a correlation matrix of shape (dx + dy, dx + dy)."""


class Dense(DispersionPrior):
    """Equal correlation o between all coordinates: Σ = (1 − o) I + o 11ᵀ."""

    structure: Literal["dense"] = "dense"
    correlation: Uniform = Uniform(low=0.0, high=0.5)

    @field_validator("correlation")
    @classmethod
    def _positive_definite(cls, prior: Uniform) -> Uniform:
        return within(prior, 0.0, 0.999, "correlation")

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Matrix:
        matrix = np.full((dx + dy, dx + dy), self.correlation.draw(rng))
        np.fill_diagonal(matrix, 1.0)
        return matrix


class LatentVariable(DispersionPrior):
    """The latent-variable Gaussian: one factor shared by all, one per side, and k interacting pairs.

    α² everywhere, plus β² on the X block and on the Y block, plus 1 on the diagonal; for i < k, λ² on
    (xᵢ,xᵢ), (yᵢ,yᵢ) and (xᵢ,yᵢ); for i ≥ k, η² on the diagonal; then normalised. k is uniform on
    1, …, min(dx, dy).
    """

    structure: Literal["lvm"] = "lvm"
    alpha: Loading = Uniform(low=0.0, high=1.0)
    lambda_: Loading = Uniform(low=0.1, high=3.0)
    beta: Loading = Uniform(low=0.0, high=1.5)
    eta: Loading = Uniform(low=0.1, high=5.0)

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Matrix:
        pairs = int(rng.integers(1, min(dx, dy), endpoint=True))
        alpha, lambda_ = self.alpha.draw(rng), self.lambda_.draw(rng)
        beta, eta = self.beta.draw(rng), self.eta.draw(rng)
        return latent_variable_matrix(dx, dy, pairs, alpha=alpha, lambda_=lambda_, beta=beta, eta=eta)


class Sparse(DispersionPrior):
    """k independent interacting pairs with one strength s: `lvm` with α = β = 0 and λ = η = s.

    k is uniform on 1, …, min(dx, dy). The correlation of a pair is s² / (1 + s²).
    """

    structure: Literal["sparse"] = "sparse"
    strength: Loading = Uniform(low=0.1, high=5.0)

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Matrix:
        pairs = int(rng.integers(1, min(dx, dy), endpoint=True))
        return sparse_matrix(dx, dy, pairs, self.strength.draw(rng))


class TwoPair(DispersionPrior):
    """Exactly two interacting pairs with one strength s: `sparse` with k = 2."""

    structure: Literal["2pair"] = "2pair"
    strength: Loading = Uniform(low=0.1, high=5.0)

    @property
    @override
    def least_dimension(self) -> int:
        """2: two pairs need two coordinates on each side."""
        return 2

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Matrix:
        return sparse_matrix(dx, dy, 2, self.strength.draw(rng))


class Factor(DispersionPrior):
    """A random factor model (`factor_matrix`) whose cross block Σ_xy is multiplied by a coupling c.

    0 ≤ c ≤ 1 keeps Σ positive definite, since the result is a weighted mean of Σ and its block diagonal. c =
    0 with probability ``independent``; otherwise c = w^(u³) with u ~ U(0, 1) and w the weakest coupling,
    which favours 1.
    """

    structure: Literal["factor"] = "factor"
    loading: FactorLoading = LogUniform(low=0.2, high=4.0)
    independent: Probability = 0.1
    weakest: Annotated[float, Field(gt=0, le=1)] = 0.02

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Matrix:
        matrix = factor_matrix(dx + dy, self.loading.draw(rng), rng)
        coupling = 0.0 if rng.random() < self.independent else self.weakest ** (rng.random() ** 3)
        matrix[:dx, dx:] *= coupling
        matrix[dx:, :dx] *= coupling
        return matrix


class RandomPairs(DispersionPrior):
    """k independent pairs, each with its own correlation, at random positions and mixed within each block.

    Pair i has information Iᵢ from its prior and correlation ±√(1 − exp(−2 Iᵢ)), with random sign. With
    probability ``mixed`` a block is L u, where u holds the coordinates of the pairs and L Lᵀ is the matrix of
    a random factor model. This map of a block is invertible, so that I(X;Y) = Σᵢ Iᵢ. k is uniform on
    0, …, min(dx, dy).
    """

    structure: Literal["random-pairs"] = "random-pairs"
    information: LogUniform = LogUniform(low=0.001, high=2.3)
    mixed: Probability = 0.5
    loading: FactorLoading = LogUniform(low=0.1, high=2.0)

    @field_validator("information")
    @classmethod
    def _correlation_below_one(cls, prior: LogUniform) -> LogUniform:
        return within(prior, 0.0, 5.0, "information")

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Matrix:
        pairs = int(rng.integers(0, min(dx, dy), endpoint=True))
        information = np.array([self.information.draw(rng) for _ in range(pairs)])
        correlations = np.sqrt(-np.expm1(-2.0 * information)) * np.where(rng.random(pairs) < 0.5, -1.0, 1.0)
        matrix = np.zeros((dx + dy, dx + dy))
        matrix[:dx, :dx] = self._within(dx, rng)
        matrix[dx:, dx:] = self._within(dy, rng)
        x_mixing = cholesky_factor(matrix[:dx, :dx])[:, rng.permutation(dx)[:pairs]]
        y_mixing = cholesky_factor(matrix[dx:, dx:])[:, rng.permutation(dy)[:pairs]]
        matrix[:dx, dx:] = (x_mixing * correlations) @ y_mixing.T
        matrix[dx:, :dx] = matrix[:dx, dx:].T
        return matrix

    def _within(self, size: int, rng: np.random.Generator) -> Matrix:
        if rng.random() < self.mixed:
            return factor_matrix(size, self.loading.draw(rng), rng)
        return np.eye(size)


Dispersion = Annotated[
    Dense | LatentVariable | Sparse | TwoPair | Factor | RandomPairs, Field(discriminator="structure")
]


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


def factor_matrix(size: int, loading: float, rng: np.random.Generator) -> Matrix:
    """The correlation matrix of a random factor model Λ Λᵀ + I, shape (size, size).

    Λ has 1 to 8 columns, at most ``size``. Its entries are normal and nonzero with one random probability, at
    least 2 / size. Its columns have log-normal scales around ``loading``, truncated at 10.
    """
    factors = int(rng.integers(1, min(_MOST_FACTORS, size), endpoint=True))
    loadings = rng.standard_normal((size, factors))
    loadings *= rng.random((size, factors)) < max(rng.uniform(0.1, 1.0), 2.0 / size)
    loadings *= np.minimum(loading * np.exp(rng.standard_normal(factors)), _LARGEST_LOADING)
    matrix = loadings @ loadings.T
    matrix.flat[:: size + 1] += 1.0
    scale = 1.0 / np.sqrt(matrix.diagonal())
    matrix *= scale[:, None] * scale
    return matrix


def cholesky_factor(matrix: Matrix) -> Matrix:
    """Return the lower Cholesky factor, bit-identical for any number of BLAS threads.

    LAPACK splits large matrices by the number of threads (from 128 rows in OpenBLAS), which changes the last
    bits. Here LAPACK gets blocks of 64 rows, and the operations that couple them do not sum across threads.
    """
    if len(matrix) <= _BLOCK:
        return np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)
    factor = matrix.copy()
    for start in range(0, len(matrix), _BLOCK):
        stop = start + _BLOCK
        block = factor[start:stop, start:stop] = np.linalg.cholesky(factor[start:stop, start:stop])
        if stop < len(matrix):
            panel = solve_triangular(block, factor[stop:, start:stop].T, lower=True).T
            factor[stop:, start:stop] = panel
            factor[stop:, stop:] -= panel @ panel.T
            factor[start:stop, stop:] = 0.0
    return factor


__all__ = [
    "Dense",
    "Dispersion",
    "DispersionPrior",
    "Factor",
    "FactorLoading",
    "LatentVariable",
    "Loading",
    "Matrix",
    "RandomPairs",
    "Sparse",
    "TwoPair",
    "cholesky_factor",
    "factor_matrix",
    "latent_variable_matrix",
    "sparse_matrix",
]
