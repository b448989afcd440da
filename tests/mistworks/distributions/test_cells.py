"""Cells in several dimensions: what is drawn, and that the cell is all that X and Y share."""

import numpy as np
import pytest

from mistworks.distributions import Cells, CellsFamily
from mistworks.distributions.tables import assign, table_information
from mistworks.errors import MistworksError

TABLE = np.array([[0.30, 0.05, 0.05], [0.05, 0.25, 0.30]])


def joint() -> Cells:
    return Cells(TABLE, np.array([[0, 1], [1, 1]]), np.array([[0], [2], [5]]), x_width=0.5, y_width=1.0)


def test_the_label_is_that_of_the_cells_drawn() -> None:
    x, y = joint().sample(200_000, np.random.default_rng(0))
    row = np.floor(x[:, 0]).astype(int)
    column = np.array([0, -1, 1, -1, -1, 2])[np.floor(y[:, 0]).astype(int)]
    counts = np.bincount(row * 3 + column, minlength=6).reshape(2, 3) / len(x)
    assert np.abs(counts - TABLE).max() < 5 * np.sqrt(0.25 / len(x))
    independent = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0)
    # Standard error about 0.001 nats, bias (2 − 1)(3 − 1)/2n far less.
    assert (counts * np.log(counts / independent)).sum() == pytest.approx(
        joint().mutual_information, abs=0.006
    )


def test_given_its_cell_a_point_says_no_more() -> None:
    x, y = joint().sample(100_000, np.random.default_rng(1))
    within = (x[:, 0] < 1) & (y[:, 0] < 1)
    corner = np.corrcoef(x[within, 0] % 1, y[within, 0] % 1)[0, 1]
    assert abs(corner) < 5 / np.sqrt(within.sum())
    assert (x[:, 1].min(), x[:, 1].max()) == (pytest.approx(1.0, abs=1e-3), pytest.approx(1.5, abs=1e-3))


@pytest.mark.parametrize(("dx", "dy"), [(1, 1), (2, 5), (8, 1), (32, 32)])
def test_cells_of_a_draw_do_not_overlap(dx: int, dy: int) -> None:
    for seed in range(20):
        drawn = CellsFamily().draw(dx, dy, np.random.default_rng(seed))
        assert (drawn.dx, drawn.dy) == (dx, dy)
        assert len(np.unique(drawn.x_places, axis=0)) == len(drawn.x_places) == drawn.table.shape[0]
        assert drawn.mutual_information >= 0
        again = CellsFamily().draw(dx, dy, np.random.default_rng(seed))
        assert np.array_equal(drawn.table, again.table)
        x, y = drawn.sample(7, np.random.default_rng(seed))
        assert (x.shape, y.shape, x.dtype) == ((7, dx), (7, dy), np.float32)


def test_what_is_no_prior_or_no_cell_is_refused() -> None:
    with pytest.raises(MistworksError, match="Expected distinct places for 2 cells, got 2 places, 1 of"):
        Cells(TABLE, np.array([[0], [0]]), np.array([[0], [1], [2]]))
    with pytest.raises(MistworksError, match=r"Expected width and signal within \[0, 1\]"):
        CellsFamily.parse({"width": {"low": 0.5, "high": 2.0}})
    with pytest.raises(MistworksError, match="Expected dimension of cells ≥ 1"):
        CellsFamily().draw(0, 1, np.random.default_rng(0))


def test_discrete_cells_are_their_corners_and_keep_their_label() -> None:
    rng = np.random.default_rng(3)
    drawn = CellsFamily(atomic=1.0).draw(3, 2, rng)
    assert (drawn.x_width, drawn.y_width) == (0.0, 0.0)
    x, y = drawn.sample(200_000, rng)
    rows, row = np.unique(x, axis=0, return_inverse=True)
    columns, column = np.unique(y, axis=0, return_inverse=True)
    assert {tuple(corner) for corner in rows} <= {tuple(corner) for corner in drawn.x_places.astype(float)}
    counts = np.zeros((len(rows), len(columns)))
    np.add.at(counts, (row, column), 1 / len(x))
    independent = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0)
    seen = counts > 0
    estimate = (counts[seen] * np.log(counts[seen] / independent[seen])).sum()
    # A bias of at most 23 · 23 / 2n = 0.0014, and a standard error near 0.002.
    assert estimate == pytest.approx(drawn.mutual_information, abs=0.012)


def test_assigned_cells_are_functions_of_the_other_side_but_for_errors() -> None:
    rng = np.random.default_rng(4)
    exact = 0
    for _ in range(60):
        table = CellsFamily(assigned=1.0).draw(5, 2, rng).table
        assert table.sum() == pytest.approx(1.0)
        of_row, of_column = (int((np.count_nonzero(table, axis=axis) <= 1).all()) for axis in (1, 0))
        exact += max(of_row, of_column)
    assert 15 < exact < 45


def test_an_exact_assignment_tells_the_choice() -> None:
    choice = np.array([0, 0, 1, 2])
    for seed in range(10):
        table = assign(choice, 3, np.random.default_rng(seed))
        rows, columns = table.sum(axis=1), table.sum(axis=0)
        assert np.array_equal(table.argmax(axis=1), choice)
        if np.count_nonzero(table) == 4:
            assert table_information(table) == pytest.approx(float(-(columns * np.log(columns)).sum()))
        else:
            assert table_information(table) < float(-(columns * np.log(columns)).sum())
        assert (rows > 0).all()


def test_what_is_zero_draws_nothing_and_is_not_written() -> None:
    assert not {"atomic", "assigned"} & set(CellsFamily().model_dump())
    assert CellsFamily.parse(CellsFamily(atomic=0.5).canonical_json()).atomic == 0.5
    with pytest.raises(MistworksError, match="less than or equal to 1"):
        CellsFamily.parse({"atomic": 2.0})
