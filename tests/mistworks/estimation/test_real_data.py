"""What must hold on real tables, whatever the truth is: the data sets that come with scikit-learn."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

import mistworks

LOADERS: list[Callable[..., Any]] = [
    datasets.load_iris,
    datasets.load_wine,
    datasets.load_breast_cancer,
    datasets.load_diabetes,
    datasets.load_digits,
]


def table(load: Callable[..., Any]) -> tuple[pd.DataFrame, "pd.Series[Any]"]:
    """Up to ten columns that vary, and the target: class labels unless it is a measurement."""
    data = load(as_frame=True)
    columns = data.data.loc[:, data.data.nunique() > 5]
    chosen = columns.columns[:: -(-len(columns.columns) // 10)]
    target = data.target if load is datasets.load_diabetes else data.target.astype(str)
    return columns[chosen], target


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mistworks.MistworksWarning)
        yield


def test_a_shuffled_column_is_independent_of_the_target() -> None:
    alarms, tried = 0, 0
    for load in LOADERS:
        columns, target = table(load)
        rng = np.random.default_rng(0)
        shuffled = columns.apply(lambda column, rng=rng: rng.permutation(column.to_numpy()))
        scores = mistworks.feature_scores(shuffled, target)
        alarms += int((scores.lower > 0).sum())
        tried += len(scores)
    # At a rate of 6 % each, more than 6 of 39 are a false alarm of 1 %.
    assert tried == 39
    assert alarms <= 6


@pytest.mark.parametrize("load", LOADERS)
def test_copies_add_nothing(load: Callable[..., Any]) -> None:
    columns, target = table(load)
    pair = columns.iloc[:, :2].to_numpy(dtype=np.float64)
    copies = np.column_stack([pair, 1000 - 3 * pair[:, 0], np.arctan(pair[:, 1])])
    assert mistworks.estimate(copies, target).mi == pytest.approx(
        mistworks.estimate(pair, target).mi, abs=1e-6
    )


@pytest.mark.parametrize("load", LOADERS)
def test_monotone_maps_and_new_names_change_nothing(load: Callable[..., Any]) -> None:
    columns, target = table(load)
    ranks = columns.rank(method="dense")
    mapped = ranks.apply(lambda column: np.cbrt(column) * (-1) ** len(str(column.name)))
    renamed = target if load is datasets.load_diabetes else target.map(lambda label: f"class {label}")
    expected = mistworks.feature_scores(columns, target).scores
    np.testing.assert_allclose(mistworks.feature_scores(mapped, renamed).scores, expected, atol=1e-4)


@pytest.mark.parametrize("load", LOADERS)
def test_sides_can_be_swapped(load: Callable[..., Any]) -> None:
    columns, target = table(load)
    there, back = mistworks.estimate(columns, target), mistworks.estimate(target, columns)
    assert there.mi == pytest.approx(back.mi, abs=1e-4)


def test_no_class_is_told_beyond_its_entropy() -> None:
    for load in LOADERS[:3]:
        columns, target = table(load)
        estimate = mistworks.estimate(columns, target)
        shares = target.value_counts(normalize=True)
        assert estimate.mi <= -(shares * np.log(shares)).sum() + 0.02
