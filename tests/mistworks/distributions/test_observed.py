"""The observed family: the information that coarse readings leave, against simulation and enumeration.

Seeds are fixed. With a fresh seed each z-test would fail a correct implementation with probability about 1e-6
(|z| > 4.9).
"""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter
from scipy import stats
from scipy.special import ndtr, ndtri

from mistworks.distributions import AnyFamily, Observed, ObservedFamily
from mistworks.distributions.base import Array
from mistworks.distributions.coarsening import EXACT, Coarsening, coarse_information, draw_coarsening, joint
from mistworks.distributions.observed import Column, Side, observed_information
from mistworks.errors import MistworksError

Z_LIMIT = 4.9


def atoms(*cuts: float) -> Coarsening:
    size = len(cuts) + 1
    return Coarsening(np.array(cuts), np.ones(size, dtype=np.bool_), np.arange(size, dtype=np.float32))


def censored(*cuts: float) -> Coarsening:
    """Constant below the first cut and above the last, exact between."""
    exact = np.array([True, *[False] * (len(cuts) - 1), True])
    return Coarsening(np.array(cuts), exact, np.arange(len(cuts) + 1, dtype=np.float32))


def pointwise(rho: float, x: Coarsening, y: Coarsening, n: int, rng: np.random.Generator) -> Array:
    """log p(x, y) / (p(x) p(y)) at n points of its distribution; probabilities of pairs of atoms by SciPy."""
    s = math.sqrt(1 - rho**2)
    u = rng.standard_normal(n)
    v = rho * u + s * rng.standard_normal(n)
    x_ends, y_ends = (np.r_[-np.inf, side.cuts, np.inf] for side in (x, y))
    a, b = np.searchsorted(x.cuts, u), np.searchsorted(y.cuts, v)
    x_atom, y_atom = x.atoms[a], y.atoms[b]
    given_v = ndtr((x_ends[a + 1] - rho * v) / s) - ndtr((x_ends[a] - rho * v) / s)
    given_u = ndtr((y_ends[b + 1] - rho * u) / s) - ndtr((y_ends[b] - rho * u) / s)
    values = -math.log(s) - (u - rho * v) ** 2 / (2 * s**2) + u**2 / 2
    values = np.where(x_atom & ~y_atom, np.log(given_v / x.masses[a]), values)
    values = np.where(~x_atom & y_atom, np.log(given_u / y.masses[b]), values)
    normal = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]])
    for i, j in {(i, j) for i, j in zip(a.tolist(), b.tolist(), strict=True) if x.atoms[i] and y.atoms[j]}:
        lower, upper = [x_ends[i], y_ends[j]], [x_ends[i + 1], y_ends[j + 1]]
        mass = normal.cdf(np.minimum(upper, 12.0), lower_limit=np.maximum(lower, -12.0))
        values[(a == i) & (b == j)] = math.log(mass / (x.masses[i] * y.masses[j]))
    return values


PAIRS = {
    "bits": (atoms(0.3), atoms(-1.0)),
    "a rare bit and a median": (atoms(3.0), atoms(0.0)),
    "four and six cells": (atoms(-1.0, 0.0, 1.0), atoms(-1.5, -0.5, 0.1, 0.2, 1.4)),
    "a bit and an exact side": (atoms(0.7), EXACT),
    "five cells and an exact side": (atoms(-1.0, -0.2, 0.2, 1.0), EXACT),
    "censored below and exact": (censored(-0.5, 1.0), EXACT),
    "censored on both sides": (censored(-0.5, 0.1), censored(-1.0, 0.8)),
    "censored and cells": (censored(0.0, 1.5), atoms(-1.0, 0.5)),
}


@pytest.mark.parametrize("rho", [-0.995, -0.3, 0.1, 0.7, 0.9, 0.9995])
@pytest.mark.parametrize("name", PAIRS)
def test_information_is_the_mean_of_pointwise_information(name: str, rho: float) -> None:
    x, y = PAIRS[name]
    values = pointwise(rho, x, y, 40_000, np.random.default_rng(1))
    information = coarse_information(rho, x, y)
    assert abs(values.mean() - information) < Z_LIMIT * values.std() / 200 + 1e-6


@pytest.mark.parametrize("seed", range(40))
def test_random_coarsenings_have_the_same_information_either_way(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = draw_coarsening(rng), draw_coarsening(rng)
    rho = math.sqrt(-math.expm1(-2 * 10 ** rng.uniform(-2, 0.7)))
    forth, back = coarse_information(rho, x, y), coarse_information(rho, y, x)
    assert forth == pytest.approx(back, abs=2e-5)
    assert coarse_information(-rho, x, y.reversed) == pytest.approx(forth, abs=2e-5)
    assert 0 <= forth <= -0.5 * math.log1p(-(rho**2)) + 1e-6


@pytest.mark.parametrize("seed", range(20))
def test_the_cells_of_a_fine_grid_tell_as_much_as_what_is_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = draw_coarsening(rng)
    rho = rng.uniform(0.1, 0.95)
    fine = atoms(*ndtri(np.arange(1, 3_000) / 3_000).tolist())
    assert coarse_information(rho, x, fine) <= coarse_information(rho, x, EXACT) + 1e-5
    if x.atoms.all():
        assert coarse_information(rho, x, fine) == pytest.approx(coarse_information(rho, x, EXACT), abs=2e-3)


def test_without_coarsening_it_is_that_of_a_normal_pair() -> None:
    assert coarse_information(-0.8, EXACT, EXACT) == pytest.approx(-0.5 * math.log(0.36))
    # Two limits so far out that nothing is beyond them.
    assert coarse_information(0.8, censored(-9.0, 9.0), EXACT) == pytest.approx(
        -0.5 * math.log(0.36), abs=1e-9
    )


def test_without_correlation_it_is_zero() -> None:
    assert coarse_information(0.0, atoms(0.0), atoms(1.0)) == 0.0


@pytest.mark.parametrize("sign", [-1, 1])
def test_identical_quantities_tell_the_entropy_of_their_cells(sign: int) -> None:
    x = atoms(-1.0, 0.2, 0.7)
    entropy = float(stats.entropy(x.masses))
    same = x if sign == 1 else x.reversed
    assert coarse_information(sign, x, same) == pytest.approx(entropy)
    assert coarse_information(sign, x, EXACT) == pytest.approx(entropy)
    # −log P of the atom below; between the limits the other side knows the cell.
    half = censored(0.0, 9.0)
    assert coarse_information(1, half, atoms(0.0)) == pytest.approx(math.log(2))
    with pytest.raises(ValueError, match="both sides record exactly"):
        coarse_information(sign, EXACT, half)


def test_nearly_identical_quantities_tell_nearly_as_much() -> None:
    x = atoms(-1.0, 0.2, 0.7)
    assert coarse_information(1 - 1e-9, x, x) == pytest.approx(float(stats.entropy(x.masses)), abs=1e-3)


def test_two_views_tell_what_their_common_refinement_tells() -> None:
    assert joint([atoms(0.0), atoms(-1.0, 0.0)]).cuts.tolist() == [-1.0, 0.0]
    both = joint([atoms(0.0), censored(-1.0, 1.0)])
    assert both.cuts.tolist() == [-1.0, 0.0, 1.0]
    assert both.atoms.tolist() == [True, False, False, True]


def test_probabilities_of_intervals_are_those_of_a_sample() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        coarsening = draw_coarsening(rng)
        z = rng.standard_normal(20_000, dtype=np.float32)
        counts = np.bincount(np.searchsorted(coarsening.cuts, z), minlength=len(coarsening.atoms))
        expected = coarsening.masses * len(z)
        large = expected > 5
        chi = float(((counts - expected)[large] ** 2 / expected[large]).sum())
        assert stats.chi2.sf(chi, max(1, int(large.sum()) - 1)) > 1e-6
        assert coarsening.masses.sum() == pytest.approx(1.0)


def test_atoms_are_recorded_as_one_value_and_the_rest_as_it_is() -> None:
    z = np.linspace(-3, 3, 101, dtype=np.float32)
    recorded = censored(-1.0, 1.0)(z)
    assert np.array_equal(recorded[np.abs(z) < 1], z[np.abs(z) < 1])
    assert set(recorded[np.abs(z) > 1].tolist()) == {0.0, 2.0}


# --- The family -------------------------------------------------------------------------------------------


def side(*coarsenings: Coarsening, noise: int = 0, kept: float = 1.0) -> Side:
    columns = [Column(latent, coarsening, kept) for latent, coarsening in enumerate(coarsenings)]
    spare = [Column(len(coarsenings) + number, coarsenings[0]) for number in range(noise)]
    return Side((*columns, *spare), np.eye(noise))


def table_information(x: NDArray[Any], y: NDArray[Any]) -> float:
    """Plug-in mutual information less its bias (Miller and Madow), in nats."""
    _, a = np.unique(x, axis=0, return_inverse=True)
    _, b = np.unique(y, axis=0, return_inverse=True)
    counts = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(counts, (a.ravel(), b.ravel()), 1)
    p = counts / counts.sum()
    ratio = p / (p.sum(axis=1, keepdims=True) * p.sum(axis=0))
    information = float((p[p > 0] * np.log(ratio[p > 0])).sum())
    free = (p > 0).sum() - (p.sum(axis=1) > 0).sum() - (p.sum(axis=0) > 0).sum() + 1
    return information - float(free) / (2 * len(x))


@pytest.mark.parametrize("kept", [1.0, 0.7])
def test_samples_tell_what_the_label_says(kept: float) -> None:
    correlations = np.array([0.8, -0.5])
    x = side(atoms(-0.5, 0.5), atoms(0.0), noise=1, kept=kept)
    y = side(atoms(0.2), atoms(-1.0, 0.0, 1.0), noise=1, kept=kept)
    information = observed_information(correlations, x, y)
    sample = Observed(correlations, x, y, information).sample(200_000, np.random.default_rng(4))
    # The standard deviation of pointwise information is about its root, below 1 nat here.
    assert table_information(*sample) == pytest.approx(information, abs=Z_LIMIT / math.sqrt(200_000))
    direct = sum(
        coarse_information(rho, x.columns[i].coarsening, y.columns[i].coarsening)
        for i, rho in enumerate(correlations.tolist())
    )
    assert information == pytest.approx(direct * kept**2)


def test_a_second_view_adds_what_it_tells() -> None:
    rho = np.array([0.9])
    x = Side((Column(0, atoms(0.0)), Column(0, atoms(1.0))), np.empty((0, 0)))
    y = side(EXACT)
    expected = coarse_information(0.9, atoms(0.0, 1.0), EXACT)
    assert observed_information(rho, x, y) == pytest.approx(expected)


@pytest.mark.parametrize(("dx", "dy"), [(1, 1), (2, 5), (64, 64)])
def test_draws_are_finite_reproducible_and_bounded(dx: int, dy: int) -> None:
    family = ObservedFamily()
    independent = 0
    for seed in range(60):
        drawn = family.draw(dx, dy, np.random.default_rng(seed))
        again = family.draw(dx, dy, np.random.default_rng(seed))
        x, y = drawn.sample(50, np.random.default_rng(1))
        assert (x.shape, y.shape) == ((50, dx), (50, dy))
        assert x.dtype == y.dtype == np.float32
        assert np.isfinite(x).all()
        assert np.isfinite(y).all()
        assert 0 <= drawn.mutual_information <= 60
        assert drawn.mutual_information == again.mutual_information
        assert np.array_equal(x, again.sample(50, np.random.default_rng(1))[0])
        independent += drawn.mutual_information == 0
    assert 8 <= independent <= 32


def test_a_lone_pair_is_of_another_kind_than_what_surrounds_it() -> None:
    family = ObservedFamily(lone=1.0)
    kinds: list[bool] = []
    for seed in range(200):
        drawn = family.draw(6, 9, np.random.default_rng(seed))
        pairs = len(drawn.correlations)
        assert pairs <= 2
        for side in (drawn.x, drawn.y):
            discrete = [bool(column.coarsening.atoms.all()) for column in side.columns]
            paired = [d for d, column in zip(discrete, side.columns, strict=True) if column.latent < pairs]
            noise = [d for d, column in zip(discrete, side.columns, strict=True) if column.latent >= pairs]
            assert len(set(noise)) == 1
            assert all(d != noise[0] for d in paired)
            kinds += paired
        assert drawn.mutual_information == pytest.approx(
            observed_information(drawn.correlations, drawn.x, drawn.y)
        )
        x, y = drawn.sample(20, np.random.default_rng(1))
        assert (x.shape, y.shape) == ((20, 6), (20, 9))
    assert 0.5 < np.mean(kinds) < 0.9


def test_the_family_is_configuration() -> None:
    family = ObservedFamily(independent=0.5)
    adapter: TypeAdapter[AnyFamily] = TypeAdapter(AnyFamily)
    assert adapter.validate_json(family.canonical_json()) == family
    with pytest.raises(MistworksError, match="Expected information within"):
        ObservedFamily.parse({"information": {"low": 0.1, "high": 7.0}})
