"""Statistics of permutation tests, by hand."""

import numpy as np
import pytest

from mistworks.estimation.estimate import LEVELS, Estimate
from mistworks.permutation.statistics import larger, means, p_value, squared_correlations

RNG = np.random.default_rng(0)


def test_the_mean_is_that_of_the_quantiles_or_the_point() -> None:
    assert means([Estimate(3.0, tuple(LEVELS)), Estimate(0.25)]) == pytest.approx([0.5, 0.25], abs=1e-3)


def test_correlations_are_those_of_numpy() -> None:
    x, y = RNG.standard_normal((2, 40)), RNG.standard_normal((3, 40))
    groups = [np.arange(15), np.arange(15, 40)]
    expected = 0.0
    for rows in groups:
        correlations = np.corrcoef(x[:, rows], y[:, rows])[:2, 2:]
        expected += len(rows) / 40 * (correlations**2).sum() / 2
    assert squared_correlations(x, y, groups) == pytest.approx(expected)


def test_a_constant_column_correlates_with_nothing() -> None:
    x = np.full((1, 40), 0.1)
    assert squared_correlations(x, RNG.standard_normal((1, 40)), [np.arange(40)]) == 0


def test_the_larger_is_in_units_of_deviations() -> None:
    first, second = np.array([3.0, 0, 0, 0]), np.array([0.0, 0, 0, 400])
    expected = np.array([np.sqrt(3), -1 / np.sqrt(3), -1 / np.sqrt(3), np.sqrt(3)])
    np.testing.assert_allclose(larger(first, second), expected)
    np.testing.assert_allclose(larger(first, 1e-9 * second), np.maximum((first - 0.75) / first.std(), 0))


def test_ties_count_for_the_hypothesis() -> None:
    assert p_value(np.array([1.0, 0, 0, 0])) == 1 / 4
    assert p_value(np.array([1.0, 1 - 1e-7, 2, 0])) == 3 / 4
    assert p_value(np.zeros(10)) == 1
