"""The one question with its options together: given Z, missing values, classes, random parts."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mistworks
from benchmarks.many_points import KINDS
from mistworks import dependence
from mistworks.conditional import conditional
from mistworks.errors import MistworksError, MistworksWarning
from mistworks.networks.predictor import Predictor
from tests.mistworks.estimation.test_estimator import ESTIMATOR

RNG = np.random.default_rng(0)
N = 400
Z = RNG.standard_normal(N)
X = Z + 0.5 * RNG.standard_normal(N)
Y = Z + 0.5 * RNG.standard_normal(N)


def test_given_z_it_is_the_conditional_estimate() -> None:
    plain, given = mistworks.estimate(X, Y), mistworks.estimate(X, Y, given=Z)
    assert given == conditional(X, Y, Z)
    assert given.mi < 0.05 < plain.interval()[0]
    assert given.n_used == N


def test_rows_without_a_value_of_z_are_left_out_too() -> None:
    holes = pd.DataFrame({"z": np.where(np.arange(N) < 100, np.nan, Z)})
    dropped = mistworks.estimate(X, Y, given=holes, missing="drop")
    assert dropped == mistworks.estimate(X[100:], Y[100:], given=Z[100:])
    assert dropped.n_used == 300
    with pytest.raises(
        MistworksError, match="missing values in given, got 100 in column 'z', the first in row 0"
    ):
        mistworks.estimate(X, Y, given=holes)


def test_columns_of_z_are_classes_where_they_are_named() -> None:
    code = pd.DataFrame({"code": RNG.integers(0, 3, N)})
    named = mistworks.estimate(X, Y, given=code, classes=["code"])
    assert named.mi == pytest.approx(mistworks.estimate(X, Y, given=code.astype(str)).mi, abs=1e-6)


def test_z_is_paired_by_its_index() -> None:
    frame = pd.DataFrame({"x": X, "y": Y, "z": Z})
    order = RNG.permutation(N)
    with pytest.warns(MistworksWarning, match="x and given have the same index in a different order"):
        shuffled = mistworks.estimate(frame["x"], frame["y"], given=frame["z"].iloc[order])
    assert shuffled == mistworks.estimate(X, Y, given=Z)
    with pytest.raises(
        MistworksError, match="Expected x and given with the same number of rows, got 400 and 399"
    ):
        mistworks.estimate(X, Y, given=Z[1:])


def test_a_network_that_reads_fewer_rows_reads_a_random_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Predictor, "max_points", 100)
    with pytest.warns(
        MistworksWarning, match=r"the network \S+ uses up to 100 rows, and a random part of the 400 was used"
    ):
        first = mistworks.estimate(X, Y, ESTIMATOR, rng=1)
    with pytest.warns(MistworksWarning):
        assert mistworks.estimate(X, Y, ESTIMATOR, rng=1) == first
    assert first.n_used == 100


@pytest.mark.filterwarnings("error")
def test_of_very_many_rows_random_parts_are_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dependence, "_MOST_IN_PART", 100)
    monkeypatch.setattr(dependence, "_MOST_PARTS", 3)
    whole = mistworks.estimate(X[:300], Y[:300])
    assert whole.n_used == 300
    assert whole.quantiles is not None
    assert list(whole.quantiles) == sorted(whole.quantiles)
    assert whole.mi == pytest.approx(0.5, abs=0.3)
    assert mistworks.estimate(X, Y).n_used == 300
    assert mistworks.estimate(X, Y, rng=1) == mistworks.estimate(X, Y, rng=1) != mistworks.estimate(X, Y)
    assert mistworks.estimate(X[:100], Y[:100]) == mistworks.shipped().estimate(X[:100], Y[:100])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_truth_lies_in_the_interval_for_a_million_rows(kind: Callable[..., Any]) -> None:
    x, y, truth = kind(1_000_000, np.random.default_rng(1))
    # 99.8 % intervals: a false alarm in one of 80 sets of six, and the seed is fixed.
    low, high = mistworks.estimate(x, y).interval(0.998)
    assert low <= truth <= high


@pytest.mark.parametrize(
    ("question", "where"),
    [
        (lambda ids: mistworks.estimate(ids, X), "in column 'id' of x"),
        (lambda ids: mistworks.estimate(X, ids), "in column 'id' of y"),
        (lambda ids: mistworks.estimate(X, Y, given=ids), "in column 'id' of given"),
        (lambda ids: mistworks.estimate(X, ids.tolist()), "in y"),
        (lambda ids: mistworks.independence_test(ids, Y), "in column 'id' of x"),
        (lambda ids: mistworks.independence_test(X, Y, given=ids), "in column 'id' of given"),
        (lambda ids: mistworks.plot(ids, Y), "in column 'id' of x"),
    ],
)
def test_labels_that_number_the_rows_are_refused(question: Callable[..., Any], where: str) -> None:
    ids = pd.Series([f"u{row}" for row in range(N)], name="id")
    message = f"Expected classes that several rows have {where}, got 400 classes in 400 rows. Leave out"
    with pytest.raises(MistworksError, match=message):
        question(ids)
