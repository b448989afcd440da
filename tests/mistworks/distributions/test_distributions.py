"""Closed forms of mutual information and dispersion matrices against independent oracles.

Seeds are fixed, so nothing here is flaky. A statistical check alone would fail a correct implementation with
probability about 1e-6 for a fresh seed (|z| > 4.9); changing a seed is safe.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import integrate, stats

from mistworks.distributions import (
    AdditiveNoise,
    AdditiveNoiseFamily,
    Dense,
    Family,
    JointDistribution,
    LatentVariable,
    Normal,
    NormalFamily,
    Sparse,
    Student,
    StudentFamily,
    TwoPair,
    dispersion,
)
from mistworks.distributions.dispersion import latent_variable_matrix, sparse_matrix
from mistworks.errors import MistworksError

Z_LIMIT = 4.9
Array = NDArray[np.float64]

STRUCTURES = [Dense(), LatentVariable(), Sparse(), TwoPair()]
ELLIPTICAL: list[NormalFamily | StudentFamily] = [
    kind(dispersion=structure) for kind in (NormalFamily, StudentFamily) for structure in STRUCTURES
]
FAMILIES: list[Family] = [*ELLIPTICAL, AdditiveNoiseFamily()]


def name_of(family: Family) -> str:
    return family.name


def dense_matrix(size: int, correlation: float) -> Array:
    return (1 - correlation) * np.eye(size) + correlation


def log_density(joint: Normal | Student, columns: slice, values: Array) -> Array:
    """Log density of some coordinates, from scipy."""
    block = joint.dispersion[columns, columns]
    if isinstance(joint, Student):
        nu: Any = joint.degrees_of_freedom  # scipy takes any real ν, its stubs only integers
        return np.asarray(stats.multivariate_t.logpdf(values, shape=block, df=nu))
    return np.asarray(stats.multivariate_normal.logpdf(values, cov=block))


def information_density(joint: JointDistribution, x: Array, y: Array) -> Array:
    """log p(x, y) − log p(x) − log p(y) at each point."""
    if isinstance(joint, AdditiveNoise):
        conditional = -np.log(2 * joint.noise)
        marginal = np.log(additive_marginal(y, joint.noise))
        return np.asarray((conditional - marginal).sum(axis=1))
    assert isinstance(joint, Normal | Student)
    both, dx = np.hstack([x, y]), joint.dx
    marginals = log_density(joint, slice(dx), x) + log_density(joint, slice(dx, None), y)
    return log_density(joint, slice(None), both) - marginals


def additive_marginal(y: Array, noise: Array | float) -> Array:
    """Density of U(0, 1) + U(−ε, ε): the overlap of [y − ε, y + ε] and [0, 1], over 2ε."""
    return np.asarray((np.minimum(y + noise, 1) - np.maximum(y - noise, 0)) / (2 * np.asarray(noise)))


# --- Mutual information against oracles -------------------------------------------------------------------


@pytest.mark.parametrize("dimensions", [(2, 2), (2, 5), (4, 3)])
@pytest.mark.parametrize("family", ELLIPTICAL, ids=name_of)
def test_elliptical_information_equals_mean_log_density_ratio(
    family: Family, dimensions: tuple[int, int]
) -> None:
    rng = np.random.default_rng(20_260_101)
    joint = family.draw(*dimensions, rng)
    assert_information_is_mean_log_ratio(joint, 200_000, rng)


@pytest.mark.parametrize("noise", [[0.1], [0.5], [2.0], [0.3, 0.9, 0.45]])
def test_additive_information_equals_mean_log_density_ratio(noise: list[float]) -> None:
    assert_information_is_mean_log_ratio(AdditiveNoise(np.array(noise)), 200_000, np.random.default_rng(3))


@pytest.mark.parametrize(("dx", "dy"), [(150, 106), (1, 200)])
def test_high_dimensional_information_equals_mean_log_density_ratio(dx: int, dy: int) -> None:
    joint = Student(dense_matrix(dx + dy, 0.3), dx, 1.5)
    assert_information_is_mean_log_ratio(joint, 3_000, np.random.default_rng(4))


def assert_information_is_mean_log_ratio(joint: JointDistribution, n: int, rng: np.random.Generator) -> None:
    """A z-test at |z| < 4.9 on the product's own sample: a wrong label and a wrong sampler both fail."""
    x, y = joint.sample(n, rng)
    density = information_density(joint, x.astype(np.float64), y.astype(np.float64))
    error = density.std() / math.sqrt(n)
    assert abs(density.mean() - joint.mutual_information) < Z_LIMIT * error + 1e-5


@pytest.mark.parametrize("correlation", [0.0, 0.3, -0.6, 0.9])
@pytest.mark.parametrize("nu", [1.0, 2.7, 10.0, None])
def test_one_by_one_information_equals_numerical_integral(correlation: float, nu: float | None) -> None:
    """In polar coordinates of the whitened plane, s = −log P(R > r) is exponential: Gauss–Laguerre in s."""
    matrix = np.array([[1.0, correlation], [correlation, 1.0]])
    s, weights = np.polynomial.laguerre.laggauss(80)
    radius = np.sqrt(2 * s) if nu is None else np.sqrt(nu * np.expm1(2 * s / nu))
    angle = np.arange(2_000) * 2 * np.pi / 2_000
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    points = radius[:, None, None] * circle @ np.linalg.cholesky(matrix).T
    joint = Normal(matrix, 1) if nu is None else Student(matrix, 1, nu)
    flat = points.reshape(-1, 2)
    density = information_density(joint, flat[:, :1], flat[:, 1:]).reshape(len(s), -1)
    assert weights @ density.mean(axis=1) == pytest.approx(joint.mutual_information, abs=1e-4)


@pytest.mark.parametrize("noise", [0.05, 0.1, 0.49, 0.5, 0.51, 0.75, 2.0, 30.0])
def test_additive_information_equals_numerical_integral(noise: float) -> None:
    """I = h(Y) − h(noise), h(Y) by quadrature of −p log p between the corners of p."""

    def integrand(y: float) -> float:
        density = float(additive_marginal(np.array(y), noise))
        return -density * math.log(density) if density > 0 else 0.0

    corners = sorted({-noise, noise, 1 - noise, 1 + noise})
    entropy = sum(integrate.quad(integrand, a, b)[0] for a, b in itertools.pairwise(corners))
    expected = entropy - math.log(2 * noise)
    assert AdditiveNoise(np.array([noise])).mutual_information == pytest.approx(expected, abs=1e-7)


BENCHMARK_MI_0_1_3: list[tuple[JointDistribution, float]] = [
    (Normal(dense_matrix(2, 0.75), 1), 0.413339),
    (Normal(dense_matrix(4, 0.5), 2), 0.293893),
    (Normal(dense_matrix(10, 0.5), 5), 0.592812),
    (Normal(dense_matrix(50, 0.5), 25), 1.292184),
    (Normal(dense_matrix(100, 0.5), 50), 1.624265),
    (Normal(sparse_matrix(2, 2, 2, 2.0), 2), 1.021651),
    (Normal(sparse_matrix(25, 25, 2, 2.0), 25), 1.021651),
    (Student(np.eye(2), 1, 1.0), 0.224171),
    (Student(np.eye(4), 2, 1.0), 0.431946),
    (Student(np.eye(6), 3, 2.0), 0.290922),
    (Student(np.eye(6), 3, 3.0), 0.178712),
    (Student(np.eye(10), 5, 2.0), 0.448151),
    (AdditiveNoise(np.array([0.1])), 1.709438),
    (AdditiveNoise(np.array([0.75])), 0.333333),
]


@pytest.mark.parametrize(("joint", "published"), BENCHMARK_MI_0_1_3)
def test_information_equals_published_values(joint: JointDistribution, published: float) -> None:
    """Figures as benchmark-mi 0.1.3 prints them, computed there in float32."""
    assert joint.mutual_information == pytest.approx(published, abs=3e-6)


@given(dx=st.integers(1, 8), dy=st.integers(1, 8), pairs=st.integers(1, 8), strength=st.floats(0, 20))
def test_sparse_information_is_that_of_its_pairs(dx: int, dy: int, pairs: int, strength: float) -> None:
    pairs = min(pairs, dx, dy)
    correlation = strength**2 / (1 + strength**2)
    expected = -pairs / 2 * math.log1p(-(correlation**2))
    joint = Normal(sparse_matrix(dx, dy, pairs, strength), dx)
    assert joint.mutual_information == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(dx=st.integers(1, 100), dy=st.integers(1, 100), correlation=st.floats(0, 0.5))
@settings(max_examples=50, deadline=None)
def test_dense_information_from_eigenvalues(dx: int, dy: int, correlation: float) -> None:
    """An equicorrelation matrix of size m has determinant (1 − o)^(m − 1) (1 + (m − 1) o)."""

    def log_determinant(m: int) -> float:
        return (m - 1) * math.log1p(-correlation) + math.log1p((m - 1) * correlation)

    expected = (log_determinant(dx) + log_determinant(dy) - log_determinant(dx + dy)) / 2
    joint = Normal(dense_matrix(dx + dy, correlation), dx)
    assert joint.mutual_information == pytest.approx(expected, rel=1e-9, abs=1e-11)


@pytest.mark.parametrize(("dx", "dy"), [(1, 1), (2, 5), (32, 32)])
def test_student_information_falls_to_the_gaussian_as_nu_grows(dx: int, dy: int) -> None:
    matrix = dense_matrix(dx + dy, 0.4)
    gaussian = Normal(matrix, dx).mutual_information
    values = [Student(matrix, dx, nu).mutual_information for nu in (0.5, 1, 1.7, 3, 10, 100, 1e4, 1e6)]
    assert values == sorted(values, reverse=True)
    assert values[0] > gaussian + 0.1
    assert values[-1] == pytest.approx(gaussian, abs=1e-8)


def test_student_information_does_not_overflow_in_high_dimension() -> None:
    values = [Student(np.eye(2 * d), d, 1.3).mutual_information for d in (1, 8, 64, 256, 512)]
    assert np.all(np.isfinite(values))
    assert values == sorted(values)


@pytest.mark.parametrize(
    "joint",
    [
        Normal(dense_matrix(7, 0.0), 3),
        Normal(sparse_matrix(3, 4, 2, 0.0), 3),
        Normal(latent_variable_matrix(3, 4, 2, alpha=0, lambda_=0, beta=1.2, eta=3.0), 3),
        AdditiveNoise(np.full(3, 1e9)),
    ],
)
def test_information_vanishes_at_the_independent_end(joint: JointDistribution) -> None:
    assert 0 <= joint.mutual_information < 1e-9


@pytest.mark.parametrize("small", [1e-1, 1e-2, 1e-3])
def test_information_vanishes_towards_the_independent_end(small: float) -> None:
    matrices = [
        dense_matrix(5, small),
        sparse_matrix(2, 3, 2, small),
        latent_variable_matrix(2, 3, 2, alpha=small, lambda_=small, beta=1, eta=2),
    ]
    for matrix in matrices:
        assert 0 <= Normal(matrix, 2).mutual_information < 10 * small**2
    assert AdditiveNoise(np.array([1 / small])).mutual_information == pytest.approx(small / 4)


def test_student_of_identity_dispersion_is_uncorrelated_and_dependent() -> None:
    """The shared scale ties X to Y: information is positive, and squares correlate where moments exist."""
    joint = Student(np.eye(5), 2, 9.0)
    assert joint.mutual_information > 0.01
    x, y = (side.astype(np.float64) for side in joint.sample(100_000, np.random.default_rng(8)))
    of_radii = stats.spearmanr(np.square(x).sum(axis=1), np.square(y).sum(axis=1))
    of_coordinates = stats.spearmanr(x[:, 0], y[:, 0])
    assert float(of_radii.statistic) > 0.05
    assert abs(float(of_coordinates.statistic)) < Z_LIMIT * 1.2 / math.sqrt(len(x))


@given(
    family=st.sampled_from(FAMILIES),
    dx=st.integers(2, 40),
    dy=st.integers(2, 40),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=150, deadline=None)
def test_information_is_finite_and_not_negative(family: Family, dx: int, dy: int, seed: int) -> None:
    dy = dx if isinstance(family, AdditiveNoiseFamily) else dy
    joint = family.draw(dx, dy, np.random.default_rng(seed))
    assert (joint.dx, joint.dy) == (dx, dy)
    assert 0 <= joint.mutual_information < np.inf


@given(seed=st.integers(0, 2**32), dx=st.integers(1, 6), dy=st.integers(1, 6), side=st.booleans())
def test_information_of_swapped_sides_is_equal(seed: int, dx: int, dy: int, side: bool) -> None:
    matrix = LatentVariable().draw(dx, dy, np.random.default_rng(seed))
    order = np.r_[dx : dx + dy, :dx]
    make: Callable[[Array, int], JointDistribution] = (lambda m, d: Student(m, d, 2.5)) if side else Normal
    one, other = make(matrix, dx), make(matrix[np.ix_(order, order)], dy)
    assert one.mutual_information == pytest.approx(other.mutual_information, rel=1e-9, abs=1e-11)


# --- Dispersion matrices ----------------------------------------------------------------------------------


@given(
    structure=st.sampled_from(STRUCTURES),
    dx=st.integers(2, 40),
    dy=st.integers(2, 40),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=150, deadline=None)
def test_dispersion_is_a_correlation_matrix(
    structure: dispersion.DispersionPrior, dx: int, dy: int, seed: int
) -> None:
    matrix = structure.draw(dx, dy, np.random.default_rng(seed))
    assert matrix.shape == (dx + dy, dx + dy)
    assert np.array_equal(matrix, matrix.T)
    np.testing.assert_allclose(matrix.diagonal(), 1, rtol=1e-14)
    assert np.linalg.eigvalsh(matrix)[0] > 0


def test_latent_variable_matrix_worked_by_hand() -> None:
    """Before normalisation [[7, 2, 5], [2, 12, 1], [5, 1, 7]], of determinant 273; Σ_xx has 80, Σ_yy 7."""
    matrix = latent_variable_matrix(2, 1, 1, alpha=1, lambda_=2, beta=1, eta=3)
    expected = [[1, 2 / 84**0.5, 5 / 7], [2 / 84**0.5, 1, 1 / 84**0.5], [5 / 7, 1 / 84**0.5, 1]]
    np.testing.assert_allclose(matrix, expected, rtol=1e-14)
    assert Normal(matrix, 2).mutual_information == pytest.approx(math.log(80 * 7 / 273) / 2, rel=1e-12)


@given(dx=st.integers(1, 8), dy=st.integers(1, 8), pairs=st.integers(1, 8), strength=st.floats(0, 20))
def test_latent_variable_without_factors_is_sparse(dx: int, dy: int, pairs: int, strength: float) -> None:
    pairs = min(pairs, dx, dy)
    lvm = latent_variable_matrix(dx, dy, pairs, alpha=0, lambda_=strength, beta=0, eta=strength)
    np.testing.assert_allclose(lvm, sparse_matrix(dx, dy, pairs, strength), rtol=1e-13, atol=1e-15)


def test_two_pair_has_two_pairs() -> None:
    cross = TwoPair().draw(5, 3, np.random.default_rng(0))[:5, 5:]
    assert [tuple(cell) for cell in np.argwhere(cross)] == [(0, 0), (1, 1)]


@pytest.mark.parametrize("matrix", [latent_variable_matrix, sparse_matrix])
def test_more_pairs_than_coordinates_are_refused(matrix: Callable[..., Array]) -> None:
    loadings = {"alpha": 0.0, "lambda_": 1.0, "beta": 0.0, "eta": 1.0}
    if matrix is sparse_matrix:
        loadings = {"strength": 1.0}
    with pytest.raises(MistworksError, match="Expected dy ≥ 3, got 2"):
        matrix(4, 2, 3, **loadings)


@pytest.mark.parametrize("size", [63, 64, 65, 128, 200])
def test_large_matrices_are_factorised_exactly(size: int) -> None:
    joint = Normal(LatentVariable().draw(size, size + 1, np.random.default_rng(size)), size)
    assert np.array_equal(joint.cholesky, np.tril(joint.cholesky))
    np.testing.assert_allclose(joint.cholesky @ joint.cholesky.T, joint.dispersion, atol=1e-13)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Normal(np.eye(3), 0), r"dx, dy ≥ 1, got shape \(3, 3\) with dx = 0"),
        (lambda: Normal(np.eye(3), 3), "dx, dy ≥ 1"),
        (lambda: Normal(np.ones((2, 3)), 1), r"shape \(2, 3\)"),
        (lambda: Normal(np.array([[1, 0.5], [0.4, 1]]), 1), "Expected a symmetric"),
        (lambda: Normal(dense_matrix(3, -0.6), 1), "positive definite"),
        (lambda: Normal(dense_matrix(130, -0.1), 1), "positive definite"),
        (lambda: Student(np.eye(2), 1, 0.0), "Expected degrees of freedom above 0"),
        (lambda: Student(np.eye(2), 1, math.nan), "Expected degrees of freedom above 0"),
        (lambda: Student(np.eye(2), 1, math.inf), "Expected degrees of freedom above 0"),
        (lambda: AdditiveNoise(np.array([0.5, 0.0])), "positive half-widths"),
        (lambda: AdditiveNoise(np.array([math.inf])), "positive half-widths"),
        (lambda: AdditiveNoise(np.array([])), "positive half-widths"),
        (lambda: AdditiveNoiseFamily().draw(2, 3, np.random.default_rng()), "got dx = 2, dy = 3"),
    ],
)
def test_bad_parameters_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(MistworksError, match=message):
        make()
