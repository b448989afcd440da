from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import beta, dirichlet, multivariate_normal, multivariate_t, norm

from mistworks.conditional.confounded import (
    binary_information,
    draw_confounded,
    draw_curved_chain,
    draw_curved_fork,
    draw_map,
    draw_sign_collider,
    draw_wrapped_collider,
)
from mistworks.conditional.discrete import draw_discrete, draw_parity, table_conditional_information
from mistworks.conditional.functions import draw_condition, draw_function
from mistworks.conditional.law import Array, Law
from mistworks.conditional.linear import (
    Sizes,
    draw_chain,
    draw_collider,
    draw_dispersion,
    draw_fork,
    elliptical_law,
    gaussian_information,
    student_information,
)
from mistworks.conditional.mixed import draw_outcomes, draw_readings, draw_switched, draw_turned_classes
from mistworks.conditional.modulated import (
    draw_correlation,
    draw_modulated,
    draw_regimes,
    draw_shares,
    expected_information,
    shares_information,
)
from mistworks.conditional.rivals import frenzel_pompe, gaussian_copula, plug_in
from mistworks.conditional.triples import FAMILIES, FURTHER, GROUPS, WEIGHTS, draw_law, draw_triple
from mistworks.errors import MistworksError

# Statistical tests allow four standard errors, a false alarm in 16,000, at fixed seeds.
FOUR_SIGMA = 4.0

LogDensity = Callable[[NDArray[np.intp]], Callable[[Array], Array]]


def monte_carlo(log_density: LogDensity, points: Array, sizes: Sizes) -> tuple[float, float]:
    """Mean and standard error of log p(x,y,z) p(z) / (p(x,z) p(y,z)) over points."""
    x, y, z = (
        np.arange(sizes.dx),
        sizes.dx + np.arange(sizes.dy),
        sizes.dx + sizes.dy + np.arange(sizes.dz),
    )
    joint, only = log_density(np.r_[x, y, z]), log_density(z)
    values = (
        joint(points) + only(points) - log_density(np.r_[x, z])(points) - log_density(np.r_[y, z])(points)
    )
    return values.mean(), values.std() / np.sqrt(len(values))


@pytest.mark.parametrize("seed", range(4))
def test_gaussian_information_is_that_of_the_densities(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = Sizes(2, 1, 3)
    dispersion = draw_dispersion(sizes, rng)
    points = rng.multivariate_normal(np.zeros(6), dispersion, size=20_000)

    def log_density(block: NDArray[np.intp]) -> Callable[[Array], Array]:
        law = multivariate_normal(np.zeros(len(block)), dispersion[np.ix_(block, block)])
        return lambda rows: law.logpdf(rows[:, block])

    mean, error = monte_carlo(log_density, points, sizes)
    assert abs(gaussian_information(dispersion, sizes) - mean) < FOUR_SIGMA * error + 1e-9


@pytest.mark.parametrize("nu", [1.5, 4.0, 30.0])
def test_student_information_is_that_of_the_densities(nu: float) -> None:
    rng = np.random.default_rng(int(10 * nu))
    sizes = Sizes(1, 2, 2)
    dispersion = draw_dispersion(sizes, rng)
    points = multivariate_t(np.zeros(5), dispersion, df=nu, seed=rng).rvs(20_000)

    def log_density(block: NDArray[np.intp]) -> Callable[[Array], Array]:
        law = multivariate_t(np.zeros(len(block)), dispersion[np.ix_(block, block)], df=nu)
        return lambda rows: law.logpdf(rows[:, block])

    mean, error = monte_carlo(log_density, points, sizes)
    assert abs(student_information(dispersion, sizes, nu) - mean) < FOUR_SIGMA * error


def test_elliptical_law_draws_what_its_truth_is_of() -> None:
    rng = np.random.default_rng(3)
    sizes = Sizes(1, 1, 2)
    law = elliptical_law("gaussian", draw_dispersion(sizes, rng), sizes)
    x, y, z = law.sampler(100_000, rng)
    assert gaussian_copula(x, y, z) == pytest.approx(law.cmi, abs=0.01)


@pytest.mark.parametrize("draw", [draw_chain, draw_fork])
def test_linear_chains_and_forks_are_independent_given_z(
    draw: Callable[[Sizes, np.random.Generator], Law],
) -> None:
    rng = np.random.default_rng(4)
    for _ in range(10):
        law = draw(Sizes(2, 2, 3), rng)
        assert law.cmi == 0
        # 2 n I is about χ² with 4 degrees of freedom: above 25 once in 20,000.
        assert gaussian_copula(*law.sampler(20_000, rng)) < 25 / 40_000


def test_collider_has_independent_causes() -> None:
    rng = np.random.default_rng(5)
    law = draw_collider(Sizes(1, 1, 2), rng)
    x, y, z = law.sampler(50_000, rng)
    assert law.cmi > 0
    assert abs(np.corrcoef(x[:, 0], y[:, 0])[0, 1]) < FOUR_SIGMA / np.sqrt(50_000)
    assert gaussian_copula(x, y, z) == pytest.approx(law.cmi, abs=0.02)


def test_table_information_is_its_definition() -> None:
    rng = np.random.default_rng(6)
    table = rng.dirichlet(np.full(24, 0.5)).reshape(2, 3, 4)
    total = 0.0
    for i, j, k in np.ndindex(table.shape):
        p = table[i, j, k]
        z = table[:, :, k].sum()
        total += p * np.log(p * z / (table[i, :, k].sum() * table[:, j, k].sum()))
    assert table_conditional_information(table) == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_discrete_laws_have_the_information_of_many_points(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # One column a side: each state is a value.
    law = draw_discrete(Sizes(1, 1, 1), rng)
    assert plug_in(*law.sampler(200_000, rng)) == pytest.approx(law.cmi, abs=0.005)


def test_parity_has_the_information_of_a_bit_through_a_channel() -> None:
    rng = np.random.default_rng(8)
    law = draw_parity(Sizes(1, 1, 1), rng)
    x, y, z = law.sampler(100_000, rng)
    assert plug_in(x, y, z) == pytest.approx(law.cmi, abs=0.005)
    assert plug_in(x, y, np.zeros_like(z)) < 20 / 200_000
    assert binary_information(0.0) == pytest.approx(np.log(2))
    assert binary_information(0.5) == pytest.approx(0.0, abs=1e-12)


def test_wrapped_collider_is_the_limit_of_tables() -> None:
    cells, width = 60, 15
    grid = np.arange(cells)
    apart = (grid - grid[:, None, None] - grid[:, None]) % cells
    table = (apart < width) / (cells * cells * width)
    assert table_conditional_information(table) == pytest.approx(np.log(cells / width))
    law = draw_wrapped_collider(Sizes(1, 1, 1), np.random.default_rng(2))
    x, y, z = law.sampler(20_000, np.random.default_rng(3))
    apart = (z - x - y) % 1.0
    assert apart.max() == pytest.approx(np.exp(-law.cmi), rel=0.01)
    # The density of Z given X and Y is 1 / width, that given Y alone is 1.
    assert np.histogram(z, 20, (0, 1))[0].std() < FOUR_SIGMA * np.sqrt(1_000)


def test_sign_collider_is_a_table_of_signs() -> None:
    law = draw_sign_collider(Sizes(1, 1, 1), np.random.default_rng(1))
    parts = law.sampler(100_000, np.random.default_rng(2))
    assert plug_in(*(np.sign(part) for part in parts)) == pytest.approx(law.cmi, abs=0.005)


@pytest.mark.parametrize("d", [1, 2])
def test_maps_of_confounded_laws_can_be_undone(d: int) -> None:
    """The determinant of the Jacobian in a never changes its sign for a given z."""
    rng = np.random.default_rng(d)
    for _ in range(20):
        condition = draw_condition(2, rng)
        apply = draw_map(condition, d, rng)
        z = np.repeat(condition.sample(1, rng), 400, axis=0)
        a, step = rng.standard_normal((400, d)), 1e-5
        base = apply(a, z)
        jacobian = np.stack([(apply(a + step * row, z) - base) / step for row in np.eye(d)], axis=2)
        assert (np.linalg.det(jacobian) > 0).all()


def test_functions_are_centred_and_scaled() -> None:
    rng = np.random.default_rng(9)
    for _ in range(10):
        condition = draw_condition(3, rng)
        values = draw_function(condition, 2, rng)(condition.sample(20_000, rng))
        assert values.shape == (20_000, 2)
        assert (np.abs(values.mean(axis=0)) < 0.3).all()


ONE_EACH = Sizes(1, 1, 1)


@pytest.mark.parametrize("draw", [draw_curved_chain, draw_curved_fork, draw_outcomes])
def test_curved_chains_forks_and_outcomes_are_independent_given_z(
    draw: Callable[[Sizes, np.random.Generator], Law],
) -> None:
    """Within narrow slices of a Z of one column, X and Y do not depend on each other."""
    rng = np.random.default_rng(10)
    values = []
    for _ in range(8):
        law = draw(ONE_EACH, rng)
        assert law.cmi == 0
        x, y, z = law.sampler(1_000, rng)
        values.append(frenzel_pompe(x, y, z, neighbours=5))
    # The estimator's own bias in these is below .03.
    assert np.mean(values) < 0.05


@pytest.mark.parametrize("draw", [draw_confounded, draw_switched])
def test_laws_of_numbers_have_the_information_that_neighbours_see(
    draw: Callable[[Sizes, np.random.Generator], Law],
) -> None:
    rng = np.random.default_rng(11)
    laws = [draw(ONE_EACH, rng) for _ in range(9)]
    values = []
    for law in laws:
        x, y, z = law.sampler(1_200, rng)
        z = 100.0 * z if law.nominal[2] else z
        values.append(frenzel_pompe(x, y, z, neighbours=4) - law.cmi)
    assert abs(np.median(values)) < 0.05


@pytest.mark.parametrize("draw", [draw_turned_classes, draw_readings])
def test_laws_of_classes_do_not_lose_information_in_z(
    draw: Callable[[Sizes, np.random.Generator], Law],
) -> None:
    """Truths are finite and at least 0, and 0 exactly for those that are drawn independent."""
    rng = np.random.default_rng(12)
    truths = np.array([draw(ONE_EACH, rng).cmi for _ in range(60)])
    assert np.isfinite(truths).all()
    assert (truths >= 0).all()
    assert 0.1 < (truths == 0).mean() < 0.6


@pytest.mark.parametrize("alpha", [(1.0, 1.0, 1.0), (0.7, 2.0, 3.5)])
def test_shares_have_the_information_of_dirichlet_densities(alpha: tuple[float, float, float]) -> None:
    points = np.random.default_rng(14).dirichlet(alpha, size=50_000)
    a, b, c = alpha
    x, y = points[:, 0], points[:, 1]
    values = dirichlet(alpha).logpdf(points.T) - beta(a, b + c).logpdf(x) - beta(b, a + c).logpdf(y)
    assert abs(values.mean() - shares_information(*alpha)) < FOUR_SIGMA * values.std() / np.sqrt(50_000)


@pytest.mark.parametrize("seed", range(8))
def test_information_of_a_correlation_that_changes_is_a_mean_over_z(seed: int) -> None:
    rng = np.random.default_rng(seed)
    correlation = draw_correlation(rng)
    z = rng.standard_normal(200_000)
    rho = correlation(z)
    assert np.abs(rho).max() <= 0.98
    values = -0.5 * np.log1p(-np.square(rho))
    error = FOUR_SIGMA * values.std() / np.sqrt(len(z))
    assert abs(values.mean() - expected_information(correlation)) < error + 1e-4


def test_information_of_a_step_is_that_of_its_two_levels() -> None:
    step = expected_information(lambda w: np.where(w > 0.3, 0.8, 0.0))
    assert step == pytest.approx(-0.5 * np.log(1 - 0.64) * norm.sf(0.3), abs=1e-4)


@pytest.mark.parametrize("draw", [draw_modulated, draw_regimes, draw_shares])
def test_modulated_laws_have_the_information_that_neighbours_see(
    draw: Callable[[Sizes, np.random.Generator], Law],
) -> None:
    rng = np.random.default_rng(15)
    values: list[float] = []
    while len(values) < 9:
        law = draw(ONE_EACH, rng)
        if law.cmi > 0.6:
            # Neighbours are too far apart for strong dependence.
            continue
        values.append(frenzel_pompe(*law.sampler(1_200, rng), neighbours=4) - law.cmi)
    assert abs(np.median(values)) < 0.06


def test_a_class_of_few_states_given_a_class_has_the_information_of_many_points() -> None:
    rng = np.random.default_rng(13)
    for _ in range(12):
        law = draw_turned_classes(ONE_EACH, rng)
        x, y, z = law.sampler(50_000, rng)
        if len(np.unique(z)) < 30:
            assert plug_in(x, y, z) == pytest.approx(law.cmi, abs=0.01)


def test_triples_do_not_depend_on_what_is_drawn_before() -> None:
    first = draw_triple(0, "train", 7)
    draw_triple(0, "train", 8)
    again = draw_triple(0, "train", 7)
    other = draw_triple(1, "train", 7)
    for a, b in zip(first.sides, again.sides, strict=True):
        assert np.array_equal(a.values, b.values)
    assert first.cmi == again.cmi
    assert not np.array_equal(first.x.values[:, :5], other.x.values[:, :5])


def test_every_family_has_a_group_and_a_weight() -> None:
    assert {family for families in GROUPS.values() for family in families} == {*WEIGHTS, *FURTHER}
    assert set(FAMILIES) | {"blocks"} == set(WEIGHTS)


@pytest.mark.parametrize("family", [*WEIGHTS, *FURTHER])
def test_triples_of_a_family_are_finite_and_named(family: str) -> None:
    zeros = 0
    for index in range(25):
        triple = draw_triple(0, "test", index, families=[family], n=60)
        assert triple.family == family
        assert triple.cmi >= 0
        zeros += triple.cmi == 0
        for side in triple.sides:
            assert np.isfinite(side.values).all()
            assert side.shape[0] == 60
    assert zeros == 25 if family in {"chain", "fork"} else zeros < 25


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(
        MistworksError, match=r"Expected families among gaussian, .*, got spirals. Choose others"
    ):
        draw_law(np.random.default_rng(0), ["spirals"])


def test_a_law_keeps_its_truth_under_another_name() -> None:
    law = Law("a", 0.5, lambda n, rng: (np.zeros((n, 1)),) * 3)
    assert law.named("b").family == "b"
    assert law.named("b").cmi == 0.5
