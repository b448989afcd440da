"""Pairs of columns by tables, by analysis of variance and by correlation, summed over those that match."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from mistworks.statistics import statistic_names, summarise

Array = NDArray[np.float64]


def entropy(*shares: float) -> float:
    return -sum(share * math.log(share) for share in shares)


def named(x: Array, y: Array) -> dict[str, float]:
    found = zip(statistic_names(), summarise(x, y).tolist(), strict=True)
    return {name.removeprefix("pairs."): value for name, value in found if name.startswith("pairs.")}


def mean(pairs: list[tuple[Array, Array]]) -> dict[str, float]:
    found = [named(*pair) for pair in pairs]
    return {name: float(np.mean([values[name] for values in found])) for name in found[0]}


@pytest.mark.parametrize(("bits", "flipped"), [(10, 0.05), (4, 0.2), (1, 0.01)])
def test_bits_that_are_flipped_add_up(bits: int, flipped: float) -> None:
    rng = np.random.default_rng(bits)
    x = rng.integers(0, 2, (1000, bits))
    y = x ^ (rng.random((1000, bits)) < flipped)
    truth = bits * (math.log(2) - entropy(flipped, 1 - flipped))
    found = named(x, y[:, rng.permutation(bits)])
    assert found["matched.2"] == pytest.approx(truth, rel=0.12)
    assert found["matched.3"] == pytest.approx(math.log1p(bits))
    assert found["kinds.0"] == found["matched.2"]


@pytest.mark.parametrize("share", [0.01, 0.1])
def test_a_shared_rare_bit_is_seen_among_noise(share: float) -> None:
    rng = np.random.default_rng(1)
    bit = (rng.random(1000) < share).astype(float)
    x, y = (np.column_stack([bit, rng.standard_normal((1000, 6))]) for _ in range(2))
    truth = entropy(bit.mean(), 1 - bit.mean())
    assert named(x, y)["matched.2"] == pytest.approx(truth, abs=0.01)


@pytest.mark.parametrize("kind", ["bits", "rare", "levels", "mixed", "many levels", "normal"])
@pytest.mark.parametrize("d", [1, 6])
def test_independent_columns_have_none(kind: str, d: int) -> None:
    rng = np.random.default_rng(d)

    def side(discrete: bool) -> Array:
        match kind:
            case "bits":
                return rng.integers(0, 2, (400, d)).astype(float)
            case "rare":
                return (rng.random((400, d)) < 0.03).astype(float)
            case "levels":
                return rng.integers(0, 12, (400, d)).astype(float)
            case "many levels":
                return rng.integers(0, 80, (400, d)).astype(float)
        return np.asarray(
            rng.integers(0, 5, (400, d)) if kind == "mixed" and discrete else rng.standard_normal((400, d))
        )

    found = [named(side(True), side(False)) for _ in range(30)]
    # z² > 4 (1 + log d²): by chance in about one of forty samples of one pair, and in fewer of more pairs.
    assert np.mean([values["matched.4"] > 0 for values in found]) < 0.15
    assert np.mean([values["matched.4"] for values in found]) < 0.01


@pytest.mark.parametrize("levels", [3, 10, 30, 90])
def test_columns_of_classes_tell_themselves_their_entropy(levels: int) -> None:
    rng = np.random.default_rng(levels)
    x = rng.integers(0, levels, (1000, 1))
    names = rng.permutation(levels)
    x, y = (np.column_stack([side, rng.standard_normal(1000)]) for side in (x, names[x]))
    assert named(x, y)["matched.2"] == pytest.approx(math.log(levels), abs=0.03)


def test_a_bit_of_a_continuous_column() -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((2000, 1))
    for bit in (z > 0, np.abs(z) > 0.6745):
        found = named(z, bit)
        # Nine bins leave some of it out.
        assert 0.5 < found["matched.2"] <= math.log(2) + 0.01
        assert found["kinds.1"] == found["matched.2"]


def test_groups_with_shifted_means() -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, (3000, 1))
    y = 0.4 * (2 * group - 1) + rng.standard_normal((3000, 1))
    # H(Y) − H(Y | G) of two normals at ±0.4, by quadrature.
    grid = np.linspace(-7, 7, 20_001)
    density = sum(np.exp(-0.5 * (grid - shift) ** 2) / math.sqrt(2 * math.pi) for shift in (-0.4, 0.4)) / 2
    truth = -np.trapezoid(density * np.log(density), grid) - 0.5 * math.log(2 * math.pi * math.e)
    assert named(group, y)["matched.2"] == pytest.approx(truth, abs=0.02)


def test_continuous_pairs_are_those_of_correlation() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2000, 3))
    y = 0.8 * x + 0.6 * rng.standard_normal((2000, 3))
    found = named(x, y)
    assert found["matched.2"] == pytest.approx(-1.5 * math.log(0.36), abs=0.06)
    assert found["kinds.0"] == found["kinds.1"] == found["kinds.2"] == 0.0


def test_shares_of_discrete_columns() -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.integers(0, 3, 200), rng.standard_normal(200)])
    assert named(x, rng.standard_normal((200, 1)))["kinds.2"] == 0.5
