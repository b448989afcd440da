"""Classes on one side, columns on the other: discriminant analysis and neighbours."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mistworks.statistics import Ranked, oracle, statistic_names, summarise
from mistworks.statistics.classes import discriminant
from mistworks.statistics.classes import nearest as nearest_of_class

Array = NDArray[np.float64]


def named(x: Array, y: Array) -> dict[str, float]:
    found = zip(statistic_names(), summarise(x, y).tolist(), strict=True)
    return {name.removeprefix("classes."): value for name, value in found if name.startswith("classes.")}


def shifted(n: int, classes: int, d: int, shift: float, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, n)
    means = np.random.default_rng(99).standard_normal((classes, d))
    return label[:, None].astype(float), shift * means[label] + rng.standard_normal((n, d))


def test_leaving_out_by_formula_is_leaving_out() -> None:
    x, y = shifted(60, 3, 4, 1.0)
    labels, scores = torch.from_numpy(x[:, 0]).long(), torch.from_numpy(y)
    m, d, classes = 60, 4, 3
    shrinkage = 0.5 * d / m
    within_all = scores - torch.stack([scores[labels == c].mean(0) for c in range(classes)])[labels]
    ridge = shrinkage * within_all.square().sum() / d + 1e-9 * m
    best = -math.inf
    for temperature in (1.0, 0.7, 0.45, 0.25, 0.1):
        total = 0.0
        for i in range(m):
            kept = torch.arange(m) != i
            means = torch.stack([scores[kept & (labels == c)].mean(0) for c in range(classes)])
            within = (scores - means[labels])[kept]
            scatter = (1 - shrinkage) * within.T @ within + ridge * torch.eye(d, dtype=torch.float64)
            away = scores[i] - means
            squares = (away @ torch.linalg.inv(scatter) * away).sum(1)
            counts = labels[kept].bincount(minlength=classes)
            priors = ((counts.double() + 0.5) / (m - 1 + 0.5 * classes)).log()
            logits = priors - 0.5 * temperature * (m - classes - 1) * squares
            total += max(float(torch.log_softmax(logits, 0)[labels[i]]), -math.log(m))
        best = max(best, total / m)
    assert float(discriminant(scores, labels, classes, 1.2)) == pytest.approx(1.2 + best, abs=1e-9)


@pytest.mark.parametrize("d", [8, 64])
def test_two_classes_far_apart_in_many_columns_tell_one_bit(d: int) -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 1000)
    x = rng.standard_normal((1000, d)) + label[:, None] * math.sqrt(64 / d)
    found = named(x, label[:, None])
    assert found["mi.0"] == pytest.approx(math.log(2), abs=0.01)
    assert found["flag.0"] == found["flag.1"] == 1.0


@pytest.mark.parametrize(("classes", "d"), [(2, 1), (2, 40), (6, 3), (30, 5)])
def test_independent_classes_are_not_told(classes: int, d: int) -> None:
    found = [named(*shifted(300, classes, d, 0.0, seed)) for seed in range(10)]
    assert np.mean([values["mi.0"] for values in found]) < 0.01
    assert np.mean([values["mi.2"] for values in found]) < 0.06


def test_both_are_near_the_truth_of_normal_classes() -> None:
    # Two normals at ±1: H(Y) − H(Y | C) by quadrature.
    grid = np.linspace(-8, 8, 20_001)
    density = sum(np.exp(-0.5 * (grid - shift) ** 2) / math.sqrt(2 * math.pi) for shift in (-1, 1)) / 2
    truth = -np.trapezoid(density * np.log(density), grid) - 0.5 * math.log(2 * math.pi * math.e)
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 2000)
    found = named((2 * label - 1 + rng.standard_normal(2000))[:, None], label[:, None])
    assert found["mi.0"] == pytest.approx(truth, abs=0.04)
    assert found["mi.2"] == pytest.approx(truth, abs=0.05)
    assert found["entropy.0"] == pytest.approx(math.log(2), abs=0.01)


def test_neighbours_see_what_is_not_linear() -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((1500, 1))
    found = named(z, np.abs(z) > 0.6745)
    assert found["mi.0"] < 0.02
    assert found["mi.2"] == pytest.approx(math.log(2), abs=0.03)


def test_estimates_stay_within_the_entropy() -> None:
    rng = np.random.default_rng(0)
    label = (rng.random(500) < 0.02).astype(float)
    found = named(np.column_stack([label * 50, rng.standard_normal((500, 2))]), label[:, None])
    assert max(found["mi.0"], found["mi.2"]) <= found["entropy.0"] + 1e-6
    assert found["entropy.0"] < 0.12


def test_continuous_sides_and_too_many_states_have_none() -> None:
    rng = np.random.default_rng(0)
    y = rng.standard_normal((100, 2))
    for x in (rng.standard_normal((100, 1)), rng.integers(0, 60, (100, 1))):
        assert not any(named(x, y).values())
    many = named(rng.integers(0, 100, (1000, 1)), rng.standard_normal((1000, 2)))
    assert (many["flag.0"], many["flag.1"], many["mi.0"]) == (0.0, 1.0, 0.0)


def test_one_alone_in_its_class_is_left_out_by_neighbours() -> None:
    scores = torch.from_numpy(np.random.default_rng(0).standard_normal((50, 2)))
    labels = torch.zeros(50, dtype=torch.int64)
    labels[7] = 1
    assert nearest_of_class(scores, labels) == pytest.approx(0.0, abs=0.2)
    alone = nearest_of_class(scores[:3], torch.arange(3))
    assert float(alone) == 0.0


def test_the_gradient_widens_the_gap_between_classes() -> None:
    x, y = shifted(300, 4, 2, 1.0)
    values = torch.from_numpy(y).requires_grad_()
    samples = oracle.partly_smooth(torch.cat([values, torch.from_numpy(x)], dim=1), Ranked.of(y, x))
    found = oracle.FUNCTIONS["classes"][0](samples)["mi"]
    found[:, [0, 2]].sum().backward()
    assert values.grad is not None
    assert values.grad.isfinite().all()
    means = torch.from_numpy(np.stack([y[x[:, 0] == c].mean(0) for c in range(4)]))
    outwards = (means - means.mean(0))[torch.from_numpy(x[:, 0]).long()]
    assert (values.grad * outwards).sum() > 0
