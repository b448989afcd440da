"""The mixture family: finite mixtures of normal distributions."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import entr, softmax

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Array, Family, JointDistribution, require_at_least
from mistworks.distributions.dispersion import Factor, FactorLoading, cholesky_factor, factor_matrix
from mistworks.distributions.monte_carlo import Label, precise_label
from mistworks.distributions.priors import LogUniform, UniformInteger, log_uniform

_FIRST_POINTS = 2_048


@dataclass(frozen=True, eq=False)
class Mixture(JointDistribution):
    """(X, Y) ~ Σₖ wₖ N(μₖ, Lₖ Lₖᵀ).

    Attributes:
        weights: wₖ, shape (components,), with sum 1.
        means: μₖ, shape (components, dx + dy), X first.
        factors: Lₖ, lower triangular, shape (components, dx + dy, dx + dy).
        dx: dimension of X.
        label: I(X;Y) by Monte Carlo (`mixture_label`).
    """

    weights: Array
    means: Array
    factors: Array
    dx: int
    label: Label

    @property
    def dy(self) -> int:  # type: ignore[override]
        """Dimension of Y."""
        return int(self.means.shape[1]) - self.dx

    @property
    def mutual_information(self) -> float:
        """I(X;Y) in nats."""
        return self.label.mutual_information

    @property
    def standard_error(self) -> float:
        """Of ``mutual_information``, in nats, from Monte Carlo."""
        return self.label.standard_error

    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw n points: shapes (n, dx) and (n, dy), float32."""
        points = _mixture_points(n, self.weights, self.means, self.factors, rng)[rng.permutation(n)]
        return points[:, : self.dx].copy(), points[:, self.dx :].copy()


def mixture_label(weights: Array, means: Array, factors: Array, dx: int, rng: np.random.Generator) -> Label:
    """I(X;Y) of a mixture in nats, with its standard error.

    With K the component, the chain rule gives I(X;Y) = I(X;Y|K) + I(X;K) + I(Y;K) − I(X,Y;K). Here I(X;Y|K)
    is a mean of Gaussian mutual informations, which is exact, and I(V;K) = H(K) − E H(K|V=v) for each V: what
    is left to Monte Carlo is the mean of H(K|x,y) − H(K|x) − H(K|y), which lies within ±2 log(components).
    Arguments are those of `Mixture`.
    """
    x_and_both = np.stack([solve_triangular(factor, np.eye(len(factor)), lower=True) for factor in factors])
    y_factors = [cholesky_factor(factor[dx:] @ factor[dx:].T) for factor in factors]
    y_whitening = np.stack(
        [solve_triangular(factor, np.eye(len(factor)), lower=True) for factor in y_factors]
    )
    log_volume = np.log(np.diagonal(factors, axis1=1, axis2=2))
    y_log_volume = np.log(np.diagonal(y_factors, axis1=1, axis2=2)).sum(axis=1)
    within = float(weights @ (y_log_volume - log_volume[:, dx:].sum(axis=1)))
    exact = within + float(entr(weights).sum())
    log_weights = np.log(weights)

    def terms(n: int) -> Array:
        points = _mixture_points(n, weights, means, factors, rng)
        squares = _whitened_squares(points, means, x_and_both)
        x_squares = squares[:, :, :dx].sum(axis=2)
        both_squares = x_squares + squares[:, :, dx:].sum(axis=2)
        y_squares = _whitened_squares(points[:, dx:], means[:, dx:], y_whitening).sum(axis=2)
        x_entropy = _class_entropy(log_weights - log_volume[:, :dx].sum(axis=1) - 0.5 * x_squares)
        y_entropy = _class_entropy(log_weights - y_log_volume - 0.5 * y_squares)
        both_entropy = _class_entropy(log_weights - log_volume.sum(axis=1) - 0.5 * both_squares)
        return both_entropy - x_entropy - y_entropy

    def label(values: Array) -> Label:
        return Label(max(0.0, exact + float(values.mean())), float(values.std() / np.sqrt(len(values))))

    return precise_label(terms, label, _FIRST_POINTS)


def _mixture_points(
    n: int, weights: Array, means: Array, factors: Array, rng: np.random.Generator
) -> FloatArray:
    """n points, shape (n, dx + dy), float32, those of a component in succession."""
    points = rng.standard_normal((n, means.shape[1]), dtype=np.float32)
    stops = rng.multinomial(n, weights).cumsum()
    for start, stop, mean, factor in zip(np.r_[0, stops[:-1]], stops, means, factors, strict=True):
        points[start:stop] = points[start:stop] @ factor.astype(np.float32).T + mean.astype(np.float32)
    return points


def _whitened_squares(points: FloatArray, means: Array, whitening: Array) -> FloatArray:
    """Squares of Lₖ⁻¹ (v − μₖ), shape (n, components, size)."""
    components, size = means.shape
    offsets = np.einsum("kij,kj->ki", whitening, means).astype(np.float32)
    stacked = whitening.reshape(components * size, size).astype(np.float32)
    standard = (points @ stacked.T).reshape(-1, components, size)
    standard -= offsets
    return np.asarray(np.square(standard, out=standard))


def _class_entropy(log_joint: Array) -> Array:
    """H(K | v) in nats at each point, from log wₖ pₖ(v) up to a constant, shape (n, components)."""
    return np.asarray(entr(softmax(log_joint, axis=1)).sum(axis=1))


class MixtureFamily(Family):
    """Mixtures of four kinds, equally likely, with weights drawn from a Dirichlet distribution.

    ``clusters`` differ in mean and covariance; ``latent`` ones leave X and Y independent given the component;
    ``volatility`` keeps one correlation matrix and changes its scale; ``switching`` keeps the blocks of X and
    of Y and multiplies the cross block by 0, 1, −1 or some number between.

    Attributes:
        components: their number.
        loading: scale of the loadings of the correlation matrices (`factor_matrix`).
        spread: standard deviation of the means of clusters, in some of the coordinates.
        volatility: standard deviation of the log-scales.
    """

    family: Literal["mixture"] = "mixture"
    components: UniformInteger = UniformInteger(low=2, high=6)
    loading: FactorLoading = LogUniform(low=0.2, high=4.0)
    spread: LogUniform = LogUniform(low=0.3, high=5.0)
    volatility: LogUniform = LogUniform(low=0.2, high=1.5)

    @property
    def name(self) -> str:
        """Always ``"mixture"``."""
        return "mixture"

    def require_dimensions(self, dx: int, dy: int) -> None:
        """Any dx and dy."""
        require_at_least("dimension of mixture", min(dx, dy), 1)

    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Mixture:
        """A mixture with its kind, weights, means and covariances drawn at random."""
        self.require_dimensions(dx, dy)
        components = self.components.draw(rng)
        weights = rng.gamma(2.0, size=components) + 0.05
        weights /= weights.sum()
        kind = (self._clusters, self._latent, self._volatility, self._switching)[int(rng.integers(4))]
        means, factors = kind(components, dx, dy, rng)
        return Mixture(weights, means, factors, dx, mixture_label(weights, means, factors, dx, rng))

    def _clusters(
        self, components: int, dx: int, dy: int, rng: np.random.Generator, coupled: bool = True
    ) -> tuple[Array, Array]:
        size = dx + dy
        means = self.spread.draw(rng) * rng.standard_normal((components, size))
        means *= rng.random(size) < rng.uniform(0.2, 1.0)
        factors = np.empty((components, size, size))
        for factor in factors:
            matrix = factor_matrix(size, self.loading.draw(rng), rng)
            if not coupled:
                _couple(matrix, dx, 0.0)
            factor[...] = log_uniform(0.4, 1.6, rng) * cholesky_factor(matrix)
        return means, factors

    def _latent(self, components: int, dx: int, dy: int, rng: np.random.Generator) -> tuple[Array, Array]:
        return self._clusters(components, dx, dy, rng, coupled=False)

    def _volatility(self, components: int, dx: int, dy: int, rng: np.random.Generator) -> tuple[Array, Array]:
        matrix = Factor(loading=self.loading, independent=0.5).draw(dx, dy, rng)
        scales = np.exp(self.volatility.draw(rng) * rng.standard_normal(components))
        return np.zeros((components, dx + dy)), scales[:, None, None] * cholesky_factor(matrix)

    def _switching(self, components: int, dx: int, dy: int, rng: np.random.Generator) -> tuple[Array, Array]:
        matrix = factor_matrix(dx + dy, self.loading.draw(rng), rng)
        couplings = np.array([0.0, 1.0, -1.0, rng.uniform(-1.0, 1.0)])[rng.integers(4, size=components)]
        factors = [cholesky_factor(_couple(matrix.copy(), dx, coupling)) for coupling in couplings]
        return np.zeros((components, dx + dy)), np.stack(factors)


def _couple(matrix: Array, dx: int, coupling: float) -> Array:
    """Multiply the cross block by a number between −1 and 1, which leaves the matrix positive definite."""
    matrix[:dx, dx:] *= coupling
    matrix[dx:, :dx] *= coupling
    return matrix
