"""Pairs by label: each sampler tells its label, so that the information is that of the table.

Seeds are fixed. With a fresh seed a test of frequencies would fail a correct implementation with probability
about 1e-6.
"""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.special import entr, ndtr

from mistworks.dataset import FloatArray
from mistworks.distributions import LabelledFamily, PairsByLabel, RecordedSampler
from mistworks.distributions.coarsening import EXACT, Coarsening
from mistworks.distributions.label_samplers import RecordedBlock, truncated_normal
from mistworks.errors import MistworksError

Codes = NDArray[np.int64]


def read(block: RecordedBlock, values: FloatArray) -> Codes:
    """The label of each point, from its first column alone."""
    first, column = block.first, values[:, 0]
    label = np.full(len(column), -1)
    for number, (atom, code) in enumerate(zip(first.atoms, first.codes, strict=True)):
        if atom:
            label[column == code] = number
    inside = np.searchsorted(first.cuts, column)
    rest = label < 0
    assert not first.atoms[inside[rest]].any()
    label[rest] = inside[rest]
    return label


class Circle:
    """A sampler of one's own: the label is the third of a circle."""

    size = 2

    def __call__(self, label: Codes, rng: np.random.Generator) -> FloatArray:
        angle = 2 * np.pi * (label + rng.random(len(label))) / 3
        return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def third(points: FloatArray) -> Codes:
    angle = np.arctan2(points[:, 1], points[:, 0]) % (2 * np.pi)
    return np.minimum(angle * 3 / (2 * np.pi), 2).astype(np.int64)


@pytest.mark.parametrize("censored", [0.0, 1.0])
@pytest.mark.parametrize(("labels", "columns"), [(2, 1), (5, 3), (24, 8)])
def test_recorded_blocks_tell_their_label(censored: float, labels: int, columns: int) -> None:
    rng = np.random.default_rng(labels)
    exact = 0
    for _ in range(40):
        shares = rng.dirichlet(np.full(labels, 0.5))
        block = RecordedSampler(censored=censored).draw(shares, columns, None, rng)
        label = rng.integers(labels, size=1_000)
        values = block(label, rng)
        assert (values.shape, values.dtype) == ((1_000, columns), np.float32)
        assert np.array_equal(read(block, values), label)
        exact += not block.first.atoms.all()
    assert exact == (40 if censored else 0)


def test_truncated_normals_fill_their_interval() -> None:
    """A Kolmogorov–Smirnov test per interval, at level 1e-6."""
    cuts = np.array([-1.0, 0.2, 4.0])
    rng = np.random.default_rng(0)
    ends = np.r_[0.0, ndtr(cuts), 1.0]
    for label in range(4):
        z = truncated_normal(cuts, np.full(5_000, label), rng)
        assert np.array_equal(np.searchsorted(cuts, z), np.full(5_000, label))
        rank = (ndtr(z) - ends[label]) / (ends[label + 1] - ends[label])
        assert stats.kstest(rank, "uniform").pvalue > 1e-6


def test_other_columns_are_correlated_with_the_first() -> None:
    block = RecordedBlock(
        Coarsening(np.array([0.0]), np.array([True, True]), np.array([0, 1], dtype=np.float32)),
        np.array([0.8]),
        (EXACT,),
    )
    rng = np.random.default_rng(1)
    label = rng.integers(2, size=20_000)
    values = block(label, rng)
    # E V | Z > 0 = .8 √(2/π), and the label halves are equal: a standard normal again.
    assert values[label == 1, 1].mean() == pytest.approx(0.8 * math.sqrt(2 / math.pi), abs=0.03)
    assert stats.kstest(values[:, 1], "norm").pvalue > 1e-6


def test_information_is_that_of_the_table_for_samplers_of_ones_own() -> None:
    table = np.array([[0.2, 0.05, 0.05], [0.0, 0.3, 0.1], [0.1, 0.0, 0.2]])
    joint = PairsByLabel(table, Circle(), Circle())
    assert (joint.dx, joint.dy) == (2, 2)
    expected = entr(table.sum(axis=0)).sum() + entr(table.sum(axis=1)).sum() - entr(table).sum()
    assert joint.mutual_information == pytest.approx(float(expected), rel=1e-12)
    x, y = joint.sample(40_000, np.random.default_rng(2))
    counts = np.zeros((3, 3))
    np.add.at(counts, (third(x), third(y)), 1)
    assert counts[1, 0] == counts[2, 1] == 0
    seen = table > 0
    assert stats.chisquare(counts[seen], 40_000 * table[seen]).pvalue > 1e-6


@pytest.mark.parametrize("table", [np.ones((2, 2)), np.ones(1), np.array([[1.5, -0.5]])])
def test_tables_that_are_no_distribution_are_refused(table: NDArray[np.float64]) -> None:
    with pytest.raises(MistworksError, match="Expected a matrix of probabilities with sum 1, got shape"):
        PairsByLabel(table, Circle(), Circle())


def test_the_family_draws_tables_of_all_kinds() -> None:
    rng = np.random.default_rng(3)
    family = LabelledFamily(most=10)
    drawn = [family.draw(2, 3, rng) for _ in range(300)]
    information = np.array([joint.mutual_information for joint in drawn])
    assert max(max(joint.table.shape) for joint in drawn) == 10
    assert 12 <= (information < 1e-9).sum() <= 60
    assert information.max() > 1.5
    assert any(np.count_nonzero(joint.table) == max(joint.table.shape) for joint in drawn)


def test_samplers_of_a_modality_need_one() -> None:
    family = LabelledFamily.parse('{"samplers": [{"sampler": "rows"}]}')
    assert family.needs_modality
    assert not LabelledFamily().needs_modality
    with pytest.raises(MistworksError, match="Expected a fitted modality for the family labelled, got none"):
        family.draw(8, 8, np.random.default_rng(0))
