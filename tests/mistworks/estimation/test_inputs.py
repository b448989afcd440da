"""Arrays for networks over samples, and tensors for gradients."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mistworks.errors import MistworksError
from mistworks.estimation.inputs import check_pair, check_tensors

TABLE = np.random.default_rng(0).standard_normal((8, 2))


@settings(max_examples=100, deadline=None)
@given(
    values=arrays.arrays(
        np.float64,
        st.tuples(st.integers(5, 12), st.integers(1, 3)),
        elements=st.floats(allow_nan=False, allow_infinity=False),
    )
)
def test_all_finite_doubles_are_read_into_the_unit_range(values: np.ndarray) -> None:
    x, _ = check_pair(values, np.arange(len(values)))
    assert x.dtype == np.float32
    assert x.shape == values.shape
    assert np.all(np.abs(x) <= 1)
    for column in range(x.shape[1]):
        order = np.argsort(values[:, column], kind="stable")
        assert np.all(np.diff(x[order, column]) >= 0)


def test_constant_columns_are_0() -> None:
    constants = [np.full(8, value) for value in (0.0, 0.1, -1e300, 1e-300, 5e-324)]
    x, y = check_pair(np.column_stack([*constants, TABLE]), constants[1])
    np.testing.assert_array_equal(x[:, 5:], check_pair(TABLE, TABLE)[0])
    assert not x[:, :5].any()
    assert not y.any()


def test_columns_far_from_zero_keep_their_points_apart() -> None:
    column = 1e9 + np.arange(100) * 1e-3
    x, _ = check_pair(column, column)
    assert np.unique(x).size == 100


def test_class_labels_are_numbered() -> None:
    x, _ = check_pair(["a", "b", "a", "c", "b"], np.arange(5))
    assert np.unique(x).size == 3


X = torch.zeros(20, 2)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (TABLE, X, r"Expected x to be a floating-point tensor of shape \(n, d\), got a ndarray\. Convert it"),
        (X, X.long(), r"Expected y to be .* got one of type torch.int64 and shape \(20, 2\)"),
        (X[:, 0], X, r"Expected x to be .* shape \(20,\)"),
        (X / 0, X, "Expected finite numbers in x, got NaN or infinity"),
        (X[:3], X[:3], "same number of rows, from 5 to 2,000 for smooth ranks, got 3 and 3"),
        (X, X[:10], "got 20 and 10"),
        (torch.zeros(2_001, 1), torch.zeros(2_001, 1), "got 2,001 and 2,001. Pass a subset of the points"),
    ],
)
def test_tensors_without_a_gradient_are_refused(x: Any, y: Any, message: str) -> None:
    with pytest.raises(MistworksError, match=message):
        check_tensors(x, y)
