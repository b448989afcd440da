"""The bits family against the enumeration of all values of all bits.

Seeds are fixed. With a fresh seed the test of frequencies would fail a correct implementation with
probability about 1e-6.
"""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from mistworks.distributions import Bits, BitsFamily
from mistworks.distributions.coordinates import Coordinates
from mistworks.distributions.tables import table_information
from mistworks.errors import MistworksError

NONE = Coordinates(np.empty(0, dtype=np.int64))


def joint_table(bits: Bits) -> np.ndarray:
    """P(B, C) over all values of all bits, shape (2^k, 2^k)."""
    k = len(bits.parities)
    values = np.array(list(itertools.product((0, 1), repeat=k)))
    one = bits.tables.sum(axis=2)[:, 1]
    table = np.zeros((2**k, 2**k))
    for (row, b), (column, c) in itertools.product(enumerate(values), enumerate(values)):
        parity = bits.parities @ b % 2
        p = np.prod(np.where(b == 1, one, 1 - one))
        for j in range(k):
            given = bits.tables[j, parity[j]]
            p *= given[c[j]] / given.sum() if given.sum() > 0 else 0.5
        table[row, column] = p
    return table


def only_bits(parities: np.ndarray, tables: np.ndarray) -> Bits:
    order = np.arange(len(parities))
    return Bits(parities, tables, np.zeros(2), order, order, NONE, NONE)


@pytest.mark.parametrize("seed", range(30))
def test_information_is_that_of_the_enumeration(seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = BitsFamily(parity=0.6).draw(4, 5, rng)
    table = joint_table(drawn)
    assert table.sum() == pytest.approx(1.0)
    assert drawn.mutual_information == pytest.approx(table_information(table), abs=1e-9)


def test_ten_bits_of_which_some_are_flipped() -> None:
    flip = 0.05
    tables = np.tile([[0.5 - flip / 2, flip / 2], [flip / 2, 0.5 - flip / 2]], (10, 1, 1))
    entropy = -flip * math.log(flip) - (1 - flip) * math.log(1 - flip)
    bits = only_bits(np.eye(10, dtype=np.int64), tables)
    assert bits.mutual_information == pytest.approx(10 * (math.log(2) - entropy))


def test_bits_come_as_often_as_the_enumeration_says() -> None:
    parities = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1]])
    tables = np.tile([[0.4, 0.1], [0.05, 0.45]], (3, 1, 1))
    bits = only_bits(parities, tables)
    x, y = bits.sample(100_000, np.random.default_rng(0))
    places = 2 ** np.arange(2, -1, -1)
    counts = np.zeros((8, 8))
    np.add.at(counts, ((x @ places).astype(int), (y @ places).astype(int)), 1)
    expected = joint_table(bits) * 100_000
    assert stats.chisquare(counts.ravel(), expected.ravel()).pvalue > 1e-6


def test_a_parity_of_unfair_bits_is_refused() -> None:
    unfair = np.tile([[0.6, 0.1], [0.1, 0.2]], (2, 1, 1))
    only_bits(np.eye(2, dtype=np.int64), unfair)
    with pytest.raises(MistworksError, match="fair bits if a parity reads several"):
        only_bits(np.array([[1, 0], [1, 1]]), unfair)
    fair = np.tile([[0.4, 0.1], [0.1, 0.4]], (2, 1, 1))
    with pytest.raises(MistworksError, match="Expected unitriangular parities"):
        only_bits(np.array([[1, 1], [1, 1]]), fair)


@pytest.mark.parametrize(("dx", "dy"), [(1, 1), (3, 8), (20, 64)])
def test_draws_have_their_shape_and_noise(dx: int, dy: int) -> None:
    for seed in range(60):
        drawn = BitsFamily().draw(dx, dy, np.random.default_rng(seed))
        x, y = drawn.sample(40, np.random.default_rng(1))
        assert (x.shape, y.shape) == ((40, dx), (40, dy))
        assert x.dtype == y.dtype == np.float32
        assert np.isfinite(x).all()
        assert np.isfinite(y).all()
        assert 0 <= drawn.mutual_information <= min(dx, dy, 16) * math.log(2) + 1e-9


def test_scattered_bits_are_still_told() -> None:
    tables = np.array([[[0.5, 0.0], [0.0, 0.5]]])
    order = np.zeros(1, dtype=np.int64)
    bits = Bits(np.eye(1, dtype=np.int64), tables, np.array([0.9, 0.0]), order, order, NONE, NONE)
    x, y = bits.sample(500, np.random.default_rng(0))
    assert np.array_equal(np.floor(x), y)
    assert len(np.unique(x)) > 400
