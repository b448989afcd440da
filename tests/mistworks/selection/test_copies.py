"""Which columns say the same."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mistworks.preparation.reading import read_side
from mistworks.selection.copies import content_keys

RNG = np.random.default_rng(0)


def keys(*columns: object) -> list[bytes | None]:
    return [content_keys(read_side(column, "X"))[0] for column in columns]


def test_monotone_copies_are_equal_and_others_are_not() -> None:
    x = RNG.standard_normal(200)
    first, *copies = keys(x, 3 * x - 1, -x, np.exp(x), x**3)
    assert copies == [first] * 4
    for other in (x**2, x + 1e-3 * RNG.standard_normal(200), RNG.standard_normal(200)):
        assert keys(other) != [first]


def test_renamed_classes_are_equal_also_to_numbers() -> None:
    codes = RNG.integers(3, size=100)
    first, *others = keys(codes, np.array(["c", "a", "b"])[codes], [2, 7, -1] @ (codes == [[0], [1], [2]]))
    assert others == [first] * 2
    assert keys(np.minimum(codes, 1)) != [first]


def test_constant_columns_have_none() -> None:
    assert keys(np.full(9, 2.5), ["a"] * 9) == [None, None]


@given(st.lists(st.integers(-5, 5), min_size=5, max_size=60), st.integers(-9, 9).filter(bool), st.integers())
def test_a_line_keeps_the_key(values: list[int], slope: int, intercept: int) -> None:
    first, second = keys(values, [slope * value + intercept % 100 for value in values])
    assert first == second


@given(st.lists(st.integers(0, 3), min_size=5, max_size=60), st.permutations(range(4)))
def test_new_names_of_classes_keep_the_key(codes: list[int], names: list[int]) -> None:
    first, second = keys([f"class {code}" for code in codes], [f"{names[code]}" for code in codes])
    assert first == second
