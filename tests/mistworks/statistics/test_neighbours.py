"""Neighbours of some points among many."""

import numpy as np
import pytest
import torch
from scipy.special import psi

from mistworks.evaluation.suites.bmi import bmi_40
from mistworks.statistics import Ranked, neighbours, oracle
from mistworks.statistics.sample import POINTS, SUBSET, Samples


def stacked(n: int, dx: int, dy: int) -> Samples:
    rng = np.random.default_rng(n)
    x = rng.standard_normal((n, dx))
    return oracle.stacked([Ranked.of(x, rng.standard_normal((n, dy)) + 0.8 * x[:, :1])])


def test_queries_are_counted_among_all_points() -> None:
    samples = stacked(1500, 2, 1)
    scores = samples.subset(POINTS).float()[0]
    sides = [torch.cdist(part[:SUBSET], part, p=torch.inf) for part in (scores[:, :2], scores[:, 2:])]
    for position, k in enumerate(neighbours.NEIGHBOURS):
        radii = torch.maximum(*sides).sort(dim=1).values[:, k, None] * (1 - 1e-6)
        x, y = (((part < radii).sum(dim=1) - 1).numpy() for part in sides)
        expected = psi(k) + psi(1500) - (psi(x + 1) + psi(y + 1)).mean()
        assert float(neighbours.nearest(samples)["ksg"][0, position]) == pytest.approx(expected, abs=1e-9)


def test_a_smaller_subset_comes_first_in_a_greater_one() -> None:
    samples = stacked(POINTS + 100, 1, 1)
    points = samples.subset(POINTS)
    assert points.shape[1] == POINTS
    assert torch.equal(points[:, :SUBSET], samples.subset(SUBSET))
    assert len(torch.unique(points[0], dim=0)) == POINTS


def test_many_points_help_where_few_do_not() -> None:
    suite = bmi_40((500, 10_000))
    found = {}
    for position in range(len(suite)):
        case = suite.case(position)
        if case.name == "spiral-multinormal-sparse-3-3-2-2.0" and case.n not in found:
            pair = suite.sample(position)
            found[case.n] = float(neighbours.nearest(oracle.stacked([Ranked.of(*pair)]))["ksg"][0, 1])
    # The truth is 1.02.
    assert found[10_000] == pytest.approx(0.77, abs=0.08)
    assert found[500] < found[10_000] - 0.15
