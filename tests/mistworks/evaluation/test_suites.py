"""Suites against independent oracles: published values, integration on a grid, Monte Carlo, exact bytes.

Seeds are fixed. A statistical check alone would fail a correct implementation with probability below 1e-5 for
a fresh seed.
"""

import csv
import hashlib
import pickle
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import integrate, stats
from scipy.special import i0, xlogy

from mistworks.baselines import baseline
from mistworks.distributions import JointDistribution
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import Estimate
from mistworks.evaluation.distributions.composed import Product, Widened
from mistworks.evaluation.distributions.copulas import (
    MARGINS,
    Clayton,
    Copula,
    CopulaJoint,
    FarlieGumbelMorgenstern,
    Frank,
    GumbelHougaard,
)
from mistworks.evaluation.distributions.discrete import Classes
from mistworks.evaluation.distributions.exact import Tabled
from mistworks.evaluation.distributions.maps import MixtureQuantile, Spiral, swiss_roll
from mistworks.evaluation.distributions.mixtures import GaussianMixture
from mistworks.evaluation.distributions.pointwise import PointwiseJoint, monte_carlo, stored_truths
from mistworks.evaluation.distributions.recorded import RoundedNormals
from mistworks.evaluation.distributions.regression import Regression
from mistworks.evaluation.distributions.strong import MARGINS as STRONG_MARGINS
from mistworks.evaluation.distributions.strong import AdditiveUniform, StrongNormal, half_width
from mistworks.evaluation.results import QUANTILE_LEVELS, Results
from mistworks.evaluation.runner import run_chunk
from mistworks.evaluation.suites import SUITES, Case, Suite, Violation, suite, violations
from mistworks.evaluation.suites.beyond import pointwise_distributions
from mistworks.evaluation.suites.consistency import RELATIONS, VARIANTS
from mistworks.evaluation.suites.null import GROUPS as NULL_GROUPS
from mistworks.simulation.splits import published_splits

Array = NDArray[np.float64]
Estimator = Callable[[NDArray[np.float32], NDArray[np.float32]], float]

LEAST_P = 1e-6
BMI_TRUTH = Path(__file__).parents[2] / "data" / "bmi40_truth.csv"
BEYOND = pointwise_distributions()
WITH_SIZES = ["bmi-40", "beyond", "null", "ordinary", "strong", "self-consistency", "power"]


def first_cases(of: Suite) -> dict[str, Case]:
    """The first case of each name."""
    cases: dict[str, Case] = {}
    for case in of.cases():
        cases.setdefault(case.name, case)
    return cases


class TestRegistry:
    @pytest.mark.parametrize("name", SUITES)
    def test_a_suite_has_its_name_and_is_built_at_once(self, name: str) -> None:
        start = time.process_time()
        built = suite(name)
        assert time.process_time() - start < 0.5
        assert built.name == name

    def test_unknown_name(self) -> None:
        with pytest.raises(MistworksError, match=r"got 'mtest'\. Choose one of m-test"):
            suite("mtest")

    @pytest.mark.parametrize("name", ["m-test", "m-test-extended"])
    def test_sizes_of_fixed_suites(self, name: str) -> None:
        with pytest.raises(MistworksError, match=f"Expected no sizes for {name}"):
            suite(name, [100])

    @pytest.mark.parametrize("sizes", [[], [9], [100_001], [100, 100]])
    def test_bad_sizes(self, sizes: list[int]) -> None:
        with pytest.raises(MistworksError, match="Expected distinct sizes from 10 to 100,000"):
            suite("null", sizes)

    @pytest.mark.parametrize("name", WITH_SIZES)
    def test_chosen_sizes(self, name: str) -> None:
        built = suite(name, [17, 10])
        assert {case.n for case in built.cases()} == {10, 17}

    @pytest.mark.parametrize("name", WITH_SIZES)
    def test_other_sizes_leave_the_samples_as_they_are(self, name: str) -> None:
        alone, among = suite(name, [20]), suite(name, [50, 20])
        case = alone.case(7)
        position = next(place for place, other in enumerate(among.cases()) if other == case)
        for own, other in zip(alone.sample(7), among.sample(position), strict=True):
            np.testing.assert_array_equal(own, other)

    @pytest.mark.parametrize("name", SUITES)
    def test_samples_fit_their_cases_and_stay_the_same(self, name: str) -> None:
        built = suite(name)
        for position in range(0, len(built), 1 + len(built) // 150):
            case = built.case(position)
            for block, width in zip(built.sample(position), (case.dx, case.dy), strict=True):
                assert block.shape == (case.n, width)
                assert block.dtype == np.float32
                assert block.flags.c_contiguous
                assert np.isfinite(block).all()
        again = pickle.loads(pickle.dumps(built)).sample(3)
        for own, other in zip(built.sample(3), again, strict=True):
            assert own.tobytes() == other.tobytes()

    @pytest.mark.parametrize("name", SUITES)
    def test_positions_outside(self, name: str) -> None:
        built = suite(name)
        for ask in (built.case, built.sample):
            with pytest.raises(IndexError):
                ask(len(built))

    @pytest.mark.parametrize("name", WITH_SIZES)
    def test_cases_are_told_apart(self, name: str) -> None:
        keys = [(case.name, case.n, case.replicate) for case in suite(name).cases()]
        assert len(set(keys)) == len(keys)


VERSIONS = {
    "m-test": ("1", "e814a817382ce1a7"),
    "m-test-extended": ("1", "30022bae6a881bfe"),
    "bmi-40": ("1", "572eb583904c5c14"),
    "beyond": ("1", "e02446a1f81f28e4"),
    "null": ("2", "5c9f50f6eea174da"),
    "ordinary": ("1", "f04a19d68928e93e"),
    "strong": ("1", "1893194028256590"),
    "self-consistency": ("1", "d6f5feba25a1807c"),
    "power": ("1", "1e05b8ebc1f430d2"),
}


@pytest.mark.parametrize("name", SUITES)
def test_other_content_needs_another_version(name: str) -> None:
    """Change the version in the suite's module whenever this fails, then the digest here.

    Numbers are rounded to three digits, so that the last bits of another processor are no change.
    """
    built = suite(name)
    digest = hashlib.sha256(str(len(built)).encode())
    for position in range(0, len(built), 1 + len(built) // 1_000):
        case = built.case(position)
        text = f"{case.name} {case.family} {case.n} {case.dx} {case.dy} {case.mi:.3g} {case.replicate}\n"
        digest.update(text.encode())
    for position in range(0, len(built), 1 + len(built) // 20):
        for block in built.sample(position):
            digest.update(" ".join(f"{value:.3g}" for value in block[:2].ravel()[:4]).encode())
    assert (built.version, digest.hexdigest()[:16]) == VERSIONS[name]


class TestMTest:
    def test_datasets_are_those_of_the_published_splits(self) -> None:
        built, splits = suite("m-test"), published_splits(train_count=1)
        assert len(built) == 2_340
        for split, start, count in (("test-imd", 0, 1_080), ("test-oomd", 1_080, 1_260)):
            meta = splits[split].meta_distribution  # type: ignore[index]
            for index in (0, 1, count // 2, count - 1):
                dataset = meta.dataset(0, split, index)
                x, y = built.sample(start + index)
                case = built.case(start + index)
                assert x.tobytes() == dataset.x.tobytes()
                assert y.tobytes() == dataset.y.tobytes()
                assert case.mi == dataset.mi
                assert case.family == f"{dataset.family}/{dataset.transform}"
                assert case.name == f"{split.removeprefix('test-')}/{case.family}"

    def test_every_size_and_family_nine_times(self) -> None:
        cases = list(suite("m-test").cases())
        counts: dict[tuple[str, int], set[int]] = {}
        for case in cases:
            counts.setdefault((case.name, case.n), set()).add(case.replicate)
        assert len(counts) == 13 * 20
        assert all(replicates == set(range(9)) for replicates in counts.values())

    def test_extended(self) -> None:
        built, plain = suite("m-test-extended"), suite("m-test")
        assert len(built) == 50_000
        cases = [built.case(position) for position in range(23_100 - 300, 23_100 + 350)]
        assert {case.n for case in cases} == set(range(10, 501, 10))
        assert {case.name for case in cases} == {case.name for case in plain.cases()}
        for position in (0, 23_100):
            assert not np.array_equal(built.sample(position)[0][:5, 0], plain.sample(0)[0][:5, 0])


class TestBmi:
    def test_truths_are_the_published_ones(self) -> None:
        lines = [line for line in BMI_TRUTH.read_text().splitlines() if not line.startswith("#")]
        rows = list(csv.DictReader(lines))
        cases = first_cases(suite("bmi-40"))
        assert list(cases) == [row["task"] for row in rows]
        for row in rows:
            case = cases[row["task"]]
            assert (case.dx, case.dy) == (int(row["dx"]), int(row["dy"]))
            # Six decimals of a single-precision value.
            assert case.mi == pytest.approx(float(row["mi_nats"]), abs=1.2e-6)
            assert case.mi_se == 0

    def test_bimodal_margins(self) -> None:
        z = np.random.default_rng(0).standard_normal((20_000, 1)).astype(np.float32)
        mapped = MixtureQuantile((0.3, 0.7), (0.0, 5.0))(z)[:, 0]
        test = stats.kstest(mapped, lambda v: 0.3 * stats.norm.cdf(v) + 0.7 * stats.norm.cdf(v - 5))
        assert test.pvalue > LEAST_P
        assert np.all(np.diff(mapped[np.argsort(z[:, 0])]) >= 0)

    @given(st.floats(-6, 6, width=32))
    def test_bimodal_quantile_inverts_the_distribution_function(self, z: float) -> None:
        value = float(MixtureQuantile((0.5, 0.5), (-1.0, 3.0))(np.array([[z]], np.float32))[0, 0])
        tail = stats.norm.cdf if z < 0 else stats.norm.sf
        assert (tail(value + 1) + tail(value - 3)) / 2 == pytest.approx(tail(z), rel=1e-5)

    def test_spiral_turns_by_the_squared_norm(self) -> None:
        points = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
        turned = Spiral(1, 2)(points)
        angle = np.square(points).sum(axis=1) / 4
        complex_points = (points[:, 1] + 1j * points[:, 2]) * np.exp(1j * angle)
        np.testing.assert_allclose(turned[:, 1] + 1j * turned[:, 2], complex_points, atol=1e-5)
        np.testing.assert_array_equal(turned[:, [0, 3]], points[:, [0, 3]])
        np.testing.assert_allclose(Spiral(2, 1)(turned), points, atol=1e-5)

    def test_swiss_roll_has_a_radius_for_each_point(self) -> None:
        u = np.linspace(0, 1, 50, dtype=np.float32)[:, None]
        radius = np.linalg.norm(swiss_roll(u), axis=1)
        np.testing.assert_allclose(21 * radius / (3 * np.pi) - 0.5, u[:, 0], atol=1e-5)


class TestBeyond:
    def test_breadth_and_accuracy(self) -> None:
        cases = first_cases(suite("beyond"))
        assert len(cases) >= 20
        assert all(case.mi > 0.02 for case in cases.values())
        assert all(case.mi_se < 0.003 for case in cases.values())
        assert sum(case.dx != case.dy for case in cases.values()) >= 5

    @pytest.mark.parametrize("name", BEYOND)
    def test_truth_against_fresh_draws(self, name: str) -> None:
        joint = BEYOND[name]
        mean, error = monte_carlo(joint, 20_000, np.random.default_rng(12345))
        assert abs(mean - joint.mutual_information) < 5 * np.hypot(error, joint.standard_error)
        case = first_cases(suite("beyond"))[name]
        assert (case.mi, case.mi_se) == (joint.mutual_information, joint.standard_error)

    def test_every_stored_truth_is_needed(self) -> None:
        needed = {joint.fingerprint: name for name, joint in BEYOND.items() if joint.closed_form is None}
        assert {key: truth.name for key, truth in stored_truths().items()} == needed

    def test_a_changed_parameter_has_no_truth(self) -> None:
        joint = Regression("sine", 0.3)
        assert joint.mutual_information > 0
        changed = replace(joint, noise=0.31)
        with pytest.raises(
            MistworksError, match=r"Expected a stored mutual information for Regression.*beyond_truth"
        ):
            _ = changed.mutual_information
        with pytest.raises(MistworksError, match="Expected a stored mutual information"):
            _ = changed.standard_error

    @pytest.mark.parametrize("name", BEYOND)
    def test_density_ratio_is_normalised(self, name: str) -> None:
        """E[p(x)p(y)/p(x, y)] ≤ 1: cut off at 50 it exceeds 1 by noise alone."""
        joint = BEYOND[name]
        values = np.exp(-joint.pointwise(*joint.draw(20_000, np.random.default_rng(3))))
        clipped = np.minimum(values, 50.0)
        assert clipped.mean() < 1 + 5 * clipped.std() / np.sqrt(len(clipped))


def grid_information(density: Callable[[Array, Array], Array], x: Array, y: Array) -> float:
    """I(X;Y) of a density on a rectangular grid of equal cells, its margins summed over the grid."""
    cells = density(x[:, None], y[None, :])
    cells = cells / cells.sum()
    independent = cells.sum(axis=1, keepdims=True) * cells.sum(axis=0)
    positive = cells > 0
    return float((cells[positive] * np.log(cells[positive] / independent[positive])).sum())


def wide(limit: float) -> Array:
    return np.linspace(-limit, limit, 1_601)


class TestBeyondByIntegration:
    """Truths of 1 × 1 distributions from their joint density alone, written anew."""

    @staticmethod
    def check(name: str, value: float) -> None:
        joint = BEYOND[name]
        assert value == pytest.approx(joint.mutual_information, abs=5 * joint.standard_error + 1e-4)

    @pytest.mark.parametrize("name", ["mixture-x-1x1", "mixture-inliers-1x1", "mixture-outliers-1x1"])
    def test_mixtures(self, name: str) -> None:
        joint = BEYOND[name]
        assert isinstance(joint, GaussianMixture)

        def density(x: Array, y: Array) -> Array:
            points = np.stack(np.broadcast_arrays(x, y), axis=-1)
            laws = [(part.weight, np.array(part.covariance)) for part in joint.components]
            return np.asarray(sum(w * stats.multivariate_normal.pdf(points, cov=c) for w, c in laws))

        limit = 60.0 if "outliers" in name else 8.0
        self.check(name, grid_information(density, wide(limit), wide(limit)))

    def test_ring(self) -> None:
        def density(x: Array, y: Array) -> Array:
            radius, variance = np.hypot(x, y), 0.15**2
            return np.asarray(np.exp(-(radius**2 + 1) / (2 * variance)) * i0(radius / variance))

        self.check("ring-1x1", grid_information(density, wide(2.2), wide(2.2)))

    @pytest.mark.parametrize(
        ("name", "curve", "noise", "low", "high"),
        [
            ("sine-1x1", lambda x: np.sin(3 * np.pi * x), lambda x: 0.3, -3.0, 3.0),
            ("parabola-1x1", lambda x: 2 * x**2 - 1, lambda x: 0.2, -2.5, 2.5),
            ("dose-response-1x1", lambda x: 1 / (1 + np.exp(-8 * x)), lambda x: 0.15, -1.0, 2.0),
            ("growing-noise-1x1", lambda x: 0 * x, lambda x: np.exp(2 * x), -45.0, 45.0),
        ],
    )
    def test_regressions(
        self,
        name: str,
        curve: Callable[[Array], Array],
        noise: Callable[[Array], Array],
        low: float,
        high: float,
    ) -> None:
        x = (np.arange(1_000) + 0.5) / 500 - 1
        y = np.linspace(low, high, 4_001)
        self.check(name, grid_information(lambda a, b: stats.norm.pdf(b, curve(a), noise(a)), x, y))

    def test_volatility(self) -> None:
        def density(x: Array, y: Array) -> Array:
            total = np.zeros(np.broadcast_shapes(x.shape, y.shape))
            for node in np.linspace(-6, 6, 101):
                scale = np.exp(0.8 * node)
                total += (
                    stats.norm.pdf(node) * stats.norm.pdf(x, scale=scale) * stats.norm.pdf(y, scale=scale)
                )
            return total

        grid = np.sinh(np.linspace(-7, 7, 401))
        # Equal cells of t where x = sinh t: mutual information does not change, the density gains dx/dt.
        slope = np.sqrt(1 + grid**2)
        stretched = grid_information(lambda x, y: density(x, y) * slope[:, None] * slope[None, :], grid, grid)
        self.check("volatility-1x1", stretched)

    def test_interaction(self) -> None:
        """h(Y) − h(Y | X), with p(y) from the product's density, K₀(|y|)/π, convolved on a grid."""
        y = np.linspace(-25, 25, 20_001)
        step = y[1] - y[0]
        x = np.linspace(-9, 9, 1_201)
        density = (stats.norm.pdf(x) * stats.norm.pdf(y[:, None], scale=np.hypot(x, 0.5))).sum(axis=1)
        density *= x[1] - x[0]
        entropy = -float((density * np.log(density)).sum() * step)
        self.check("interaction-2x1", entropy - float(stats.norm(scale=0.5).entropy()))

    def test_counts(self) -> None:
        """Σₖ ∫ p(x) p(k | x) log p(k | x)/p(k) dx with SciPy's laws."""
        x = (np.arange(20_000) + 0.5) * (120 / 20_000)
        k = np.arange(200)
        law = stats.gamma.pdf(x, 2.0, scale=4.0)[:, None] * stats.poisson.pmf(k, x[:, None])
        self.check("counts-1x1", grid_information(lambda a, b: law, x, k.astype(float)))

    def test_classes(self) -> None:
        y = np.linspace(-9, 9, 20_001)
        laws = [(0.5, 0.0, 1.0), (0.3, 2.0, 0.5), (0.2, -1.0, 1.5)]
        table = np.stack([p * stats.norm.pdf(y, mean, scale) for p, mean, scale in laws])
        self.check("classes-1x1", grid_information(lambda a, b: table, np.arange(3.0), y))

    def test_censored(self) -> None:
        grid = np.linspace(-8, 8, 1_601)
        points = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1)
        cells = stats.multivariate_normal.pdf(points, cov=[[1, 0.9], [0.9, 1]])
        # The line of the grid at the limit counts half on either side of it.
        below, limit = grid < -1e-9, np.abs(grid) < 1e-9
        atom = cells[:, below].sum(axis=1) + 0.5 * cells[:, limit].sum(axis=1)
        above = np.where(limit, 0.5, 1.0)[~below] * cells[:, ~below]
        merged = np.column_stack([atom, above])
        self.check("censored-1x1", grid_information(lambda a, b: merged, grid, np.arange(merged.shape[1])))

    def test_rounded(self) -> None:
        grid = np.linspace(-8, 8, 1_601)
        cells = stats.multivariate_normal.pdf(
            np.stack(np.meshgrid(grid, grid), -1), cov=[[1, 0.85], [0.85, 1]]
        )
        edges = np.abs(grid - np.rint(grid)) > 0.4999
        merged = np.zeros((17, len(grid)))
        inside = ~edges
        np.add.at(merged, np.rint(grid[inside]).astype(int) + 8, cells[:, inside].T)
        # A line of the grid on the edge of two classes counts half in each.
        for side in (np.floor(grid[edges]), np.ceil(grid[edges])):
            np.add.at(merged, side.astype(int) + 8, 0.5 * cells[:, edges].T)
        self.check("rounded-1x1", grid_information(lambda a, b: merged, np.arange(17.0), grid))

    @pytest.mark.parametrize(
        "name", [name for name, joint in BEYOND.items() if isinstance(joint, CopulaJoint)]
    )
    def test_copulas(self, name: str) -> None:
        """On a grid of normal scores, with their densities, where what is summed is bounded."""
        joint = BEYOND[name]
        assert isinstance(joint, CopulaJoint)
        copula = joint.copula

        def density(x: Array, y: Array) -> Array:
            a, b = np.broadcast_arrays(x, y)
            ratio = copula.log_density(stats.norm.cdf(a).ravel(), stats.norm.cdf(b).ravel())
            return np.exp(ratio).reshape(a.shape) * stats.norm.pdf(a) * stats.norm.pdf(b)

        self.check(name, grid_information(density, np.linspace(-7, 7, 801), np.linspace(-7, 7, 801)))


class TestBeyondBySciPy:
    """Pointwise values and truths in more dimensions, from SciPy's laws."""

    @pytest.mark.parametrize(
        "name", [name for name, joint in BEYOND.items() if isinstance(joint, GaussianMixture)]
    )
    def test_mixtures(self, name: str) -> None:
        joint = BEYOND[name]
        assert isinstance(joint, GaussianMixture)

        def log_density(values: Array, block: slice) -> Array:
            total = np.zeros(len(values))
            for part in joint.components:
                mean, covariance = np.array(part.mean)[block], np.array(part.covariance)[block, block]
                total += part.weight * stats.multivariate_normal.pdf(values, mean, covariance)
            return np.log(total)

        x, y = joint.draw(200, np.random.default_rng(4))
        margins = log_density(x, slice(joint.dx)) + log_density(y, slice(joint.dx, None))
        expected = log_density(np.hstack([x, y]), slice(None)) - margins
        np.testing.assert_allclose(joint.pointwise(x, y), expected, rtol=1e-9, atol=1e-9)

    def test_classes(self) -> None:
        joint = BEYOND["classes-1x8"]
        assert isinstance(joint, Classes)
        x, y = joint.draw(200, np.random.default_rng(5))
        given = np.stack([stats.multivariate_normal.pdf(y, mean) for mean in joint.means], axis=1)
        margin = given @ np.array(joint.probabilities)
        expected = np.log(given[np.arange(200), x[:, 0].astype(int)] / margin)
        np.testing.assert_allclose(joint.pointwise(x, y), expected, atol=1e-9)

    def test_decisions(self) -> None:
        """log 2 less the mean entropy of a coin over w·x ~ N(0, ‖w‖²)."""
        joint = BEYOND["decisions-5x1"]
        scale = np.sqrt(2.0**2 + 1.5**2 + 1.0**2)
        coin = lambda z: float(stats.bernoulli(1 / (1 + np.exp(-scale * z))).entropy())  # noqa: E731
        mean = integrate.quad(lambda z: stats.norm.pdf(z) * coin(z), -8, 8)[0]
        assert np.log(2) - mean == pytest.approx(joint.mutual_information, abs=5 * joint.standard_error)

    def test_spiral_curve(self) -> None:
        """h(Y) − h(Y | X) on a plane, with p(y) the mean over many points of the curve."""
        joint = BEYOND["spiral-1x2"]
        x = (np.arange(600) + 0.5) / 300 - 1
        axis = np.linspace(-4.8, 4.8, 241)
        radius = x + 1.5
        a = stats.norm.pdf(axis[:, None], radius * np.cos(6 * x), 0.4)
        b = stats.norm.pdf(axis[:, None], radius * np.sin(6 * x), 0.4)
        density = a @ b.T / len(x)
        entropy = -float(xlogy(density, density).sum() * (axis[1] - axis[0]) ** 2)
        truth = entropy - 2 * float(stats.norm(scale=0.4).entropy())
        assert truth == pytest.approx(joint.mutual_information, abs=5 * joint.standard_error)

    def test_directions(self) -> None:
        joint = BEYOND["directions-2x2"]
        expected = np.log(2 * np.pi) - float(stats.vonmises(3.0).entropy())
        assert joint.mutual_information == pytest.approx(expected, abs=1e-9)

    def test_farlie_gumbel_morgenstern_series(self) -> None:
        def integrand(v: float, u: float) -> float:
            density = 1 + (1 - 2 * u) * (1 - 2 * v)
            return float(xlogy(density, density))

        value = integrate.dblquad(integrand, 0, 1, 0, 1)[0]
        assert BEYOND["fgm-1x1"].mutual_information == pytest.approx(value, abs=1e-7)


class TestCopulas:
    @pytest.mark.parametrize(
        ("copula", "tau"),
        [
            (GumbelHougaard(2.0), 0.5),
            (GumbelHougaard(1.25), 0.2),
            (Clayton(3.0), 0.6),
            (FarlieGumbelMorgenstern(1.0), 2 / 9),
            (FarlieGumbelMorgenstern(-0.5), -1 / 9),
            (Frank(-6.0), -0.5138),
        ],
    )
    def test_kendall_and_margins(self, copula: Copula, tau: float) -> None:
        """Kendall's τ from Nelsen (2006), section 5.1.1; Frank's through Debye's function."""
        n = 20_000
        u, v = copula.draw(n, np.random.default_rng(1))
        # The variance of the sample τ is below 2(1 − τ²)/n for these laws.
        assert stats.kendalltau(u, v).statistic == pytest.approx(tau, abs=5 * np.sqrt(2 * (1 - tau**2) / n))
        for margin in (u, v):
            assert stats.kstest(margin, "uniform").pvalue > LEAST_P

    @settings(max_examples=50, deadline=None)
    @given(st.floats(0.05, 0.95), st.floats(0.05, 0.95))
    def test_density_is_the_mixed_derivative_of_the_distribution_function(self, u: float, v: float) -> None:
        laws: list[tuple[Copula, Callable[[float, float], float]]] = [
            (GumbelHougaard(2.0), lambda a, b: np.exp(-np.hypot(np.log(a), np.log(b)))),
            (Clayton(3.0), lambda a, b: (a**-3 + b**-3 - 1) ** (-1 / 3)),
            (Frank(-6.0), lambda a, b: np.log1p(np.expm1(6 * a) * np.expm1(6 * b) / np.expm1(6)) / 6),
            (FarlieGumbelMorgenstern(0.7), lambda a, b: a * b * (1 + 0.7 * (1 - a) * (1 - b))),
        ]
        step = 1e-4
        for copula, law in laws:
            corners = law(u + step, v + step) - law(u + step, v - step) - law(u - step, v + step)
            derivative = (corners + law(u - step, v - step)) / (4 * step**2)
            density = float(np.exp(copula.log_density(np.array([u]), np.array([v]))[0]))
            assert density == pytest.approx(derivative, rel=2e-3, abs=1e-5)

    @pytest.mark.parametrize("name", MARGINS)
    def test_samples_have_their_margins(self, name: str) -> None:
        joint = CopulaJoint(Frank(-6.0), name, name)
        for block in joint.draw(5_000, np.random.default_rng(2)):
            assert stats.kstest(block[:, 0], MARGINS[name].cdf).pvalue > LEAST_P


class TestNull:
    def test_breadth(self) -> None:
        cases = list(suite("null").cases())
        assert {case.mi for case in cases} == {0.0}
        assert min(case.n for case in cases) == 10
        assert max(case.n for case in cases) == 1_000
        assert {(1, 1), (3, 3), (2, 6), (1, 16), (2, 32), (32, 32)} <= {(case.dx, case.dy) for case in cases}

    @pytest.mark.parametrize("group", NULL_GROUPS)
    def test_groups_are_large_enough_to_tell_their_share_of_false_alarms(self, group: str) -> None:
        assert sum(case.family == group for case in suite("null").cases()) >= 90

    def test_nothing_is_shared_between_x_and_y(self) -> None:
        """No rank correlation of values or of magnitudes in any distribution, at a joint level of 1e-5."""
        built = suite("null", [3_000])
        least, count = 1.0, 0
        for position in range(len(built) // 2):
            x, y = built.sample(position)
            for change in (np.asarray, lambda v: np.abs(v - np.median(v))):
                a, b = change(x[:, 0]), change(y[:, 0])
                if np.ptp(a) > 0 and np.ptp(b) > 0:
                    least, count = min(least, float(stats.spearmanr(a, b).pvalue)), count + 1
        assert count > 80
        assert least > 1e-5 / count

    def test_margins_are_ugly(self) -> None:
        built = suite("null", [1_000])
        samples = {built.case(i).name: built.sample(i)[0] for i in range(len(built) // 2)}
        assert np.abs(samples["huge-1x1"]).max() > 1e12
        assert 0 < np.abs(samples["tiny-1x1"]).max() < 1e-11
        assert len(np.unique(samples["binary-1x1"])) == 2
        assert len(np.unique(samples["rounded-1x1"])) < 20
        assert 0.9 < np.mean(samples["spikes-1x1"] == 1) < 1
        assert np.abs(samples["cauchy-1x1"]).max() > 100
        assert np.median(samples["far-1x1"]) > 9e5


ORDINARY = {entry.name: entry for entry in suite("ordinary")._entries}  # type: ignore[attr-defined]


def pieces(joint: JointDistribution) -> list[JointDistribution]:
    """The parts of which the information of a distribution is the sum."""
    if isinstance(joint, Widened):
        return pieces(joint.joint)
    return (
        [piece for part in joint.parts for piece in pieces(part)] if isinstance(joint, Product) else [joint]
    )


class TestOrdinary:
    def test_breadth(self) -> None:
        cases = list(suite("ordinary").cases())
        groups = {case.family for case in cases}
        assert len(groups) == 9
        assert {case.family for case in cases if case.mi == 0} == groups
        assert (min(case.n for case in cases), max(case.n for case in cases)) == (50, 20_000)
        assert (min(case.dx for case in cases), max(case.dx for case in cases)) == (1, 37)
        assert all(0 <= case.mi < 4 for case in cases)

    def test_every_group_is_large_enough_to_tell_its_coverage(self) -> None:
        counts: dict[str, int] = {}
        for case in suite("ordinary").cases():
            counts[case.family] = counts.get(case.family, 0) + 1
        assert min(counts.values()) >= 50

    @pytest.mark.parametrize("name", [name for name in ORDINARY if "independent" not in name])
    def test_samples_have_the_truth_in_them(self, name: str) -> None:
        """By nearest neighbours at n = 4,000 of each piece, whose bias is small in few columns."""
        for joint in pieces(ORDINARY[name].joint):
            if joint.dx + joint.dy <= 3:
                x, y = joint.sample(4_000, np.random.default_rng(11))
                assert baseline("ksg-3").estimate(x, y).mi == pytest.approx(
                    joint.mutual_information, abs=0.06
                )

    @pytest.mark.parametrize(
        "name", [name for name, each in ORDINARY.items() if isinstance(each.joint, Tabled)]
    )
    def test_tables_are_the_laws_of_the_samples(self, name: str) -> None:
        joint = ORDINARY[name].joint
        assert isinstance(joint, Tabled)
        n = 60_000
        x, y = joint.draw(n, np.random.default_rng(12))
        places = [
            (side[:, None, :] == values[None]).all(axis=2).argmax(axis=1)
            for side, values in ((x, joint.x_values), (y, joint.y_values))
        ]
        seen = np.zeros(joint.table.shape)
        np.add.at(seen, tuple(places), 1)
        full = joint.table * n >= 10
        statistic = (np.square(seen - n * joint.table)[full] / (n * joint.table[full])).sum()
        assert stats.chi2.sf(statistic, full.sum()) > LEAST_P

    def test_dice(self) -> None:
        sums: dict[tuple[int, int], int] = {}
        for a in range(1, 21):
            for b in range(1, 21):
                for c in range(1, 21):
                    sums[a + b, b + c] = sums.get((a + b, b + c), 0) + 1
        table = np.zeros((41, 41))
        for (first, second), count in sums.items():
            table[first, second] = count / 20**3
        self.check("dice-1x1", grid_information(lambda x, y: table, np.arange(41.0), np.arange(41.0)))

    def test_thinned_counts(self) -> None:
        number, kept = np.arange(80)[:, None], np.arange(80)
        table = stats.poisson.pmf(number, 9.0) * stats.binom.pmf(kept, number, 0.6)
        self.check("thinned-1x1", grid_information(lambda x, y: table, np.arange(80.0), np.arange(80.0)))

    def test_shared_rate(self) -> None:
        rate = (np.arange(8_000) + 0.5) / 400
        weight = stats.gamma.pdf(rate, 1.5, scale=1 / 1.5) / 400
        count = np.arange(200)[:, None]
        table = (stats.poisson.pmf(count, 4 * rate) * weight) @ stats.poisson.pmf(count, 9 * rate).T
        self.check(
            "shared-rate-1x1", grid_information(lambda x, y: table, np.arange(200.0), np.arange(200.0)), 1e-4
        )

    def test_scores(self) -> None:
        age, score = np.arange(20, 65)[:, None], np.arange(61)
        table = stats.binom.pmf(score, 60, 1 / (1 + np.exp(-0.05 * (age - 42))))
        self.check("age-score-1x1", grid_information(lambda x, y: table, np.arange(45.0), np.arange(61.0)))

    def test_survival(self) -> None:
        x = np.linspace(-8, 8, 801)
        time = (np.arange(4_000) + 0.5) * (1.5 / 4_000)
        rate = np.exp(0.9 * x)[:, None]
        died = stats.expon.pdf(time, scale=1 / rate) * (1.5 / 4_000)
        table = stats.norm.pdf(x)[:, None] * np.column_stack([died, np.exp(-1.5 * rate)])
        self.check("survival-1x1", grid_information(lambda a, b: table, x, np.arange(table.shape[1])), 2e-4)

    def test_claims(self) -> None:
        total = (np.arange(40_000) + 0.5) / 1_000
        count = np.arange(1, 40)[:, None]
        some = stats.poisson.pmf(count, 0.4) * stats.gamma.pdf(total, count) / 1_000
        table = np.zeros((40, 40_001))
        table[0, 0], table[1:, 1:] = np.exp(-0.4), some
        self.check("claims-1x1", grid_information(lambda a, b: table, count[:, 0], total))

    def test_durations(self) -> None:
        log_y = np.linspace(-15, 6, 20_001)
        laws = ((0.4, 1.0, 1.0), (0.3, 3.0, 1.0), (0.2, 1.0, 4.0), (0.1, 8.0, 0.2))
        y = np.exp(log_y)
        table = np.stack([p * y * stats.gamma.pdf(y, shape, scale=scale) for p, shape, scale in laws])
        self.check("duration-by-job-1x1", grid_information(lambda a, b: table, np.arange(4.0), log_y))

    def test_species_by_monte_carlo_in_all_columns(self) -> None:
        joint = ORDINARY["species-in-8-columns-1x8"].joint
        codes, y = joint.sample(20_000, np.random.default_rng(13))
        centres = np.array([-1.5, 0.0, 2.0])[:, None] / np.sqrt(8) * np.ones(8)
        given = np.stack([stats.multivariate_normal.pdf(y, centre) for centre in centres], axis=1)
        own = given[np.arange(len(y)), codes[:, 0].astype(int)]
        values = np.log(own / (given @ np.array([0.5, 0.3, 0.2])))
        assert values.mean() == pytest.approx(
            joint.mutual_information, abs=5 * values.std() / np.sqrt(len(y))
        )

    @staticmethod
    def check(name: str, value: float, within: float = 1e-6) -> None:
        assert value == pytest.approx(ORDINARY[name].joint.mutual_information, abs=within)

    def test_rounded_normals_lose_what_data_processing_takes(self) -> None:
        fine, coarse = RoundedNormals(-0.7, 0.01, 0.01), RoundedNormals(-0.7, 0.5, 1.0)
        whole = -0.5 * np.log1p(-0.49)
        assert fine.mutual_information == pytest.approx(whole, abs=1e-4)
        assert coarse.mutual_information < whole - 0.03

    def test_copies_and_sums_are_exact(self) -> None:
        joint = ORDINARY["sums-5x4"].joint
        x, y = joint.sample(500, np.random.default_rng(14))
        assert np.linalg.matrix_rank(x - x.mean(axis=0), tol=1e-4) == 2
        assert np.linalg.matrix_rank(y - y.mean(axis=0), tol=1e-4) == 2
        x, _ = ORDINARY["pair-6x6"].joint.sample(500, np.random.default_rng(14))
        assert np.abs(stats.spearmanr(x).statistic).min() > 0.9999


class TestStrong:
    def test_breadth(self) -> None:
        cases = list(suite("strong").cases())
        assert {case.mi for case in cases} == {1.0, 2.0, 4.0, 6.0, 8.0, 10.0}
        assert {(case.dx, case.dy) for case in cases} >= {(1, 1), (2, 2), (3, 3), (1, 3), (3, 2)}
        for margin in STRONG_MARGINS:
            assert sum(margin in case.name for case in cases) > 50

    @pytest.mark.parametrize("turned", [False, True])
    def test_normals(self, turned: bool) -> None:
        """By canonical correlations, right for normals, with standard error √(k/n)."""
        joint = StrongNormal(2, 2, 8.0, "normal", turned)
        x, y = joint.sample(5_000, np.random.default_rng(0))
        assert baseline("cca").estimate(x, y).mi == pytest.approx(8.0, abs=5 * np.sqrt(2 / 5_000))

    @pytest.mark.parametrize("nats", [0.2, 0.5, 1.0, 4.0, 10.0])
    def test_width_of_additive_noise(self, nats: float) -> None:
        half = half_width(nats)
        expected = half - np.log(2 * half) if half <= 0.5 else 1 / (4 * half)
        assert expected == pytest.approx(nats, rel=1e-9)

    def test_additive_noise_stays_within_its_width(self) -> None:
        x, y = AdditiveUniform(2, 2, 5.0, "uniform").sample(3_000, np.random.default_rng(1))
        half = half_width(2.5)
        noise = (y * (1 + 2 * half) - half - x) / half
        assert np.abs(noise).max() <= 1 + 1e-5
        assert stats.kstest(noise.ravel(), stats.uniform(-1, 2).cdf).pvalue > LEAST_P

    @pytest.mark.parametrize("margin", STRONG_MARGINS)
    def test_margins_are_increasing(self, margin: str) -> None:
        values = STRONG_MARGINS[margin](np.linspace(1e-9, 1 - 1e-9, 1_001))
        assert (np.diff(values) > 0).all()

    def test_what_is_out_of_reach_is_a_group_of_its_own(self) -> None:
        for case in suite("strong").cases():
            exchanges = case.n**2 * np.exp(-case.mi / min(case.dx, case.dy)) / 3.5
            assert (case.family == "out of reach") == (exchanges < 100 and not case.name.startswith("turned"))


class TestClassesReachEstimators:
    class Reader:
        """Keeps what it gets."""

        name = version = "reader"
        slow = False

        def __init__(self, reads_classes: bool) -> None:
            self.reads_classes = reads_classes
            self.pairs: list[tuple[object, object]] = []

        def estimate(self, x: object, y: object) -> Estimate:
            self.pairs.append((x, y))
            return Estimate(0.0)

    @pytest.mark.parametrize("name", ["raters-12-1x1", "class-age-reading-3x3", "dice-1x1"])
    def test_as_strings_where_they_are_read(self, name: str) -> None:
        built = suite("ordinary", [50])
        position = next(place for place, case in enumerate(built.cases()) if case.name == name)
        reader, other = self.Reader(True), self.Reader(False)
        for each in (reader, other):
            run_chunk(each, built, [position])  # type: ignore[arg-type]
        (x, y), codes = reader.pairs[0], built.sample(position)
        for plain, own in zip(other.pairs[0], codes, strict=True):
            np.testing.assert_array_equal(plain, own)  # type: ignore[arg-type]
        if name == "dice-1x1":
            np.testing.assert_array_equal(x, codes[0])  # type: ignore[arg-type]
            return
        for side, own in zip((x, y), codes, strict=True):
            column = side.iloc[:, 0] if hasattr(side, "iloc") else side[:, 0]  # type: ignore[index]
            assert list(column) == [f"class {int(code)}" for code in own[:, 0]]
        if name == "class-age-reading-3x3":
            np.testing.assert_array_equal(x.iloc[:, 1:], codes[0][:, 1:])  # type: ignore[attr-defined]


def evaluate(of: Suite, estimator: Callable[[Case], float]) -> Results:
    """Results of an estimator that is told the case."""
    cases = list(of.cases())
    estimates = np.array([estimator(case) for case in cases])
    rows = len(cases)
    return Results(
        suite=of.name,
        suite_version=of.version,
        estimator="test",
        estimator_version="1",
        position=np.arange(rows),
        name=np.array([case.name for case in cases]),
        family=np.array([case.family for case in cases]),
        n=np.array([case.n for case in cases]),
        dx=np.array([case.dx for case in cases]),
        dy=np.array([case.dy for case in cases]),
        replicate=np.array([case.replicate for case in cases]),
        mi=np.array([case.mi for case in cases]),
        mi_se=np.array([case.mi_se for case in cases]),
        estimate=estimates,
        quantiles=np.full((rows, len(QUANTILE_LEVELS)), np.nan),
        seconds=np.zeros(rows),
        failure=np.where(np.isfinite(estimates), "", "failed"),
    )


def by_relation(results: Results) -> dict[str, Violation]:
    return {violation.relation: violation for violation in violations(results)}


class TestSelfConsistency:
    GROUPS = 90  # 9 groups at 2 sizes, 5 times each

    def test_the_truth_violates_nothing(self) -> None:
        found = by_relation(evaluate(suite("self-consistency"), lambda case: case.mi))
        assert set(found) == {relation.name for relation in RELATIONS}
        for violation in found.values():
            assert violation.comparisons == self.GROUPS
            assert (violation.violated, violation.failures) == (0, 0)
            assert violation.max < 1e-9

    @pytest.mark.parametrize(
        ("variant", "relation"),
        [
            ("symmetry", "symmetry"),
            ("points", "permutation of points"),
            ("coordinates", "permutation of coordinates"),
            ("affine", "shift and scale"),
            ("monotone", "monotone maps"),
            ("duplication", "duplicated coordinates"),
            ("second", "additivity"),
        ],
    )
    def test_each_violation_is_seen_and_sized(self, variant: str, relation: str) -> None:
        built = suite("self-consistency")
        found = by_relation(
            evaluate(
                built, lambda case: case.mi - 0.2 * case.name.startswith(f"{variant}/") * (case.n == 100)
            )
        )
        violation = found.pop(relation)
        assert violation.violated == self.GROUPS // 2
        assert violation.mean == pytest.approx(0.1)
        assert violation.max == pytest.approx(0.2)
        assert not any(other.violated for other in found.values())

    def test_dropping_may_lose_but_not_gain(self) -> None:
        built = suite("self-consistency")
        for shift, violated in ((-0.2, 0), (5.0, self.GROUPS)):
            found = by_relation(
                evaluate(built, lambda case, by=shift: case.mi + by * case.name.startswith("dropping/"))
            )
            assert found["dropped coordinates"].violated == violated

    def test_failures_are_counted(self) -> None:
        built = suite("self-consistency")
        found = by_relation(
            evaluate(built, lambda case: np.nan if case.name.startswith(("first/", "dropping/")) else case.mi)
        )
        for name, violation in found.items():
            failed = name in ("additivity", "dropped coordinates")
            assert violation.failures == failed * self.GROUPS
            assert violation.comparisons == self.GROUPS
            assert np.isnan(violation.mean) == failed

    def test_what_was_not_evaluated_is_not_compared(self) -> None:
        results = evaluate(suite("self-consistency"), lambda case: case.mi)
        found = by_relation(results[: len(VARIANTS) + 2])
        assert found["symmetry"].comparisons == 2
        assert found["additivity"].comparisons == 1

    def test_results_of_another_suite(self) -> None:
        results = evaluate(suite("null", [10]), lambda case: 0.0)
        with pytest.raises(
            MistworksError, match="Expected results on the suite 'self-consistency', got 'null'"
        ):
            violations(results)

    def test_variants_are_made_of_the_same_points(self) -> None:
        built = suite("self-consistency", [40])
        cases = [built.case(position) for position in range(len(VARIANTS))]
        samples = {case.name.split("/")[0]: built.sample(position) for position, case in enumerate(cases)}
        x, y = samples["original"]
        assert [case.family for case in cases][:2] == ["original", "symmetry"]
        np.testing.assert_array_equal(samples["symmetry"][0], y)
        np.testing.assert_array_equal(samples["duplication"][0], np.hstack([x, x]))
        np.testing.assert_array_equal(samples["dropping"][0], samples["first"][0])
        np.testing.assert_array_equal(samples["dropping"][1], y)
        for side, block in enumerate((x, y)):
            halves = samples["first"][side], samples["second"][side]
            np.testing.assert_array_equal(np.hstack(halves), block)
            np.testing.assert_array_equal(
                np.sort(samples["coordinates"][side], axis=1), np.sort(block, axis=1)
            )
            ranks = np.argsort(block, axis=0)
            np.testing.assert_array_equal(np.argsort(samples["affine"][side], axis=0), ranks)
            direction = -1 if side else 1
            np.testing.assert_array_equal(np.argsort(direction * samples["monotone"][side], axis=0), ranks)
        both, permuted = np.hstack([x, y]), np.hstack(samples["points"])
        assert not np.array_equal(permuted, both)
        np.testing.assert_array_equal(permuted[np.argsort(permuted[:, 0])], both[np.argsort(both[:, 0])])


def test_pointwise_joint_names_its_parameters() -> None:
    joints: list[PointwiseJoint] = list(BEYOND.values())
    assert len({joint.fingerprint for joint in joints}) == len(joints)
