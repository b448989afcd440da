"""Transforms: the formulas, strictly increasing, invertible, and without effect on ranks."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from mistworks.distributions import TRANSFORMS, LatentVariable, Normal, Student


def wigglify_x(v: float) -> float:
    return v + 0.4 * math.sin(v) + 0.2 * math.sin(1.7 * v + 1) + 0.03 * math.sin(3.3 * v - 2.5)


def wigglify_y(v: float) -> float:
    return v - 0.4 * math.sin(0.4 * v) + 0.17 * math.sin(1.3 * v + 3.5) + 0.02 * math.sin(4.3 * v - 2.5)


def normal_cdf(v: float) -> float:
    return math.erfc(-v / math.sqrt(2)) / 2


def half_cube(v: float) -> float:
    return math.copysign(abs(v) ** 1.5, v)


def identity(v: float) -> float:
    return v


Scalar = Callable[[float], float]
FORMULAS: dict[str, tuple[Scalar, Scalar]] = {
    "base": (identity, identity),
    "asinh": (math.asinh, math.asinh),
    "halfcube": (half_cube, half_cube),
    "normal_cdf": (normal_cdf, normal_cdf),
    "wigglify": (wigglify_x, wigglify_y),
}
MAPS = [
    pytest.param(getattr(TRANSFORMS[name], side), FORMULAS[name]["xy".index(side)], id=f"{name}-{side}")
    for name in FORMULAS
    for side in "xy"
]
ALL_MAPS = pytest.mark.parametrize(("transform", "formula"), MAPS)


def test_every_transform_is_tested() -> None:
    assert set(TRANSFORMS) == set(FORMULAS)


@ALL_MAPS
def test_transform_equals_its_formula(transform: Callable[..., np.ndarray], formula: Scalar) -> None:
    values = np.concatenate([np.linspace(-30, 8, 4_001), [0.0, 1e-12, -1e-12]])
    expected = [formula(v) for v in values.tolist()]
    np.testing.assert_allclose(transform(values), expected, rtol=1e-12, atol=1e-200)
    np.testing.assert_allclose(transform(values.astype(np.float32)), expected, rtol=4e-5, atol=4e-6)


@ALL_MAPS
def test_transform_is_strictly_increasing_on_a_grid(
    transform: Callable[..., np.ndarray], formula: Scalar
) -> None:
    assert np.all(np.diff(transform(np.linspace(-30, 5, 350_001))) > 0)


@ALL_MAPS
@given(a=st.floats(-5, 5), gap=st.floats(1e-6, 10))
def test_transform_is_strictly_increasing(
    transform: Callable[..., np.ndarray], formula: Scalar, a: float, gap: float
) -> None:
    """Gaps are taken to the left, where the normal CDF keeps its digits in double precision."""
    low, high = transform(np.array([a - gap, a]))
    assert low < high


@pytest.mark.parametrize(("name", "side", "least"), [("wigglify", "x", 0.16), ("wigglify", "y", 0.53)])
def test_wigglify_derivative_is_bounded_below(name: str, side: str, least: float) -> None:
    grid = np.linspace(-200, 200, 2_000_001)
    slopes = np.diff(getattr(TRANSFORMS[name], side)(grid)) / np.diff(grid)
    assert slopes.min() > least - 1e-6


@ALL_MAPS
@given(v=st.floats(-5, 5))
def test_transform_is_inverted_by_root_finding(
    transform: Callable[..., np.ndarray], formula: Scalar, v: float
) -> None:
    """The root is where it should be: to 1e-6, or 1e-4 where halfcube is flat or the CDF has few digits."""
    target = float(transform(np.array([v]))[0])
    root = optimize.brentq(lambda u: float(transform(np.array([u]))[0]) - target, -12, 12, xtol=1e-13)
    assert root == pytest.approx(v, abs=1e-4 if formula in (half_cube, normal_cdf) else 1e-6)


@given(v=st.floats(-1e8, 1e8))
def test_symmetries(v: float) -> None:
    values = np.array([v])
    for name in ("base", "asinh", "halfcube"):
        assert np.array_equal(TRANSFORMS[name].x(-values), -TRANSFORMS[name].x(values))
    cdf = TRANSFORMS["normal_cdf"].x
    np.testing.assert_allclose(cdf(-values), 1 - cdf(values), atol=1e-15)


@ALL_MAPS
def test_transform_is_finite_on_extremes_and_keeps_type_and_shape(
    transform: Callable[..., np.ndarray], formula: Scalar
) -> None:
    values = np.array([[-1e25, -1e9, -1e-30], [0, 1e9, 1e25]], dtype=np.float32)
    image = transform(values)
    assert np.all(np.isfinite(image))
    assert image.dtype == np.float32
    assert image.shape == values.shape
    assert image.flags.c_contiguous


@pytest.mark.parametrize("name", TRANSFORMS)
def test_ranks_of_normal_samples_do_not_change(name: str) -> None:
    """Every estimator of mutual information that looks at ranks alone gives the same under each transform."""
    rng = np.random.default_rng(30)
    x, y = Normal(LatentVariable().draw(3, 2, rng), 3).sample(500, rng)
    for side, transform in ((x, TRANSFORMS[name].x), (y, TRANSFORMS[name].y)):
        assert np.array_equal(
            np.argsort(side, axis=0), np.argsort(transform(side.astype(np.float64)), axis=0)
        )
        ranks = stats.rankdata(side, axis=0), stats.rankdata(transform(side), axis=0)
        assert np.abs(ranks[0] - ranks[1]).max() <= 1  # neighbours may tie or swap by rounding to float32


@pytest.mark.parametrize("name", ["asinh", "halfcube", "wigglify"])
def test_ranks_of_heavy_tailed_samples_do_not_change(name: str) -> None:
    rng = np.random.default_rng(31)
    x, y = Student(LatentVariable().draw(3, 2, rng), 3, 1.0).sample(500, rng)
    for side, transform in ((x, TRANSFORMS[name].x), (y, TRANSFORMS[name].y)):
        ranks = stats.rankdata(side, axis=0), stats.rankdata(transform(side), axis=0)
        assert np.abs(ranks[0] - ranks[1]).max() <= 1
