"""Random streams: keyed, reproducible from their definition, distinct and independent of each other."""

import hashlib
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from mistworks.errors import MistworksError
from mistworks.randomness import MAX_INDEX, stream

FALSE_ALARM = 1e-6
"""Chance that a statistical check fails correct streams under fresh seeds; seeds here are fixed."""


def first_words(root_seed: int, split: str, purpose: str, index: int, count: int = 1) -> NDArray[np.uint64]:
    return np.asarray(stream(root_seed, split, purpose, index).bit_generator.random_raw(count))


def philox_block(key: tuple[int, int], counter: int) -> list[int]:
    """Philox4x64-10 as published (Salmon et al. 2011), in plain integers."""
    mask = 2**64 - 1
    c = [(counter >> shift) & mask for shift in (0, 64, 128, 192)]
    k0, k1 = key
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [(second >> 64) ^ c[1] ^ k0, second & mask, (first >> 64) ^ c[3] ^ k1, first & mask]
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & mask, (k1 + 0xBB67AE8584CAA73B) & mask
    return c


@given(
    root_seed=st.integers(0, 2**200),
    split=st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"])),
    purpose=st.sampled_from(["parameters", "sample"]),
    index=st.integers(0, MAX_INDEX),
)
def test_stream_is_philox_keyed_by_hash(root_seed: int, split: str, purpose: str, index: int) -> None:
    digest = hashlib.sha256(f"mistworks/{root_seed}/{split}/{purpose}".encode()).digest()
    key = (int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little"))
    blocks = [philox_block(key, (index << 128) + step) for step in (1, 2)]
    words = first_words(root_seed, split, purpose, index, 8)
    assert words.tolist() == [word for block in blocks for word in block]


def test_stream_always_begins_at_its_beginning() -> None:
    one = stream(1, "train", "sample", 7)
    first = one.random(5)
    stream(1, "train", "sample", 8).random(1_000)
    assert np.array_equal(first, stream(1, "train", "sample", 7).random(5))
    assert not np.array_equal(first, one.random(5))


def test_first_words_of_a_hundred_thousand_streams_differ() -> None:
    """By chance, two of 100,000 random 64-bit words agree with probability 3e-10."""
    splits, purposes = ("train", "validation", "test-imd", "test-oomd"), ("parameters", "sample")
    keys = itertools.product(range(5), splits, purposes, range(2_500))
    words = {int(first_words(*key)[0]) for key in keys}
    assert len(words) == 5 * 4 * 2 * 2_500


@pytest.mark.parametrize("base", [2**32, 2**53, 2**63, MAX_INDEX - 3])
def test_neighbouring_large_indices_differ(base: int) -> None:
    words = {int(first_words(0, "train", "sample", index)[0]) for index in range(base, base + 4)}
    assert len(words) == 4


NEIGHBOURS = {
    "index": ((0, "train", "sample", 0), (0, "train", "sample", 1)),
    "far index": ((0, "train", "sample", 0), (0, "train", "sample", 2**40)),
    "seed": ((0, "train", "sample", 0), (1, "train", "sample", 0)),
    "split": ((0, "train", "sample", 0), (0, "validation", "sample", 0)),
    "purpose": ((0, "train", "parameters", 0), (0, "train", "sample", 0)),
}


@pytest.mark.parametrize("neighbours", NEIGHBOURS.values(), ids=NEIGHBOURS.keys())
def test_neighbouring_streams_are_uncorrelated(neighbours: tuple[tuple[int, str, str, int], ...]) -> None:
    """Within a pair of long streams, at lags from −3 to 3: each |z| < 5.5, 4e-8 a lag."""
    one, other = (stream(*key).standard_normal(100_000) for key in neighbours)
    for lag in range(-3, 4):
        z = np.mean(one * np.roll(other, lag)) * math.sqrt(len(one))
        assert abs(z) < 5.5


def test_first_draws_of_consecutive_streams_are_independent_uniforms() -> None:
    """The draws that datasets start from: uniform, and uncorrelated from one index to the next."""
    draws = np.array([stream(0, "train", "parameters", index).random(3) for index in range(20_000)])
    assert all(stats.kstest(column, "uniform").pvalue > FALSE_ALARM / 3 for column in draws.T)
    table = np.hstack([draws[:-1], draws[1:]])
    correlation = np.corrcoef(table.T) - np.eye(6)
    assert np.abs(correlation).max() < 5.5 / math.sqrt(len(table))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ((-1, "train", "sample", 0), "Expected an integer of at least 0 as root seed, got -1"),
        ((0, "train", "sample", -1), "Expected an index from 0 to 2⁶⁴ − 1, got -1"),
        ((0, "train", "sample", 2**64), "Expected an index from 0 to 2⁶⁴ − 1, got 18446744073709551616"),
        ((0, "a/b", "c", 0), "without '/', got 'a/b' and 'c'"),
        ((0, "a", "b/c", 0), "without '/', got 'a' and 'b/c'"),
    ],
)
def test_keys_out_of_range_are_refused(key: tuple[int, str, str, int], message: str) -> None:
    with pytest.raises(MistworksError, match=message):
        stream(*key)
