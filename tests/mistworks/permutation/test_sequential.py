"""Sequential tests: against loops written out, their exact validity, and Benjamini and Hochberg's way."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import false_discovery_control

from mistworks.permutation.sequential import (
    SequentialTests,
    constant_boundary,
    falling_boundary,
    sequential_test,
    significant,
)

Boundary = Callable[[int], np.ndarray]


@pytest.mark.parametrize("boundary", [constant_boundary, falling_boundary])
def test_boundaries_never_rise_and_stay_above_0(boundary: Boundary) -> None:
    for permutations in (1, 19, 199, 5_000):
        values = boundary(permutations)
        assert len(values) == permutations + 1
        assert values.min() >= 1
        assert (np.diff(values) <= 0).all()


def test_the_falling_boundary_is_8_at_first_and_1_in_the_end() -> None:
    values = falling_boundary(2_000)
    assert (values[:31] == 8).all()
    assert values[120] == 4
    assert values[480] == 2
    assert (values[1_920:] == 1).all()


@given(
    arrays(np.bool_, st.tuples(st.integers(1, 4), st.integers(1, 60))),
    st.integers(1, 7),
    st.sampled_from([constant_boundary, falling_boundary]),
)
@settings(deadline=None, max_examples=100)
def test_it_is_a_loop_written_out_whatever_the_batches(
    exceeds: np.ndarray, batch: int, boundary: Boundary
) -> None:
    count, most = exceeds.shape
    b = boundary(most)
    tests = SequentialTests(count, b)
    for start in range(0, most, batch):
        left = np.flatnonzero(~tests.stopped)
        if len(left):
            tests.add(left, exceeds[left, start : start + batch])
    assert tests.p_values() == pytest.approx([by_hand(row, b) for row in exceeds])


def by_hand(exceeds: np.ndarray, b: np.ndarray) -> float:
    larger = 0
    for draw, each in enumerate(exceeds.tolist(), 1):
        larger += each
        if larger >= b[draw]:
            return float(min(1, b[draw - 1] / draw))
    return (1 + larger) / (1 + len(exceeds))


@pytest.mark.parametrize("boundary", [constant_boundary, falling_boundary])
@pytest.mark.parametrize("most", [1, 10, 150, 2_500])
def test_p_values_are_valid_exactly(boundary: Boundary, most: int) -> None:
    # Without ties, draw t + 1 is at least as large as observed with probability (1 + L) / (t + 2) given the
    # first t draws (the urn of Pólya). That gives the distribution of p without a simulation.
    b = boundary(most)
    alive = {0: 1.0}
    masses: dict[float, float] = {}
    for draw in range(1, most + 1):
        onward: dict[int, float] = {}
        for larger, mass in alive.items():
            up = (1 + larger) / (draw + 1)
            for to, share in ((larger + 1, up), (larger, 1 - up)):
                if to >= b[draw]:
                    p = min(1.0, b[draw - 1] / draw)
                    masses[p] = masses.get(p, 0.0) + mass * share
                else:
                    onward[to] = onward.get(to, 0.0) + mass * share
        alive = onward
    for larger, mass in alive.items():
        masses[(1 + larger) / (1 + most)] = masses.get((1 + larger) / (1 + most), 0.0) + mass
    p = np.array(sorted(masses))
    below = np.cumsum([masses[each] for each in p])
    assert below[-1] == pytest.approx(1)
    # P(p ≤ α) = α at every p that occurs.
    assert below == pytest.approx(p, rel=1e-9)


@given(arrays(np.bool_, st.tuples(st.integers(1, 4), st.integers(1, 60))), st.integers(1, 5))
@settings(deadline=None, max_examples=50)
def test_p_values_only_fall_and_stay_above_what_they_can_become(exceeds: np.ndarray, batch: int) -> None:
    tests = SequentialTests(len(exceeds), falling_boundary(exceeds.shape[1]))
    before, least = tests.p_values(), tests.least_p_values()
    for start in range(0, exceeds.shape[1], batch):
        left = np.flatnonzero(~tests.stopped)
        if not len(left):
            break
        tests.add(left, exceeds[left, start : start + batch])
        now, could = tests.p_values(), tests.least_p_values()
        assert (now <= before + 1e-12).all()
        assert (could >= least - 1e-12).all()
        assert (could <= now + 1e-12).all()
        before, least = now, could


@given(
    arrays(np.float64, st.integers(0, 30), elements=st.floats(0.001, 1) | st.just(np.nan)),
    st.sampled_from([0.01, 0.05, 0.2]),
)
def test_rejections_are_those_of_scipy(p: np.ndarray, fdr: float) -> None:
    tested = ~np.isnan(p)
    expected = np.zeros(len(p), dtype=bool)
    if tested.any():
        adjusted = false_discovery_control(p[tested])
        close = np.abs(adjusted - fdr) < 1e-9
        expected[tested] = adjusted <= fdr
        got = significant(p, fdr)[tested]
        assert ((got == expected[tested]) | close).all()
    assert not significant(p, fdr)[~tested].any()


def drawing(*values: float) -> Callable[[int], np.ndarray]:
    """Draws these values in order, then zeros with some spread."""
    left = list(values) + [0.01, -0.01] * 500
    return lambda count: np.array([left.pop(0) for _ in range(count)])


class TestOneAtALevel:
    def test_it_gives_up_after_two_that_reach_the_observed_statistic(self) -> None:
        test = sequential_test(1.0, drawing(0.0, 1.5, 0.0, 1.0, 2.0), 0.05)
        assert (test.p_value, test.permutations, test.significant) == (2 / 4, 4, False)

    def test_it_stops_early_far_above_all_others(self) -> None:
        test = sequential_test(1.0, drawing(), 0.05)
        assert (test.p_value, test.permutations, test.significant) == (1 / 20, 19, True)

    def test_it_goes_on_where_the_first_are_not_far_below(self) -> None:
        test = sequential_test(1.0, drawing(0.9), 0.05)
        assert (test.p_value, test.permutations, test.significant) == (1 / 40, 39, True)

    def test_one_that_reaches_it_leaves_it_significant(self) -> None:
        test = sequential_test(1.0, drawing(1.0), 0.05)
        assert (test.p_value, test.permutations, test.significant) == (2 / 40, 39, True)

    def test_rounding_counts_as_reached(self) -> None:
        assert sequential_test(1.0, drawing(1 - 1e-7, 1 - 1e-7), 0.05).p_value == 1

    @pytest.mark.parametrize(("alpha", "most"), [(0.05, 39), (0.04, 49), (0.01, 199), (0.5, 3)])
    def test_the_level_says_how_many_are_drawn(self, alpha: float, most: int) -> None:
        test = sequential_test(0.02, drawing(0.03), alpha)
        assert (test.permutations, test.significant) == (most, True)
        assert test.p_value == pytest.approx(alpha)


@pytest.mark.parametrize("alpha", [0.04, 0.2])
@pytest.mark.parametrize("draw", ["standard_normal", "standard_exponential"])
def test_it_keeps_its_level_under_the_null_hypothesis(alpha: float, draw: str) -> None:
    """5,000 tests; a right one exceeds the bound with probability below 0.002."""
    rng = np.random.default_rng(0)
    statistics = getattr(rng, draw)
    rejected = sum(
        sequential_test(float(statistics()), lambda count: statistics(count), alpha).significant
        for _ in range(5_000)
    )
    assert rejected / 5_000 < alpha + 3 * np.sqrt(alpha * (1 - alpha) / 5_000)
    assert rejected / 5_000 > alpha - 4 * np.sqrt(alpha * (1 - alpha) / 5_000)
