"""States number rows as `numpy.unique` does, and entropies are SciPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mistworks.states import entropy, states


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 4))
def test_equal_rows_and_no_others_share_a_number(seed: int, n: int, d: int) -> None:
    rows = np.random.default_rng(seed).integers(-1, 2, (n, d))
    expected = np.unique(rows, axis=0, return_inverse=True)[1].ravel()
    numbers = states(rows)
    assert sorted(set(numbers.tolist())) == list(range(int(expected.max()) + 1))
    assert len({*zip(numbers.tolist(), expected.tolist(), strict=True)}) == int(expected.max()) + 1


@given(st.lists(st.integers(0, 1_000), min_size=1, max_size=20).filter(any))
def test_entropy_is_that_of_scipy(counts: list[int]) -> None:
    assert entropy(np.array(counts)) == pytest.approx(stats.entropy(counts), abs=1e-12)


def test_what_never_occurs_adds_nothing() -> None:
    assert entropy(np.array([3.0, 0.0, 3.0])) == pytest.approx(np.log(2))
