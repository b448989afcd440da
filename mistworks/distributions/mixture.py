"""The mixture family: finite mixtures of normal distributions."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal, get_args

import numpy as np
from pydantic import Field, field_validator
from scipy.special import entr
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Array, Family
from mistworks.distributions.dispersion import Factor, FactorLoading, cholesky_factor, factor_matrix
from mistworks.distributions.monte_carlo import UNKNOWN, Label, Labelled, class_entropy, precise_label
from mistworks.distributions.priors import LogUniform, UniformInteger, within

MixtureKind = Literal["clusters", "latent", "volatility", "switching"]

_FIRST_POINTS = 512
_SCALE = LogUniform(low=0.4, high=1.6)
_KINDS: tuple[MixtureKind, ...] = get_args(MixtureKind)


@dataclass(frozen=True, eq=False)
class Mixture(Labelled):
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
    @override
    def dy(self) -> int:  # type: ignore[override]
        return int(self.means.shape[1]) - self.dx

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        points = _mixture_points(n, self.weights, self.means, self.factors, rng)[rng.permutation(n)]
        return points[:, : self.dx].copy(), points[:, self.dx :].copy()


def mixture_label(weights: Array, means: Array, factors: Array, dx: int, rng: np.random.Generator) -> Label:
    """I(X;Y) of a mixture in nats, with its standard error.

    With K the component, the chain rule gives I(X;Y) = I(X;Y|K) + I(X;K) + I(Y;K) − I(X,Y;K). I(X;Y|K) is a
    mean of Gaussian mutual informations, which is exact, and I(V;K) = H(K) − E H(K|V=v) for each V. Only the
    mean of H(K|x,y) − H(K|x) − H(K|y), which lies within ±2 log(components), is computed by Monte Carlo. The
    arguments are those of `Mixture`.
    """
    x_and_both = np.asarray(np.linalg.inv(factors), dtype=np.float64)
    y_factors = np.linalg.cholesky(factors[:, dx:] @ factors[:, dx:].transpose(0, 2, 1))
    y_whitening = np.asarray(np.linalg.inv(y_factors), dtype=np.float64)
    log_volume = np.log(np.diagonal(factors, axis1=1, axis2=2))
    y_log_volume = np.log(np.diagonal(y_factors, axis1=1, axis2=2)).sum(axis=1)
    within = float(weights @ (y_log_volume - log_volume[:, dx:].sum(axis=1)))
    exact = within + float(entr(weights).sum())
    log_weights = np.log(weights)
    x_constant, y_constant, constant = (
        (log_weights - volume).astype(np.float32)[:, None]
        for volume in (log_volume[:, :dx].sum(axis=1), y_log_volume, log_volume.sum(axis=1))
    )

    def terms(n: int) -> Array:
        points = np.ascontiguousarray(_mixture_points(n, weights, means, factors, rng).T)
        standard = _whitened(points, means, x_and_both)
        np.square(standard, out=standard)
        x_squares = standard[:, :dx].sum(axis=1)
        both_squares = x_squares + standard[:, dx:].sum(axis=1)
        y_standard = _whitened(points[dx:], means[:, dx:], y_whitening)
        y_squares = np.square(y_standard, out=y_standard).sum(axis=1)
        both_entropy = class_entropy(constant - 0.5 * both_squares)
        return (
            both_entropy
            - class_entropy(x_constant - 0.5 * x_squares)
            - class_entropy(y_constant - 0.5 * y_squares)
        )

    def label(values: Array) -> Label:
        return Label(max(0.0, exact + float(values.mean())), float(values.std() / np.sqrt(len(values))))

    return precise_label(terms, label, _FIRST_POINTS)


def _mixture_points(
    n: int, weights: Array, means: Array, factors: Array, rng: np.random.Generator
) -> FloatArray:
    """Draw n points, shape (n, dx + dy), float32, component by component."""
    points = rng.standard_normal((n, means.shape[1]), dtype=np.float32)
    stops = rng.multinomial(n, weights).cumsum()
    for start, stop, mean, factor in zip(np.r_[0, stops[:-1]], stops, means, factors, strict=True):
        points[start:stop] = points[start:stop] @ factor.astype(np.float32).T + mean.astype(np.float32)
    return points


def _whitened(points: FloatArray, means: Array, whitening: Array) -> FloatArray:
    """Lₖ⁻¹ (v − μₖ), shape (components, size, n), of points v of shape (size, n)."""
    components, size = means.shape
    offsets = np.einsum("kij,kj->ki", whitening, means).astype(np.float32)
    stacked = whitening.reshape(components * size, size).astype(np.float32)
    standard = (stacked @ points).reshape(components, size, -1)
    standard -= offsets[:, :, None]
    return np.asarray(standard)


class MixtureFamily(Family):
    """Mixtures of up to four kinds, equally likely, with weights drawn from a Dirichlet distribution.

    ``clusters`` differ in mean and covariance; in ``latent`` mixtures X and Y are independent given the
    component; ``volatility`` keeps one correlation matrix and changes its scale; ``switching`` keeps the
    blocks of X and of Y and multiplies the cross block by 0, 1, −1 or some number between.

    Attributes:
        components: number of components.
        loading: scale of the loadings of the correlation matrices (`factor_matrix`).
        spread: standard deviation of the means of clusters, in some of the coordinates.
        volatility: standard deviation of the log-scales.
        scale: factor of each cluster, on correlated coordinates of standard deviation 1.
        kinds: kinds of mixtures. Listing one twice doubles its weight.
    """

    family: Literal["mixture"] = "mixture"
    components: UniformInteger = UniformInteger(low=2, high=6)
    loading: FactorLoading = LogUniform(low=0.2, high=4.0)
    spread: LogUniform = LogUniform(low=0.3, high=5.0)
    volatility: LogUniform = LogUniform(low=0.2, high=1.5)
    # Left out of the JSON at these defaults, so that older content hashes stay valid.
    scale: LogUniform = Field(default=_SCALE, exclude_if=lambda scale: scale == _SCALE)
    kinds: Annotated[tuple[MixtureKind, ...], Field(min_length=1)] = Field(
        default=_KINDS, exclude_if=lambda kinds: kinds == _KINDS
    )

    @field_validator("scale")
    @classmethod
    def _resolved(cls, prior: LogUniform) -> LogUniform:
        # Below, single precision would round points of a cluster far from 0 to a few values.
        return within(prior, 0.01, 100.0, "scale")

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Mixture:
        drawn = self.draw_unlabelled(dx, dy, rng)
        return replace(drawn, label=mixture_label(drawn.weights, drawn.means, drawn.factors, dx, rng))

    @override
    def draw_unlabelled(self, dx: int, dy: int, rng: np.random.Generator) -> Mixture:
        self.require_dimensions(dx, dy)
        components = self.components.draw(rng)
        weights = rng.gamma(2.0, size=components) + 0.05
        weights /= weights.sum()
        kind = self.kinds[int(rng.integers(len(self.kinds)))]
        means, factors = self._draw_kind(kind, components, dx, dy, rng)
        return Mixture(weights, means, factors, dx, UNKNOWN)

    def _draw_kind(
        self, kind: MixtureKind, components: int, dx: int, dy: int, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        draws = {
            "clusters": self._clusters,
            "latent": self._latent,
            "volatility": self._volatility,
            "switching": self._switching,
        }
        return draws[kind](components, dx, dy, rng)

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
            factor[...] = self.scale.draw(rng) * cholesky_factor(matrix)
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
    """Multiply the cross block by a number between −1 and 1, which keeps the matrix positive definite."""
    matrix[:dx, dx:] *= coupling
    matrix[dx:, :dx] *= coupling
    return matrix


__all__ = ["Mixture", "MixtureFamily", "MixtureKind", "mixture_label"]
