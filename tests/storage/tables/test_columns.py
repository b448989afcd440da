"""Names and patterns of columns mean what their author means, or are refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistworks.errors import MistworksError
from storage.tables.columns import choose_columns

KNOWN = ["sensor_1", "sensor_2", "colour", "a*", "ab", "[x]"]


def choose(**wanted: list[str]) -> dict[str, list[str]]:
    return choose_columns(KNOWN, wanted, "data.csv")


def test_patterns_keep_the_order_of_the_table() -> None:
    assert choose(x=["sensor_*"], y=["c?lour"]) == {"x": ["sensor_1", "sensor_2"], "y": ["colour"]}


def test_an_exact_name_is_no_pattern() -> None:
    assert choose(x=["a*"], y=["[x]"]) == {"x": ["a*"], "y": ["[x]"]}


def test_a_pattern_leaves_out_what_another_option_names() -> None:
    assert choose(x=["*"], y=["colour"], given=["ab"])["x"] == ["sensor_1", "sensor_2", "a*", "[x]"]


def test_a_column_is_there_once() -> None:
    assert choose(x=["ab", "ab", "*b"], y=["colour"])["x"] == ["ab"]


def test_unknown_columns_and_near_names() -> None:
    sentence = (
        r"^Expected columns of data\.csv \(sensor_1, sensor_2, colour, a\*, ab, \[x\]\), got 'sensr_1', "
        r"'Color', 'z\*'\. Did you mean sensor_1 or colour\?$"
    )
    with pytest.raises(MistworksError, match=sentence):
        choose(x=["sensr_1", "Color"], y=["z*"])
    with pytest.raises(MistworksError, match=r"got 'zzz'\. Choose among them\.$"):
        choose(x=["zzz"], y=["ab"])


def test_of_many_columns_the_first_are_listed() -> None:
    with pytest.raises(MistworksError, match=r"c10, c11, …\), got 'zzz'"):
        choose_columns([f"c{number}" for number in range(500)], {"x": ["zzz"]}, "data.csv")


@pytest.mark.parametrize(
    ("x", "y", "both"),
    [(["ab", "colour"], ["colour"], "colour"), (["sensor_*"], ["sens*"], "sensor_1, sensor_2")],
)
def test_columns_of_both_sides_are_named(x: list[str], y: list[str], both: str) -> None:
    with pytest.raises(
        MistworksError, match=rf"^Expected different columns as x and y, got {both} in both\. Name each"
    ):
        choose(x=x, y=y)


def test_a_pattern_of_which_nothing_is_left() -> None:
    with pytest.raises(MistworksError, match=r"that only x names, got 'col\*', whose columns others name"):
        choose(x=["col*"], y=["colour"])


@given(st.lists(st.sampled_from(KNOWN), min_size=1), st.lists(st.sampled_from(KNOWN), min_size=1))
def test_sides_never_share_a_column(x: list[str], y: list[str]) -> None:
    try:
        chosen = choose(x=x, y=y)
    except MistworksError:
        assert set(x) & set(y)
    else:
        assert not set(chosen["x"]) & set(chosen["y"])
        assert (set(chosen["x"]), set(chosen["y"])) == (set(x), set(y))
