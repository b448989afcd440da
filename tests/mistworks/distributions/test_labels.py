"""The labels family: every encoder tells its label, so that the table's information is that of the columns.

Seeds are fixed. With a fresh seed a test of frequencies would fail a correct implementation with probability
about 1e-6.
"""

import math

import numpy as np
import pytest
from scipy import stats

from mistworks.distributions import Labels, LabelsFamily
from mistworks.distributions.coordinates import draw_coordinates
from mistworks.distributions.labels import Clusters, Encoder, Template, draw_encoder

CASES = [(2, 1), (7, 1), (500, 1), (3, 5), (20, 12), (500, 12), (12, 64)]


def read(encoder: Encoder, values: np.ndarray) -> np.ndarray:
    """The label of each point."""
    if isinstance(encoder, Clusters):
        distance = np.square(values[:, None].astype(np.float64) - encoder.centres[None]).sum(axis=2)
        nearest = distance.argmin(axis=1)
        assert (np.sqrt(distance[np.arange(len(values)), nearest]) < 1.01 * encoder.radius).all()
        return np.asarray(nearest)
    assert isinstance(encoder, Template)
    level = np.floor(values.astype(np.float64)).astype(int)
    labels = {tuple(row): number for number, row in enumerate(encoder.levels.tolist())}
    return np.array([labels[tuple(row)] for row in level.tolist()])


@pytest.mark.parametrize(("labels", "room"), CASES)
def test_columns_tell_their_label(labels: int, room: int) -> None:
    rng = np.random.default_rng(labels + room)
    for _ in range(60):
        encoder = draw_encoder(labels, room, rng)
        assert 1 <= encoder.size <= room
        label = rng.integers(labels, size=2_000)
        values = encoder(label, rng)
        assert values.shape == (2_000, encoder.size)
        assert values.dtype == np.float32
        assert np.array_equal(read(encoder, values), label)


def test_all_encoders_are_drawn() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_encoder(10, 20, rng) for _ in range(300)]
    templates = [encoder for encoder in drawn if isinstance(encoder, Template)]
    assert len(templates) < len(drawn)
    assert any(encoder.size == 1 and encoder.width == 0 for encoder in templates)
    assert any(encoder.size > 1 and encoder.width == 0 for encoder in templates)
    assert any(encoder.steps for encoder in templates)
    assert any(encoder.sparse and encoder.width for encoder in templates)
    assert any(encoder.factor is not None for encoder in templates)


def test_sparse_columns_are_zero_where_their_level_is() -> None:
    encoder = Template(np.array([[0, 1], [2, 0]]), width=0.9, sparse=True)
    values = encoder(np.array([0, 1, 0]), np.random.default_rng(0))
    assert values[[0, 2], 0].tolist() == [0.0, 0.0]
    assert values[1, 1] == 0.0
    assert ((values[[0, 2], 1] > 1) & (values[[0, 2], 1] < 2)).all()


def test_noise_of_steps_takes_so_many_values() -> None:
    encoder = Template(np.array([[0], [1]]), width=0.9, steps=4)
    values = encoder(np.repeat([0, 1], 500), np.random.default_rng(0))
    assert len(np.unique(values)) == 8


def test_information_is_that_of_the_table_and_pairs_come_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    table = np.array([[0.1, 0.2, 0.0], [0.3, 0.05, 0.35]])
    x, y = Template(np.array([[5], [2]]), width=0.5), Template(np.array([[0, 1], [1, 0], [1, 1]]))
    noise = draw_coordinates(2, rng), draw_coordinates(1, rng)
    joint = Labels(table, x, y, np.array([1, 0, 2]), np.array([2, 0, 1]), *noise)
    expected = sum(
        p * math.log(p / (table[i].sum() * table[:, j].sum())) for (i, j), p in np.ndenumerate(table) if p > 0
    )
    assert joint.mutual_information == pytest.approx(expected)
    assert (joint.dx, joint.dy) == (3, 3)
    a, b = joint.sample(50_000, rng)
    counts = np.zeros(table.shape)
    np.add.at(counts, (read(x, a[:, [1]]), read(y, b[:, [2, 0]])), 1)
    assert counts[0, 2] == 0
    seen = table > 0
    assert stats.chisquare(counts[seen], 50_000 * table[seen]).pvalue > 1e-6


@pytest.mark.parametrize(("dx", "dy"), [(1, 1), (2, 5), (64, 64)])
def test_draws_are_finite_and_reproducible(dx: int, dy: int) -> None:
    family = LabelsFamily()
    independent = 0
    for seed in range(80):
        drawn = family.draw(dx, dy, np.random.default_rng(seed))
        again = family.draw(dx, dy, np.random.default_rng(seed))
        x, y = drawn.sample(50, np.random.default_rng(1))
        assert (x.shape, y.shape) == ((50, dx), (50, dy))
        assert np.isfinite(x).all()
        assert np.isfinite(y).all()
        assert drawn.table.sum() == pytest.approx(1.0)
        assert 0 <= drawn.mutual_information <= math.log(500) + 1e-9
        assert np.array_equal(x, again.sample(50, np.random.default_rng(1))[0])
        independent += drawn.mutual_information < 1e-9
    assert 10 <= independent <= 45


def test_tables_are_identities_functions_noisy_copies_and_rare() -> None:
    rng = np.random.default_rng(2)
    tables = [LabelsFamily(independent=0.0)._table(rng) for _ in range(300)]
    diagonal = [t.shape[0] == t.shape[1] and np.count_nonzero(t) == len(t) for t in tables]
    function = [bool((np.count_nonzero(t, axis=1) == 1).all()) for t in tables]
    rare = [float(t.sum(axis=1).max()) > 0.97 for t in tables]
    for kind in (diagonal, function, rare):
        assert 5 < sum(kind) < 250
