"""Pairs of columns one by one: products of pairs that are not normal add up, chance does not."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import gammaln, psi

from mistworks import native
from mistworks.networks.config import SummaryNetworkConfig
from mistworks.statistics import Ranked, oracle, statistic_names
from mistworks.statistics.neighbours import nearest
from mistworks.statistics.planes import planes
from mistworks.statistics.sample import Samples

Array = NDArray[np.float64]


def stacked(x: Array, y: Array) -> Samples:
    return oracle.stacked([Ranked.of(x, y)])


def values(x: Array, y: Array) -> dict[str, list[float]]:
    return {name: value[0].tolist() for name, value in planes(stacked(x, y)).items()}


def uniform(width: float, pairs: int, n: int, seed: int = 0) -> tuple[Array, Array]:
    """X uniform, Y = X + U(−width, width), with width − log(2 width) nats a pair, pairs in any order."""
    rng = np.random.default_rng(seed)
    x = rng.random((n, pairs))
    return x, (x + rng.uniform(-width, width, (n, pairs)))[:, rng.permutation(pairs)]


def student(freedom: float, rho: float, pairs: int, n: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    x, noise = rng.standard_normal((2, n, pairs))
    scale = np.sqrt(rng.chisquare(freedom, (n, pairs)) / freedom)
    return x / scale, (rho * x + math.sqrt(1 - rho**2) * noise) / scale


def student_mi(freedom: float, rho: float) -> float:
    def entropy(m: int) -> float:
        upper, lower = (freedom + m) / 2, freedom / 2
        return float(upper * (psi(upper) - psi(lower)) + gammaln(lower) - gammaln(upper))

    return -0.5 * math.log(1 - rho**2) + 2 * entropy(1) - entropy(2)


@pytest.mark.parametrize("pairs", [1, 3, 12])
def test_pairs_with_uniform_noise_add_up(pairs: int) -> None:
    width = 0.16
    truth = pairs * (width - math.log(2 * width))
    found = values(*uniform(width, pairs, 1000))
    # Of one pair chance is a twentieth.
    apart = 0.1 if pairs == 1 else 0.05
    assert found["mi"] == pytest.approx([truth] * 3, rel=apart)
    assert found["clear"] == [pytest.approx(math.log1p(pairs))]
    # More than eight are not evaluated.
    assert found["sums"][0] == pytest.approx(truth * min(pairs, 8) / pairs, rel=apart)
    if pairs >= 3:
        assert found["greatest"] == pytest.approx([truth / pairs] * 3, rel=0.1)


def test_strong_pairs_add_up() -> None:
    width = 0.003
    found = values(*uniform(width, 3, 1000))
    assert found["mi"][0] == pytest.approx(3 * (width - math.log(2 * width)), rel=0.05)


@pytest.mark.parametrize(("freedom", "rho"), [(1.0, 0.0), (1.0, 0.6), (3.0, 0.6)])
def test_student_pairs_add_up(freedom: float, rho: float) -> None:
    found = values(*student(freedom, rho, 4, 2000))
    assert found["mi"] == pytest.approx([4 * student_mi(freedom, rho)] * 3, rel=0.12)


@pytest.mark.parametrize(("waves", "missed"), [(1, 0.1), (2, 0.12), (4, 0.25)])
def test_waves_add_up(waves: int, missed: float) -> None:
    rng = np.random.default_rng(0)
    x, noise = rng.random((2, 1000, 3))
    noise = noise - 0.5
    y = np.sin(2 * math.pi * waves * x) + noise
    # H(Y) − H(noise): the density of Y by a mean over the sine; the noise has entropy 0.
    grid = np.linspace(-1.5, 1.5, 3001)
    sine = np.sin(math.pi * (np.arange(20_000) + 0.5) / 20_000 - math.pi / 2)
    density = (np.searchsorted(sine, grid + 0.5) - np.searchsorted(sine, grid - 0.5)) / 20_000
    inside = density[density > 0]
    truth = -float((inside * np.log(inside)).sum()) * (grid[1] - grid[0])
    assert values(x, y)["mi"][1] == pytest.approx(3 * truth, rel=missed)


@pytest.mark.parametrize("d", [1, 2, 8])
@pytest.mark.parametrize("n", [60, 400])
def test_independent_columns_have_little(n: int, d: int) -> None:
    rng = np.random.default_rng(n + d)
    found = [values(*rng.standard_normal((2, n, d))) for _ in range(20)]
    assert np.mean([sample["mi"] for sample in found]) < 0.04
    assert np.mean([sample["clear"][0] > 0 for sample in found]) < 0.4


def test_normal_pairs_need_no_correction() -> None:
    rng = np.random.default_rng(0)
    x, noise = rng.standard_normal((2, 2000, 5))
    found = values(x, 0.8 * x + 0.6 * noise)
    assert found["mi"][1] == pytest.approx(-2.5 * math.log(0.36), rel=0.05)
    assert found["sums"][1] == pytest.approx(0.0, abs=0.15)


def test_one_pair_is_that_of_all_neighbours() -> None:
    samples = stacked(*uniform(0.1, 1, 600))
    ksg = nearest(samples)["ksg"][0, :2].tolist()
    found = planes(samples)
    assert found["mi"][0, :2].tolist() == pytest.approx(ksg)
    assert float(found["greatest"][0, 0]) == pytest.approx(ksg[1])


@pytest.mark.parametrize(
    ("n", "dx", "dy"), [(7, 2, 2), (40, 1, 1), (101, 3, 5), (700, 12, 11), (2_500, 2, 2)]
)
def test_order_signs_and_swap_change_nothing(n: int, dx: int, dy: int) -> None:
    rng = np.random.default_rng(n)
    x, y = rng.standard_normal((n, dx)), rng.standard_normal((n, dy))
    both = min(dx, dy)
    y[:, :both] = np.where(np.arange(both) % 2, y[:, :both] + x[:, :both], y[:, :both] + x[:, :both] ** 2)
    points, signs = rng.permutation(n), rng.choice([-1, 1], dx)
    expected = values(x, y)
    changed = values((y[points] ** 3)[:, rng.permutation(dy)], (x * signs)[points][:, rng.permutation(dx)])
    for name, value in expected.items():
        assert changed[name] == pytest.approx(value, abs=1e-9), name


def test_few_points_have_none() -> None:
    x = np.random.default_rng(0).standard_normal((7, 2))
    assert not any(torch.cat(list(planes(stacked(x, x)).values()), dim=1)[0].tolist())


@pytest.mark.skipif(not native.available(), reason="nothing was compiled")
@pytest.mark.parametrize("n", [8, 9, 25, 300, 2_048, 2_049])
@pytest.mark.parametrize("width", [1e-4, 0.2, 5.0])
def test_compiled_values_agree(n: int, width: float) -> None:
    x, y = uniform(width, 10, n)
    sample = Ranked.of(np.column_stack([x, np.round(5 * x[:, :2])]), y)
    rows = [row for row, name in enumerate(statistic_names()) if name.startswith("planes.")]
    expected = np.concatenate([value[0].numpy() for value in planes(oracle.stacked([sample])).values()])
    assert native.summarise(sample)[rows] == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_the_sums_are_candidates_of_the_network() -> None:
    names = [statistic_names()[row] for row in SummaryNetworkConfig().candidates()]
    assert [name for name in names if name.startswith("planes")] == [f"planes.mi.{k}" for k in range(3)]


def test_smooth_samples_have_the_same_neighbours() -> None:
    x, y = (torch.from_numpy(side).requires_grad_() for side in uniform(0.2, 2, 80))
    found = oracle.summarise_smoothly(x, y)
    names = statistic_names()
    greatest = names.index("planes.greatest.0")
    exact = values(x.detach().numpy(), y.detach().numpy())
    assert found[greatest : greatest + 3].tolist() == pytest.approx(exact["greatest"], abs=1e-6)
    found.sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
