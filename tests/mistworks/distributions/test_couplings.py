"""Greedy couplings against all vertices of small transport polytopes, and against exact oracles.

Seeds are fixed.
"""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import entr

from mistworks.distributions import CouplingFamily, Labels, coupling_table, greedy_coupling
from mistworks.distributions.couplings import GREEDY_GAP
from mistworks.distributions.tables import table_information
from mistworks.errors import MistworksError

Array = NDArray[np.float64]


def shares(size: int, rng: np.random.Generator) -> Array:
    return np.asarray(rng.dirichlet(np.full(size, rng.uniform(0.3, 3.0))))


def least_entropy(p: Array, q: Array) -> float:
    """The minimum over all vertices of the polytope, where a concave function has its minimum.

    A vertex is found by filling cells in some order with as much as remains of both margins.
    """
    least = math.inf
    cells = list(itertools.product(range(len(p)), range(len(q))))
    for order in itertools.permutations(cells, len(p) + len(q) - 1):
        rows, columns, entropy = p.copy(), q.copy(), 0.0
        for row, column in order:
            mass = min(rows[row], columns[column])
            rows[row] -= mass
            columns[column] -= mass
            entropy += float(entr(mass))
        if rows.sum() < 1e-12:
            least = min(least, entropy)
    return least


@given(rows=st.integers(1, 40), columns=st.integers(1, 40), seed=st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_a_greedy_coupling_has_its_margins_in_few_cells(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, q = shares(rows, rng), shares(columns, rng)
    table = greedy_coupling(p, q)
    np.testing.assert_allclose(table.sum(axis=1), p, atol=1e-12)
    np.testing.assert_allclose(table.sum(axis=0), q, atol=1e-12)
    assert (table >= 0).all()
    assert np.count_nonzero(table) <= rows + columns - 1
    information = table_information(table)
    assert information <= min(entr(p).sum(), entr(q).sum()) + 1e-9


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (2, 3), (3, 2)])
def test_its_entropy_is_within_the_bound_of_the_minimum(rows: int, columns: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(25):
        p, q = shares(rows, rng), shares(columns, rng)
        gap = float(entr(greedy_coupling(p, q)).sum()) - least_entropy(p, q)
        assert -1e-9 <= gap <= GREEDY_GAP


def test_codes_of_deterministic_encoders_keep_their_entropy() -> None:
    """X has the probabilities (.7, .2, .1), and T merges some of its values: I(X;T) = H(T)."""
    p = np.array([0.7, 0.2, 0.1])
    codes = [p, np.array([0.7, 0.3]), np.array([0.8, 0.2]), np.array([0.9, 0.1]), np.ones(1)]
    found = [table_information(greedy_coupling(p, code)) for code in codes]
    assert found == pytest.approx([0.802, 0.611, 0.500, 0.325, 0.0], abs=5e-4)


def test_information_falls_with_independence_and_ends_at_zero() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        p, q = shares(5, rng), shares(7, rng)
        tables = [coupling_table(p, q, share) for share in np.linspace(0, 1, 9)]
        information = [table_information(table) for table in tables]
        assert np.diff(information).max() < 1e-12
        # Convex, since I is convex in the conditional distribution.
        assert np.diff(information, 2).min() > -1e-12
        assert information[-1] == pytest.approx(0.0, abs=1e-12)
        for table in tables:
            np.testing.assert_allclose(table.sum(axis=1), p, atol=1e-12)


def test_a_symmetric_coupling_has_its_closed_form() -> None:
    """(1 − λ) ½ I + λ ¼ is a binary symmetric channel with error λ/2."""
    for share in (0.1, 0.5, 0.9):
        half = np.full(2, 0.5)
        e = share / 2
        expected = math.log(2) + e * math.log(e) + (1 - e) * math.log(1 - e)
        assert table_information(coupling_table(half, half, share)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "bad", [np.empty(0), np.ones(2), np.array([1.5, -0.5]), np.array([[1.0]]), np.array([np.nan, 1.0])]
)
def test_what_is_no_distribution_is_refused(bad: Array) -> None:
    with pytest.raises(MistworksError, match="Expected a vector of probabilities with sum 1, got shape"):
        greedy_coupling(bad, np.ones(1))
    with pytest.raises(MistworksError, match="Expected a vector of probabilities with sum 1, got shape"):
        greedy_coupling(np.ones(1), bad)


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_shares_out_of_range_are_refused(share: float) -> None:
    with pytest.raises(MistworksError, match="Expected a share of independence from 0 to 1, got"):
        coupling_table(np.ones(1), np.ones(1), share)


def test_the_family_draws_couplings_mixtures_and_independence() -> None:
    rng = np.random.default_rng(2)
    drawn = [CouplingFamily().draw(2, 3, rng) for _ in range(200)]
    assert all(isinstance(joint, Labels) for joint in drawn)
    zero = sum(joint.mutual_information < 1e-9 for joint in drawn)
    sparse = sum(np.count_nonzero(joint.table) < sum(joint.table.shape) for joint in drawn)
    assert 8 <= zero <= 40
    assert 20 <= sparse <= 90
