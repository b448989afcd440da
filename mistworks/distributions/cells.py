"""The cells family: a table of joint probabilities whose rows and columns are cells in several dimensions."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Array, Family, JointDistribution, require_at_least
from mistworks.distributions.checkerboard import table_information
from mistworks.distributions.priors import LogUniform, Probability, within
from mistworks.distributions.scalar_functions import draw_function
from mistworks.distributions.tables import assign, draw_table, weaken
from mistworks.errors import MistworksError

Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Cells(JointDistribution):
    """A pair of cells is drawn from a table p; X is uniform in the cube of one, Y in that of the other.

    The cubes of a side do not overlap, so that the cell is a function of the point, and given the cell the
    point says no more: I(X;Y) = Σ p log(p / (p_row p_column)).

    Attributes:
        table: p, shape (rows, columns), with sum 1.
        x_places: corners of the cells of X on a grid of step 1, all different, shape (rows, dx).
        y_places: the same for Y, shape (columns, dy).
        x_width: edge of the cubes of X, from 0, where X is the corner itself and discrete, to 1.
        y_width: edge of the cubes of Y.

    Raises:
        MistworksError: two cells of a side are at one place, or there is not one a row and a column.
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
                    f"a place of its own for each of {cells} cells was expected, and "
                    f"{len(np.unique(places, axis=0))} different ones came; give each cell one"
                )
        object.__setattr__(self, "cumulative", np.cumsum(self.table))

    @property
    def dx(self) -> int:  # type: ignore[override]
        """Dimension of X."""
        return int(self.x_places.shape[1])

    @property
    def dy(self) -> int:  # type: ignore[override]
        """Dimension of Y."""
        return int(self.y_places.shape[1])

    @property
    def mutual_information(self) -> float:
        """I(X;Y) in nats."""
        return table_information(self.table)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw n points: shapes (n, dx) and (n, dy), float32."""
        cell = np.searchsorted(self.cumulative, rng.random(n) * self.cumulative[-1], side="right")
        row, column = np.divmod(np.minimum(cell, self.table.size - 1), self.table.shape[1])
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
        most_cells: of a side; their number is uniform from 2.
        width: edge of the cubes: whether cells are clusters far apart or fill the grid.
        spare: how many times as many places as cells a side has, about.
        independent: probability that the table is the product of its margins.
        weakened: probability that it is otherwise mixed with one that carries nothing.
        signal: share of the table in such a mixture.
        atomic: probability of each side to be discrete, of width 0.
        assigned: probability that the table is instead one that gives each cell of a side one of the other
            (`tables.assign`): at random, one to one as far as they go, or by a function of its place.
    """

    family: Literal["cells"] = "cells"
    most_cells: Annotated[int, Field(ge=2, le=64)] = 24
    width: LogUniform = LogUniform(low=0.1, high=1.0)
    spare: LogUniform = LogUniform(low=1.0, high=4.0)
    independent: Probability = 0.05
    weakened: Probability = 0.2
    signal: LogUniform = LogUniform(low=0.1, high=1.0)
    # Left out of the JSON where 0, so that it stays what it was; nothing is drawn for them then.
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

    @property
    def name(self) -> str:
        """Always ``"cells"``."""
        return "cells"

    def require_dimensions(self, dx: int, dy: int) -> None:
        """Any dx and dy."""
        require_at_least("dimension of cells", min(dx, dy), 1)

    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Cells:
        """Cells with their number, places, width and table drawn from their priors."""
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
        """Different places on a grid of random extent, in random order, shape (cells, d)."""
        edge = max(2, int(np.ceil((self.spare.draw(rng) * cells) ** (1 / d))))
        if d * np.log2(edge) < 20:
            chosen = rng.choice(edge**d, size=cells, replace=False)
            return np.stack(np.unravel_index(chosen, (edge,) * d), axis=1).astype(np.int64)
        # So many places that a repetition is rare: draw until there is none.
        while len(np.unique(places := rng.integers(0, edge, (cells, d)), axis=0)) < cells:
            pass
        return places


def _assigned(x_places: Places, y_places: Places, rng: np.random.Generator) -> Array:
    """A table that gives each cell of X one of Y, or the other way round."""
    if rng.random() < 0.5:
        return assign(_choice(x_places, len(y_places), rng), len(y_places), rng)
    return np.ascontiguousarray(assign(_choice(y_places, len(x_places), rng), len(x_places), rng).T)


def _choice(places: Places, choices: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """One of ``choices`` for each place, shape (cells,)."""
    kind = int(rng.integers(3))
    if kind == 0:
        return rng.integers(choices, size=len(places))
    if kind == 1:
        return rng.permutation(len(places)) % choices
    standard = (places - places.mean(axis=0)) / (places.std(axis=0) + 1e-6)
    function = draw_function(places.shape[1], rng)
    levels, level = np.unique(function(standard.astype(np.float32)), return_inverse=True)
    return np.asarray(level * choices // len(levels), dtype=np.int64)
