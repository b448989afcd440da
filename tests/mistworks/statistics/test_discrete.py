"""Statistics of the states of whole sides: entropies, tables, chance, and the cap."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import hypergeom

from mistworks.statistics import Ranked, statistic_names, summarise
from mistworks.statistics.discrete import cap, entropies, permuted_mi, states

Array = NDArray[np.float64]
LEVEL = 1.6448536269514722


def entropy(shares: Array) -> float:
    shares = np.asarray(shares, float).ravel()
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def named(x: Array, y: Array) -> dict[str, float]:
    return dict(zip(statistic_names(), summarise(x, y).tolist(), strict=True))


def draw(table: Array, n: int, seed: int = 0) -> tuple[Array, Array]:
    cells = np.random.default_rng(seed).choice(table.size, n, p=table.ravel() / table.sum())
    return (cells // table.shape[1])[:, None].astype(float), (cells % table.shape[1])[:, None].astype(float)


def noisy(classes: int, noise: float) -> Array:
    return np.asarray((1 - noise) * np.eye(classes) / classes + noise / classes**2)


def mi(table: Array) -> float:
    return entropy(table.sum(0)) + entropy(table.sum(1)) - entropy(table)


def test_entropies_are_those_of_their_definitions() -> None:
    counts = np.array([5, 3, 1, 1])
    shares = counts / 10
    plain = entropy(shares)
    covered = 0.8 * shares
    chao_shen = -(covered * np.log(covered) / (1 - (1 - covered) ** 10)).sum()
    assert entropies(counts) == pytest.approx([plain, plain + 3 / 20, chao_shen])


@pytest.mark.parametrize(
    "counts", [([3, 5, 4], [6, 6]), ([1, 1, 10], [2, 10]), ([300, 500], [400, 100, 300])]
)
def test_chance_is_the_mean_over_permutations(counts: tuple[list[int], list[int]]) -> None:
    x, y = (np.repeat(np.arange(len(side)), side) for side in counts)
    rng = np.random.default_rng(0)
    found = []
    for _ in range(3000):
        table = np.zeros((len(counts[0]), len(counts[1])))
        np.add.at(table, (x, rng.permutation(y)), 1 / len(x))
        found.append(mi(table))
    chance = permuted_mi(*(np.array(side) for side in counts), sum(counts[0]))
    assert chance == pytest.approx(np.mean(found), abs=4 * np.std(found) / math.sqrt(len(found)))


def test_moments_stand_for_the_terms_of_full_cells() -> None:
    a, b, n = 700, 900, 5000
    k = np.arange(1, min(a, b) + 1)
    exact = float((hypergeom.pmf(k, n, a, b) * k * np.log(n * k / (a * b))).sum()) / n
    counts = np.array([a, n - a]), np.array([b, n - b])
    others = [(a, n - b), (n - a, b), (n - a, n - b)]
    rest = sum(
        float((hypergeom.pmf(t, n, p, q) * t * np.log(n * t / (p * q))).sum()) / n
        for p, q in others
        for t in [np.arange(max(1, p + q - n), min(p, q) + 1)]
    )
    assert permuted_mi(*counts, n) == pytest.approx(exact + rest, rel=1e-3)


@pytest.mark.parametrize("classes", [10, 30, 64])
def test_independent_classes_have_none(classes: int) -> None:
    found = [named(*draw(noisy(classes, 1.0), 1000, seed))["discrete.mi.3"] for seed in range(10)]
    assert np.mean(found) < 0.03


@pytest.mark.parametrize(("classes", "n"), [(20, 1000), (64, 1000), (200, 1000), (20, 100)])
def test_classes_tell_themselves_their_entropy(classes: int, n: int) -> None:
    found = named(*draw(noisy(classes, 0.0), n))
    truth = math.log(classes)
    for candidate in ("discrete.mi.1", "discrete.mi.3", "discrete.least.0"):
        assert found[candidate] == pytest.approx(truth, abs=0.03 + classes / (4 * n))


@pytest.mark.parametrize(("classes", "noise"), [(10, 0.3), (10, 0.7), (30, 0.3), (64, 0.7)])
def test_noisy_classes_are_near_the_truth(classes: int, noise: float) -> None:
    table = noisy(classes, noise)
    found = [named(*draw(table, 1000, seed))["discrete.mi.3"] for seed in range(10)]
    assert np.mean(found) == pytest.approx(mi(table), abs=0.05 + 0.1 * mi(table))


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1])
def test_a_rare_bit_with_itself_has_its_entropy(share: float) -> None:
    x = (np.random.default_rng(3).permutation(5000) < 5000 * share).astype(float)[:, None]
    found = named(x, x)
    assert found["discrete.mi.1"] == pytest.approx(entropy(np.array([share, 1 - share])), abs=3e-4)


def test_many_states_that_tell_one_bit() -> None:
    rng = np.random.default_rng(0)
    code, x = rng.integers(0, 2, 500), rng.integers(0, 500, (5000, 1))
    found = named(x, code[x])
    assert found["discrete.mi.3"] == pytest.approx(math.log(2), abs=0.01)
    assert found["discrete.cap.0"] == pytest.approx(math.log(2), abs=0.01)


def test_continuous_samples_have_none_of_them() -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 100, 2))
    assert not any(value for name, value in named(x, y).items() if name.startswith("discrete."))
    found = named((x > 0)[:, :1].astype(float), y)
    assert found["discrete.cap.2"] == 1.0
    assert found["discrete.cap.0"] == pytest.approx(math.log(2), abs=0.03)
    assert found["discrete.mi.3"] < 0.01


def test_names_of_states_change_nothing() -> None:
    x, y = draw(noisy(12, 0.4), 500)
    order = np.random.default_rng(0).permutation(12)
    first, second = named(x, y), named(order[x.astype(int)], y)
    for name, value in first.items():
        if name.startswith("discrete."):
            assert second[name] == pytest.approx(value, abs=1e-5), name


def test_states_are_joint() -> None:
    x = np.array([[0, 0], [0, 1], [1, 0], [0, 0], [1, 1]])
    codes, counts = states(Ranked.of(x, x).ranks[:2])
    assert sorted(counts.tolist()) == [1, 1, 1, 2]
    assert codes[0] == codes[3]


def shapes(n: int) -> dict[str, Array]:
    ranks = np.arange(1.0, 5 * n + 1)
    made = {f"rare {count}": np.array([1 - count / n, count / n]) for count in (0.5, 1, 2, 3, 5, 20)}
    made |= {f"uniform {n // states}": np.ones(states) for states in (2, 10, n // 20, n // 8, n // 3)}
    made |= {"three": np.array([0.7, 0.3, 1 / n]), "two rare": np.array([1.0, 10 / n, 2 / n])}
    made |= {"zipf 1.5": ranks**-1.5, "zipf 2": ranks**-2, "geometric": 0.9 ** np.arange(300)}
    made |= {
        "rare states": np.r_[0.9, np.full(n, 0.1 / n)],
        "few rare states": np.r_[0.9, np.full(n // 10, 1 / n)],
    }
    return {name: shares / shares.sum() for name, shares in made.items()}


@pytest.mark.parametrize("n", [100, 300, 2000])
def test_the_cap_is_below_the_entropy_in_at_most_one_of_ten(n: int) -> None:
    """At the level of 95 %; 400 samples of each shape, so that 10 % would be 8 % to 12 % in the count."""
    rng = np.random.default_rng(n)
    below = {}
    for name, shares in shapes(n).items():
        bounds = []
        for counts in rng.multinomial(n, shares, size=400):
            seen = counts[counts > 0]
            if 1 < len(seen) < n / 2:
                value, error = cap(seen)
                bounds.append(value + LEVEL * error)
        if len(bounds) > 50:
            below[name] = float(np.mean(np.array(bounds) < entropy(shares)))
    assert max(below.values()) < 0.12, below
    assert np.mean(list(below.values())) < 0.05


def test_the_cap_is_narrow_where_states_are_full() -> None:
    value, error = cap(np.full(10, 500))
    assert value == pytest.approx(math.log(10), abs=1e-3)
    assert error < 0.003
    # And wide where most are met for the first time.
    assert cap(np.array([50, *[1] * 40]))[1] > 0.3
