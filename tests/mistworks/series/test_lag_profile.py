"""The lag profile: delays are found, autocorrelated series keep their level, and intervals hold the truth."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

import mistworks
from mistworks import lag_profile
from mistworks.errors import MistworksError
from tests.mistworks.series.processes import autoregressive
from tests.support.stand_ins import GaussianStandIn

STAND_IN = GaussianStandIn()
RNG = np.random.default_rng(0)
X = RNG.standard_normal(300)
Y = np.roll(np.abs(X), 4) + 0.3 * RNG.standard_normal(300)


def test_a_delay_is_found_though_the_correlation_is_flat() -> None:
    profile = lag_profile(X, Y, 6, permutations=39)
    assert profile.lags == (0, 1, 2, 3, 4, 5, 6)
    assert profile.best == 4
    assert [lag for lag, p in zip(profile.lags, profile.p_values, strict=True) if p <= 0.05] == [4]
    assert profile.p_value == profile.p_values[4] == 1 / 40
    assert profile.spacing == 1


def test_negative_lags_are_those_of_the_other_order() -> None:
    profile = lag_profile(Y, X, 5, negative=True, permutations=39, model=mistworks.shipped())
    assert profile.lags == tuple(range(-5, 6))
    assert profile.best == -4


def test_estimates_without_autocorrelation_are_those_of_the_shifted_samples() -> None:
    profile = lag_profile(X, Y, 2, permutations=5, model=STAND_IN)
    for lag, estimate in enumerate(profile.estimates):
        assert estimate == STAND_IN.estimate_many([(X[2 - lag : 300 - lag], Y[2:])])[0]


def test_autocorrelated_series_keep_their_level() -> None:
    # P(some p ≤ 0.1) is about 0.1; a test of level 0.13 fails once in 1,000.
    rng = np.random.default_rng(1)
    p = np.array(
        [
            lag_profile(*autoregressive(rng, 300, 0.9), 4, permutations=19, model=STAND_IN, rng=rng).p_value
            for _ in range(60)
        ]
    )
    assert np.sum(p <= 0.1 + 1e-9) <= binom.isf(1e-3, len(p), 0.13)


def test_intervals_of_autocorrelated_series_hold_the_truth() -> None:
    # I at lag l is that of a Gaussian pair of correlation ρ φˡ. A coverage of 80 % fails once in 1,000.
    rng = np.random.default_rng(2)
    hits = []
    for _ in range(12):
        profile = lag_profile(*autoregressive(rng, 500, 0.9, 0.6), 0, permutations=1, rng=rng)
        low, high = profile.estimates[0].interval()
        hits.append(low <= -0.5 * np.log1p(-(0.6**2)) <= high)
        assert profile.spacing > 4
    assert sum(hits) >= binom.ppf(1e-3, len(hits), 0.8)


def test_same_input_same_answer() -> None:
    first = lag_profile(X, Y, 2, permutations=9, model=STAND_IN)
    assert lag_profile(X, Y, 2, permutations=9, model=STAND_IN) == first


def test_series_of_pandas_and_several_columns_are_read() -> None:
    times = pd.date_range("2024-01-31", periods=300, freq="ME")
    expected = lag_profile(X, np.column_stack([Y, X]), 2, permutations=9, model=STAND_IN)
    frame = pd.DataFrame({"y": Y, "x": X}, index=pd.DatetimeIndex(times.to_numpy()))
    assert lag_profile(pd.Series(X, index=times), frame, 2, permutations=9, model=STAND_IN) == expected


def test_it_is_a_table_a_plot_and_a_sentence() -> None:
    profile = lag_profile(X, Y, 5, permutations=39, model=STAND_IN)
    frame = profile.to_frame()
    assert list(frame.columns) == ["mi", "lower", "upper", "p_value"]
    assert frame.index.tolist() == [0, 1, 2, 3, 4, 5]
    figure, axes = plt.subplots()
    assert profile.plot(axes) is axes
    assert axes.get_xlabel() == "lag in steps"
    plt.close(figure)
    assert repr(profile).startswith("LagProfile(lags 0 to 5, best=")
    assert str(profile).count("\n") == 6


MISSING = np.where(np.arange(300) < 3, np.nan, X)
DAYS = pd.date_range("2024-01-01", periods=300)


@pytest.mark.parametrize(
    ("x", "lags", "permutations", "message"),
    [
        (MISSING, 2, 9, "Expected a series x without missing values, got 3 in 300 rows"),
        (X[:200], 2, 9, "Expected x and y with the same number of rows, got 200 and 300"),
        (X, -1, 9, "Expected lags of at least 0, got -1"),
        (X, 280, 9, "Expected at least 50 rows beyond 280 lags, got 300 rows"),
        (X, 2, 0, "Expected at least 1 permutation, got 0"),
        (pd.Series(X, index=DAYS[::-1]), 2, 9, "Expected the times of x in order without repetition"),
        (
            pd.Series(X, index=DAYS + pd.to_timedelta(1 * (np.arange(300) == 7), unit="h")),
            2,
            9,
            "Expected evenly spaced times in x, got a step of 1 days 01:00:00 after 2024-01-07",
        ),
    ],
)
def test_bad_input_is_refused(x: Any, lags: int, permutations: int, message: str) -> None:
    with pytest.raises(MistworksError, match=message):
        lag_profile(x, Y, lags, permutations=permutations, model=STAND_IN)


def test_different_times_are_refused() -> None:
    x, y = pd.Series(X, index=DAYS), pd.Series(Y, index=DAYS + pd.Timedelta(days=1))
    with pytest.raises(MistworksError, match="Expected x and y with the same index"):
        lag_profile(x, y, 2, permutations=9, model=STAND_IN)
