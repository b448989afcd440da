"""Measures of dependence that are not in nats: oracles, invariances, bad input."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from mistworks.baselines import (
    BASELINES,
    GROUPS,
    Baseline,
    CauchySchwarz,
    DiffusionSpectral,
    DistanceCorrelation,
    HilbertSchmidt,
    WassersteinDependency,
)
from mistworks.baselines.kernels import biased_overlaps, gaussian_kernel, unbiased_overlaps
from mistworks.baselines.preparation import some_rows
from mistworks.baselines.spectral import (
    classes_of,
    diffusion_spectral_entropy,
    diffusion_spectral_information,
)
from mistworks.baselines.wasserstein import excess_distance
from mistworks.errors import MistworksError

# Statistical tests allow four standard errors, a false alarm in 16,000, at fixed seeds.
FOUR_SIGMA = 4.0

DEPENDENCE = [BASELINES[name] for name in GROUPS["dependence"]]
KERNELS = [CauchySchwarz(), HilbertSchmidt(), DistanceCorrelation()]


def by_name(each: Any) -> str:
    return str(each.name)


def normal_pair(n: int, rho: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    x, noise = np.random.default_rng(seed).standard_normal((2, n, 1))
    return x.astype(np.float32), (rho * x + math.sqrt(1 - rho**2) * noise).astype(np.float32)


class TestAll:
    @pytest.mark.parametrize("each", DEPENDENCE, ids=by_name)
    def test_none_is_in_nats(self, each: Baseline) -> None:
        assert each.unit != "nats"
        assert not each.slow

    @pytest.mark.parametrize("each", DEPENDENCE, ids=by_name)
    @pytest.mark.parametrize(("n", "dx", "dy"), [(30, 1, 1), (60, 3, 2)])
    def test_any_shape_the_same_twice(self, each: Baseline, n: int, dx: int, dy: int) -> None:
        rng = np.random.default_rng(n)
        x, y = rng.normal(size=(n, dx)).astype(np.float32), rng.normal(size=(n, dy)).astype(np.float32)
        first = each.estimate(x, y)
        assert math.isfinite(first.mi)
        assert first == each.estimate(x, y)

    @pytest.mark.parametrize("each", DEPENDENCE, ids=by_name)
    def test_a_line_is_above_independence(self, each: Baseline) -> None:
        dependent = [each.estimate(*normal_pair(60, 0.9, seed)).mi for seed in range(5)]
        independent = [each.estimate(*normal_pair(60, 0.0, seed)).mi for seed in range(5)]
        assert min(dependent) > max(independent)

    @pytest.mark.parametrize("each", DEPENDENCE, ids=by_name)
    def test_classes_and_ties(self, each: Baseline) -> None:
        rng = np.random.default_rng(0)
        x = rng.integers(0, 3, (200, 1)).astype(np.float32)
        assert math.isfinite(each.estimate(x, (x + rng.integers(0, 2, (200, 1))).astype(np.float32)).mi)
        rare = (np.arange(200) < 3).astype(np.float32)[:, None]
        assert math.isfinite(each.estimate(rare, x).mi)

    @pytest.mark.parametrize("each", DEPENDENCE, ids=by_name)
    def test_bad_input(self, each: Baseline) -> None:
        x, y = normal_pair(20, 0.5)
        with pytest.raises(MistworksError, match="column 0 of x is constant"):
            each.estimate(np.zeros_like(x), y)
        with pytest.raises(MistworksError, match="Expected finite numbers in y"):
            each.estimate(x, np.where(np.arange(20)[:, None] == 3, np.nan, y))
        with pytest.raises(MistworksError, match=r"got \(20, 1\) and \(19, 1\)"):
            each.estimate(x, y[1:])

    @pytest.mark.parametrize("each", KERNELS, ids=by_name)
    def test_too_few_points(self, each: Baseline) -> None:
        with pytest.raises(MistworksError, match="Expected at least 4 points, got 3"):
            each.estimate(*normal_pair(3, 0.5))

    @pytest.mark.parametrize("each", KERNELS, ids=by_name)
    @settings(max_examples=15, deadline=None, derandomize=True)
    @given(seed=st.integers(0, 1000), n=st.integers(8, 60), dx=st.integers(1, 4), dy=st.integers(1, 4))
    def test_invariances(self, each: Baseline, seed: int, n: int, dx: int, dy: int) -> None:
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(n, dx)), rng.normal(size=(n, dy))
        y[:, 0] += x[:, 0]
        expected = pytest.approx(each.estimate(x, y).mi, abs=1e-9)
        order = rng.permutation(n)
        scale = 2.0 ** rng.integers(-8, 8, size=dx) * rng.choice([-1, 1], size=dx)
        assert each.estimate(y, x).mi == expected
        assert each.estimate(x[order], y[order]).mi == expected
        assert each.estimate(x[:, rng.permutation(dx)], y).mi == expected
        assert each.estimate(x * scale + 3, y).mi == expected

    def test_of_many_points_some_are_read(self) -> None:
        rows = some_rows(5_000, 2_000, 0)
        assert len(rows) == len(np.unique(rows)) == 2_000
        np.testing.assert_array_equal(some_rows(7, 10, 0), np.arange(7))
        whole = HilbertSchmidt().estimate(*normal_pair(2_500, 0.6)).mi
        assert whole == pytest.approx(HilbertSchmidt().estimate(*normal_pair(1_500, 0.6)).mi, rel=0.2)


def gaussian_overlaps(width: float, rho: float) -> tuple[float, float, float]:
    """A, B and C of a Gaussian pair in closed form: determinants of Gaussian integrals."""
    a, b = 1 + 2 / width**2, rho / width**2
    return (a**2 - 4 * b**2) ** -0.5, 1 / a, (a**2 - b**2) ** -0.5


class TestKernels:
    @pytest.mark.parametrize(
        ("width", "rho", "value"), [(1.0, 0.9, 0.1288), (0.5, 0.6, None), (2.0, 0.3, None)]
    )
    def test_cauchy_schwarz_of_a_gaussian_pair(self, width: float, rho: float, value: float | None) -> None:
        a, b = 1 + 2 / width**2, rho / width**2
        truth = -0.5 * math.log(a**2 - 4 * b**2) - math.log(a) + math.log(a**2 - b**2)
        if value is not None:
            assert truth == pytest.approx(value, abs=5e-5)
        values = [CauchySchwarz(width=width).estimate(*normal_pair(300, rho, seed)).mi for seed in range(40)]
        error = np.std(values, ddof=1) / math.sqrt(len(values))
        # Standardising by the sample, and the logarithm, leave a bias of the order of 1 / n.
        assert abs(np.mean(values) - truth) < FOUR_SIGMA * error + 2 / 300

    def test_cauchy_schwarz_adds_up_over_independent_pairs(self) -> None:
        parts = [normal_pair(1_500, rho, seed) for seed, rho in enumerate((0.9, 0.6))]
        x, y = (np.hstack([part[side] for part in parts]) for side in (0, 1))
        whole = CauchySchwarz(width=1.5).estimate(x, y).mi
        assert whole == pytest.approx(sum(CauchySchwarz(width=1.5).estimate(*p).mi for p in parts), abs=0.02)

    @pytest.mark.parametrize(("width", "rho"), [(1.0, 0.9), (0.7, 0.0)])
    def test_overlaps_of_a_gaussian_pair(self, width: float, rho: float) -> None:
        drawn = []
        for seed in range(60):
            sides = normal_pair(100, rho, seed)
            drawn.append(unbiased_overlaps(*(gaussian_kernel(pdist(side), width) for side in sides)))
        values = np.array(drawn)
        error = values.std(axis=0, ddof=1) / math.sqrt(len(values))
        assert (np.abs(values.mean(axis=0) - gaussian_overlaps(width, rho)) < FOUR_SIGMA * error).all()

    def test_sums_over_distinct_points(self) -> None:
        rng = np.random.default_rng(0)
        k, l = (gaussian_kernel(pdist(rng.normal(size=(6, 2))), 1.0) for _ in range(2))  # noqa: E741
        four = list(itertools.permutations(range(6), 4))
        expected = (
            np.mean([k[i, j] * l[i, j] for i, j in itertools.permutations(range(6), 2)]),
            np.mean([k[i, j] * l[p, q] for i, j, p, q in four]),
            np.mean([k[i, j] * l[i, p] for i, j, p in itertools.permutations(range(6), 3)]),
        )
        np.testing.assert_allclose(unbiased_overlaps(k, l), expected)
        triples = list(itertools.product(range(6), repeat=3))
        np.testing.assert_allclose(
            biased_overlaps(k, l),
            ((k * l).mean(), k.mean() * l.mean(), np.mean([k[i, j] * l[i, p] for i, j, p in triples])),
        )

    def test_hsic_of_independent_pairs_has_no_bias(self) -> None:
        values = [HilbertSchmidt().estimate(*normal_pair(20, 0.0, seed)).mi for seed in range(300)]
        assert abs(np.mean(values)) < FOUR_SIGMA * np.std(values) / math.sqrt(300)
        assert min(values) < 0

    def test_the_official_width_is_nearly_constant(self) -> None:
        official = [CauchySchwarz(width="official").estimate(*normal_pair(200, rho)).mi for rho in (0.2, 0.9)]
        assert max(map(abs, official)) < 1e-3
        assert {CauchySchwarz(width=w).name for w in ("median", "official", 0.5)} == {
            "cs-qmi",
            "cs-qmi-official",
            "cs-qmi-0.5",
        }

    def test_points_beyond_all_widths(self) -> None:
        with pytest.raises(MistworksError, match="got overlaps of 0"):
            CauchySchwarz(width=1e-6).estimate(*normal_pair(30, 0.5))


class TestDistanceCorrelation:
    @pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
    def test_normal_pair(self, rho: float) -> None:
        """Székely, Rizzo and Bakirov 2007, theorem 7."""
        above = (
            rho * math.asin(rho)
            + math.sqrt(1 - rho**2)
            - rho * math.asin(rho / 2)
            - math.sqrt(4 - rho**2)
            + 1
        )
        truth = above / (1 + math.pi / 3 - math.sqrt(3))
        values = [DistanceCorrelation().estimate(*normal_pair(300, rho, seed)).mi for seed in range(40)]
        error = np.std(values, ddof=1) / math.sqrt(len(values))
        assert abs(np.mean(values) - truth) < FOUR_SIGMA * error + 1 / 300

    def test_a_copy_has_1(self) -> None:
        x, _ = normal_pair(40, 0.0)
        assert DistanceCorrelation().estimate(x, -2 * x).mi == pytest.approx(1)


class TestWasserstein:
    def test_a_fair_coin_and_its_copy(self) -> None:
        """Moving a quarter of the mass from each of two cells by 1 makes them independent."""
        values = []
        for seed in range(20):
            rng = np.random.default_rng(seed)
            x = rng.permutation(np.arange(200) % 2).astype(np.float64)[:, None]
            values.append(excess_distance(x, x, rng))
        # Half less the distance between two samples of the product, of the order of 1 / √n.
        assert 0.5 - 2 / math.sqrt(200) < np.mean(values) < 0.5 + 0.5 / math.sqrt(200)

    def test_independent_sides_have_about_0(self) -> None:
        values = [WassersteinDependency().estimate(*normal_pair(60, 0.0, seed)).mi for seed in range(40)]
        assert abs(np.mean(values)) < FOUR_SIGMA * np.std(values) / math.sqrt(40)

    def test_an_assignment_by_hand(self) -> None:
        rng = np.random.default_rng(0)
        first, second = rng.normal(size=(2, 5, 2))
        from mistworks.baselines.wasserstein import _distance

        least = min(
            np.mean([math.dist(first[i], second[j]) for i, j in enumerate(order)])
            for order in itertools.permutations(range(5))
        )
        assert _distance(first, second) == pytest.approx(least)

    def test_ranks_alone_matter(self) -> None:
        x, y = normal_pair(80, 0.7)
        expected = WassersteinDependency().estimate(x, y)
        assert WassersteinDependency().estimate(np.exp(x), y**3) == expected


class TestDiffusionSpectral:
    def test_entropy_at_its_ends(self) -> None:
        assert diffusion_spectral_entropy(np.ones((7, 3)), 10.0) == pytest.approx(0, abs=1e-6)
        far = 1_000.0 * np.arange(9.0)[:, None]
        assert diffusion_spectral_entropy(far, 10.0) == pytest.approx(math.log(9))
        assert diffusion_spectral_entropy(np.ones((1, 2)), 10.0) == 0

    @pytest.mark.parametrize("count", [2, 5])
    def test_tight_and_distant_classes_have_log_of_their_number(self, count: int) -> None:
        rng = np.random.default_rng(0)
        classes = np.repeat(np.arange(count), 60)
        points = 1_000.0 * classes[:, None] + 1e-3 * rng.normal(size=(60 * count, 1))
        value = diffusion_spectral_information(points, classes, 10.0, rng)
        # A random subset has nearly, not exactly, as many points of each class.
        assert value == pytest.approx(math.log(count), abs=1e-3)

    def test_classes_that_say_nothing(self) -> None:
        rng = np.random.default_rng(0)
        points, classes = rng.normal(size=(300, 2)), rng.integers(0, 3, 300)
        assert abs(diffusion_spectral_information(points, classes, 1.0, rng)) < 0.05

    def test_classes_are_states_bins_or_clusters(self) -> None:
        rng = np.random.default_rng(0)
        labels = rng.integers(0, 4, (100, 1)).astype(np.float64)
        np.testing.assert_array_equal(classes_of(labels, 0), labels[:, 0])
        scalar = np.linspace(0, 1, 100)[:, None]
        np.testing.assert_array_equal(np.bincount(classes_of(scalar, 0)), np.full(10, 10))
        centres = 100.0 * np.arange(10)
        vector = np.repeat(centres, 10)[:, None] * [1.0, 2.0] + 0.1 * rng.normal(size=(100, 2))
        assert sorted(np.bincount(classes_of(vector, 0)).tolist()) == [10] * 10

    def test_it_is_not_symmetric(self) -> None:
        x, y = normal_pair(100, 0.8)
        measure = DiffusionSpectral(width="median")
        assert measure.estimate(x, y).mi != measure.estimate(y, x).mi
        assert {measure.name, DiffusionSpectral().name} == {"dsmi", "dsmi-median"}
