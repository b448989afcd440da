"""Samples and prior draws against the distributions that they are drawn from.

Seeds are fixed, so nothing here is flaky. Each statistical test would fail a correct implementation with
probability about 1e-6 for a fresh seed (a p-value below 1e-6, or |z| > 5.5 over some tens of entries).
"""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from mistworks.distributions import (
    AdditiveNoise,
    AdditiveNoiseFamily,
    Dense,
    Family,
    LatentVariable,
    Normal,
    NormalFamily,
    Sparse,
    Student,
    StudentFamily,
    TwoPair,
    Uniform,
    UniformInteger,
    dispersion,
)
from mistworks.errors import MistworksError

FALSE_ALARM = 1e-6
Array = NDArray[np.float64]

STRUCTURES = [Dense(), LatentVariable(), Sparse(), TwoPair()]
ELLIPTICAL: list[NormalFamily | StudentFamily] = [
    kind(dispersion=structure) for kind in (NormalFamily, StudentFamily) for structure in STRUCTURES
]
FAMILIES: list[Family] = [*ELLIPTICAL, AdditiveNoiseFamily()]


def name_of(family: Family) -> str:
    return family.name


# --- Samples ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 37])
@pytest.mark.parametrize("family", FAMILIES, ids=name_of)
def test_samples_are_two_contiguous_float32_arrays(family: Family, n: int) -> None:
    dx, dy = (3, 3) if isinstance(family, AdditiveNoiseFamily) else (3, 5)
    x, y = family.draw(dx, dy, np.random.default_rng(0)).sample(n, np.random.default_rng(1))
    assert (x.shape, y.shape) == ((n, dx), (n, dy))
    for side in (x, y):
        assert side.dtype == np.float32
        assert side.flags.c_contiguous
        assert side.flags.owndata
        assert np.all(np.isfinite(side))
    assert not np.shares_memory(x, y)


@pytest.mark.parametrize("family", ELLIPTICAL, ids=name_of)
def test_elliptical_samples_have_their_radius_direction_and_correlation(family: Family) -> None:
    """Whitened points have R² ~ χ²_d, or R²/d ~ F(d, ν), and directions uniform on the sphere.

    With the dispersion matrix and its factor checked elsewhere, that is the whole distribution.
    """
    n, dx, dy = 40_000, 2, 3
    rng = np.random.default_rng(11)
    joint = family.draw(dx, dy, rng)
    assert isinstance(joint, Normal | Student)
    points = np.hstack(joint.sample(n, rng)).astype(np.float64)
    white = np.linalg.solve(np.linalg.cholesky(joint.dispersion), points.T).T
    d, square = dx + dy, np.square(white).sum(axis=1)
    radial = stats.f(d, joint.degrees_of_freedom, scale=d) if isinstance(joint, Student) else stats.chi2(d)
    assert stats.kstest(square, radial.cdf).pvalue > FALSE_ALARM
    marginal = stats.t(joint.degrees_of_freedom) if isinstance(joint, Student) else stats.norm
    assert all(stats.kstest(column, marginal.cdf).pvalue > FALSE_ALARM / d for column in points.T)
    direction = white / np.sqrt(square)[:, None]
    # E u = 0 with variance 1/d; E u_i u_j = δ_ij/d with variance at most 3/(d(d+2)).
    assert np.abs(direction.mean(axis=0)).max() < 5.5 / math.sqrt(d * n)
    moments = direction.T @ direction / n - np.eye(d) / d
    assert np.abs(moments).max() < 5.5 * math.sqrt(3 / (d * (d + 2)) / n)


@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda s: s.structure)
def test_normal_sample_correlation_is_the_dispersion(structure: dispersion.DispersionPrior) -> None:
    """Each entry of the sample covariance has variance (1 + ρ²)/n; 5.5 allows for the 36 entries."""
    n, rng = 100_000, np.random.default_rng(12)
    joint = Normal(structure.draw(4, 2, rng), 4)
    points = np.hstack(joint.sample(n, rng)).astype(np.float64)
    z = (points.T @ points / n - joint.dispersion) / np.sqrt((1 + joint.dispersion**2) / n)
    assert np.abs(z).max() < 5.5


def test_additive_samples_are_uniform_plus_uniform() -> None:
    n, noise = 50_000, np.array([0.1, 0.7, 2.0])
    x, y = (side.astype(np.float64) for side in AdditiveNoise(noise).sample(n, np.random.default_rng(13)))
    standard = np.hstack([x, (y - x) / (2 * noise) + 0.5])
    assert all(stats.kstest(column, "uniform").pvalue > FALSE_ALARM / 6 for column in standard.T)
    correlation = np.corrcoef(standard.T) - np.eye(6)
    assert np.abs(correlation).max() < 5.5 / math.sqrt(n)


@pytest.mark.parametrize("nu", [0.5, 1.0])
def test_student_samples_of_the_heaviest_tails_are_finite(nu: float) -> None:
    x, y = Student(np.eye(4), 2, nu).sample(200_000, np.random.default_rng(14))
    assert np.all(np.isfinite(x))
    assert np.all(np.isfinite(y))


# --- Priors -----------------------------------------------------------------------------------------------


def assert_uniform(values: list[float], low: float, high: float) -> None:
    assert low <= min(values) <= max(values) < high
    assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > FALSE_ALARM


def assert_uniform_counts(values: list[int], low: int, high: int) -> None:
    counts = np.bincount(values, minlength=high + 1)
    assert counts[:low].sum() == 0
    assert len(counts) == high + 1
    assert stats.chisquare(counts[low:]).pvalue > FALSE_ALARM


def test_scalar_priors_stay_in_their_range_and_are_uniform() -> None:
    rng = np.random.default_rng(20)
    assert_uniform([Uniform(low=-1.5, high=4).draw(rng) for _ in range(5_000)], -1.5, 4)
    assert_uniform_counts([UniformInteger(low=2, high=9).draw(rng) for _ in range(5_000)], 2, 9)


def test_dense_and_sparse_priors_are_those_of_the_paper() -> None:
    rng = np.random.default_rng(21)
    assert_uniform([float(Dense().draw(1, 1, rng)[0, 1]) for _ in range(5_000)], 0.0, 0.5)
    for structure in (Sparse(), TwoPair()):
        crosses = [structure.draw(4, 6, rng)[:4, 4:] for _ in range(5_000)]
        strengths = [math.sqrt(cross[0, 0] / (1 - cross[0, 0])) for cross in crosses]
        assert_uniform(strengths, 0.1, 5.0)
        pairs = [int(np.count_nonzero(cross)) for cross in crosses]
        if isinstance(structure, Sparse):
            assert_uniform_counts(pairs, 1, 4)
        else:
            assert set(pairs) == {2}


def test_latent_variable_priors_are_those_of_the_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, dict[str, float]]] = []

    def record(dx: int, dy: int, pairs: int, **loadings: float) -> Array:
        calls.append((pairs, loadings))
        return np.eye(dx + dy)

    monkeypatch.setattr(dispersion, "latent_variable_matrix", record)
    rng = np.random.default_rng(22)
    for _ in range(5_000):
        LatentVariable().draw(7, 5, rng)
    assert_uniform_counts([pairs for pairs, _ in calls], 1, 5)
    for name, low, high in [("alpha", 0, 1), ("lambda_", 0.1, 3), ("beta", 0, 1.5), ("eta", 0.1, 5)]:
        assert_uniform([loadings[name] for _, loadings in calls], low, high)


def test_student_and_additive_priors_are_those_of_the_paper() -> None:
    rng = np.random.default_rng(23)
    student, additive = StudentFamily(dispersion=Dense()), AdditiveNoiseFamily()
    assert_uniform([student.draw(1, 1, rng).degrees_of_freedom for _ in range(5_000)], 1, 10)
    noise = np.concatenate([additive.draw(5, 5, rng).noise for _ in range(1_000)])
    assert_uniform(noise.tolist(), 0.1, 2.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"family": "student", "dispersion": {"structure": "dense"}}, None),
        (
            {
                "family": "student",
                "dispersion": {"structure": "dense"},
                "degrees_of_freedom": {"low": 0.1, "high": 3},
            },
            r"Expected degrees_of_freedom within \[0.5, 1e\+06\], got \[0.1, 3\]",
        ),
        (
            {"family": "student", "dispersion": {"structure": "dense", "correlation": {"low": 0, "high": 1}}},
            "Expected correlation within",
        ),
        (
            {"family": "student", "dispersion": {"structure": "sparse", "strength": {"low": -1, "high": 1}}},
            "Expected a loading within",
        ),
    ],
)
def test_priors_outside_a_parameter_range_are_refused(values: dict[str, object], message: str | None) -> None:
    if message is None:
        assert StudentFamily.parse(values).degrees_of_freedom == Uniform(low=1, high=10)
        return
    with pytest.raises(MistworksError, match=message):
        StudentFamily.parse(values)
