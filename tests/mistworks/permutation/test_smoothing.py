"""Regression on a condition: functions are recovered, noise is not fitted, classes give their means."""

from itertools import pairwise

import numpy as np
import pytest

from mistworks.permutation.smoothing import Smoother, indicators, is_continuous, scored_columns
from mistworks.preparation.reading import read_side

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


def test_continuous_columns_are_told_from_tied_ones() -> None:
    assert is_continuous(NOISE)
    assert not is_continuous(np.round(NOISE))
