"""Estimates with a gradient: near those without, and good for climbing."""

from pathlib import Path

import numpy as np
import pytest
import torch

import mistworks.estimation.estimator
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import Estimator, TrainingRange
from mistworks.networks import SetTransformerConfig, SummaryNetworkConfig, build_network
from mistworks.statistics import statistic_names, summarise_smoothly
from mistworks.training import TrainingConfig, train
from tests.mistworks.networks.test_summary import MemorySummaries
from tests.support.sources import MemorySource


@pytest.fixture(scope="module")
def estimator(tmp_path_factory: pytest.TempPathFactory) -> Estimator:
    source = MemorySummaries(MemorySource.gaussian(400, seed=7, n=(60, 200), d=(1, 2)))
    config = TrainingConfig(epochs=12, batch_size=32, learning_rate=3e-3, validate_every=100)
    folder: Path = tmp_path_factory.mktemp("differentiable")
    return train(source, source, SummaryNetworkConfig(hidden=32, blocks=1), config, folder, "hash").estimator


def draw(rho: float, seed: int, n: int = 150, dx: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    x, noise = rng.standard_normal((n, dx)), rng.standard_normal((n, 1))
    return torch.from_numpy(x), torch.from_numpy(rho * x[:, :1] + np.sqrt(1 - rho**2) * noise)


@pytest.mark.parametrize("rho", [0.4, 0.7, 0.9])
def test_the_gap_to_the_estimate_is_far_below_its_spread(estimator: Estimator, rho: float) -> None:
    pairs = [draw(rho, seed) for seed in range(20)]
    exact = np.array([estimator.estimate(x, y).mi for x, y in pairs])
    smooth = np.array([estimator.differentiable(x, y).item() for x, y in pairs])
    assert np.abs(smooth - exact).mean() < 0.5 * exact.std()


def test_the_gradient_is_that_of_the_estimate(estimator: Estimator) -> None:
    x, y = draw(0.7, 1)
    x.requires_grad_()
    estimator.differentiable(x, y).backward()
    assert x.grad is not None
    direction = torch.from_numpy(np.random.default_rng(0).standard_normal(x.shape))
    step = 1e-5
    with torch.no_grad():
        above, below = (estimator.differentiable(x + sign * step * direction, y) for sign in (1, -1))
    expected = (above - below).item() / (2 * step)
    assert (x.grad * direction).sum().item() == pytest.approx(expected, rel=0.05, abs=1e-3)


def test_climbing_finds_the_direction_that_carries_information(estimator: Estimator) -> None:
    x, y = draw(0.95, 2, dx=2)
    angle = torch.tensor(1.2, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([angle], lr=0.08)
    for _ in range(40):
        projected = x @ torch.stack([torch.cos(angle), torch.sin(angle)])[:, None]
        loss = -estimator.differentiable(projected, y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    # All of y comes from the first coordinate.
    assert abs(np.tan(angle.item())) < 0.35


def test_constant_columns_carry_nothing(estimator: Estimator) -> None:
    x, y = draw(0.7, 4)
    wide = torch.cat([x, torch.ones(len(x), 2, dtype=x.dtype)], dim=1).requires_grad_()
    assert estimator.differentiable(wide, y).item() == pytest.approx(estimator.differentiable(x, y).item())
    estimator.differentiable(wide, y).backward()
    assert wide.grad is not None
    assert wide.grad.isfinite().all()
    nothing = torch.ones(len(x), 1).requires_grad_()
    found = estimator.differentiable(nothing, y)
    found.backward()
    assert (found.item(), nothing.grad.abs().sum().item() if nothing.grad is not None else None) == (0.0, 0.0)
    with pytest.raises(MistworksError, match=r"Expected x to be a floating-point tensor of shape"):
        estimator.differentiable(x[:, :0], y)


def test_what_has_no_gradient_is_refused(estimator: Estimator) -> None:
    x, y = draw(0.5, 0)
    with pytest.raises(MistworksError, match=r"Expected x to be a floating-point tensor .* got .*ndarray"):
        estimator.differentiable(x.numpy(), y)  # type: ignore[arg-type]
    with pytest.raises(MistworksError, match=r"Expected y to be .* torch.int64 and shape \(150, 1\)"):
        estimator.differentiable(x, y.long())
    with pytest.raises(MistworksError, match="from 5 to 2,000 for smooth ranks, got 3 and 3"):
        estimator.differentiable(x[:3], y[:3])
    with pytest.raises(MistworksError, match="finite numbers"):
        estimator.differentiable(x / 0, y)
    other = SetTransformerConfig(hidden=4, relation_hidden=8, heads=2, feedforward=8)
    sizes = TrainingRange(n=(10, 50), dx=(1, 2), dy=(1, 2))
    plain = Estimator(build_network(other), other, "pinball", sizes)
    with pytest.raises(MistworksError, match="got one without a smooth version"):
        plain.differentiable(x, y)


def subsample(kind: str, seed: int, n: int = 400) -> tuple[torch.Tensor, torch.Tensor]:
    """Two columns, of which the first alone tells y: four classes, or a continuous value."""
    rng = np.random.default_rng(seed)
    classes, x = rng.integers(0, 4, n), rng.standard_normal((n, 2))
    if kind == "classes":
        x[:, 0] += classes
        return torch.from_numpy(x), torch.from_numpy(classes[:, None].astype(float))
    return torch.from_numpy(x), torch.from_numpy(0.8 * x[:, :1] + 0.6 * rng.standard_normal((n, 1)))


def projected(x: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    return x @ torch.stack([torch.cos(angle), torch.sin(angle)])[:, None]


@pytest.mark.parametrize("kind", ["classes", "continuous"])
@pytest.mark.parametrize("start", [0.6, -0.9])
def test_statistics_that_pass_gradients_have_the_right_sign(kind: str, start: float) -> None:
    names = [
        "gaussian.unbiased.0",
        "metric.distance_correlation.0",
        "sparse.ordered.0",
        "metric.regression.0",
    ]
    names += ["classes.mi.0"] if kind == "classes" else ["pairs.ordered.0", "local.kendall.0"]
    right = dict.fromkeys(names, 0)
    for seed in range(10):
        x, y = subsample(kind, seed)
        angle = torch.tensor(start, dtype=torch.float64, requires_grad=True)
        statistics = summarise_smoothly(projected(x, angle), y)
        for name in names:
            value = statistics[statistic_names().index(name)]
            (slope,) = torch.autograd.grad(value, angle, retain_graph=True)
            right[name] += bool(slope * start < 0)
    assert min(right.values()) == 10, right


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "share"), [("classes", 0.90), ("continuous", 0.97)])
def test_the_shipped_estimator_knows_the_way(kind: str, share: float) -> None:
    shipped = mistworks.shipped()
    right = []
    for seed in range(200):
        x, y = subsample(kind, seed)
        start = float(np.random.default_rng(seed).choice([-1.0, 1.0]) * (0.3 + 0.004 * seed))
        angle = torch.tensor(start, dtype=torch.float64, requires_grad=True)
        shipped.differentiable(projected(x, angle), y).backward()
        assert angle.grad is not None
        right.append(angle.grad.item() * start < 0)
    assert np.mean(right) >= share
