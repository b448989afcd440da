"""Blocks of columns: which they are, their rows, and what is refused."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mistworks.errors import MistworksError
from mistworks.preparation.reading import read_table
from mistworks.tables.blocks import Blocks, blocks_of

FRAME = pd.DataFrame(
    {
        "wind": [1.0, 2.0, np.nan, 4.0, 5.0, 6.0, 7.0],
        "rain": [7.0, 6.0, 5.0, 4.0, 3.0, np.nan, 1.0],
        "site": [*"abcabc", None],
        "crop": [1, 4, 2, 8, 5, 7, 3],
    }
)


def blocks(columns: Any = None, groups: Any = None, missing: Any = "drop", frame: Any = FRAME) -> Blocks:
    return blocks_of(read_table(frame, "the frame"), columns, groups, missing)


def test_without_a_choice_all_columns_are_compared() -> None:
    assert blocks().names == ("wind", "rain", "site", "crop")


def test_the_order_is_that_of_the_user() -> None:
    chosen = blocks(["crop", "wind"])
    assert chosen.names == ("crop", "wind")
    assert chosen.block(0).values[0].tolist() == FRAME["crop"].tolist()


def test_columns_that_are_in_no_group_are_left_out_unless_listed() -> None:
    weather = {"weather": ["rain", "wind"], "place": ["site"]}
    assert blocks(groups=weather).names == ("weather", "place")
    both = blocks(["crop"], weather)
    assert both.names == ("crop", "weather", "place")
    assert both.block(1).labels == ("rain", "wind")
    assert both.block(2).labels == ("site",)


def test_one_name_stands_for_itself() -> None:
    assert blocks(groups={"a": "wind", "b": "crop"}).block(0).labels == ("wind",)


def test_rows_are_those_in_which_both_are_complete() -> None:
    chosen = blocks()
    x, y = chosen.pair(0, 1) or pytest.fail("there are five rows")
    assert x.values[0].tolist() == [1, 2, 4, 5, 7]
    assert y.values[0].tolist() == [7, 6, 4, 3, 1]
    assert chosen.common_rows(0, 1) == 5
    assert chosen.complete_rows.tolist() == [6, 6, 6, 7]


def test_fewer_than_five_common_rows_are_no_pair() -> None:
    chosen = blocks(groups={"a": ["wind", "rain"], "b": ["site"]})
    assert chosen.common_rows(0, 1) == 4
    assert chosen.pair(0, 1) is None


def test_a_missing_class_is_a_class_of_its_own() -> None:
    chosen = blocks(["site", "crop"], missing="category")
    assert chosen.common_rows(0, 1) == 7
    assert len(np.unique(chosen.block(0).values)) == 4


@pytest.mark.parametrize(
    ("columns", "groups", "message"),
    [
        (["wind", "hail"], None, r"name of one column of the frame, got 'hail', which is none"),
        (["wind", "wind"], None, "Expected each column in one place, got 'wind' in 'wind' and in 'wind'"),
        (["wind"], {"a": ["wind", "rain"]}, "each column in one place, got 'wind' in 'wind' and in 'a'"),
        (None, {"a": ["wind"], "b": ["rain", "wind"]}, "in one place, got 'wind' in 'a' and in 'b'"),
        (["crop"], {"crop": ["wind"]}, "name for each group that no other .* has, got 'crop' twice"),
        (None, {"a": ["hail"], "b": ["wind"]}, "got 'hail', which is none"),
        (None, {"a": [], "b": ["wind"]}, "at least one column in group 'a', got none"),
        (None, {"a": 3, "b": ["wind"]}, "Expected a list of names of columns for group 'a', got 3"),
        (None, [["wind"], ["rain"]], "Expected groups as names of columns by name of the group, got a list"),
        (None, {"a": ["wind"]}, "Expected at least two columns or groups to compare, got 1"),
        (["wind"], None, "at least two columns or groups to compare, got 1"),
        ([], None, "at least two columns or groups to compare, got 0"),
    ],
)
def test_what_is_refused(columns: Any, groups: Any, message: str) -> None:
    with pytest.raises(MistworksError, match=message):
        blocks(columns, groups)


@pytest.mark.parametrize(
    ("frame", "missing", "message"),
    [
        (FRAME, "raise", r"no missing values in the frame, got 3 \(1 in column 'wind'"),
        (FRAME, "category", "Expected missing values in columns of class labels only"),
        (FRAME, "fill", "Expected missing to be raise, drop or category, got 'fill'"),
        (FRAME[:4], "drop", "the frame with at least 5 rows, got 4"),
        (FRAME[:0], "drop", "the frame with at least 5 rows, got 0"),
        (FRAME[["crop"]], "drop", "at least two columns or groups to compare, got 1"),
        (FRAME[["crop", "crop"]], "drop", "columns of the frame with different names, got 2 called 'crop'"),
    ],
)
def test_frames_that_are_refused(frame: pd.DataFrame, missing: Any, message: str) -> None:
    with pytest.raises(MistworksError, match=message):
        blocks(missing=missing, frame=frame)
