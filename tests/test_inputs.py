from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mistworks.errors import MistworksError
from mistworks.inputs import MAX_DIMENSIONS, check_pair, ranked_pair, without_constants

TABLE = np.random.default_rng(0).standard_normal((8, 2))


@pytest.mark.parametrize(
    "hold",
    [
        np.asarray,
        np.ndarray.tolist,
        torch.from_numpy,
        lambda table: torch.from_numpy(table).requires_grad_(),
        lambda table: pd.DataFrame(table, columns=["a", "b"]),
        lambda table: pd.DataFrame(table, columns=["a", "a"]),
        lambda table: pd.DataFrame(table).astype("Float64"),
        lambda table: pd.DataFrame(table).astype(object),
        np.asfortranarray,
        np.ma.masked_invalid,
    ],
)
def test_every_holder_of_numbers_gives_the_same(hold: Callable[[Any], Any]) -> None:
    expected_x, expected_y = check_pair(TABLE, TABLE[:, 0])
    x, y = check_pair(hold(TABLE), TABLE[:, 0])
    np.testing.assert_array_equal(x, expected_x)
    np.testing.assert_array_equal(y, expected_y)
    assert x.dtype == np.float32
    assert x.shape == (8, 2)
    assert y.shape == (8, 1)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(TABLE[:, 0], name="a"),
        TABLE[:, 0].tolist(),
        torch.from_numpy(TABLE[:, 0]),
        pd.Series(range(8)),
        pd.Series(range(8), dtype="Int64"),
        np.arange(8, dtype=np.uint8),
        np.array([True, False] * 4),
        [Fraction(k, 3) for k in range(8)],
        torch.arange(8, dtype=torch.bfloat16),
    ],
)
def test_one_axis_means_one_coordinate(column: Any) -> None:
    x, _ = check_pair(column, TABLE)
    assert x.shape == (8, 1)
    assert np.unique(x).size > 1


REFUSED: list[tuple[Any, str]] = [
    (np.zeros((0, 2)), "x has no rows; pass at least 5"),
    ([], "x has no rows"),
    (np.zeros((8, 0)), "x has no columns"),
    (pd.DataFrame(index=range(8)), "x has no columns"),
    (np.zeros((4, 2)), "x must have at least 5 rows, and 4 came"),
    (np.zeros((8, 2, 2)), r"x must have one or two axes.*\(8, 2, 2\) came; reshape"),
    (3.0, r"x must have one or two axes"),
    (None, "x must hold numbers, and None came|finite|axes"),
    (np.zeros((8, MAX_DIMENSIONS + 1)), f"x may have up to {MAX_DIMENSIONS} columns.*transpose"),
    (TABLE * 1j, "x must hold real numbers, and complex"),
    (torch.from_numpy(TABLE) * 1j, "x must hold real numbers, and complex"),
    (np.where(TABLE[3, 1] == TABLE, np.nan, TABLE), "x must hold finite numbers.* NaN in row 3, column 1"),
    (
        np.where(TABLE[2, 0] == TABLE, -np.inf, TABLE),
        "x must hold finite numbers.* infinity in row 2, column 0",
    ),
    (np.ma.masked_less(TABLE, 0), "x must hold finite numbers.* NaN"),
    (pd.Series([1, None] * 4, dtype="Int64"), "x must hold finite numbers.* NaN in row 1"),
    (pd.DataFrame({"a": range(8), "b": list("abcdefgh")}), "column 'b' of x must hold numbers"),
    (pd.DataFrame({"t": pd.date_range("2020", periods=8)}), "column 't' of x must hold numbers.*datetime64"),
    (pd.DataFrame({"c": pd.Categorical(list("abababab"))}), "column 'c' of x must hold numbers"),
    (["1.5"] * 8, "x must hold numbers"),
    (np.array(["1.5"] * 8, dtype=object), "x must hold numbers, and '1.5' came"),
    ([[1, 2], [3]] * 4, "x must be a table with rows of equal length"),
    ({"a": 1}, "x must"),
]


@pytest.mark.parametrize(("values", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_bad_input_is_refused_in_one_sentence(values: Any, message: str) -> None:
    with pytest.raises(MistworksError, match=message):
        check_pair(values, TABLE)


def test_the_faulty_side_is_named() -> None:
    with pytest.raises(MistworksError, match="y must have at least 5 rows"):
        check_pair(TABLE, TABLE[:3])


def test_different_lengths_are_refused() -> None:
    with pytest.raises(MistworksError, match="as many rows as one another, and 8 and 7 came"):
        check_pair(TABLE, TABLE[:7])


def test_decimals_are_not_silently_wrong() -> None:
    with pytest.raises(MistworksError, match="must hold numbers"):
        check_pair([Decimal(k) for k in range(8)], TABLE)


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
    assert np.all(np.abs(x) <= 1)
    for column in range(x.shape[1]):
        order = np.argsort(values[:, column], kind="stable")
        assert np.all(np.diff(x[order, column]) >= 0)


@settings(max_examples=100, deadline=None)
@given(
    values=arrays.arrays(
        np.float64,
        st.tuples(st.integers(5, 12), st.integers(1, 3)),
        elements=st.one_of(
            st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.0, -0.0, 1.0])
        ),
    )
)
def test_ranks_keep_the_order_and_the_ties_of_all_finite_doubles(values: np.ndarray) -> None:
    ranks, _ = ranked_pair(values, np.arange(len(values)))
    assert ranks.dtype == np.float32
    for column in range(values.shape[1]):
        _, expected = np.unique(values[:, column], return_inverse=True)
        np.testing.assert_array_equal(ranks[:, column], expected)


@pytest.mark.parametrize("read", [check_pair, ranked_pair])
def test_constant_columns_are_left_out(read: Callable[[Any, Any], Any]) -> None:
    constants = [np.full(8, value) for value in (0.0, 0.1, -1e300, 1e-300, 5e-324)]
    x, y = without_constants(*read(np.column_stack([*constants, TABLE]), constants[1]))
    np.testing.assert_array_equal(x, read(TABLE, TABLE)[0])
    assert y.shape == (8, 0)


def test_columns_far_from_zero_keep_their_points_apart() -> None:
    column = 1e9 + np.arange(100) * 1e-3
    x, _ = check_pair(column, column)
    assert np.unique(x).size == 100


def test_input_is_left_as_it_was() -> None:
    before = TABLE.copy()
    check_pair(TABLE, TABLE)
    np.testing.assert_array_equal(TABLE, before)
