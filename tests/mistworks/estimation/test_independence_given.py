"""The test of independence given Z: its level under confounding, its power, classes, bad input."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from mistworks import IndependenceTest, independence_test
from mistworks.errors import MistworksError, MistworksWarning
from mistworks.estimation.estimate import Estimate
from tests.mistworks.estimation.test_estimator import ESTIMATOR
from tests.support.stand_ins import GaussianStandIn

# The conditional estimate says that it was calibrated with another estimator than the stand-in.
pytestmark = pytest.mark.filterwarnings("ignore::mistworks.errors.MistworksWarning")

STAND_IN = GaussianStandIn()
RNG = np.random.default_rng(1)
X, Y, Z = RNG.standard_normal((40, 2)), RNG.standard_normal((40, 1)), RNG.standard_normal((40, 1))

Draw = Callable[[np.random.Generator], tuple[Any, Any, Any]]


def fork(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    e, f, z = rng.standard_normal((3, 150))
    return z + 0.3 * e, z + 0.3 * f, z


def nonlinear(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    e, f, z = rng.standard_normal((3, 150))
    return np.sin(2 * z) + 0.3 * e, z**2 + 0.3 * f, z


def little_noise(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    e, f, z = rng.standard_normal((3, 150))
    return z + 0.01 * e, np.tanh(z) + 0.01 * f, z


def four_columns(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    e, f, *z = rng.standard_normal((6, 300))
    return sum(z) / 2 + 0.3 * e, np.tanh(sum(z)) + 0.3 * f, np.transpose(z)


def spread(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    e, f, z = rng.standard_normal((3, 150))
    return z * e, z * f, z


def classes(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    e, f = rng.standard_normal((2, 150))
    code = rng.integers(0, 4, 150)
    return 2 * code + e, code**2 + f, code.astype(str)


def mixed(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    e, f, z = rng.standard_normal((3, 150))
    code = rng.integers(0, 3, 150)
    x, y = code + z * (code - 1) + 0.3 * e, code + z**2 + 0.3 * f
    return x, y, pd.DataFrame({"code": code.astype(str), "z": z})


def binary(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    u, v = rng.random((2, 150))
    z = rng.standard_normal(150)
    odds = 1 / (1 + np.exp(-2 * z))
    return (u < odds).astype(float), (v < odds).astype(str), z


def p_values(draw: Draw, runs: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.array(
        [
            independence_test(*sample[:2], given=sample[2], permutations=19, model=STAND_IN, rng=rng).p_value
            for sample in (draw(rng) for _ in range(runs))
        ]
    )


@pytest.mark.parametrize(
    "draw", [fork, nonlinear, little_noise, four_columns, spread, classes, mixed, binary]
)
def test_false_alarms_are_about_as_rare_as_the_level_says(draw: Draw) -> None:
    # P(p ≤ 0.1) = 0.1 where the level is kept; that of a test whose level is 0.12 fails once in 1,000.
    p = p_values(draw, 30)
    assert np.sum(p <= 0.1 + 1e-9) <= binom.isf(1e-3, len(p), 0.12)


def test_without_the_condition_the_same_samples_are_dependent() -> None:
    x, y, _ = fork(np.random.default_rng(0))
    assert independence_test(x, y, permutations=99, model=STAND_IN).p_value == 1 / 100


def linear(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    e, f, z = rng.standard_normal((3, 150))
    return z + e, z + 0.5 * e + f, z


def collider(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    e, f, z = rng.standard_normal((3, 150))
    return e, f, e + f + 0.5 * z


def linear_in_little_noise(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    e, f, z = rng.standard_normal((3, 150))
    return np.sin(z) + 0.01 * e, z + 0.01 * (0.5 * e + f), z


def opposite_in_classes(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    e, f = rng.standard_normal((2, 150))
    code = rng.integers(0, 2, 150)
    return e, (2 * code - 1) * 0.6 * e + f, np.where(code, "up", "down")


@pytest.mark.parametrize("draw", [linear, linear_in_little_noise, collider, opposite_in_classes])
def test_dependence_given_z_is_found(draw: Draw) -> None:
    # Partial correlations of .45 and more at n = 150: at least 99 of 100 samples have p ≤ 0.1.
    assert np.sum(p_values(draw, 20) <= 0.1 + 1e-9) >= 18


def test_given_classes_the_level_is_exact() -> None:
    # Rows are permuted within classes, whatever the classes do: P(p ≤ 0.1) = 0.1.
    def different(rng: np.random.Generator) -> tuple[Any, Any, Any]:
        code = rng.integers(0, 3, 40)
        return rng.standard_cauchy(40) * 10.0**code + code, code + rng.exponential(size=40), code.astype(str)

    p = p_values(different, 100)
    low, high = binom.interval(1 - 1e-4, len(p), 0.1)
    assert low <= np.sum(p <= 0.1 + 1e-9) <= high


def test_nearly_functions_of_several_columns_are_said_to_be_hard() -> None:
    e, f, *z = np.random.default_rng(5).standard_normal((4, 60))
    given = np.transpose(z)
    with pytest.warns(MistworksWarning, match="x and y are both nearly functions of several columns"):
        independence_test(z[0] + 0.01 * e, z[1] + 0.01 * f, given=given, permutations=3, model=STAND_IN)
    with warnings.catch_warnings(record=True) as caught:
        independence_test(z[0] + 0.01 * e, z[1] + f, given=given, permutations=3, model=STAND_IN)
    assert not [each for each in caught if "nearly functions" in str(each.message)]


def test_x_and_y_may_change_places() -> None:
    first = independence_test(X, Y, given=Z, permutations=30, model=STAND_IN)
    second = independence_test(Y, X, given=Z, permutations=30, model=STAND_IN)
    assert first.statistic == pytest.approx(second.statistic, abs=1e-9)


def test_a_rising_map_of_x_or_y_changes_nothing() -> None:
    first = independence_test(X, Y, given=Z, permutations=30, model=STAND_IN)
    second = independence_test(np.exp(X), Y**3, given=Z, permutations=30, model=STAND_IN)
    assert second.p_value == first.p_value
    assert second.statistic == pytest.approx(first.statistic, abs=1e-6)


def test_same_input_same_answer() -> None:
    first = independence_test(X, Y, given=Z, permutations=30, model=STAND_IN)
    assert independence_test(X, Y, given=Z, permutations=30, model=STAND_IN) == first
    assert {
        independence_test(X, Y, given=Z, permutations=30, model=STAND_IN, rng=seed).p_value
        for seed in range(5)
    } != {first.p_value}


def test_the_estimator_of_the_package_is_used_on_classes_numbers_and_both() -> None:
    labels = np.where(X[:, 0] > 0, "up", "down")
    for x, y, z in ((X, Y, Z), (labels, Y, Z), (X, Y, labels), (labels, labels, pd.DataFrame({"z": labels}))):
        test = independence_test(x, y, given=z, permutations=3, model=ESTIMATOR)
        assert 0 < test.p_value <= 1
        assert test.estimate.mi >= 0


def test_what_z_determines_is_independent_of_everything() -> None:
    labels = np.where(Z[:, 0] > 0, "up", "down")
    assert independence_test(labels, Y, given=labels, permutations=30, model=STAND_IN).p_value == 1
    assert independence_test(Y, np.full(40, 2.0), given=Z, permutations=30, model=STAND_IN).p_value == 1


def test_the_result_names_its_condition() -> None:
    test = independence_test(X, Y, given=pd.DataFrame({"age": Z[:, 0]}), permutations=3, model=STAND_IN)
    assert test.given == ("age",)
    shown = IndependenceTest(0.5, 1 / 201, 200, Estimate(0.5), ("age",))
    assert str(shown) == "p = 0.00498 by 200 permutations; I(X;Y|Z) = 0.500 nats"


def test_missing_values_are_dropped_on_demand_and_classes_named() -> None:
    x = np.where(np.arange(40) < 5, np.nan, X[:, 0])
    frame = pd.DataFrame({"zip": np.arange(40) % 3})
    test = independence_test(
        x, Y, given=frame, missing="drop", classes=["zip"], permutations=9, model=STAND_IN
    )
    assert test == independence_test(
        x[5:], Y[5:], given=frame["zip"][5:].astype(str).to_numpy(), permutations=9, model=STAND_IN
    ).__class__(test.statistic, test.p_value, 9, test.estimate, ("zip",))
    assert test.estimate.n_used == 35


@pytest.mark.parametrize(
    ("z", "message"),
    [
        (Z[:30], "Expected x and given with the same number of rows, got 40 and 30"),
        (np.where(Z[3] == Z, np.nan, Z), "Expected no missing values in given, got 1"),
        (np.arange(40).astype(str), "Expected classes that several rows have in given, got 40 classes in 40"),
        (np.empty((40, 0)), "Expected given with at least one column"),
    ],
)
def test_bad_input_is_refused(z: Any, message: str) -> None:
    with pytest.raises(MistworksError, match=message):
        independence_test(X, Y, given=z, permutations=5, model=STAND_IN)
