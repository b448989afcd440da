"""The permutation test: by hand, its level and its power, ties, reproducibility."""

from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, kstest

import mistworks
from mistworks import IndependenceTest, independence_test, native
from mistworks.errors import MistworksError, MistworksWarning
from mistworks.estimation import many
from mistworks.estimation.estimator import Estimate
from tests.mistworks.estimation.test_estimator import ESTIMATOR, POINT_ESTIMATOR
from tests.support.stand_ins import GaussianStandIn

STAND_IN = GaussianStandIn()
RNG = np.random.default_rng(1)
X, Y = RNG.standard_normal((40, 2)), RNG.standard_normal((40, 1))


def p_value(x: Any, y: Any, permutations: int, rng: int | np.random.Generator = 0) -> float:
    return independence_test(x, y, permutations=permutations, model=STAND_IN, rng=rng).p_value


def test_the_p_value_is_that_of_a_loop_written_out() -> None:
    found = independence_test(X, Y, permutations=50, model=STAND_IN, rng=7)
    rng = np.random.default_rng(7)
    shuffled = [Y[rng.permutation(len(Y))] for _ in range(50)]
    mi = [STAND_IN.estimate_many([(X, y)])[0].mi for y in [Y, *shuffled]]
    # The stand-in's quantiles lie evenly about its estimate, so that their mean is the estimate.
    assert found.statistic == pytest.approx(mi[0], rel=1e-9)
    assert found.p_value == (1 + sum(np.array(mi[1:]) >= mi[0])) / 51
    assert found.permutations == 50
    assert found.estimate == STAND_IN.estimate_many([(X, Y)])[0]


def test_rows_of_y_move_together() -> None:
    seen: list[np.ndarray] = []

    class Watching(GaussianStandIn):
        def estimate_many(self, pairs: Any) -> list[Estimate]:
            pairs = list(pairs)
            seen.extend(np.asarray(y) for _, y in pairs)
            return super().estimate_many(pairs)

    y = np.column_stack([np.arange(40), -np.arange(40)])
    independence_test(X, y, permutations=20, model=Watching())
    assert all(np.array_equal(each[:, 0], -each[:, 1]) for each in seen)
    assert all(sorted(each[:, 0]) == list(range(40)) for each in seen)
    assert len(seen) == 21


def test_false_alarms_are_as_rare_as_the_level_says() -> None:
    # Without ties p is uniform on k/20: P(p ≤ 0.1) = 0.1. A test of a right program fails once in 10,000.
    rng = np.random.default_rng(2)
    p = np.array(
        [p_value(rng.standard_normal(20), rng.standard_cauchy(20), 19, rng=rng) for _ in range(1000)]
    )
    low, high = binom.interval(1 - 1e-4, len(p), 0.1)
    assert low <= np.sum(p <= 0.1 + 1e-9) <= high
    assert kstest(p - rng.uniform(0, 1 / 20, len(p)), "uniform").pvalue > 1e-4


def test_dependence_is_found() -> None:
    # Correlation 0.4 at n = 100: Fisher's z is 4.2 deviations, so 99 of 100 samples have p ≤ 0.05.
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(50):
        x = rng.standard_normal(100)
        y = 0.4 * x + np.sqrt(1 - 0.4**2) * rng.standard_normal(100)
        found += p_value(x, y, 99, rng=rng) <= 0.05
    assert found >= 45


def test_the_least_p_value_is_never_0() -> None:
    assert p_value(X, X, 99) == 1 / 100
    assert p_value(X, X, 1) == 1 / 2


@pytest.mark.parametrize("model", [STAND_IN, ESTIMATOR, POINT_ESTIMATOR])
def test_ties_count_for_independence(model: Any) -> None:
    found = independence_test(X, np.full(40, 3.0), permutations=30, model=model)
    assert found.p_value == 1


def test_a_median_of_0_leaves_the_mean_to_tell() -> None:
    # The median of every sample is the same; the quantiles above it are not.
    flat = GaussianStandIn(floor=100.0)
    found = independence_test(X[:, 0], X[:, 0] + 0.5 * X[:, 1], permutations=99, model=flat)
    assert found.estimate.mi == 100
    assert found.p_value == 1 / 100


def test_point_estimates_do() -> None:
    points = GaussianStandIn(points_only=True)
    found = independence_test(X, Y, permutations=30, model=points)
    assert found.statistic == found.estimate.mi
    assert found.p_value == p_value(X, Y, 30)


def test_same_input_same_answer() -> None:
    first = independence_test(X, Y, permutations=30, model=STAND_IN)
    assert independence_test(X, Y, permutations=30, model=STAND_IN) == first
    assert independence_test(X, Y, permutations=30, model=STAND_IN, rng=np.random.default_rng(0)) == first
    assert {p_value(X, Y, 30, rng=seed) for seed in range(5)} != {first.p_value}


def test_batches_are_bounded_and_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    counting = GaussianStandIn()
    first = independence_test(X, Y, permutations=30, model=counting)
    monkeypatch.setattr(many, "_PART_CELLS", 40 * 3 * 10)
    assert independence_test(X, Y, permutations=30, model=counting) == first
    assert counting.counts == [31, 10, 10, 10, 1]


def test_none_is_the_model_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "shipped", lambda: STAND_IN)
    assert independence_test(X, Y) == independence_test(X, Y, permutations=200, model=STAND_IN, rng=0)


def test_class_labels_and_frames_are_read() -> None:
    labels = np.where(X[:, 0] > 0, "up", "down")
    assert p_value(pd.DataFrame(X), labels, 99) == 1 / 100
    assert p_value(labels, pd.Series(labels, dtype="category"), 99) == 1 / 100
    assert mistworks.independence_test(labels, Y, model=ESTIMATOR, permutations=5).p_value > 0


def test_copies_of_points_are_no_dependence() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((2, 60))
    again = np.r_[np.arange(60), np.arange(40)]
    with pytest.warns(MistworksWarning, match="40 of 100 points are exact copies of others"):
        repeated = independence_test(x[again], y[again], permutations=30, model=STAND_IN)
    assert repeated == independence_test(x, y, permutations=30, model=STAND_IN)


def test_the_result_is_frozen_and_readable() -> None:
    found = IndependenceTest(0.5, 1 / 201, 200, Estimate(0.5))
    assert str(found) == "p = 0.00498 by 200 permutations; I(X;Y) = 0.500 nats"
    with pytest.raises(FrozenInstanceError):
        found.p_value = 0.5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("x", "y", "permutations", "message"),
    [
        (X, Y, 0, "Expected at least 1 permutation, got 0"),
        (X, Y[:30], 10, "same number of rows, got 40 and 30"),
        (X[:4], Y[:4], 10, "Expected x with at least 5 rows, got 4"),
        (X, np.where(Y[3] == Y, np.nan, Y), 10, "Expected no missing values in y"),
    ],
)
def test_bad_input_is_refused(x: Any, y: Any, permutations: int, message: str) -> None:
    with pytest.raises(MistworksError, match=message):
        independence_test(x, y, permutations=permutations, model=STAND_IN)


@pytest.mark.skipif(not native.available(), reason="without compiled statistics it takes minutes")
def test_faint_linear_dependence_is_found() -> None:
    found = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        x, e = rng.standard_normal((2, 300))
        test = independence_test(x, 0.2 * x + 0.98 * e, permutations=39, rng=seed)
        found += test.p_value <= 0.05
    # Found in 85 % of samples; fewer than 7 of 12 would be a false alarm of 1 %.
    assert found >= 7
