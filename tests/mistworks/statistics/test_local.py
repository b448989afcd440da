"""Strong dependence: what the statistics say of 1 to 10 nats, and what leaves them as they are."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from mistworks import native
from mistworks.statistics import Ranked, gaussian, oracle, statistic_names
from mistworks.statistics.local import canonical, corrected, inversions, monotone
from mistworks.statistics.sample import Samples


def stacked(x: np.ndarray, y: np.ndarray) -> Samples:
    return oracle.stacked([Ranked.of(x, y)])


def normal(mi: float, pairs: int, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of normals with `mi` nats together."""
    rng = np.random.default_rng(seed)
    x, noise = rng.standard_normal((2, n, pairs))
    noise_share = math.exp(-mi / pairs)
    return x, math.sqrt(1 - noise_share**2) * x + noise_share * noise


def uniform(mi: float, pairs: int, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """X uniform, Y = X + U(−ε, ε), with ε − log 2ε nats a pair."""
    rng = np.random.default_rng(seed)
    width = math.exp(-mi / pairs) / 2
    for _ in range(100):
        width = math.exp(width - mi / pairs) / 2
    x = rng.random((n, pairs))
    return x, x + rng.uniform(-width, width, (n, pairs))


@pytest.mark.parametrize("mi", [2, 4, 6, 8, 10])
@pytest.mark.parametrize("draw", [normal, uniform])
def test_inversions_tell_up_to_10_nats(
    draw: Callable[[float, int, int], tuple[np.ndarray, np.ndarray]], mi: float
) -> None:
    # About seven inversions are left of 10 nats among 1,000 points.
    x, y = draw(mi, 1, 1000)
    found = monotone(stacked(x, -np.exp(y)))
    assert float(found["kendall"][0, 0]) == pytest.approx(mi, abs=0.15 if mi <= 6 else 0.8)
    assert float(found["matched"][0, 0]) == float(found["kendall"][0, 0])


@pytest.mark.parametrize("mi", [2, 4, 6, 10])
@pytest.mark.parametrize("pairs", [1, 2])
def test_corrected_neighbours_tell_more_than_log_n(mi: float, pairs: int) -> None:
    x, y = normal(mi, pairs, 1000)
    rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((pairs, pairs)))[0]
    found = corrected(stacked(x, y @ rotation))["corrected"][0]
    # Ranks of 1,000 points tell about 9 nats of a normal pair, and 8 of two rotated ones.
    assert float(found[0]) == pytest.approx(min(mi, 9 if pairs == 1 else 8.2), abs=0.5)
    assert float(found[2]) == pytest.approx(min(mi, 9 if pairs == 1 else 8.2), abs=0.5)


def test_canonical_terms_are_not_cut_off() -> None:
    x, y = normal(30, 5, 4000)
    found = canonical(stacked(x, y))["canonical"][0]
    assert found.tolist() == pytest.approx([6, 6, 6], abs=0.5)


def test_sixty_nats_in_many_dimensions_are_read_without_shrinkage() -> None:
    x, y = normal(60, 32, 1000)
    found = gaussian.shrunk(stacked(x, y))
    assert float(found["unbiased"][0, 0]) == pytest.approx(60, abs=2)
    assert float(monotone(stacked(x, y))["matched"][0, 0]) == pytest.approx(60, abs=2)


@pytest.mark.parametrize("noise", [1e-3, 1e-4, 1e-5, 1e-6])
def test_near_copies_change_little(noise: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1000, 1))
    y = 0.8 * x + 0.6 * rng.standard_normal((1000, 1))
    copies = [side + noise * rng.standard_normal((1000, 6)) for side in (x, y)]
    alone, together = (stacked(*pair) for pair in ((x, y), copies))
    expected = float(gaussian.shrunk(alone)["unbiased"][0, 0])
    assert float(gaussian.shrunk(together)["unbiased"][0, 0]) == pytest.approx(expected, abs=0.05)
    leading = canonical(together)["canonical"][0]
    assert float(leading[0]) == pytest.approx(expected, abs=0.06)
    assert float(leading[1]) < 0.05


@pytest.mark.parametrize("n", [5, 20, 200, 1000])
@pytest.mark.parametrize("d", [1, 3, 9])
def test_equal_sides_give_finite_values(n: int, d: int) -> None:
    x = np.random.default_rng(n).standard_normal((n, d))
    found = oracle.summarise_many([Ranked.of(x, x[:, ::-1])])[0]
    assert np.isfinite(found).all()
    named = dict(zip(statistic_names(), found.tolist(), strict=True))
    assert all(abs(value) <= 500 for name, value in named.items() if name.startswith("local"))
    if n >= 20:
        # More than any sample with one inversion.
        assert named["local.kendall.0"] > math.log(n)


@pytest.mark.parametrize("n", [2, 5, 64, 65, 300])
def test_inversions_are_those_of_all_pairs(n: int) -> None:
    ranks = np.random.default_rng(n).permutation(n)
    pairs = ranks[:, None] > ranks
    assert inversions(ranks) == int(np.triu(pairs, 1).sum())
    assert inversions(np.arange(n)) == 0
    assert inversions(np.arange(n)[::-1]) == n * (n - 1) // 2


@pytest.mark.parametrize(("n", "dx", "dy"), [(5, 1, 1), (8, 2, 3), (50, 3, 2), (101, 1, 1), (700, 2, 2)])
@pytest.mark.parametrize("strength", [0.5, 50.0])
def test_order_signs_and_swap_change_nothing(n: int, dx: int, dy: int, strength: float) -> None:
    rng = np.random.default_rng(n)
    x = rng.standard_normal((n, dx))
    y = rng.standard_normal((n, dy)) + strength * x[:, :1]
    points, x_signs = rng.permutation(n), rng.choice([-1, 1], dx)
    samples = (
        stacked(x, y),
        stacked(y[points][:, rng.permutation(dy)] ** 3, (x * x_signs)[points][:, rng.permutation(dx)]),
    )
    for function in (corrected, monotone, canonical):
        expected, changed = map(function, samples)
        for name, value in expected.items():
            assert changed[name][0].tolist() == pytest.approx(value[0].tolist(), abs=1e-6), name


@pytest.mark.skipif(not native.available(), reason="nothing was compiled")
@pytest.mark.parametrize("n", [5, 8, 20, 200, 1000])
def test_compiled_values_agree_where_dependence_is_strong(n: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.standard_normal((n, 3))
    near_copies = x[:, :1] + 1e-5 * rng.standard_normal((n, 6))
    pairs = {
        "equal": (x[:, :1], x[:, :1]),
        "reversed": (x, -x[:, ::-1]),
        "strong": (x, x + 4e-5 * rng.standard_normal((n, 3))),
        "rotated": (x, x @ np.linalg.qr(rng.standard_normal((3, 3)))[0]),
        "near copies": (near_copies, 0.8 * near_copies[:, :2] + 0.6 * x[:, 1:2]),
    }
    for name, (left, right) in pairs.items():
        sample = Ranked.of(left, right)
        expected = oracle.summarise_many([sample])[0]
        assert native.summarise(sample) == pytest.approx(expected, rel=1e-5, abs=1e-5), name


def test_many_columns_have_no_neighbours() -> None:
    x = np.random.default_rng(0).standard_normal((50, 5))
    assert not corrected(stacked(x, x + 1e-3))["corrected"].any()


def test_gradients_pass() -> None:
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((60, 1))).requires_grad_()
    y = torch.from_numpy(rng.standard_normal((60, 1))) * 0.1 + x.detach()
    oracle.summarise_smoothly(x, y).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
