import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import psi
from scipy.stats import multivariate_normal, norm
from sklearn.covariance import oas
from sklearn.feature_selection import mutual_info_regression
from sklearn.metrics import mutual_info_score

from mistworks.baselines import (
    BASELINES,
    GROUPS,
    KSG,
    Baseline,
    Bootstrap,
    CanonicalCorrelation,
    GaussianCopula,
    Neural,
    PlugIn,
    PriorMean,
    ShrunkGaussianCopula,
    StudentCopula,
    Trained,
    baseline,
    baselines,
    critics,
)
from mistworks.baselines.critics import (
    MINE,
    NWJ,
    SMILE,
    Bound,
    CosineCritic,
    DonskerVaradhan,
    InfoNCE,
    _cross_chosen,
)
from mistworks.baselines.neighbours import _count_in_blocks, _count_in_trees
from mistworks.baselines.plug_in import chao_shen, miller_madow
from mistworks.dataset import FloatArray
from mistworks.distributions import Normal, Student
from mistworks.distributions.elliptical import gaussian_mutual_information
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import LEVELS, Estimate, Estimator, TrainingRange
from mistworks.networks import SetTransformerConfig, build_network
from mistworks.presets import PRESETS
from mistworks.statistics.bias import bias

# Statistical tests allow four standard errors, a false alarm in 16,000, at fixed seeds.
FOUR_SIGMA = 4.0

CLASSICAL = [BASELINES[name] for name in GROUPS["classical"]]
NEURAL = [BASELINES[name] for name in GROUPS["neural"]]
DATA_DRIVEN = [each for each in CLASSICAL if not isinstance(each, PriorMean)]
CONTINUOUS = [each for each in DATA_DRIVEN if not isinstance(each, PlugIn)]
BY_RANK = [GaussianCopula(), ShrunkGaussianCopula(), StudentCopula()]
SHORT: dict[str, Any] = {"steps": 75, "reading_interval": 25}


def by_name(each: Any) -> str:
    return str(each.name)


def pairs(d: int, rho: float) -> Normal:
    """d independent pairs of correlation ρ: I = −(d/2) log(1 − ρ²)."""
    return Normal(np.block([[np.eye(d), rho * np.eye(d)], [rho * np.eye(d), np.eye(d)]]), d)


def draw(joint: Normal | Student, n: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    return joint.sample(n, np.random.default_rng(seed))


def require_mean(values: list[float], truth: float) -> None:
    error = np.std(values, ddof=1) / math.sqrt(len(values))
    assert abs(np.mean(values) - truth) < FOUR_SIGMA * error


class TestAll:
    @pytest.mark.parametrize("each", CLASSICAL, ids=by_name)
    @pytest.mark.parametrize(("n", "dx", "dy"), [(60, 1, 1), (60, 5, 2), (300, 4, 12)])
    def test_any_shape_the_same_twice(self, each: Baseline, n: int, dx: int, dy: int) -> None:
        rng = np.random.default_rng(n)
        x, y = rng.normal(size=(n, dx)).astype(np.float32), rng.normal(size=(n, dy)).astype(np.float32)
        before = x.copy(), y.copy()
        first = each.estimate(x, y)
        assert math.isfinite(first.mi)
        assert first == each.estimate(x, y)
        np.testing.assert_array_equal(before[0], x)
        np.testing.assert_array_equal(before[1], y)

    @pytest.mark.parametrize("each", CONTINUOUS, ids=by_name)
    def test_bivariate_normal(self, each: Baseline) -> None:
        joint = pairs(1, 0.75)
        estimate = each.estimate(*draw(joint, 4000)).mi
        # The asymptotic standard error of maximum likelihood is |ρ| / √n, 0.012; nearest neighbours have
        # less than twice that.
        assert estimate == pytest.approx(joint.mutual_information, abs=FOUR_SIGMA * 0.024)

    @pytest.mark.parametrize("each", [*DATA_DRIVEN, *NEURAL], ids=by_name)
    @pytest.mark.parametrize("block", ["x", "y"])
    def test_constant_column(self, each: Baseline, block: str) -> None:
        values = dict(zip("xy", draw(pairs(3, 0.5), 50), strict=True))
        values[block][:, 1] = 0.1
        with pytest.raises(MistworksError, match=f"column 1 of {block} is constant"):
            each.estimate(values["x"], values["y"])

    @pytest.mark.parametrize("each", [*DATA_DRIVEN, *NEURAL], ids=by_name)
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_not_finite(self, each: Baseline, value: float) -> None:
        x, y = draw(pairs(2, 0.5), 50)
        y[7, 1] = value
        with pytest.raises(MistworksError, match="Expected finite numbers in y"):
            each.estimate(x, y)

    @pytest.mark.parametrize("each", [*DATA_DRIVEN, *NEURAL], ids=by_name)
    @pytest.mark.parametrize(
        ("x_shape", "y_shape", "message"),
        [
            ((10,), (10, 1), r"got \(10,\) and \(10, 1\)"),
            ((10, 1), (9, 1), r"got \(10, 1\) and \(9, 1\)"),
            ((0, 1), (0, 1), r"one column of x, got shape \(0, 1\)"),
            ((10, 1), (10, 0), r"one column of y, got shape \(10, 0\)"),
        ],
    )
    def test_not_a_sample(
        self, each: Baseline, x_shape: tuple[int, ...], y_shape: tuple[int, ...], message: str
    ) -> None:
        rng = np.random.default_rng(0)
        with pytest.raises(MistworksError, match=message):
            each.estimate(rng.random(x_shape, np.float32), rng.random(y_shape, np.float32))

    @pytest.mark.parametrize("each", DATA_DRIVEN, ids=by_name)
    @settings(max_examples=20, deadline=None, derandomize=True)
    @given(seed=st.integers(0, 1000), n=st.integers(40, 120), dx=st.integers(1, 5), dy=st.integers(1, 5))
    def test_invariances(self, each: Baseline, seed: int, n: int, dx: int, dy: int) -> None:
        rng = np.random.default_rng(seed)
        joint = Normal(oas(rng.normal(size=(20, dx + dy)))[0], dx)
        x, y = joint.sample(n, rng)
        order, x_order = rng.permutation(n), rng.permutation(dx)
        scale = 2.0 ** rng.integers(-8, 8, size=dx).astype(np.float32) * rng.choice([-1, 1], size=dx)
        expected = pytest.approx(each.estimate(x, y).mi, abs=5e-4)
        assert each.estimate(y, x).mi == expected
        assert each.estimate(x[order], y[order]).mi == expected
        assert each.estimate(x[:, x_order], y).mi == expected
        assert each.estimate((x * scale).astype(np.float32), y).mi == expected

    @pytest.mark.parametrize("each", BY_RANK, ids=by_name)
    def test_invariant_to_monotone_maps(self, each: Baseline) -> None:
        x, y = draw(pairs(3, 0.6), 200)
        assert each.estimate(np.exp(x), y**3).mi == each.estimate(x, y).mi

    @pytest.mark.parametrize("each", [GaussianCopula(), StudentCopula(), CanonicalCorrelation()], ids=by_name)
    @pytest.mark.parametrize("n", [6, 7, 8])
    def test_points_and_dimensions(self, each: Baseline, n: int) -> None:
        x, y = draw(pairs(4, 0.5), n)
        with pytest.raises(MistworksError, match=rf"n > dx \+ dy, got n = {n} with 4 \+ 4"):
            each.estimate(x, y)

    @pytest.mark.parametrize("each", DATA_DRIVEN, ids=by_name)
    def test_discrete_and_tied(self, each: Baseline) -> None:
        rng = np.random.default_rng(0)
        x = rng.integers(0, 3, size=(400, 1))
        y = x + rng.integers(0, 2, size=(400, 1))
        assert math.isfinite(each.estimate(x.astype(np.float32), y.astype(np.float32)).mi)

    @pytest.mark.parametrize("each", DATA_DRIVEN, ids=by_name)
    def test_heavy_tails(self, each: Baseline) -> None:
        x, y = draw(Student(np.eye(4), 2, 0.5), 300)
        assert math.isfinite(each.estimate(x, y).mi)


class TestPriorMean:
    def test_value(self) -> None:
        split = PRESETS["paper"].split("train").meta_distribution
        # Draws that the estimate has not seen, of the same distribution.
        fresh = [split.draw(1, "train", index).joint.mutual_information for index in range(4096)]
        own = [split.draw(0, "train", index).joint.mutual_information for index in range(4096)]
        estimate = PriorMean().estimate(*draw(pairs(1, 0.5), 10)).mi
        assert estimate == pytest.approx(np.mean(own))
        error = math.sqrt((np.var(fresh) + np.var(own)) / 4096)
        assert abs(estimate - np.mean(fresh)) < FOUR_SIGMA * error


class TestCanonicalCorrelation:
    def test_is_the_gaussian_mi_of_the_sample_covariance(self) -> None:
        x, y = draw(pairs(5, 0.4), 80)
        covariance = np.cov(np.hstack([x, y]).T.astype(np.float64))
        covariance = (covariance + covariance.T) / 2
        expected = gaussian_mutual_information(covariance, np.linalg.cholesky(covariance), 5)
        assert CanonicalCorrelation().estimate(x, y).mi == pytest.approx(expected, rel=1e-6)

    @settings(max_examples=30, deadline=None, derandomize=True)
    @given(seed=st.integers(0, 1000))
    def test_invariant_to_linear_maps_and_copies_of_columns(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        x, y = pairs(3, 0.6).sample(60, rng)
        map_ = (rng.normal(size=(3, 3)) + 3 * np.eye(3)).astype(np.float32)
        expected = pytest.approx(CanonicalCorrelation().estimate(x, y).mi, rel=1e-3)
        assert CanonicalCorrelation().estimate(x @ map_, y).mi == expected
        assert CanonicalCorrelation().estimate(np.hstack([x, x]), y).mi == expected

    def test_infinite(self) -> None:
        x, y = draw(pairs(2, 0.5), 50)
        with pytest.raises(MistworksError, match="linear function of y"):
            CanonicalCorrelation().estimate(x, np.hstack([y, x[:, :1]]))


class TestGaussianCopula:
    def test_bias_by_monte_carlo(self) -> None:
        n, dx, dy = 12, 3, 2
        rng = np.random.default_rng(0)
        covariances = [np.cov(rng.normal(size=(dx + dy, n))) for _ in range(4000)]
        values = [
            gaussian_mutual_information(matrix, np.linalg.cholesky(matrix), dx) for matrix in covariances
        ]
        require_mean(values, bias(n, dx, dy))

    @pytest.mark.parametrize(("n", "dx", "dy"), [(20, 2, 2), (30, 5, 1), (100, 8, 8)])
    def test_independent_normals(self, n: int, dx: int, dy: int) -> None:
        rng = np.random.default_rng(n)
        values = [
            GaussianCopula().estimate(rng.normal(size=(n, dx)), rng.normal(size=(n, dy))).mi
            for _ in range(500)
        ]
        # The correction is exact for normals; normal scores of few points leave a tenth of the bias at most.
        error = np.std(values) / math.sqrt(len(values))
        assert abs(np.mean(values)) < FOUR_SIGMA * error + 0.1 * bias(n, dx, dy)
        assert min(values) < 0

    def test_published_computation(self) -> None:
        """As in the code published with the paper: entropies one by one, each less its bias."""
        x, y = draw(pairs(3, 0.5), 40)
        n = len(x)

        def entropy(values: np.ndarray) -> float:
            ranks = values.argsort(axis=0).argsort(axis=0) + 1
            scores = norm.ppf(ranks / (n + 1))
            scores -= scores.mean(axis=0)
            d = scores.shape[1]
            factor = np.linalg.cholesky(scores.T @ scores / (n - 1))
            plain = np.log(factor.diagonal()).sum() + 0.5 * d * (math.log(2 * math.pi) + 1)
            terms = psi((n - np.arange(1, d + 1)) / 2) / 2
            return float(plain - d * (math.log(2) - math.log(n - 1)) / 2 - terms.sum())

        expected = entropy(x) + entropy(y) - entropy(np.hstack([x, y]))
        assert GaussianCopula().estimate(x, y).mi == pytest.approx(expected, abs=1e-10)

    @pytest.mark.parametrize("each", [GaussianCopula(), StudentCopula()], ids=by_name)
    def test_copies_of_columns(self, each: Baseline) -> None:
        x, y = draw(pairs(2, 0.5), 50)
        with pytest.raises(MistworksError, match="Expected linearly independent columns"):
            each.estimate(np.hstack([x, x]), y)

    @pytest.mark.parametrize("n", [10, 40])
    def test_shrunk_with_few_points(self, n: int) -> None:
        values = [ShrunkGaussianCopula().estimate(*draw(pairs(20, 0.9), n, seed)).mi for seed in range(20)]
        # n ≤ dx + dy: far below the truth, 16.6 nats, yet defined and above independence.
        independent = [ShrunkGaussianCopula().estimate(*draw(pairs(20, 0), n, s)).mi for s in range(20)]
        assert np.mean(values) > np.mean(independent) + 0.1
        assert np.mean(values) < pairs(20, 0.9).mutual_information

    def test_shrunk_tends_to_the_plain_one(self) -> None:
        x, y = draw(pairs(2, 0.7), 20_000)
        plain, shrunk = GaussianCopula().estimate(x, y).mi, ShrunkGaussianCopula().estimate(x, y).mi
        assert shrunk == pytest.approx(plain, abs=2e-3)


class TestStudentCopula:
    @pytest.mark.parametrize(("d", "rho", "nu"), [(1, 0.0, 1.0), (1, 0.7, 2.0), (3, 0.4, 4.0)])
    def test_student(self, d: int, rho: float, nu: float) -> None:
        joint = Student(pairs(d, rho).dispersion, d, nu)
        values = [StudentCopula().estimate(*draw(joint, 2000, seed)).mi for seed in range(12)]
        # Biased upwards by about dx · dy / 2n.
        error = np.std(values, ddof=1) / math.sqrt(len(values))
        assert abs(np.mean(values) - joint.mutual_information) < FOUR_SIGMA * error + d * d / 2000

    def test_normal_is_its_limit(self) -> None:
        joint = pairs(2, 0.6)
        estimate = StudentCopula().estimate(*draw(joint, 4000)).mi
        assert estimate == pytest.approx(GaussianCopula().estimate(*draw(joint, 4000)).mi, abs=0.01)


class TestKSG:
    @pytest.mark.parametrize("k", [1, 3, 5, 10])
    @pytest.mark.parametrize("rho", [0.0, 0.6, 0.99])
    def test_as_in_scikit_learn(self, k: int, rho: float) -> None:
        x, y = draw(pairs(1, rho), 700)
        peer = mutual_info_regression(x, y[:, 0], n_neighbors=k, random_state=0)[0]
        assert max(0.0, KSG(neighbours=k).estimate(x, y).mi) == pytest.approx(peer, abs=1e-6)

    @pytest.mark.parametrize("algorithm", [1, 2])
    @pytest.mark.parametrize(("n", "dx", "dy", "k"), [(5, 1, 1, 4), (40, 1, 2, 3), (130, 3, 4, 5)])
    def test_counts_by_hand(self, algorithm: int, n: int, dx: int, dy: int, k: int) -> None:
        rng = np.random.default_rng(n)
        x, y = rng.normal(size=(n, dx)), rng.normal(size=(n, dy))
        expected = []
        for i in range(n):
            others = np.delete(np.arange(n), i)
            x_distance, y_distance = abs(x[others] - x[i]).max(axis=1), abs(y[others] - y[i]).max(axis=1)
            nearest = np.argsort(np.maximum(x_distance, y_distance))[:k]
            if algorithm == 1:
                radius = np.maximum(x_distance, y_distance)[nearest[-1]]
                expected.append(((x_distance < radius).sum(), (y_distance < radius).sum()))
            else:
                x_radius, y_radius = x_distance[nearest].max(), y_distance[nearest].max()
                expected.append(((x_distance <= x_radius).sum(), (y_distance <= y_radius).sum()))
        for count in (_count_in_trees, _count_in_blocks):
            np.testing.assert_array_equal(np.transpose(count(x, y, k, algorithm)), expected)

    def test_blocks_of_rows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(50, 2)), rng.normal(size=(50, 2))
        whole = _count_in_blocks(x, y, 3, 2)
        monkeypatch.setattr("mistworks.baselines.neighbours._CELLS", 350)
        np.testing.assert_array_equal(_count_in_blocks(x, y, 3, 2), whole)

    @pytest.mark.parametrize("each", [KSG(neighbours=3), KSG(neighbours=3, algorithm=2)], ids=by_name)
    def test_unbiased_and_not_clipped_where_independent(self, each: Baseline) -> None:
        """Kraskov et al. 2004 find no bias at independence for algorithm 1, at any n."""
        rng = np.random.default_rng(0)
        values = [each.estimate(rng.normal(size=(50, 1)), rng.normal(size=(50, 1))).mi for _ in range(600)]
        assert min(values) < 0
        error = np.std(values) / math.sqrt(len(values))
        assert abs(np.mean(values)) < FOUR_SIGMA * error + (0.0 if each.name == "ksg-3" else 0.02)

    def test_sees_what_no_correlation_shows(self) -> None:
        angle = np.random.default_rng(0).uniform(0, 2 * np.pi, size=(1000, 1))
        x, y = np.cos(angle), np.sin(angle)
        assert KSG().estimate(x, y).mi > 2
        assert abs(GaussianCopula().estimate(x, y).mi) < 0.05

    def test_more_neighbours_than_points(self) -> None:
        x, y = draw(pairs(1, 0.5), 10)
        with pytest.raises(MistworksError, match="Expected more than k = 10 points, got 10"):
            KSG(neighbours=10).estimate(x, y)

    def test_seed_parts_ties(self) -> None:
        rng = np.random.default_rng(0)
        x, y = rng.integers(0, 3, size=(2, 200, 1)).astype(np.float32)
        assert KSG(seed=1).estimate(x, y).mi != KSG().estimate(x, y).mi
        assert KSG(seed=1).version != KSG().version


BOUNDS: list[Bound] = [DonskerVaradhan(), MINE(), InfoNCE(), NWJ(), SMILE()]


class TestBounds:
    @staticmethod
    def scores(n: int, rho: float, shift: float = 0.0) -> torch.Tensor:
        """log p(x, y) / (p(x) p(y)) of draws of a bivariate normal: the critic that makes bounds tight."""
        x, y = (block[:, 0].astype(np.float64) for block in draw(pairs(1, rho), n))
        grid = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)
        joint = multivariate_normal([0, 0], [[1, rho], [rho, 1]]).logpdf(grid)
        return torch.from_numpy(joint - norm.logpdf(x)[:, None] - norm.logpdf(y)[None] + shift)[None]

    @pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: type(bound).__name__)
    def test_tight_at_the_log_density_ratio(self, bound: Bound) -> None:
        # NWJ alone is tight at 1 + the log ratio.
        scores = self.scores(1500, 0.6, shift=float(isinstance(bound, NWJ)))
        # The spread of the log ratio at ρ = 0.6 is 0.6 nats, hence a standard error of 0.6 / √1500.
        assert float(bound.value(scores)) == pytest.approx(pairs(1, 0.6).mutual_information, abs=4 * 0.016)

    @pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: type(bound).__name__)
    def test_nothing_from_a_constant_critic(self, bound: Bound) -> None:
        shift = float(isinstance(bound, NWJ))
        assert float(bound.value(torch.full((3, 7, 7), shift))) == pytest.approx(0, abs=1e-6)

    @pytest.mark.parametrize("bound", [DonskerVaradhan(), NWJ()], ids=lambda bound: type(bound).__name__)
    def test_from_the_definition(self, bound: Bound) -> None:
        scores = torch.randn(2, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        joint = [float(scores[b, i, i]) for b in range(2) for i in range(5)]
        product = [math.exp(scores[b, i, j]) for b in range(2) for i in range(5) for j in range(5) if i != j]
        second = (
            math.log(np.mean(product)) if isinstance(bound, DonskerVaradhan) else np.mean(product) / math.e
        )
        assert float(bound.value(scores)) == pytest.approx(np.mean(joint) - second)

    def test_infonce_is_at_most_log_m(self) -> None:
        perfect = 1e4 * torch.eye(8)[None]
        assert float(InfoNCE().value(perfect)) == pytest.approx(math.log(8))

    def test_smile_clips_the_product_alone(self) -> None:
        scores = torch.full((1, 4, 4), 20.0)
        assert float(SMILE().value(scores)) == pytest.approx(15)

    def test_mine_corrects_the_gradient_by_its_average(self) -> None:
        generator = torch.Generator().manual_seed(0)
        first, second = (torch.randn(1, 6, 6, generator=generator, requires_grad=True) for _ in range(2))
        mine, plain = MINE(), DonskerVaradhan()
        (gradient,) = torch.autograd.grad(mine.loss(first), first)
        (uncorrected,) = torch.autograd.grad(plain.loss(first), first)
        torch.testing.assert_close(gradient, uncorrected)
        (gradient,) = torch.autograd.grad(mine.loss(second), second)
        off = ~torch.eye(6, dtype=torch.bool)
        average = 0.99 * first[0, off].exp().mean() + 0.01 * second[0, off].exp().mean()
        torch.testing.assert_close(gradient[0, off], second[0, off].exp() / average / 30)
        torch.testing.assert_close(gradient[0].diagonal(), torch.full((6,), -1 / 6))


class TestCosineCritic:
    def test_scores_are_cosines_over_the_temperature(self) -> None:
        generator = torch.Generator().manual_seed(0)
        critic = CosineCritic(3, 2, 16, generator)
        x, y = torch.randn(2, 5, 3, generator=generator), torch.randn(2, 5, 2, generator=generator)
        scores = critic(x, y)
        assert scores.shape == (2, 5, 5)
        expected = 10 * torch.cosine_similarity(critic.of_x(x[1, 3]), critic.of_y(y[1, 4]), dim=0)
        torch.testing.assert_close(scores[1, 3, 4], expected)

    def test_the_bound_has_the_ceiling_of_the_temperature(self) -> None:
        """Scores of 1/τ on the diagonal and −1/τ off it are the best that cosines can be."""
        size, scale = 8, 10.0
        best = scale * (2 * torch.eye(size) - 1)[None]
        assert float(InfoNCE().value(best)) < min(math.log(size), 2 * scale) + 1e-6


class TestNeural:
    @pytest.mark.parametrize("each", NEURAL, ids=by_name)
    def test_near_the_truth_and_below_it(self, each: Neural) -> None:
        joint = pairs(1, 0.8)
        brief = each.model_copy(update={"steps": 300})
        values = [brief.estimate(*draw(joint, 400, seed)).mi for seed in range(2)]
        # Read on half of the points.
        error = 0.8 / math.sqrt(200 * 2)
        assert joint.mutual_information - 0.12 < np.mean(values)
        assert np.mean(values) < joint.mutual_information + FOUR_SIGMA * error

    @pytest.mark.parametrize("each", NEURAL, ids=by_name)
    def test_independent(self, each: Neural) -> None:
        brief = each.model_copy(update=SHORT)
        values = [brief.estimate(*draw(pairs(2, 0), 100, seed)).mi for seed in range(5)]
        error = np.std(values, ddof=1) / math.sqrt(len(values))
        assert np.mean(values) < FOUR_SIGMA * error
        assert np.mean(values) > -0.2

    def test_same_twice_and_apart_from_the_global_generator(self) -> None:
        x, y = draw(pairs(2, 0.5), 80)
        short = Neural(bound="mine", **SHORT)
        torch.manual_seed(1)
        before = torch.get_rng_state()
        first = short.estimate(x, y)
        assert torch.equal(torch.get_rng_state(), before)
        torch.manual_seed(2)
        assert short.estimate(x, y) == first
        assert Neural(bound="mine", seed=1, **SHORT).estimate(x, y) != first

    def test_many_points_in_blocks(self) -> None:
        x, y = draw(pairs(1, 0.8), 3001)
        assert Neural(bound="infonce", steps=200).estimate(x, y).mi == pytest.approx(0.51, abs=0.1)

    def test_ends_when_held_out_points_gain_no_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        readings = []
        monkeypatch.setattr(critics, "_cross_chosen", lambda values: readings.append(len(values)) or 0.0)
        Neural(bound="smile", reading_interval=5, patience=3, steps=5000).estimate(*draw(pairs(5, 0), 40))
        assert 4 <= readings[0] < 500

    def test_step_is_chosen_on_the_other_part(self) -> None:
        readings = np.array([[0.0, 0.0], [5.0, 1.0], [2.0, 3.0], [np.nan, np.nan]])
        assert _cross_chosen(readings) == (1.0 + 2.0) / 2

    def test_overflow(self) -> None:
        with pytest.raises(MistworksError, match="overflowed"):
            _cross_chosen(np.array([[-np.inf, 1.0], [1.0, -np.inf]]))

    def test_budget(self) -> None:
        with pytest.raises(MistworksError, match="fitted within 1e-09 s"):
            Neural(bound="nwj", budget_seconds=1e-9).estimate(*draw(pairs(1, 0.5), 40))

    def test_too_few_points(self) -> None:
        with pytest.raises(MistworksError, match=r"Expected at least 20 points .*, got 19"):
            Neural(bound="nwj").estimate(*draw(pairs(1, 0.5), 19))

    def test_least_points(self) -> None:
        assert math.isfinite(Neural(bound="nwj", **SHORT).estimate(*draw(pairs(2, 0.5), 20)).mi)

    def test_version_tells_fields_apart(self) -> None:
        assert len({Neural(bound="mine").version, Neural(bound="mine", seed=1).version}) == 2
        assert Neural(bound="mine").version == BASELINES["mine"].version


@dataclass(frozen=True)
class MeanOfX:
    """Something to resample whose bootstrap is known in closed form."""

    name: str = "mean-of-x"
    version: str = "7"
    slow: bool = False

    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        if not np.array_equal(x, y):
            raise MistworksError("x and y were to be resampled together")
        return Estimate(float(x.mean()))


class TestBootstrap:
    def test_of_a_mean(self) -> None:
        x = np.random.default_rng(0).normal(size=(200, 1)).astype(np.float32)
        estimate = Bootstrap(MeanOfX(), resamples=2000).estimate(x, x)
        assert estimate.mi == float(x.mean())
        expected = norm(x.mean(), x.std() / math.sqrt(200)).ppf([0.05, 0.5, 0.95])
        # A quantile at 0.05 of 2,000 normal draws has a standard error of 0.047 standard deviations.
        np.testing.assert_allclose(
            estimate.quantile([0.05, 0.5, 0.95]), expected, atol=4 * 0.05 * x.std() / math.sqrt(200)
        )
        assert estimate.quantiles is not None
        assert len(estimate.quantiles) == len(LEVELS)
        assert (np.diff(estimate.quantiles) >= 0).all()

    def test_same_twice(self) -> None:
        x, y = draw(pairs(1, 0.5), 60)
        bootstrap = Bootstrap(GaussianCopula())
        first = bootstrap.estimate(x, y)
        assert first == bootstrap.estimate(x, y)
        assert first.mi == GaussianCopula().estimate(x, y).mi
        assert first != Bootstrap(GaussianCopula(), seed=1).estimate(x, y)

    def test_no_nearest_neighbour_estimator_survives_it(self) -> None:
        x, y = draw(pairs(1, 0.5), 300)
        estimate = Bootstrap(KSG(), resamples=20).estimate(x, y)
        assert estimate.interval(0.95)[0] > pairs(1, 0.5).mutual_information + 0.2

    def test_names(self) -> None:
        bootstrap = Bootstrap(MeanOfX())
        assert bootstrap.name == "mean-of-x+bootstrap"
        assert bootstrap.slow
        versions = {bootstrap.version, Bootstrap(MeanOfX(), 50).version, Bootstrap(MeanOfX(), seed=1).version}
        assert len(versions) == 3
        assert all(version.startswith("7-") for version in versions)

    def test_failures(self) -> None:
        with pytest.raises(MistworksError, match=r"n > dx \+ dy"):
            Bootstrap(GaussianCopula()).estimate(*draw(pairs(4, 0.5), 8))
        with pytest.raises(
            MistworksError, match=r"^resample \d+ of 100: Expected linearly independent columns"
        ):
            Bootstrap(GaussianCopula()).estimate(*draw(pairs(4, 0.5), 10))
        with pytest.raises(MistworksError, match="at least 2 resamples, got 1"):
            Bootstrap(GaussianCopula(), resamples=1)


@pytest.fixture(scope="module")
def trained() -> Trained:
    config = SetTransformerConfig(
        hidden=4, relation_hidden=8, heads=2, feedforward=8, inducing_points=3, seeds=2, head_hidden=16
    )
    sizes = TrainingRange(n=(10, 500), dx=(2, 32), dy=(2, 32))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Trained("mist/3", Estimator(build_network(config), config, "pinball", sizes))


class TestTrained:
    def test_passes_on(self, trained: Trained) -> None:
        samples = [draw(pairs(d, 0.5), 30, d) for d in (2, 3)]
        for (x, y), many in zip(samples, trained.estimate_many(samples), strict=True):
            assert trained.estimate(x, y) == trained.estimator.estimate(x, y)
            assert many.mi == pytest.approx(trained.estimate(x, y).mi, abs=1e-5)

    def test_version_is_that_of_the_weights(self, trained: Trained) -> None:
        assert trained.name == "mist/3"
        assert not trained.slow
        assert trained.version == trained.estimator.weights_sha256[:16]

    def test_bootstrap(self, trained: Trained) -> None:
        bootstrap = Bootstrap(trained, resamples=5)
        assert bootstrap.name == "mist/3+bootstrap"
        low, high = bootstrap.estimate(*draw(pairs(2, 0.5), 30)).interval(0.9)
        assert low <= high


class TestPlugIn:
    def test_entropies_of_scikit_learn_with_the_correction(self) -> None:
        rng = np.random.default_rng(0)
        x = rng.integers(0, 7, (400, 1)).astype(np.float32)
        y = (x + rng.integers(0, 3, (400, 1)).astype(np.float32)) % 5
        states = [len(np.unique(side, axis=0)) for side in (x, y, np.hstack([x, y]))]
        correction = (states[0] + states[1] - states[2] - 1) / 800
        expected = mutual_info_score(x[:, 0], y[:, 0]) + correction
        assert PlugIn().estimate(x, y).mi == pytest.approx(expected, abs=1e-9)

    def test_a_state_is_a_whole_row(self) -> None:
        rng = np.random.default_rng(1)
        x = rng.integers(0, 3, (300, 4)).astype(np.float32)
        y = rng.integers(0, 2, (300, 2)).astype(np.float32)
        x_codes, y_codes = x @ [[1.0], [3.0], [9.0], [27.0]], y @ [[1.0], [2.0]]
        whole = PlugIn().estimate(x, y)
        assert whole.mi == pytest.approx(PlugIn().estimate(x_codes, y_codes).mi, abs=1e-12)
        assert PlugIn().estimate(np.hstack([x, -x]), y).mi == pytest.approx(whole.mi, abs=1e-12)

    def test_chao_and_shen_by_hand(self) -> None:
        """Seven species of 11 birds, four of them seen once: C = 7 / 11."""
        counts, n = np.array([3, 2, 2, 1, 1, 1, 1]), 11
        numbers = np.repeat(np.arange(7), counts)
        p = (1 - 4 / n) * counts / n
        expected = sum(-q * math.log(q) / (1 - (1 - q) ** n) for q in p.tolist())
        assert chao_shen(numbers) == pytest.approx(expected)
        assert chao_shen(np.zeros(5, dtype=np.int64)) == 0

    def test_chao_and_shen_lose_less_where_states_are_missing(self) -> None:
        rng = np.random.default_rng(0)
        drawn = [rng.integers(0, 100, 60) for _ in range(200)]
        numbers = [np.unique(each, return_inverse=True)[1] for each in drawn]
        errors = [
            abs(np.mean([h(each) for each in numbers]) - math.log(100)) for h in (chao_shen, miller_madow)
        ]
        assert errors[0] < 0.15
        assert errors[1] > 3 * errors[0]

    def test_chao_and_shen_where_every_state_is_seen_once(self) -> None:
        assert math.isfinite(chao_shen(np.arange(20)))
        assert PlugIn(correction="chao-shen").name == "plug-in-chao-shen"

    def test_nearly_unbiased_where_cells_are_full(self) -> None:
        rng = np.random.default_rng(2)
        pairs = (rng.integers(0, 4, (2, 500, 1)).astype(np.float32) for _ in range(200))
        require_mean([PlugIn().estimate(x, y).mi for x, y in pairs], 0.0)


class TestNames:
    def test_names_are_unique_and_lead_back(self) -> None:
        names = [name for group in GROUPS.values() for name in group if "+" not in name]
        assert list(BASELINES) == names
        assert all(baseline(name) is each and each.name == name for name, each in BASELINES.items())
        assert set(GROUPS["classical"]) >= {
            "prior-mean",
            "cca",
            "t-copula",
            "ksg-3",
            "ksg-5",
            "ksg-10",
            "ksg2-3",
        }
        slow = {name for name, each in BASELINES.items() if each.slow}
        assert slow == {*GROUPS["neural"], "gmm-mi"}
        others = {name for name, each in BASELINES.items() if each.unit != "nats"}
        assert others == set(GROUPS["dependence"])

    def test_bootstrap(self) -> None:
        assert baseline("ksg-5+bootstrap") == Bootstrap(KSG(neighbours=5))

    def test_groups(self) -> None:
        found = [each.name for each in baselines(["ksg-3", "classical", "neural+bootstrap", "cca"])]
        others = [name for name in GROUPS["classical"] if name != "ksg-3"]
        assert found == ["ksg-3", *others, *(f"{name}+bootstrap" for name in GROUPS["neural"])]

    @pytest.mark.parametrize("name", ["ksg", "KSG-3", "", "+bootstrap", "cca+bootstrap+bootstrap"])
    def test_unknown(self, name: str) -> None:
        with pytest.raises(MistworksError, match=r"Choose one of prior-mean, .*classical"):
            baseline(name)
        with pytest.raises(MistworksError, match="Expected the name of a baseline"):
            baselines([name])

    def test_a_group_is_not_one_baseline(self) -> None:
        with pytest.raises(MistworksError, match="got 'classical'"):
            baseline("classical")

    @pytest.mark.parametrize(
        ("config", "values"),
        [
            (KSG, {"neighbours": 0}),
            (KSG, {"algorithm": 3}),
            (Neural, {"bound": "gan"}),
            (PriorMean, {"k": 3}),
        ],
    )
    def test_bad_fields(self, config: type[Baseline], values: dict[str, Any]) -> None:
        with pytest.raises(MistworksError, match=next(iter(values))):
            config.parse(values)
