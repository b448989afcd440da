"""Rotations by an angle that grows with the norm: what the statistics find, and what does not change them."""

import numpy as np
import pytest
import torch

from mistworks.evaluation.distributions.maps import Spiral
from mistworks.evaluation.suites.bmi import bmi_40
from mistworks.statistics import Ranked, oracle
from mistworks.statistics.rotations import rotated

TRUTH = 1.022
"""Nats of the spirals of BMI, whose maps are invertible."""


def values(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    found = rotated(oracle.stacked([Ranked.of(x, y)]))
    return {name: part[0].numpy() for name, part in found.items()}


def spirals(d: int, n: int, replicates: int = 6) -> list[tuple[np.ndarray, np.ndarray]]:
    suite = bmi_40((n,))
    name = f"spiral-multinormal-sparse-{d}-{d}-2-2.0"
    positions = [position for position in range(len(suite)) if suite.case(position).name == name]
    assert suite.case(positions[0]).mi == pytest.approx(TRUTH, abs=0.001)
    rng = np.random.default_rng(d)
    pairs = []
    for _ in range(replicates):
        x = rng.standard_normal((n, d))
        rho = np.sqrt(1 - np.exp(-TRUTH))
        y = rng.standard_normal((n, d))
        y[:, :2] = rho * x[:, :2] + np.sqrt(1 - rho**2) * y[:, :2]
        pairs.append((Spiral(0, 1)(x), Spiral(1, 2)(y)))
    return pairs


@pytest.mark.parametrize("d", [3, 5, 25])
def test_spirals_are_found(d: int) -> None:
    found = [values(x, y) for x, y in spirals(d, 500)]
    best = np.array([value["best"][0] for value in found])
    assert best.mean() == pytest.approx(TRUTH, abs=0.15)
    assert best.std() < 0.15
    # The plain Gaussian copula of the same coordinates finds less.
    assert np.mean([value["plain"][0] for value in found]) < TRUTH - 0.1


@pytest.mark.parametrize("d", [3, 5, 25])
def test_independent_spirals_show_next_to_nothing(d: int) -> None:
    rng = np.random.default_rng(0)
    best = [values(x, y[rng.permutation(len(y))])["best"][0] for x, y in spirals(d, 500)]
    assert np.mean(best) < 0.08
    assert np.min(best) > -0.05


def test_values_are_consistent() -> None:
    x, y = spirals(3, 200, 1)[0]
    found = values(x, y)
    assert found["gain"] == pytest.approx(found["best"] - found["plain"])
    assert found["best"][0] >= max(part.max() for name, part in found.items() if name != "best")
    assert found["sides"][0] >= found["sides"][1] >= found["plain"][0]


@pytest.mark.parametrize(("n", "dx", "dy"), [(9, 1, 1), (50, 3, 2), (70, 6, 9), (300, 12, 2), (700, 5, 5)])
def test_order_signs_and_swap_change_nothing(n: int, dx: int, dy: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.standard_normal((n, dx))
    y = rng.standard_normal((n, dy)) + x[:, :1] * np.abs(x[:, :1])
    points, x_signs = rng.permutation(n), rng.choice([-1, 1], dx)
    expected = values(x, y)
    changed = values(y[points][:, rng.permutation(dy)] ** 3, (x * x_signs)[points][:, rng.permutation(dx)])
    for name, value in expected.items():
        assert changed[name] == pytest.approx(value, abs=1e-9), name


@pytest.mark.parametrize("n", [5, 7, 8, 20])
def test_few_points_give_finite_values(n: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.standard_normal((n, 6))
    found = np.concatenate(list(values(x, x[:, ::-1]).values()))
    assert np.isfinite(found).all()
    if n < 8:
        assert (found == 0).all()


def test_gradients_pass() -> None:
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((60, 2))).requires_grad_()
    y = torch.from_numpy(rng.standard_normal((60, 2))) + x.detach()
    oracle.summarise_smoothly(x, y).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
