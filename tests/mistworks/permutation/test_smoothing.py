"""Regression on a condition: functions are recovered, noise is not fitted, classes give their means."""

from itertools import pairwise

import numpy as np
import pytest

from mistworks.permutation.smoothing import (
    Regression,
    Smoother,
    indicators,
    is_continuous,
    levelled,
    scored_columns,
)
from mistworks.preparation.reading import read_side
from mistworks.preparation.scores import normal_scores

RNG = np.random.default_rng(0)
Z = RNG.standard_normal((500, 2))
NOISE = RNG.standard_normal(500)


@pytest.mark.parametrize(
    ("truth", "share"),
    [
        (Z[:, 0] - Z[:, 1], 0.02),
        (np.sin(2 * Z[:, 0]), 0.06),
        (Z[:, 0] * Z[:, 1], 0.06),
    ],
)
def test_functions_of_the_condition_are_predicted(truth: np.ndarray, share: float) -> None:
    smoother = Smoother.of(scored_columns(read_side(Z, "z")).T, np.random.default_rng(1))
    prediction = smoother.fit(truth + 0.3 * NOISE).prediction + truth.mean()
    assert np.mean((prediction - truth) ** 2) < share * truth.var()


def test_noise_is_not() -> None:
    smoother = Smoother.of(scored_columns(read_side(Z, "z")).T, np.random.default_rng(1))
    assert smoother.fit(NOISE).prediction.var() < 0.2


def test_classes_are_predicted_by_their_means() -> None:
    labels = RNG.choice(["a", "b", "c"], 500)
    means = np.select([labels == "a", labels == "b"], [1.0, 2.0], 5.0)
    smoother = Smoother.of(scored_columns(read_side(labels, "z")).T, np.random.default_rng(1))
    np.testing.assert_allclose(smoother.fit(means).prediction, means - means.mean(), atol=1e-3)
    np.testing.assert_allclose(smoother.fit(means).left_of(means), 0, atol=1e-3)


def test_a_constant_condition_predicts_nothing() -> None:
    smoother = Smoother.of(scored_columns(read_side(np.zeros(500), "z")).T, np.random.default_rng(1))
    np.testing.assert_allclose(smoother.fit(NOISE).prediction, 0, atol=1e-9)


def test_rare_classes_have_no_indicator() -> None:
    codes = np.repeat(np.arange(100.0), np.arange(1, 101))
    columns = indicators(codes)
    counts = [column.sum() for column in columns]
    assert counts == [*range(100, 68, -1)]
    assert all(first @ second == 0 for first, second in pairwise(columns))


def test_numbers_are_mapped_smoothly_and_tails_are_tamed() -> None:
    mapped = levelled(np.array([NOISE, np.exp(5 * NOISE), np.repeat([0.0, 1.0], [400, 100])]))
    assert np.array_equal(np.argsort(mapped[:2], axis=1), np.argsort([NOISE, NOISE], axis=1))
    # Within a deviation of the median, by no more than a twentieth of a deviation from a line.
    near = np.abs(NOISE) < 1
    slope, level = np.polyfit(NOISE[near], mapped[0, near], 1)
    np.testing.assert_allclose(mapped[0, near], slope * NOISE[near] + level, atol=0.05)
    assert np.abs(mapped[1]).max() < 100
    # Half of the third are equal: normal scores.
    np.testing.assert_array_equal(mapped[2], normal_scores(np.repeat([0.0, 1.0], [400, 100])[None])[0])


@pytest.mark.parametrize("noise", [0.01, 0.5])
def test_values_are_regressed_where_ranks_resolve_too_little(noise: float) -> None:
    z = Z[:, 0]
    column, fit = Regression(read_side(z, "z"), np.random.default_rng(1)).least_left(z + noise * NOISE)
    left = column - column.mean() - fit.prediction
    by_ranks = np.array_equal(column, normal_scores((z + noise * NOISE)[None])[0])
    assert by_ranks == (noise > 0.1)
    # What is left is the noise.
    assert np.corrcoef(left, NOISE)[0, 1] > 0.95


def test_continuous_columns_are_told_from_tied_ones() -> None:
    assert is_continuous(NOISE)
    assert not is_continuous(np.round(NOISE))
