"""Labels and samples of the families of the general meta-distribution against independent oracles.

Seeds are fixed. A z-test alone would fail a correct implementation with probability about 1e-6 for a fresh
seed (|z| > 4.9).
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
from pydantic import TypeAdapter, ValidationError
from scipy import stats
from scipy.special import logsumexp

from mistworks.dataset import FloatArray
from mistworks.distributions import (
    AnyFamily,
    Atoms,
    AtomsFamily,
    BinomialFamily,
    Channel,
    ChannelFamily,
    Checkerboard,
    CheckerboardFamily,
    CloudsFamily,
    CouplingFamily,
    Factor,
    Family,
    JointDistribution,
    LabelledFamily,
    LogUniform,
    Mixture,
    MixtureFamily,
    Normal,
    NormalFamily,
    Pairs,
    PairsFamily,
    RandomPairs,
    ReadoutsFamily,
    Student,
    StudentFamily,
    UniformInteger,
)
from mistworks.distributions.coordinates import MARGINS, Coordinates, draw_coordinates
from mistworks.distributions.dispersion import factor_matrix, sparse_matrix
from mistworks.distributions.mixture import mixture_label
from mistworks.distributions.monte_carlo import Label, precise_label
from mistworks.distributions.scalar_channels import DiscreteChannel, NormalChannel, draw_channel
from mistworks.distributions.scalar_functions import _KINDS as FUNCTIONS
from mistworks.distributions.tables import PATTERNS, draw_table, weaken
from mistworks.errors import MistworksError

Z_LIMIT = 4.9
Array = NDArray[np.float64]

FAMILIES: list[Family] = [
    NormalFamily(dispersion=Factor()),
    StudentFamily(dispersion=Factor()),
    NormalFamily(dispersion=RandomPairs()),
    StudentFamily(dispersion=RandomPairs()),
    CheckerboardFamily(),
    PairsFamily(),
    ChannelFamily(),
    ReadoutsFamily(),
    CloudsFamily(),
    MixtureFamily(),
    MixtureFamily(scale=LogUniform(low=0.03, high=0.15), kinds=("clusters", "latent")),
    AtomsFamily(),
    CouplingFamily(),
    BinomialFamily(),
    LabelledFamily(),
]


def name_of(family: Family) -> str:
    return family.name


def dimensions_of(family: Family, dx: int, dy: int) -> tuple[int, int]:
    return (1, 1) if isinstance(family, CheckerboardFamily) else (dx, dy)


def assert_mean_is_label(ratio: Array, joint: JointDistribution, slack: float = 1e-4) -> None:
    """A z-test of the mean of log p(x, y) − log p(x) − log p(y) on a sample of the product's own."""
    error = math.hypot(ratio.std() / math.sqrt(len(ratio)), joint.standard_error)
    assert abs(ratio.mean() - joint.mutual_information) < Z_LIMIT * error + slack


def double_sample(joint: JointDistribution, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    x, y = joint.sample(n, rng)
    return x.astype(np.float64), y.astype(np.float64)


def normal_ratio(dispersion: Array, x: Array, y: Array) -> Array:
    """log p(x, y) − log p(x) − log p(y) of a centred normal distribution, from scipy."""
    dx = x.shape[1]
    both = stats.multivariate_normal.logpdf(np.hstack([x, y]), cov=dispersion)
    of_x = stats.multivariate_normal.logpdf(x, cov=dispersion[:dx, :dx])
    return np.asarray(both - of_x - stats.multivariate_normal.logpdf(y, cov=dispersion[dx:, dx:]))


# --- All families -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES, ids=name_of)
@pytest.mark.parametrize("wanted", [(1, 1), (1, 6), (7, 1), (3, 3), (12, 20)])
def test_samples_are_float32_blocks_of_the_dimensions(family: Family, wanted: tuple[int, int]) -> None:
    dx, dy = dimensions_of(family, *wanted)
    rng = np.random.default_rng(1)
    for _ in range(20):
        joint = family.draw(dx, dy, rng)
        assert (joint.dx, joint.dy) == (dx, dy)
        for block, size in zip(joint.sample(50, rng), (dx, dy), strict=True):
            assert block.shape == (50, size)
            assert block.dtype == np.float32
            assert block.flags.c_contiguous
            assert block.flags.owndata
            assert np.isfinite(block).all()


@pytest.mark.parametrize("family", FAMILIES, ids=name_of)
def test_labels_are_finite_and_precise(family: Family) -> None:
    rng = np.random.default_rng(2)
    labels = []
    for dx, dy in [(1, 1), (2, 1), (3, 5), (10, 10)]:
        for _ in range(50):
            joint = family.draw(*dimensions_of(family, dx, dy), rng)
            assert 0 <= joint.mutual_information < np.inf
            assert 0 <= joint.standard_error < 0.01
            labels.append(joint.mutual_information)
    assert len(set(labels)) > 100
    assert np.median(labels) < 2
    assert max(labels) > 0.5


@pytest.mark.parametrize("family", FAMILIES, ids=name_of)
def test_draws_are_functions_of_the_generator(family: Family) -> None:
    dx, dy = dimensions_of(family, 3, 2)

    def draw(seed: int) -> tuple[float, float, bytes, bytes]:
        rng = np.random.default_rng(seed)
        joint = family.draw(dx, dy, rng)
        x, y = joint.sample(40, np.random.default_rng(seed))
        return joint.mutual_information, joint.standard_error, x.tobytes(), y.tobytes()

    for seed in range(10):
        assert draw(seed) == draw(seed)
    assert draw(0)[2:] != draw(1)[2:]


@pytest.mark.parametrize("family", FAMILIES, ids=name_of)
def test_families_survive_json(family: Family) -> None:
    adapter: TypeAdapter[Family] = TypeAdapter(AnyFamily)
    assert adapter.validate_json(family.canonical_json()) == family


@pytest.mark.parametrize("family", FAMILIES, ids=name_of)
def test_empty_blocks_are_refused(family: Family) -> None:
    with pytest.raises(MistworksError, match="≥ 1, got 0"):
        family.require_dimensions(0, 1)


def test_checkerboards_of_more_coordinates_are_refused() -> None:
    with pytest.raises(MistworksError, match=r"Expected dx = dy = 1 .*, got dx = 2, dy = 1"):
        CheckerboardFamily().draw(2, 1, np.random.default_rng())


def test_priors_out_of_range_are_refused() -> None:
    makers: list[Callable[[], object]] = [
        lambda: Factor(loading=LogUniform(low=1, high=11)),
        lambda: RandomPairs(information=LogUniform(low=1, high=6)),
        lambda: CheckerboardFamily(signal=LogUniform(low=0.1, high=1.5)),
        lambda: ChannelFamily(noise=LogUniform(low=0.001, high=1)),
        lambda: MixtureFamily(scale=LogUniform(low=0.001, high=1)),
    ]
    for make in makers:
        with pytest.raises(ValidationError, match=r"Expected .* within \["):
            make()
    with pytest.raises(ValidationError, match="greater than 0"):
        LogUniform(low=0, high=1)
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        Factor(independent=1.5)
    with pytest.raises(MistworksError, match="Expected dimension of normal-2pair ≥ 2, got 1"):
        PairsFamily.parse('{"kinds": [{"family": "normal", "dispersion": {"structure": "2pair"}}]}')


def test_log_uniform_has_a_uniform_logarithm() -> None:
    rng = np.random.default_rng(3)
    values = np.log([LogUniform(low=0.1, high=10).draw(rng) for _ in range(2_000)])
    assert stats.kstest(values, stats.uniform(math.log(0.1), math.log(100)).cdf).pvalue > 1e-6


# --- Dispersion matrices ----------------------------------------------------------------------------------


@given(
    structure=st.sampled_from([Factor(), RandomPairs()]),
    dx=st.integers(1, 40),
    dy=st.integers(1, 40),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=150, deadline=None)
def test_dispersion_is_a_correlation_matrix(
    structure: Factor | RandomPairs, dx: int, dy: int, seed: int
) -> None:
    matrix = structure.draw(dx, dy, np.random.default_rng(seed))
    assert matrix.shape == (dx + dy, dx + dy)
    assert np.array_equal(matrix, matrix.T)
    np.testing.assert_allclose(matrix.diagonal(), 1, rtol=1e-14)
    assert np.linalg.eigvalsh(matrix)[0] > 0


@pytest.mark.parametrize("structure", [Factor(), RandomPairs()], ids=lambda structure: structure.structure)
@pytest.mark.parametrize("student", [False, True])
def test_elliptical_information_equals_mean_log_density_ratio(
    structure: Factor | RandomPairs, student: bool
) -> None:
    rng = np.random.default_rng(4)
    for dx, dy in [(1, 1), (2, 5), (4, 3)]:
        matrix = structure.draw(dx, dy, rng)
        joint = Student(matrix, dx, 2.5) if student else Normal(matrix, dx)
        x, y = double_sample(joint, 50_000, rng)
        logpdf: Any = stats.multivariate_t.logpdf if student else stats.multivariate_normal.logpdf
        extra = {"df": 2.5} if student else {}
        whole = logpdf(np.hstack([x, y]), None, matrix, **extra)
        of_x = logpdf(x, None, matrix[:dx, :dx], **extra)
        of_y = logpdf(y, None, matrix[dx:, dx:], **extra)
        assert_mean_is_label(whole - of_x - of_y, joint)


def test_factor_coupling_reaches_from_none_to_all() -> None:
    rng = np.random.default_rng(5)
    none = [Normal(Factor(independent=1).draw(3, 4, rng), 3).mutual_information for _ in range(50)]
    assert max(none) < 1e-12
    default = [Normal(Factor().draw(3, 4, rng), 3).mutual_information for _ in range(400)]
    assert stats.binomtest(sum(value < 1e-12 for value in default), 400, 0.1).pvalue > 1e-6
    whole = [Normal(Factor(weakest=1.0, independent=0).draw(3, 4, rng), 3) for _ in range(50)]
    # Uncoupled again, a factor model is its matrix: loadings of a single factor have rank-one cross blocks.
    ranks = {int(np.linalg.matrix_rank(joint.dispersion[:3, 3:], tol=1e-9)) for joint in whole}
    assert ranks <= {0, 1, 2, 3}
    assert len(ranks) > 1


@given(
    dx=st.integers(1, 12), dy=st.integers(1, 12), seed=st.integers(0, 2**32), mixed=st.sampled_from([0, 1])
)
@settings(max_examples=100, deadline=None)
def test_random_pairs_have_the_information_of_their_pairs(dx: int, dy: int, seed: int, mixed: float) -> None:
    """With 0.3 nats for each pair the label is 0.3 k, mixed or not."""
    prior = RandomPairs(information=LogUniform(low=0.3, high=0.3), mixed=mixed)
    joint = Normal(prior.draw(dx, dy, np.random.default_rng(seed)), dx)
    pairs = joint.mutual_information / 0.3
    assert pairs == pytest.approx(round(pairs), abs=1e-9)
    assert 0 <= round(pairs) <= min(dx, dy)


def test_random_pairs_have_correlations_of_both_signs_up_to_the_strongest() -> None:
    rng = np.random.default_rng(6)
    matrices = [RandomPairs(mixed=0).draw(4, 4, rng)[:4, 4:] for _ in range(500)]
    values = np.concatenate([matrix[matrix != 0] for matrix in matrices])
    assert 0.98 < values.max() < 0.996
    assert -0.996 < values.min() < -0.98
    assert np.abs(values).min() < 0.06


# --- Checkerboards ----------------------------------------------------------------------------------------


def cells(joint: Checkerboard, x: Array, y: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows, columns = joint.table.shape
    row = x[:, 0] if joint.x_atomic else np.floor(x[:, 0] * rows)
    column = y[:, 0] if joint.y_atomic else np.floor(y[:, 0] * columns)
    return row.astype(np.int64).clip(0, rows - 1), column.astype(np.int64).clip(0, columns - 1)


def checkerboard_ratio(joint: Checkerboard, x: Array, y: Array) -> Array:
    """Log of the joint density over the product of the histogram densities of the margins."""
    row, column = cells(joint, x, y)
    margins = joint.table.sum(axis=1)[row] * joint.table.sum(axis=0)[column]
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(joint.table[row, column]) - np.log(margins))


def test_checkerboard_information_equals_mean_log_density_ratio() -> None:
    rng = np.random.default_rng(7)
    for _ in range(60):
        joint = CheckerboardFamily().draw(1, 1, rng)
        ratio = checkerboard_ratio(joint, *double_sample(joint, 20_000, rng))
        # Rounding to float32 moves one point in 10⁵ to the cell beside it.
        assert_mean_is_label(ratio[np.isfinite(ratio)], joint, slack=2e-3)


def test_checkerboard_samples_follow_the_table() -> None:
    rng = np.random.default_rng(8)
    table = rng.dirichlet(np.ones(12)).reshape(3, 4)
    for x_atomic, y_atomic in itertools.product([False, True], repeat=2):
        joint = Checkerboard(table, x_atomic, y_atomic)
        x, y = double_sample(joint, 50_000, rng)
        counts = np.bincount(np.ravel_multi_index(cells(joint, x, y), (3, 4)), minlength=12)
        assert stats.chisquare(counts, table.ravel() * 50_000).pvalue > 1e-6
        assert stats.kstest((x[:, 0] * 3) % 1, "uniform").pvalue > 1e-6 or x_atomic
        assert len(np.unique(y)) == 4 or not y_atomic


@pytest.mark.parametrize("size", [1, 2, 5, 64])
def test_diagonal_table_has_the_entropy_of_its_cells(size: int) -> None:
    joint = Checkerboard(np.eye(size) / size)
    assert joint.mutual_information == pytest.approx(math.log(size), abs=1e-12)


def test_binary_symmetric_table_has_its_closed_form() -> None:
    q = 0.1
    table = np.array([[1 - q, q], [q, 1 - q]]) / 2
    expected = math.log(2) + q * math.log(q) + (1 - q) * math.log(1 - q)
    assert Checkerboard(table, True, True).mutual_information == pytest.approx(expected, rel=1e-12)


@given(
    pattern=st.sampled_from(PATTERNS),
    rows=st.integers(2, 64),
    columns=st.integers(2, 64),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=200, deadline=None)
def test_patterns_are_weights(pattern: Callable[..., Array], rows: int, columns: int, seed: int) -> None:
    x, y = (2 * np.arange(rows) + 1) / rows - 1, (2 * np.arange(columns) + 1) / columns - 1
    table = pattern(x[:, None], y, np.random.default_rng(seed))
    assert table.shape == (rows, columns)
    assert np.isfinite(table).all()
    assert (table >= 0).all()
    assert table.sum() > 1e-9


@given(rows=st.integers(2, 30), columns=st.integers(2, 30), seed=st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_weakening_is_a_mixture_with_an_independent_table(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = draw_table(rows, columns, rng)
    np.testing.assert_allclose(weaken(table, 1.0, rng), table, atol=1e-15)
    background = 2 * weaken(table, 0.5, rng) - table
    assert Checkerboard(np.maximum(background, 0)).mutual_information < 1e-9
    independent = weaken(table, 0.0, rng)
    np.testing.assert_allclose(independent.sum(axis=1), table.sum(axis=1), atol=1e-12)
    assert Checkerboard(independent).mutual_information < 1e-9


@pytest.mark.parametrize("table", [np.ones((2, 2)), np.array([[1.5, -0.5]]), np.ones(1), np.empty((0, 2))])
def test_bad_tables_are_refused(table: Array) -> None:
    with pytest.raises(MistworksError, match="matrix of probabilities with sum 1, got shape"):
        Checkerboard(table)


# --- Atoms ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("positive", [False, True])
def test_atoms_information_equals_mean_log_density_ratio(positive: bool) -> None:
    """Given the switches the ratio is theirs, plus that of the base where both are on."""
    rng = np.random.default_rng(9)
    for dx, dy in [(1, 1), (2, 3)]:
        for _ in range(12):
            joint = AtomsFamily(positive=positive).draw(dx, dy, rng)
            assert isinstance(joint.base, Normal)
            x, y = double_sample(joint, 20_000, rng)
            x_on, y_on = (x != 0).all(axis=1), (y != 0).all(axis=1)
            assert np.array_equal(x_on, (x != 0).any(axis=1))
            table = joint.switches
            independent = table.sum(axis=1)[x_on.astype(int)] * table.sum(axis=0)[y_on.astype(int)]
            ratio = np.log(table[x_on.astype(int), y_on.astype(int)] / independent)
            both = x_on & y_on
            base = [np.sinh(np.log(side[both])) if positive else side[both] for side in (x, y)]
            ratio[both] += normal_ratio(joint.base.dispersion, *base)
            assert_mean_is_label(ratio, joint, slack=1e-3)


def test_shared_dropout_has_its_closed_form() -> None:
    base = Normal(np.array([[1.0, 0.6], [0.6, 1.0]]), 1)
    joint = Atoms(np.array([[0.4, 0.0], [0.0, 0.6]]), base)
    entropy = -0.4 * math.log(0.4) - 0.6 * math.log(0.6)
    assert joint.mutual_information == pytest.approx(entropy - 0.3 * math.log(1 - 0.36), rel=1e-12)


def test_positive_atoms_lie_below_all_other_values() -> None:
    rng = np.random.default_rng(10)
    family = AtomsFamily(positive=1, base=StudentFamily(dispersion=Factor()))
    for _ in range(50):
        x, y = family.draw(2, 2, rng).sample(300, rng)
        assert min(x.min(), y.min()) >= 0


def test_bad_switches_are_refused() -> None:
    with pytest.raises(MistworksError, match="2 × 2 table of probabilities with sum 1"):
        Atoms(np.full((2, 2), 0.5), Normal(np.eye(2), 1))


# --- Coordinates and pairs --------------------------------------------------------------------------------


def test_coordinates_have_their_margins_and_keep_their_restrictions() -> None:
    rng = np.random.default_rng(11)
    correlation = factor_matrix(len(MARGINS), 1.0, rng)
    whole = Coordinates(np.arange(len(MARGINS)), correlation)
    values = whole.sample(20_000, rng)
    laws: dict[int, Any] = {0: stats.norm, 1: stats.uniform, 3: stats.lognorm(1)}
    for column, law in laws.items():
        assert stats.kstest(values[:, column], law.cdf).pvalue > 1e-6
    assert set(np.unique(values[:, 4])) == {-1.0, 1.0}
    assert np.array_equal(values[:, 5], np.rint(values[:, 5]))
    columns = np.array([3, 0])
    part = whole.restricted(columns).sample(20_000, rng)
    z = np.column_stack([np.log(part[:, 0]), part[:, 1]])
    expected = correlation[3, 0]
    assert abs(np.corrcoef(z.T)[0, 1] - expected) < Z_LIMIT * (1 - expected**2) / math.sqrt(20_000)


def test_pairs_information_equals_mean_log_density_ratio() -> None:
    """Normal pairs among noise of any margins: the pairs' columns, found by their places, carry all."""
    rng = np.random.default_rng(12)
    family = PairsFamily(kinds=(NormalFamily(dispersion=Factor(independent=0)),))
    for dx, dy in [(1, 1), (4, 6), (9, 3)]:
        for _ in range(5):
            joint = family.draw(dx, dy, rng)
            x, y = double_sample(joint, 20_000, rng)
            ratio = np.zeros(len(x))
            for number, pair in enumerate(joint.pairs):
                assert isinstance(pair, Normal)
                columns = joint.x_order[number], joint.y_order[number]
                ratio += normal_ratio(pair.dispersion, x[:, [columns[0]]], y[:, [columns[1]]])
            assert_mean_is_label(ratio, joint)


def test_coordinates_outside_pairs_are_independent_of_the_other_side() -> None:
    rng = np.random.default_rng(13)
    family = PairsFamily(kinds=(NormalFamily(dispersion=Factor(independent=0)),))
    joint = family.draw(6, 7, rng)
    x, y = double_sample(joint, 20_000, rng)
    cross = np.asarray(stats.spearmanr(x, y).statistic)[:6, 6:]
    paired = np.zeros((6, 7), dtype=bool)
    paired[joint.x_order[: len(joint.pairs)], joint.y_order[: len(joint.pairs)]] = True
    assert np.abs(cross[~paired]).max() < Z_LIMIT / math.sqrt(20_000)


def test_pairs_add_up() -> None:
    rng = np.random.default_rng(14)
    counts = set()
    for _ in range(100):
        joint = PairsFamily().draw(4, 8, rng)
        assert isinstance(joint, Pairs)
        counts.add(len(joint.pairs))
        total = sum(pair.mutual_information for pair in joint.pairs)
        assert joint.mutual_information == pytest.approx(total)
        assert sorted(joint.x_order) == list(range(4))
        assert len(joint.y_noise.margins) == 8 - len(joint.pairs)
    assert counts == {1, 2, 3, 4}


# --- Mixtures ---------------------------------------------------------------------------------------------


def mixture_ratio(joint: Mixture, x: Array, y: Array) -> Array:
    def log_density(values: Array, block: slice) -> Array:
        parts = []
        for weight, mean, factor in zip(joint.weights, joint.means, joint.factors, strict=True):
            covariance = (factor @ factor.T)[block, block]
            parts.append(np.log(weight) + stats.multivariate_normal.logpdf(values, mean[block], covariance))
        return np.asarray(logsumexp(parts, axis=0))

    dx = joint.dx
    whole = log_density(np.hstack([x, y]), slice(None))
    return whole - log_density(x, slice(dx)) - log_density(y, slice(dx, None))


@pytest.mark.parametrize("kind", ["_clusters", "_latent", "_volatility", "_switching"])
def test_mixture_information_equals_mean_log_density_ratio(kind: str) -> None:
    rng = np.random.default_rng(15)
    for (dx, dy), _ in itertools.product([(1, 1), (2, 3), (6, 4)], range(6)):
        means, factors = getattr(MixtureFamily(), kind)(3, dx, dy, rng)
        weights = np.array([0.5, 0.3, 0.2])
        joint = Mixture(weights, means, factors, dx, mixture_label(weights, means, factors, dx, rng))
        assert_mean_is_label(mixture_ratio(joint, *double_sample(joint, 20_000, rng)), joint)


def test_tight_mixtures_equal_mean_log_density_ratio() -> None:
    rng = np.random.default_rng(15)
    family = MixtureFamily(
        components=UniformInteger(low=12, high=24),
        scale=LogUniform(low=0.02, high=0.1),
        kinds=("clusters", "latent"),
    )
    for dx, dy in [(1, 1), (2, 1), (5, 4)]:
        for _ in range(4):
            joint = family.draw(dx, dy, rng)
            # The slack is for float32, a thousandth of the narrowest cluster.
            assert_mean_is_label(mixture_ratio(joint, *double_sample(joint, 10_000, rng)), joint, slack=2e-3)


def test_mixtures_are_of_the_kinds_asked_for() -> None:
    rng = np.random.default_rng(16)
    assert not {"scale", "kinds"} & set(MixtureFamily().model_dump())
    for _ in range(10):
        assert not MixtureFamily(kinds=("volatility", "switching")).draw(2, 2, rng).means.any()
        joint = MixtureFamily(kinds=("latent",)).draw(2, 3, rng)
        assert not (joint.factors @ joint.factors.transpose(0, 2, 1))[:, :2, 2:].round(12).any()
    with pytest.raises(MistworksError, match="'clusters', 'latent', 'volatility' or 'switching'"):
        MixtureFamily.parse({"kinds": ["tight"]})


def test_mixture_of_one_component_is_exact() -> None:
    matrix = sparse_matrix(3, 2, 2, 1.5)
    factors = np.linalg.cholesky(matrix)[None]
    label = mixture_label(np.ones(1), np.ones((1, 5)), factors, 3, np.random.default_rng(16))
    assert label.mutual_information == pytest.approx(Normal(matrix, 3).mutual_information, abs=1e-9)
    assert label.standard_error == pytest.approx(0, abs=1e-9)


def test_clusters_far_apart_have_the_entropy_of_their_weights() -> None:
    weights = np.array([0.5, 0.25, 0.25])
    means = 100.0 * np.arange(3)[:, None] * np.ones(2)
    label = mixture_label(weights, means, np.stack([np.eye(2)] * 3), 1, np.random.default_rng(17))
    assert label.mutual_information == pytest.approx(1.5 * math.log(2), abs=1e-6)


def test_mixture_samples_come_in_random_order() -> None:
    weights, means = np.array([0.5, 0.5]), np.array([[-9.0, -9.0], [9.0, 9.0]])
    joint = Mixture(weights, means, np.stack([np.eye(2)] * 2), 1, Label(math.log(2), 0.0))
    x, _ = joint.sample(1_000, np.random.default_rng(18))
    changes = int((np.diff(np.sign(x[:, 0])) != 0).sum())
    assert 400 < changes < 600


# --- Channels ---------------------------------------------------------------------------------------------


def channel_ratio(joint: Channel, n: int, rng: np.random.Generator) -> Array:
    """log p(y | g) − log p(y) by direct sums over the inputs of another sample."""
    x, y = joint.sample(n, rng)
    read, reads = (y, x) if joint.swapped else (x, y)
    g = joint.readout(read).astype(np.float64)
    other = joint.readout(joint.source.sample(4_000, rng)).astype(np.float64)
    output = reads[:, joint.place].astype(np.float64)
    channel = joint.channel
    if isinstance(channel, DiscreteChannel):
        value = output.astype(np.int64)
        given, margin = channel.probabilities(g), channel.probabilities(other).mean(axis=0)
        return np.log(given[np.arange(n), value]) - np.log(margin[value])
    assert isinstance(channel, NormalChannel)

    def scale(inputs: Array) -> Array:
        return channel.scales[np.minimum((np.abs(inputs) / 0.75).astype(int), len(channel.scales) - 1)]

    given = stats.norm.logpdf(output, g, scale(g))
    return given - logsumexp(stats.norm.logpdf(output[:, None], other, scale(other)), axis=1) + np.log(4_000)


def test_channel_information_equals_mean_log_density_ratio() -> None:
    """The direct sums over 4,000 inputs are biased by a few thousandths of a nat at narrow noise."""
    rng = np.random.default_rng(19)
    family = ChannelFamily(noise=LogUniform(low=0.1, high=3.0))
    for dx, dy in [(1, 1), (3, 2), (5, 5)]:
        for _ in range(12):
            joint = family.draw(dx, dy, rng)
            assert_mean_is_label(channel_ratio(joint, 2_000, rng), joint, slack=0.012)


@pytest.mark.parametrize("scale", [0.02, 0.1, 0.5, 3.0, 40.0])
def test_normal_channel_of_normal_input_has_its_closed_form(scale: float) -> None:
    g = 0.5 * stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    label = NormalChannel(np.array([scale])).label(g.astype(np.float32))
    assert label.mutual_information == pytest.approx(0.5 * math.log1p(0.25 / scale**2), abs=2e-4)


def test_normal_channel_of_binary_input_equals_numerical_integral() -> None:
    scale = 0.7
    y = np.linspace(-8, 8, 20_001)
    density = 0.5 * stats.norm.pdf(y, -1, scale) + 0.5 * stats.norm.pdf(y, 1, scale)
    expected = -np.trapezoid(density * np.log(density), y) - stats.norm(scale=scale).entropy()
    g = np.repeat(np.float32([-1, 1]), 5_000)
    label = NormalChannel(np.array([scale])).label(g)
    assert label.mutual_information == pytest.approx(float(expected), abs=1e-3)


def test_growing_noise_equals_numerical_integral() -> None:
    """Inputs of two bands, on a grid as fine as one likes."""
    scales, g = np.array([0.3, 0.6]), np.repeat(np.float32([0.2, 1.1, -2.0]), 4_000)
    y, own = np.linspace(-8, 8, 20_001), np.array([0.3, 0.6, 0.6])
    parts = [stats.norm.pdf(y, mean, scale) for mean, scale in zip([0.2, 1.1, -2.0], own, strict=True)]
    density = np.mean(parts, axis=0)
    entropy = -np.trapezoid(density * np.log(density + 1e-300), y)
    expected = entropy - np.mean([stats.norm(scale=scale).entropy() for scale in own])
    assert NormalChannel(scales).label(g).mutual_information == pytest.approx(float(expected), abs=1e-3)


def test_decision_on_binary_input_has_its_closed_form() -> None:
    g = np.repeat(np.float32([-1, 1]), 5_000)
    channel = DiscreteChannel(
        lambda inputs: np.column_stack([0.5 - 0.4 * inputs, 0.5 + 0.4 * inputs]).clip(0, 1)
    )
    expected = math.log(2) + 0.9 * math.log(0.9) + 0.1 * math.log(0.1)
    assert channel.label(g).mutual_information == pytest.approx(expected, abs=5e-3)


def test_discrete_channels_have_probabilities_and_follow_them() -> None:
    rng = np.random.default_rng(20)
    seen = 0
    while seen < 30:
        channel = draw_channel(LogUniform(low=0.1, high=1), rng)
        if not isinstance(channel, DiscreteChannel):
            continue
        seen += 1
        given = channel.probabilities(np.linspace(-4, 4, 50))
        assert (given >= 0).all()
        np.testing.assert_allclose(given.sum(axis=1), 1, atol=1e-9)
        y = channel.sample(np.full(5_000, 0.3, dtype=np.float32), rng).astype(np.float64)
        expected = channel.probabilities(np.array([0.3]))[0]
        values = np.arange(len(expected))
        mean = float(expected @ values)
        error = math.sqrt(float(expected @ (values - mean) ** 2) / 5_000)
        assert abs(y.mean() - mean) < Z_LIMIT * error + 2e-3


@pytest.mark.parametrize("kind", FUNCTIONS, ids=lambda kind: kind.__name__)
def test_functions_read_every_margin(kind: Callable[..., Callable[[FloatArray], FloatArray]]) -> None:
    rng = np.random.default_rng(21)
    for size in [1, 2, 4]:
        values = kind(size, rng)(draw_coordinates(size, rng).sample(500, rng))
        assert values.shape == (500,)
        assert values.dtype == np.float32
        assert np.isfinite(values).all()


def test_channels_go_both_ways() -> None:
    rng = np.random.default_rng(22)
    swapped = [ChannelFamily().draw(2, 5, rng).swapped for _ in range(100)]
    assert 25 < sum(swapped) < 75
    for way in (0.0, 1.0):
        joint = ChannelFamily(swapped=way).draw(2, 5, rng)
        assert (joint.dx, joint.dy) == (2, 5)
        assert len(joint.source.margins) == (5 if way else 2)


# --- Monte Carlo ------------------------------------------------------------------------------------------


def test_points_are_added_until_the_label_is_precise() -> None:
    asked: list[int] = []

    def draw(n: int) -> Array:
        asked.append(n)
        return np.zeros(n)

    label = precise_label(draw, lambda points: Label(0.0, 0.5 / math.sqrt(len(points))), 1_000)
    # 0.5 / √2,500 is 0.01, and 3 % more standard errors are 6 % more points.
    assert asked == [1_000, 1_653]
    assert label.standard_error < 0.01


def test_points_are_bounded() -> None:
    label = precise_label(np.zeros, lambda points: Label(float(len(points)), 1.0), 1_024)
    assert label.mutual_information == 131_072
