"""The strong family: information of each kind of pair by integration, and samples that keep what is sharp."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.special import log_ndtr, ndtr

from mistworks.distributions import LogUniform, SharpPair, Strong, StrongFamily
from mistworks.distributions.strong import _EDGE, PairKind, draw_pair
from mistworks.distributions.student import tail_mutual_information
from mistworks.errors import MistworksError

KINDS: list[PairKind] = ["normal", "student", "uniform", "blurred", "banded"]
Z_LIMIT = 4.9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nats", [0.05, 0.5, 2.0, 6.0, 10.0])
def test_pairs_have_the_information_asked_for(kind: PairKind, nats: float) -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        pair = draw_pair(kind, nats, rng)
        weakest = tail_mutual_information(1, 1, pair.degrees_of_freedom) + 1e-3 if kind == "student" else 0
        assert pair.information == pytest.approx(max(nats, weakest), abs=1e-6)


@pytest.mark.parametrize("sigma", [1e-4, 0.01, 0.1])
def test_information_of_a_blurred_pair_is_its_integral(sigma: float) -> None:
    def entropy(y: float) -> float:
        density = ndtr(y / sigma) - ndtr((y - 1) / sigma)
        return -density * math.log(density) if density > 0 else 0.0

    edges = [quad(entropy, -9 * sigma, 0.5, points=[-sigma, 0, sigma, 9 * sigma], limit=400)[0]] * 2
    expected = sum(edges) - 0.5 * math.log(2 * math.pi * math.e * sigma**2)
    assert SharpPair("blurred", sigma).information == pytest.approx(expected, abs=1e-5)


def test_the_edge_of_a_blurred_pair() -> None:
    assert quad(lambda t: -ndtr(t) * log_ndtr(t), -12, 12)[0] == pytest.approx(_EDGE, abs=1e-9)


@pytest.mark.parametrize("width", [0.01, 0.3, 0.5, 2.0])
def test_information_of_a_uniform_pair_is_its_integral(width: float) -> None:
    def density(y: float) -> float:
        return max(0.0, min(y + width, 1.0) - max(y - width, 0.0)) / (2 * width)

    corners = sorted({-width, width, 1 - width, 1 + width})
    expected = -math.log(2 * width) + sum(
        quad(lambda y: -density(y) * math.log(density(y)) if density(y) > 0 else 0.0, low, high)[0]
        for low, high in itertools.pairwise(corners)
    )
    assert SharpPair("uniform", width).information == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("width", [1e-3, 0.3, 2.0, 7.9, 8.1, 40.0])
def test_information_of_a_banded_pair_is_its_integral(width: float) -> None:
    def entropy(v: float) -> float:
        density = (ndtr(width - v) - ndtr(-width - v)) / (2 * width)
        return -density * math.log(density) if density > 0 else 0.0

    corners = sorted({0.0, max(0.0, width - 8), width, width + 12})
    half = sum(quad(entropy, low, high, limit=200)[0] for low, high in itertools.pairwise(corners))
    expected = 2 * half - math.log(2 * width)
    assert SharpPair("banded", width).information == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("kind", ["uniform", "blurred", "banded"])
def test_each_pair_has_what_is_drawn_for_it(kind: PairKind) -> None:
    family = StrongFamily(
        kinds=(kind,), each=LogUniform(low=0.3, high=4.0), filled=1.0, shared=0.0, mixed=0.0
    )
    assert StrongFamily.parse(family.canonical_json()) == family
    rng = np.random.default_rng(5)
    for _ in range(20):
        drawn = family.draw(4, 4, rng)
        information = [pair.information for pair in drawn.pairs]
        assert len(information) == 4
        assert 0.29 < min(information) <= max(information) < 4.01
        assert drawn.mutual_information == pytest.approx(sum(information))
        for pair in drawn.pairs:
            u, v = pair.sample(20_000, rng).T
            assert 0.2 < abs(np.corrcoef(u, v)[0, 1]) <= 1.0
    with pytest.raises(MistworksError, match="Expected each within"):
        StrongFamily.parse({"each": {"low": 0.1, "high": 11.0}})


def test_information_of_a_student_pair_is_the_mean_of_pointwise_information() -> None:
    pair = SharpPair("student", 0.3, degrees_of_freedom=3.0)
    rho, nu = math.sqrt(1 - 0.09), 3
    points = pair.sample(200_000, np.random.default_rng(1))
    joint = stats.multivariate_t(shape=[[1, rho], [rho, 1]], df=nu)
    values = joint.logpdf(points) - stats.t(nu).logpdf(points).sum(axis=1)
    assert abs(values.mean() - pair.information) < Z_LIMIT * values.std() / math.sqrt(len(values))


@pytest.mark.parametrize("seed", range(25))
def test_samples_keep_what_is_sharp(seed: int) -> None:
    """Undone in double precision, the difference of a pair is as narrow as it was drawn, to 1 %."""
    family = StrongFamily(shared=0.0)
    drawn = family.draw(3, 4, np.random.default_rng(seed))
    x, y = drawn.sample(4_000, np.random.default_rng(1))
    u, v = (
        np.linalg.solve(matrix.T, side.astype(np.float64).T).T
        for matrix, side in ((drawn.x_matrix, x), (drawn.y_matrix, y))
    )
    for place, pair in enumerate(drawn.pairs):
        # Only normal pairs without a map have a difference that is simple to undo.
        if pair.kind != "normal" or drawn.x_margins[place] or drawn.y_margins[place]:
            continue
        a, b = u[:, place], v[:, place] * (-1 if pair.negative else 1)
        residual = (b - math.sqrt(1 - pair.sharpness**2) * a) / pair.sharpness
        # The standard error of a standard deviation from 4,000 points is 1.1 %.
        assert residual.std() == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_of_ten_nats_are_apart(kind: PairKind) -> None:
    pair = draw_pair(kind, 10.0, np.random.default_rng(2))
    joint = Strong((pair,), np.zeros(1, int), np.zeros(1, int), np.eye(1), np.eye(1))
    x, y = joint.sample(2_000, np.random.default_rng(3))
    # Chance makes float32 values equal, but seldom.
    assert len(np.unique(x)) > 1_990
    assert len(np.unique(y)) > 1_990
    assert not np.array_equal(np.argsort(x[:, 0]), np.argsort(-y[:, 0] if pair.negative else y[:, 0]))


def test_a_shared_scale_makes_a_student_distribution() -> None:
    pairs = (SharpPair("normal", 0.5), SharpPair("normal", 0.1))
    joint = Strong(pairs, np.zeros(2, int), np.zeros(3, int), np.eye(2), np.eye(3), shared=4.0)
    expected = -math.log(0.5) - math.log(0.1) + tail_mutual_information(2, 3, 4.0)
    assert joint.mutual_information == pytest.approx(expected)


@pytest.mark.parametrize(("dx", "dy", "most"), [(1, 1, 10), (3, 2, 13.5), (64, 64, 60)])
def test_weak_middle_and_strong_are_all_there(dx: int, dy: int, most: float) -> None:
    family, rng = StrongFamily(shared=0.0), np.random.default_rng(4)
    values = np.array([family.draw(dx, dy, rng).mutual_information for _ in range(300)])
    assert values.max() <= most + 3.0
    for low, high in ((0.0, 0.1), (0.1, 0.4), (0.4, 0.8)):
        assert ((values >= low * most) & (values < high * most)).mean() > 0.08


@pytest.mark.parametrize(("dx", "dy"), [(1, 1), (2, 5), (64, 40)])
def test_draws_are_finite_and_reproducible(dx: int, dy: int) -> None:
    for seed in range(40):
        drawn, again = (StrongFamily().draw(dx, dy, np.random.default_rng(seed)) for _ in range(2))
        x, y = drawn.sample(50, np.random.default_rng(1))
        assert (x.shape, y.shape) == ((50, dx), (50, dy))
        assert x.dtype == y.dtype == np.float32
        assert np.isfinite(x).all()
        assert np.isfinite(y).all()
        assert np.array_equal(x, again.sample(50, np.random.default_rng(1))[0])
