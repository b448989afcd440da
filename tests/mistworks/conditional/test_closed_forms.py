import numpy as np
import pytest
from scipy.special import psi
from sklearn.linear_model import Ridge

from mistworks.conditional.closed_forms import (
    digamma,
    gaussian_bias,
    gaussian_conditional_information,
    joint_states,
    states_of,
    tabulate,
)
from mistworks.conditional.neighbours import block_distances, digamma_table, neighbour_information
from mistworks.conditional.reduction import Ranked, reduce
from mistworks.conditional.residuals import Regression, _Design
from mistworks.conditional.rivals import frenzel_pompe, gaussian_copula, plug_in
from mistworks.errors import MistworksError
from mistworks.preparation.prepare import half_ranks
from mistworks.preparation.reading import read_side
from mistworks.preparation.scores import scores_of_ranks
from mistworks.statistics.bias import bias

FOUR_SIGMA = 4.0


def test_digamma_is_that_of_scipy() -> None:
    values = np.geomspace(0.05, 1e6, 300)
    assert digamma(values) == pytest.approx(psi(values), rel=1e-10, abs=1e-11)
    assert digamma_table(50)[1:] == pytest.approx(psi(np.arange(1, 51)), abs=1e-12)


def test_gaussian_bias_is_that_of_plain_mutual_information() -> None:
    assert gaussian_bias(99, 2, 3) == pytest.approx(bias(100, 2, 3), abs=1e-10)


def test_gaussian_estimate_is_unbiased_where_x_and_y_are_independent_given_z() -> None:
    rng = np.random.default_rng(0)
    values = []
    for _ in range(800):
        z = rng.standard_normal((3, 40))
        x, y = z[:2] + rng.standard_normal((2, 40)), z[:1] + rng.standard_normal((1, 40))
        values.append(gaussian_conditional_information(np.concatenate([x, y, z]), 2, 1)[0])
    assert abs(np.mean(values)) < FOUR_SIGMA * np.std(values) / np.sqrt(800)


def test_gaussian_estimate_is_the_chain_rule_of_determinants() -> None:
    rng = np.random.default_rng(1)
    points = rng.standard_normal((5, 5)) @ rng.standard_normal((5, 2_000))
    value, first, clear = gaussian_conditional_information(points, 2, 1)
    covariance = np.cov(points)

    def log_determinant(*block: int) -> float:
        return float(np.linalg.slogdet(covariance[np.ix_(block, block)])[1])

    plain = 0.5 * (
        log_determinant(0, 1, 3, 4)
        + log_determinant(2, 3, 4)
        - log_determinant(3, 4)
        - log_determinant(0, 1, 2, 3, 4)
    )
    assert value + gaussian_bias(1_997, 2, 1) == pytest.approx(plain, abs=1e-3)
    assert first == pytest.approx(plain, abs=1e-3)
    assert clear > 10


def test_too_few_points_give_no_gaussian_estimate() -> None:
    points = np.random.default_rng(2).standard_normal((6, 7))
    assert gaussian_conditional_information(points, 2, 2) == (0.0, 0.0, 0.0)


def test_table_is_that_of_the_rival_and_of_its_definition() -> None:
    rng = np.random.default_rng(3)
    x, y, z = (rng.integers(0, k, size=300) for k in (3, 4, 2))
    table = tabulate(*(states_of(part[None].astype(np.int32)) for part in (x, y, z)))
    assert table.miller_madow == pytest.approx(plug_in(x[:, None], y[:, None], z[:, None]), abs=1e-12)
    assert table.freedom == 2 * 2 * 3
    assert table.states == (3, 4, 2, 24)
    total = 0.0
    for a, b, c in set(zip(x.tolist(), y.tolist(), z.tolist(), strict=True)):
        joint = ((x == a) & (y == b) & (z == c)).mean()
        ratio = joint * (z == c).mean() / (((x == a) & (z == c)).mean() * ((y == b) & (z == c)).mean())
        total += joint * np.log(ratio)
    assert table.plug_in == pytest.approx(total, abs=1e-12)
    assert table.corrected == pytest.approx(total - 12 / 600, abs=1e-12)


def test_table_is_unbiased_where_x_and_y_are_independent_given_z() -> None:
    rng = np.random.default_rng(4)
    clear = []
    for _ in range(400):
        x, y, z = (rng.integers(0, 3, size=400) for _ in range(3))
        clear.append(tabulate(x, y, z).clear)
    # About the excess of χ² over its expectation, in standard deviations.
    assert abs(np.mean(clear)) < 0.3
    assert np.std(clear) == pytest.approx(1.0, abs=0.2)


def test_joint_states_part_pairs() -> None:
    first, second = np.array([0, 0, 1, 1, 0]), np.array([0, 1, 0, 1, 0])
    states = joint_states(first, second)
    assert len(set(states.tolist())) == 4
    assert states[0] == states[4]


def test_neighbours_are_the_rival_of_frenzel_and_pompe_without_ties() -> None:
    rng = np.random.default_rng(5)
    z = rng.standard_normal((300, 2))
    x, y = z[:, :1] + rng.standard_normal((300, 1)), z[:, 1:] + rng.standard_normal((300, 1))
    scaled = [(part - part.mean(axis=0)) / part.std(axis=0) for part in (x, y, z)]
    distances = [block_distances(part.T, np.zeros(part.shape[1], bool)) for part in scaled]
    assert neighbour_information(*distances, 5) == pytest.approx(frenzel_pompe(x, y, z, 5), abs=2e-3)


def test_neighbours_count_ties_as_mesner_and_shalizi_do() -> None:
    rng = np.random.default_rng(6)
    x, y, z = (rng.integers(0, 2, size=(1, 200)).astype(float) for _ in range(3))
    distances = [block_distances(part, np.array([True])) for part in (x, y, z)]
    expected = 0.0
    for i in range(200):
        same = [part[0] == part[0, i] for part in (x, y, z)]
        joint = same[0] & same[1] & same[2]
        counts = [(same[0] & same[2]).sum(), (same[1] & same[2]).sum(), same[2].sum()]
        expected += (psi(joint.sum()) - psi(counts[0]) - psi(counts[1]) + psi(counts[2])) / 200
    assert neighbour_information(*distances, 5) == pytest.approx(expected, abs=1e-10)


def ranked(values: np.ndarray) -> Ranked:
    side = read_side(values, "z")
    return Ranked(side, half_ranks(side.values))


def test_leave_one_out_errors_are_those_of_fits_without_the_point() -> None:
    rng = np.random.default_rng(7)
    features, target = rng.standard_normal((40, 3)), rng.standard_normal((40, 1))
    design = _Design(features)
    errors = design.errors(target)[2]
    # The shortcut centres with the point; for a ridge of a part in a hundred that is a small difference.
    for left_out in (0, 11, 39):
        kept = np.arange(40) != left_out
        fitted = Ridge(alpha=0.01 * 40).fit(features[kept], target[kept, 0])
        expected = target[left_out, 0] - fitted.predict(features[[left_out]])[0]
        assert errors[left_out, 0] == pytest.approx(expected, rel=0.03, abs=0.02)


@pytest.mark.parametrize("curve", [np.sin, np.square, np.abs], ids=["sine", "square", "modulus"])
def test_residuals_are_what_z_leaves(curve: np.ufunc) -> None:
    rng = np.random.default_rng(8)
    z = rng.standard_normal((1_500, 2))
    noise = rng.standard_normal(1_500)
    x = 3.0 * curve(2.0 * z[:, 0]) + noise
    rest = Regression(ranked(z)).residuals(ranked(x))
    scores = scores_of_ranks(ranked(x).ranks)[0]
    assert rest.explained[0] > 0.5
    assert np.corrcoef(rest.side.values[0], noise)[0, 1] > max(0.65, np.corrcoef(scores, noise)[0, 1] + 0.2)


def test_residuals_are_what_functions_of_several_columns_leave() -> None:
    rng = np.random.default_rng(13)
    z, noise = rng.standard_normal((1_500, 4)), rng.standard_normal(1_500)
    x = 3.0 * np.tanh(2.0 * z.sum(axis=1)) * z[:, 0] + noise
    rest = Regression(ranked(z)).with_bumps(np.arange(80)).residuals(ranked(x))
    assert rest.explained[0] > 0.6
    assert rest.bent[0] > 0.5


def test_residuals_know_what_scales_them() -> None:
    rng = np.random.default_rng(9)
    z = rng.standard_normal(2_000)
    x = rng.standard_normal(2_000) * np.exp(z)
    rest = Regression(ranked(z)).residuals(ranked(x)).side.values[0]
    halves = [np.abs(rest[part]).mean() for part in (z > 0, z <= 0)]
    assert halves[0] / halves[1] == pytest.approx(1.0, abs=0.15)


def test_residuals_of_what_z_says_nothing_of_are_the_scores() -> None:
    rng = np.random.default_rng(10)
    x, z = rng.standard_normal((2, 500))
    rest = Regression(ranked(z)).residuals(ranked(x))
    assert rest.explained[0] == 0
    assert (np.argsort(rest.side.values[0]) == np.argsort(x)).mean() > 0.99 or rest.scaled[0] > 0


def test_residuals_do_not_depend_on_monotone_maps_and_the_order_of_columns() -> None:
    rng = np.random.default_rng(11)
    z = rng.standard_normal((400, 3))
    x = z @ [1.0, -1.0, 0.0] + rng.standard_normal(400)
    one = Regression(ranked(z)).residuals(ranked(x)).side.values[0]
    mapped = np.column_stack([np.exp(z[:, 2]), -z[:, 0], z[:, 1] ** 3])
    other = Regression(ranked(mapped)).residuals(ranked(np.exp(-x))).side.values[0]
    assert other == pytest.approx(-one, abs=1e-6)


def test_reduction_leaves_out_what_carries_nothing() -> None:
    rng = np.random.default_rng(12)
    z = rng.standard_normal((200, 2))
    x = np.column_stack([rng.standard_normal(200), np.exp(z[:, 0]), z[:, 0] + z[:, 1], np.ones(200)])
    y = rng.standard_normal((200, 1))
    reduced = reduce(read_side(x, "x"), read_side(y, "y"), read_side(np.hstack([z, -z, z[:, :1] ** 3]), "z"))
    assert reduced.sizes == (1, 1, 2)
    assert np.array_equal(reduced.x.side.values[0], x[:, 0])


def test_reduction_leaves_out_classes_that_z_determines() -> None:
    rng = np.random.default_rng(13)
    bits = rng.integers(0, 2, size=(300, 3))
    parity = np.array(["even", "odd"])[bits[:, 0] ^ bits[:, 1]]
    both = reduce(read_side(parity, "x"), read_side(bits[:, 2], "y"), read_side(bits[:, :2], "z"))
    assert both.sizes == (0, 1, 2)
    one = reduce(read_side(parity, "x"), read_side(bits[:, 2], "y"), read_side(bits[:, 0], "z"))
    assert one.sizes == (1, 1, 1)


@pytest.mark.parametrize("kind", ["numbers", "classes"])
def test_some_rows_are_a_fair_part_whatever_their_order(kind: str) -> None:
    rng = np.random.default_rng(14)
    x, y, z = rng.standard_normal((3, 2_000)) if kind == "numbers" else rng.integers(0, 3, size=(3, 2_000))
    sample = reduce(*(read_side(part, "x") for part in (x, y, z)))
    rows = sample.some_rows(500)
    assert len(rows) == len(set(rows.tolist())) == 500
    assert abs(x[rows].mean() - x.mean()) < FOUR_SIGMA * x.std() / np.sqrt(500)
    order = rng.permutation(2_000)
    again = reduce(*(read_side(part[order], "x") for part in (-x, y, z))).some_rows(500)
    first, second = (np.sort(np.abs(part)) for part in (x[rows], x[order][again]))
    assert np.array_equal(first, second)


def test_gaussian_copula_is_unbiased_and_refuses_too_few_points() -> None:
    rng = np.random.default_rng(15)
    values = [gaussian_copula(*(rng.standard_normal((60, d)) for d in (2, 1, 2))) for _ in range(300)]
    assert abs(np.mean(values)) < FOUR_SIGMA * np.std(values) / np.sqrt(300)
    with pytest.raises(MistworksError, match=r"Expected more points than columns, got 5 of 2 \+ 1 \+ 2"):
        gaussian_copula(*(rng.standard_normal((5, d)) for d in (2, 1, 2)))
    with pytest.raises(MistworksError, match=r"Expected more than k = 3 points, got 3\. Lower k"):
        frenzel_pompe(*(rng.standard_normal((3, 1)) for _ in range(3)))
