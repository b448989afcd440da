"""Shifts and spacing: what autocorrelation does to a test and to an interval."""

import numpy as np
import pytest

from mistworks.errors import MistworksWarning
from mistworks.estimation.estimate import LEVELS, Estimate
from mistworks.preparation.reading import read_side
from mistworks.series.shifts import averaged_over_starts, rolled, shifts, spacing, thinned
from tests.mistworks.series.processes import autoregressive


def test_shifts_are_distinct_and_far_enough() -> None:
    drawn = shifts(500, 200, 3, np.random.default_rng(0))
    assert len(set(drawn)) == 200
    assert drawn.min() >= 10
    assert drawn.max() <= 490
    assert sorted(shifts(60, 1000, 20, np.random.default_rng(0))) == list(range(20, 41))


def test_a_shift_goes_around() -> None:
    assert np.arange(5)[rolled(5, 2)].tolist() == [3, 4, 0, 1, 2]


def test_spacing_is_that_of_bartlett() -> None:
    # (1 + φ²) / (1 − φ²) = 9.5 at φ = 0.9.
    series = [read_side(each, "x") for each in autoregressive(np.random.default_rng(0), 100_000, 0.9)]
    assert spacing(*series) in {9, 10}
    white = [read_side(each, "x") for each in np.random.default_rng(0).standard_normal((2, 1000))]
    assert spacing(*white) == 1
    assert spacing(white[0], read_side(np.arange(1000.0), "y")) == 1


def test_at_least_25_rows_are_left() -> None:
    walk = read_side(np.cumsum(np.random.default_rng(0).standard_normal(200)), "x")
    with pytest.warns(
        MistworksWarning, match=r"change so slowly .* only \d+ steps apart, and their 200 steps"
    ):
        assert spacing(walk, walk) == 8


def test_parts_cover_all_rows() -> None:
    parts = thinned(np.arange(10), 3)
    assert [part.tolist() for part in parts] == [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]]


def test_quantiles_are_averaged() -> None:
    low, high = (Estimate(mi, tuple(mi * level for level in LEVELS), n_used=40) for mi in (1.0, 2.0))
    mean = averaged_over_starts([low, high])
    assert mean.mi == 1.5
    assert mean.n_used == 40
    assert mean.quantile(0.25) == pytest.approx(1.5 * 0.25)
    assert averaged_over_starts([low]) == low
    assert averaged_over_starts([Estimate(1.0), Estimate(2.0)]) == Estimate(1.5)
