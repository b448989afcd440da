"""The cells family: a table of probabilities whose rows and columns are cells in several dimensions."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Array, Family, JointDistribution
from mistworks.distributions.priors import LogUniform, Probability, within
from mistworks.distributions.scalar_functions import draw_function
from mistworks.distributions.tables import assign, draw_cells, draw_table, table_information, weaken
from mistworks.errors import MistworksError

Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Cells(JointDistribution):
    """A pair of cells is drawn from a table p; X is uniform in the cube of one, Y in that of the other.

    The cubes of a side do not overlap, so that the cell is a function of the point, and given its cell a
    point is independent of the other side: I(X;Y) = Σ p log(p / (p_row p_column)).

    Attributes:
        table: p, shape (rows, columns), with sum 1.
        x_places: corners of the cells of X on a grid of step 1, all distinct, shape (rows, dx).
        y_places: the same for Y, shape (columns, dy).
        x_width: edge of the cubes of X, from 0 to 1. With 0, X is the corner itself and discrete.
        y_width: edge of the cubes of Y.

    Raises:
        MistworksError: two cells of a side share a place, or a row or column has no place.
    """

    table: Array
    x_places: Places
    y_places: Places
    x_width: float = 1.0
    y_width: float = 1.0
    cumulative: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for places, cells in zip((self.x_places, self.y_places), self.table.shape, strict=True):
            if len(places) != cells or len(np.unique(places, axis=0)) != cells:
                raise MistworksError(
                    f"Expected distinct places for {cells} cells, got {len(places)} places, "
                    f"{len(np.unique(places, axis=0))} of them distinct. Give each cell a place of its own."
                )
        object.__setattr__(self, "cumulative", np.cumsum(self.table))

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return int(self.x_places.shape[1])

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return int(self.y_places.shape[1])

    @property
    @override
    def mutual_information(self) -> float:
        return table_information(self.table)

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        row, column = draw_cells(self.cumulative, self.table.shape, n, rng)
        return (
            _points(self.x_places[row], self.x_width, rng),
            _points(self.y_places[column], self.y_width, rng),
        )


def _points(corners: Places, width: float, rng: np.random.Generator) -> FloatArray:
    points = rng.random(corners.shape, dtype=np.float32)
    points *= np.float32(width)
    points += corners.astype(np.float32)
    return points


def _zero(value: float) -> bool:
    return value == 0.0


class CellsFamily(Family):
    """Cells at random places with random tables (`tables`).

    Attributes:
        most_cells: maximum number of cells of a side; the number is uniform from 2.
        width: edge of the cubes, from clusters far apart to cells that fill the grid.
        spare: number of grid places per cell, approximately.
        independent: probability that the table is the product of its margins.
        weakened: probability that a dependent table is mixed with an independent one.
        signal: weight of the dependent table in such a mixture.
        atomic: probability that a side is discrete, with width 0.
        assigned: probability that the table instead assigns each cell of one side a cell of the other
            (`tables.assign`): at random, one to one as far as possible, or by a function of its place.
    """

    family: Literal["cells"] = "cells"
    most_cells: Annotated[int, Field(ge=2, le=64)] = 24
    width: LogUniform = LogUniform(low=0.1, high=1.0)
    spare: LogUniform = LogUniform(low=1.0, high=4.0)
    independent: Probability = 0.05
    weakened: Probability = 0.2
    signal: LogUniform = LogUniform(low=0.1, high=1.0)
    # Left out of the JSON if 0, so that older content hashes stay valid. Then nothing is drawn for them
    # either.
    atomic: Probability = Field(default=0.0, exclude_if=_zero)
    assigned: Probability = Field(default=0.0, exclude_if=_zero)

    @field_validator("width", "signal")
    @classmethod
    def _share(cls, prior: LogUniform) -> LogUniform:
        return within(prior, 0.0, 1.0, "width and signal")

    @field_validator("spare")
    @classmethod
    def _enough(cls, prior: LogUniform) -> LogUniform:
        return within(prior, 1.0, 100.0, "spare")

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Cells:
        self.require_dimensions(dx, dy)
        rows, columns = rng.integers(2, self.most_cells, size=2, endpoint=True).tolist()
        table = draw_table(rows, columns, rng)
        if rng.random() < self.independent:
            table = weaken(table, 0.0, rng)
        elif rng.random() < self.weakened:
            table = weaken(table, self.signal.draw(rng), rng)
        x_places, y_places = self._places(rows, dx, rng), self._places(columns, dy, rng)
        if self.assigned and rng.random() < self.assigned:
            table = _assigned(x_places, y_places, rng)
        return Cells(table, x_places, y_places, self._width(rng), self._width(rng))

    def _width(self, rng: np.random.Generator) -> float:
        return 0.0 if self.atomic and rng.random() < self.atomic else self.width.draw(rng)

    def _places(self, cells: int, d: int, rng: np.random.Generator) -> Places:
        """Draw distinct places on a grid of random extent, in random order, shape (cells, d)."""
        edge = max(2, int(np.ceil((self.spare.draw(rng) * cells) ** (1 / d))))
        if d * np.log2(edge) < 20:
            chosen = rng.choice(edge**d, size=cells, replace=False)
            return np.stack(np.unravel_index(chosen, (edge,) * d), axis=1).astype(np.int64)
        # With so many places repetitions are rare: draw until there are none.
        while len(np.unique(places := rng.integers(0, edge, (cells, d)), axis=0)) < cells:
            pass
        return places


def _assigned(x_places: Places, y_places: Places, rng: np.random.Generator) -> Array:
    """Draw a table that assigns each cell of X a cell of Y, or the other way round."""
    if rng.random() < 0.5:
        return assign(_choice(x_places, len(y_places), rng), len(y_places), rng)
    return np.ascontiguousarray(assign(_choice(y_places, len(x_places), rng), len(x_places), rng).T)


def _choice(places: Places, choices: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Choose one of ``choices`` cells for each place, shape (cells,)."""
    kind = int(rng.integers(3))
    if kind == 0:
        return rng.integers(choices, size=len(places))
    if kind == 1:
        return rng.permutation(len(places)) % choices
    standard = (places - places.mean(axis=0)) / (places.std(axis=0) + 1e-6)
    function = draw_function(places.shape[1], rng)
    levels, level = np.unique(function(standard.astype(np.float32)), return_inverse=True)
    return np.asarray(level * choices // len(levels), dtype=np.int64)


__all__ = ["Cells", "CellsFamily", "Places"]
