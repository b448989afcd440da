"""Every holder of numbers and class labels is read the same, and what cannot be read is refused."""

import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mistworks.errors import MistworksError
from mistworks.preparation.reading import MAX_COLUMNS, Side, read_pair, read_side, read_table
from mistworks.preparation.table import complete

TABLE = np.random.default_rng(0).standard_normal((8, 2))
COLOURS = np.array(["red", "green", "blue", "red", "red", "blue", "green", "red"])


class TestNumbers:
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
            lambda table: pd.DataFrame(table).astype("float64[pyarrow]"),
            lambda table: pl.DataFrame(table),
            lambda table: pa.table({"a": table[:, 0], "b": table[:, 1]}),
            lambda table: pd.DataFrame(table).astype(object),
            np.asfortranarray,
            np.ma.masked_invalid,
            lambda table: read_side(table, "x"),
        ],
    )
    def test_every_holder_gives_the_same(self, hold: Callable[[Any], Any]) -> None:
        side = read_side(hold(TABLE), "x")
        np.testing.assert_array_equal(side.values, TABLE.T)
        assert not side.nominal.any()
        assert side.shape == (8, 2)

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
            pd.Series([True, False] * 4),
            [True, False] * 4,
            [Fraction(k, 3) for k in range(8)],
            [Decimal(k) / 3 for k in range(8)],
            pl.Series(range(8)),
            pl.Series([True, False] * 4),
            pl.Series([Decimal(k) for k in range(8)]),
            pa.array(range(8)),
            pa.chunked_array([[1.0, 2.0], range(6)]),
            torch.arange(8, dtype=torch.bfloat16),
            pd.Categorical(["low", "high"] * 4, categories=["low", "high"], ordered=True),
        ],
    )
    def test_one_axis_means_one_column(self, column: Any) -> None:
        side = read_side(column, "x")
        assert side.shape == (8, 1)
        assert np.unique(side.values).size > 1
        assert not side.nominal.any()

    @pytest.mark.parametrize(
        "hold", [np.asarray, list, torch.from_numpy, pd.Series, pd.DataFrame, pl.Series, pa.array]
    )
    @pytest.mark.parametrize("start", [2**53, -(2**62)])
    def test_large_integers_keep_apart(self, hold: Callable[[Any], Any], start: int) -> None:
        values = start + np.array([4, 0, 1, 3, 2, 2, 0])
        read = read_side(hold(values), "x").values
        np.testing.assert_array_equal(read - read.min(), [[4, 0, 1, 3, 2, 2, 0]])

    def test_unsigned_and_endless_integers_keep_apart(self) -> None:
        steps = np.array([4, 0, 1, 3, 2], dtype=np.uint64)
        np.testing.assert_array_equal(read_side(steps + np.uint64(2**63), "x").values, [[4, 0, 1, 3, 2]])
        endless = [2**80 + int(step) for step in steps]
        np.testing.assert_array_equal(read_side(endless, "x").values, [[4, 0, 1, 3, 2]])

    def test_large_integers_leave_other_columns_alone(self) -> None:
        table = np.array([2**60 + np.arange(5), [7, 9, 7, 8, 7]]).T
        np.testing.assert_array_equal(read_side(table, "x").values, [[0, 1, 2, 3, 4], [7, 9, 7, 8, 7]])

    def test_the_coarsest_type_gives_the_rounding(self) -> None:
        assert read_side(TABLE.astype(np.float32), "x").rounding == pytest.approx(1.2e-7, rel=0.1)
        mixed = pd.DataFrame({"a": TABLE[:, 0], "b": TABLE[:, 0].astype(np.float32)})
        assert read_side(mixed, "x").rounding == pytest.approx(1.2e-7, rel=0.1)
        assert read_side(TABLE, "x").rounding < 1e-15

    def test_input_is_left_as_it_was(self) -> None:
        before = TABLE.copy()
        read_side(TABLE, "x").values[:] = 0
        np.testing.assert_array_equal(TABLE, before)


class TestClassLabels:
    @pytest.mark.parametrize(
        "hold",
        [
            lambda labels: labels,
            np.ndarray.tolist,
            lambda labels: labels.astype(object),
            lambda labels: labels.astype("S"),
            lambda labels: labels.astype(np.dtypes.StringDType()),
            pd.Series,
            lambda labels: pd.Series(labels, dtype="string"),
            lambda labels: pd.Series(labels, dtype="category"),
            pd.Categorical,
            pl.Series,
            lambda labels: pl.Series(labels, dtype=pl.Categorical),
            pa.array,
            lambda labels: pa.array(labels).dictionary_encode(),
            lambda labels: pl.DataFrame({"colour": labels}),
            lambda labels: pd.DataFrame({"colour": labels}),
            lambda labels: labels[:, None],
            np.ma.asarray,
        ],
    )
    def test_every_holder_gives_classes(self, hold: Callable[[Any], Any]) -> None:
        side = read_side(hold(COLOURS), "y")
        assert side.shape == (8, 1)
        assert side.nominal.all()
        equal = np.equal.outer(COLOURS, COLOURS)
        np.testing.assert_array_equal(np.equal.outer(side.values[0], side.values[0]), equal)

    @settings(max_examples=50, deadline=None)
    @given(codes=st.lists(st.integers(0, 6), min_size=5, max_size=40), seed=st.integers(0, 99))
    def test_classes_are_told_apart_whatever_they_are_called(self, codes: list[int], seed: int) -> None:
        names = np.random.default_rng(seed).permutation(["a", "b", "ü", "", "10", "-", "g"])
        values = read_side(names[codes], "y").values[0]
        np.testing.assert_array_equal(np.equal.outer(values, values), np.equal.outer(codes, codes))

    def test_their_number_is_not_limited(self) -> None:
        assert len(np.unique(read_side([str(number) for number in range(2000)], "y").values)) == 2000

    def test_numbers_are_classes_where_pandas_says_so(self) -> None:
        assert read_side(pd.Series([3, 1, 2, 3, 1], dtype="category"), "y").nominal.all()
        binned = pd.cut(pd.Series(TABLE[:, 0]), 4)
        assert not read_side(binned, "y").nominal.any()
        assert not read_side([3, 1, 2, 3, 1], "y").nominal.any()

    def test_numbers_and_class_labels_may_be_mixed(self) -> None:
        frame = pd.DataFrame({"colour": COLOURS, "size": TABLE[:, 0], "sold": [True, False] * 4})
        side = read_side(frame, "X")
        assert side.labels == ("colour", "size", "sold")
        np.testing.assert_array_equal(side.nominal, [True, False, False])
        rows = [list(row) for row in zip(COLOURS.tolist(), TABLE[:, 0], [True, False] * 4, strict=True)]
        np.testing.assert_array_equal(read_side(rows, "X").values[1:], side.values[1:])
        np.testing.assert_array_equal(read_side(rows, "X").nominal, side.nominal)


class TestSides:
    def test_they_convert_to_arrays(self) -> None:
        side = read_side(TABLE, "x")
        np.testing.assert_array_equal(np.asarray(side), TABLE)
        assert len(side) == 8

    def test_rows_and_columns_are_chosen(self) -> None:
        side = read_side(pd.DataFrame(TABLE, columns=["a", "b"]), "x")
        np.testing.assert_array_equal(side.rows(np.array([3, 1])).values, TABLE[[3, 1]].T)
        assert side.columns([1]).labels == side.columns(np.array([False, True])).labels == ("b",)
        assert isinstance(side.columns([]), Side)


REFUSED: list[tuple[Any, str]] = [
    (np.zeros((0, 2)), "Expected x with at least 5 rows, got 0"),
    ([], "Expected x with at least 5 rows, got 0"),
    (np.zeros((8, 0)), "Expected x with at least one column, got none"),
    (pd.DataFrame(index=range(8)), "Expected x with at least one column, got none"),
    (np.zeros((4, 2)), "Expected x with at least 5 rows, got 4"),
    (np.zeros((8, 2, 2)), r"Expected x of shape \(n,\) or \(n, d\), got shape \(8, 2, 2\). Reshape"),
    (3.0, r"Expected x of shape \(n,\) or \(n, d\), got shape \(\)"),
    (None, r"Expected x of shape"),
    ({"a": 1}, "Expected x of shape"),
    (np.zeros((8, MAX_COLUMNS + 1)), f"Expected x with up to {MAX_COLUMNS} columns, got .*transpose"),
    (TABLE * 1j, "Expected real numbers in column 0 of x, got complex"),
    (torch.from_numpy(TABLE[:, 0]) * 1j, "Expected real numbers in x, got complex"),
    (
        np.where(TABLE[3, 1] == TABLE, np.nan, TABLE),
        "Expected no missing values in x, got 1 in column 1, the first in row 3. Fill them, or pass missing=",
    ),
    (
        np.where(TABLE[2, 0] == TABLE, -np.inf, TABLE),
        "Expected finite numbers in x, got 1 infinite .* the first in row 2 of column 0. Drop or clip",
    ),
    (
        np.ma.masked_less(TABLE, 0),
        r"Expected no missing values in x, got \d+ \(\d+ in column 0, \d+ in column 1\)",
    ),
    (pd.Series([1, None] * 4, dtype="Int64"), "Expected no missing values in x, got 4, the first in row 1"),
    (
        pd.DataFrame({"a": range(8), "b": [1.0, np.nan] * 4}),
        "missing values in x, got 4 in column 'b', .* row 1",
    ),
    (
        pd.DataFrame({"a": range(8), "b": [1.0, np.inf] * 4}),
        "numbers in column 'b' of x, got 4 .* row 1",
    ),
    (pl.DataFrame({"a": [[1]] * 8}), "Expected numbers or class labels in x, got values of type List"),
    (pl.DataFrame({"a": range(8)}).lazy(), r"a table in memory for x, got a LazyFrame\. Collect it first"),
    ([{1}, {2}] * 4, r"Expected numbers or class labels in x, got \{1\}"),
    (np.array(["a", [1]] * 4, dtype=object), r"values that cannot be compared, such as \[1\]"),
    (
        np.where(np.arange(8) == 3, None, COLOURS),
        "Expected no missing values in x, got 1, the first in row 3",
    ),
    (pd.Series([None, *COLOURS[1:]], dtype="category"), "missing values in x, got 1, .* row 0"),
    (pd.Series([None, *COLOURS[1:]], dtype="string"), "missing values in x, got 1, .* row 0"),
    (np.ma.masked_equal(COLOURS, "red"), "missing values in x, got 4"),
    ([[1, 2], [3]] * 4, "Expected rows of equal length in x"),
    (torch.zeros(8, 2).to_sparse(), r"Expected a dense table for x, got a sparse tensor. Pass x\.to_dense"),
    (scipy.sparse.csr_array(TABLE), r"Expected a dense table for x, got a sparse matrix. Pass x\.toarray"),
]


class TestRefusals:
    @pytest.mark.parametrize(("values", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
    def test_what_cannot_be_read_is_refused(self, values: Any, message: str) -> None:
        with pytest.raises(MistworksError, match=message):
            read_side(values, "x")

    def test_the_faulty_side_is_named(self) -> None:
        with pytest.raises(MistworksError, match="Expected y with at least 5 rows, got 3"):
            read_pair(TABLE, TABLE[:3])

    def test_different_lengths_are_refused(self) -> None:
        with pytest.raises(MistworksError, match=r"same number of rows, got 8 and 7\. Pass paired"):
            read_pair(TABLE, TABLE[:7])

    def test_numbers_whose_sum_overflows_are_finite(self) -> None:
        assert read_side([1e308] * 8, "x").shape == (8, 1)


DAYS = pd.Series(pd.date_range("2024-02-27", periods=8, freq="36h"))
STEPS = np.arange(8) * 36 * 3600.0


class TestTimes:
    @pytest.mark.parametrize(
        "hold",
        [
            lambda days: days,
            lambda days: days.to_numpy(),
            lambda days: days.to_numpy().astype("datetime64[s]"),
            list,
            lambda days: [day.to_pydatetime() for day in days],
            lambda days: days.dt.tz_localize("Europe/Vienna"),
            lambda days: days.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo").astype(object),
            lambda days: days - days[0],
            lambda days: (days - days[0]).to_numpy(),
            lambda days: [day.to_pytimedelta() for day in days - days[0]],
            lambda days: days.astype("datetime64[ns]").dt.to_period("h"),
            lambda days: pd.DatetimeIndex(days),
            lambda days: pl.Series(days.to_list()),
            lambda days: pl.Series(days.to_list()).dt.replace_time_zone("UTC"),
            lambda days: pa.array(days.to_list()),
        ],
    )
    def test_dates_and_durations_are_numbers_since_the_first(self, hold: Callable[[Any], Any]) -> None:
        side = read_side(hold(DAYS), "x")
        assert not side.nominal.any()
        np.testing.assert_allclose(side.values[0] / side.values[0, -1], STEPS / STEPS[-1], rtol=1e-15)

    def test_days_of_polars_and_python_are_numbers(self) -> None:
        days = [day.date() for day in DAYS]
        expected = np.array([(day - days[0]).days for day in days])
        for held in (days, pl.Series(days), np.array(days, dtype="datetime64[D]")):
            values = read_side(held, "x").values[0]
            np.testing.assert_allclose(values / values[-1], expected / expected[-1])

    def test_instants_a_nanosecond_apart_are_told_apart(self) -> None:
        instants = np.datetime64("2024-01-01", "ns") + np.array([0, 1, 2, 10**18, 10**18 + 1])
        np.testing.assert_array_equal(read_side(instants, "x").values, [[0, 1, 2, 3, 4]])

    def test_a_missing_date_is_missing(self) -> None:
        dates = DAYS.mask([True, False] * 4)
        for held in (
            dates,
            dates.to_numpy(),
            pl.Series(DAYS.to_list()).set(pl.Series([True, False] * 4), None),
        ):
            np.testing.assert_array_equal(read_table(held).missing, [[True, False] * 4])


HOLES = pd.DataFrame(
    {
        "age": [31, None, 40, 55, 23, 61, None, 38],
        "city": ["Graz", "Wien", None, "Linz", "Graz", "Wien", "Graz", "Linz"],
        "zip": [8010, 1010, 1010, 4020, 8010, 1010, 8010, 4020],
    }
)


class TestMissing:
    @pytest.mark.parametrize(
        "hold",
        [
            lambda frame: frame,
            lambda frame: frame.convert_dtypes(),
            lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
            lambda frame: frame.astype(object),
            lambda frame: frame.astype({"city": "category"}),
            pl.from_pandas,
            lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
            lambda frame: frame.astype(object).to_numpy(),
        ],
    )
    def test_every_holder_has_the_same_missing_values(self, hold: Callable[[Any], Any]) -> None:
        table = read_table(hold(HOLES))
        np.testing.assert_array_equal(table.missing, HOLES.isna().to_numpy().T)
        np.testing.assert_array_equal(table.nominal, [False, True, False])
        np.testing.assert_array_equal(table.values[0], HOLES["age"])

    def test_they_are_refused_by_column_and_count(self) -> None:
        message = (
            r"missing values in X, got 3 \(2 in column 'age', 1 in column 'city'\), the first in row 1\."
        )
        with pytest.raises(MistworksError, match=message):
            complete([read_table(HOLES)], ["X"])
        many = pd.DataFrame(dict.fromkeys("abcde", HOLES["age"]))
        with pytest.raises(MistworksError, match=r"2 in column 'c', and 2 more columns\)"):
            complete([read_table(many)], ["X"])

    def test_rows_with_one_are_left_out_of_all_sides(self) -> None:
        x, y = read_table(HOLES[["age"]]), read_table(HOLES[["city"]])
        sides, rows = complete([x, y], ["x", "y"], "drop")
        assert rows is not None
        np.testing.assert_array_equal(rows, [0, 3, 4, 5, 7])
        np.testing.assert_array_equal(sides[0].values[0], [31, 55, 23, 61, 38])
        assert len(sides[1]) == 5

    def test_complete_tables_are_left_as_they_are(self) -> None:
        sides, rows = complete([read_table(TABLE)], ["x"], "drop")
        assert rows is None
        np.testing.assert_array_equal(sides[0].values, TABLE.T)

    def test_a_missing_label_may_be_a_class(self) -> None:
        (side,), rows = complete([read_table(HOLES[["city", "zip"]])], ["x"], "category")
        assert rows is None
        assert len(np.unique(side.values[0])) == 4
        message = "in columns of class labels only, got 2 in column 'age', the first in row 1, of x"
        with pytest.raises(MistworksError, match=message):
            complete([read_table(HOLES)], ["x"], "category")

    def test_too_few_complete_rows_are_refused(self) -> None:
        x = read_table(pd.DataFrame({"a": [1.0, np.nan] * 4}))
        y = read_table([None, "a"] * 4)
        with pytest.raises(
            MistworksError, match="at least 5 rows without missing values in x and y, got 0 of 8"
        ):
            complete([x, y], ["x", "y"], "drop")
        with pytest.raises(
            MistworksError, match="Expected missing to be raise, drop or category, got 'ignore'"
        ):
            complete([x], ["x"], "ignore")  # type: ignore[arg-type]


class TestClasses:
    def test_integers_are_classes_where_they_are_named(self) -> None:
        x, y = read_pair(HOLES[["zip"]], HOLES[["zip"]].assign(a=range(8)), classes=["zip"])
        assert x.nominal.tolist() == [True]
        assert y.nominal.tolist() == [True, False]
        np.testing.assert_array_equal(x.values[0], [2, 0, 0, 1, 2, 0, 2, 1])
        assert read_side(HOLES["zip"], "x").labels == ("zip",)
        assert read_table(HOLES["age"], classes="age").nominal.all()

    def test_a_class_that_is_no_column_is_refused(self) -> None:
        with pytest.raises(MistworksError, match=r"columns of x or y, got 'zap'\. Choose among 'zip', 'age'"):
            read_pair(HOLES[["zip"]], HOLES["age"].fillna(0), classes=["zap"])
        with pytest.raises(MistworksError, match="got 0, a position in both x and y"):
            read_pair(TABLE, TABLE, classes=[0])
        assert read_table(TABLE.round(), classes=[1]).nominal.tolist() == [False, True]

    def test_a_column_is_found_by_its_name(self) -> None:
        table = read_table(HOLES)
        assert table.position("city", "X") == 1
        with pytest.raises(
            MistworksError, match=r"one column of X, got 'town', which is none\. .*'age', 'city'"
        ):
            table.position("town", "X")
        twice = read_table(pd.DataFrame(TABLE, columns=["a", "a"]))
        with pytest.raises(MistworksError, match="got 'a', which 2 columns have"):
            twice.position("a", "X")


def test_reading_imports_neither_torch_nor_scipy_nor_pandas() -> None:
    code = (
        "import sys, numpy as np; from mistworks.preparation.reading import read_side; "
        "read_side(np.zeros((8, 2)), 'x'); read_side(['a', 'b'] * 4, 'x'); "
        "print({'torch', 'scipy', 'pandas', 'narwhals'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
