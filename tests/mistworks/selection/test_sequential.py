"""The sequential permutation test: its answers by hand, and its level."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from mistworks.selection.sequential import sequential_test


def drawing(*values: float) -> Callable[[int], NDArray[np.float64]]:
    """Draws these values in order, then zeros with some spread."""
    left = list(values) + [0.01, -0.01] * 500
    return lambda count: np.array([left.pop(0) for _ in range(count)])


class TestAnswers:
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
