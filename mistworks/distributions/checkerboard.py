"""The checkerboard family: one coordinate per side, cut into cells whose joint probabilities are a table."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Array, Family, JointDistribution, require_at_least
from mistworks.distributions.priors import LogUniform, Probability, within
from mistworks.distributions.tables import draw_cells, draw_table, table_information, weaken
from mistworks.errors import MistworksError

_MOST_CELLS = 64
_MOST_ATOMS = 32


@dataclass(frozen=True, eq=False)
class Checkerboard(JointDistribution):
    """The cell of (X, Y) is drawn from a table p; a continuous side is uniform in it, an atomic constant.

    Given its cell, a side is independent of the other side, so that I(X;Y) = Σ p log(p / (p_row p_column)),
    the mutual information of the cells.

    Attributes:
        table: p, shape (rows, columns), one row per cell of X, with sum 1.
        x_atomic: if True, X is the number of its row; otherwise it is uniform within the row's part of (0,
            1).
        y_atomic: the same for Y and the columns.

    Raises:
        MistworksError: the table is not a matrix of probabilities with sum 1.
    """

    table: Array
    x_atomic: bool = False
    y_atomic: bool = False
    cumulative: Array = field(init=False, repr=False)

    dx = dy = 1

    def __post_init__(self) -> None:
        table = self.table
        valid = table.ndim == 2 and table.size > 0 and bool((table >= 0).all())
        if not valid or abs(float(table.sum()) - 1.0) > 1e-9:
            raise MistworksError(
                f"Expected a matrix of probabilities with sum 1, got shape {table.shape} with sum "
                f"{float(table.sum())}. Normalise it."
            )
        object.__setattr__(self, "cumulative", np.cumsum(table))

    @property
    @override
    def mutual_information(self) -> float:
        return table_information(self.table)

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        rows, columns = self.table.shape
        row, column = draw_cells(self.cumulative, self.table.shape, n, rng)
        return _values(row, rows, self.x_atomic, rng), _values(column, columns, self.y_atomic, rng)


def _values(cell: NDArray[np.int64], cells: int, atomic: bool, rng: np.random.Generator) -> FloatArray:
    values = cell[:, None].astype(np.float32)
    if not atomic:
        values += rng.random(values.shape, dtype=np.float32)
        values /= cells
    return values


class CheckerboardFamily(Family):
    """Checkerboards with random tables (`tables`). It needs dx = dy = 1.

    Attributes:
        atomic: probability that a side is atomic, with 2 to 32 cells, usually few, in random order half of
            the time. A continuous side has up to 64 cells.
        independent: probability that the table is the product of its margins.
        weakened: probability that a dependent table is mixed with an independent one.
        signal: weight of the dependent table in such a mixture.
    """

    family: Literal["checkerboard"] = "checkerboard"
    atomic: Probability = 0.25
    independent: Probability = 0.05
    weakened: Probability = 0.3
    signal: LogUniform = LogUniform(low=0.1, high=1.0)

    @field_validator("signal")
    @classmethod
    def _share(cls, prior: LogUniform) -> LogUniform:
        return within(prior, 0.0, 1.0, "signal")

    @override
    def require_dimensions(self, dx: int, dy: int) -> None:
        """Raise an error unless dx = dy = 1: a table has two sides of one coordinate each."""
        require_at_least("dimension of checkerboard", min(dx, dy), 1)
        if (dx, dy) != (1, 1):
            raise MistworksError(
                f"Expected dx = dy = 1 for the family checkerboard, got dx = {dx}, dy = {dy}."
            )

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Checkerboard:
        self.require_dimensions(dx, dy)
        x_atomic, y_atomic = (rng.random(2) < self.atomic).tolist()
        table = draw_table(_cells(x_atomic, rng), _cells(y_atomic, rng), rng)
        if rng.random() < self.independent:
            table = weaken(table, 0.0, rng)
        elif rng.random() < self.weakened:
            table = weaken(table, self.signal.draw(rng), rng)
        if x_atomic and rng.random() < 0.5:
            table = rng.permutation(table, axis=0)
        if y_atomic and rng.random() < 0.5:
            table = rng.permutation(table, axis=1)
        return Checkerboard(table, x_atomic, y_atomic)


def _cells(atomic: bool, rng: np.random.Generator) -> int:
    """2 to 32 atoms with a median near 5, or 4 to 64 cells with a median near 45."""
    if atomic:
        return min(_MOST_ATOMS, 1 + int(rng.geometric(0.2)))
    return int(_MOST_CELLS * max(1 / 16, np.sqrt(rng.random())))


__all__ = ["Checkerboard", "CheckerboardFamily"]
