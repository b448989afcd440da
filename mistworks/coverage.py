"""What a network was trained on, and whether a sample lies far outside of it."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mistworks.config import FrozenConfig
from mistworks.dataset import Dataset, FloatArray, Index
from mistworks.preparation import Prepared

# A network extrapolates a little: n, dx or dy count as far outside when beyond the range by more than this
# factor, and a column as discrete when less than this share of its values are distinct.
_FAR = 2
FEW_DISTINCT = 0.5


class TrainingRange(FrozenConfig):
    """Least and greatest n, dx and dy among the datasets a network was trained on.

    Attributes:
        n: of points.
        dx: of coordinates of X.
        dy: of coordinates of Y.
        ties: whether discrete columns were among them.
    """

    n: tuple[int, int]
    dx: tuple[int, int]
    dy: tuple[int, int]
    ties: bool = False

    @classmethod
    def of(cls, index: Index, datasets: Iterable[Dataset] = ()) -> "TrainingRange":
        """The range of an index, and whether some of the given datasets have discrete columns."""
        return cls(
            n=(int(index.n.min()), int(index.n.max())),
            dx=(int(index.dx.min()), int(index.dx.max())),
            dy=(int(index.dy.min()), int(index.dy.max())),
            ties=any(_discrete(side) for dataset in datasets for side in (dataset.x, dataset.y)),
        )

    def outside(self, sample: Prepared) -> str | None:
        """How a sample lies far outside, in one sentence without its full stop; None where it does not.

        Far is a number of points or of columns beyond the range by more than a factor of 2, or a column in which
        less than half of the values are distinct where training saw no such.
        """
        sizes = (("points", sample.n, self.n), ("columns in x", sample.dx, self.dx))
        for what, size, (low, high) in (*sizes, ("columns in y", sample.dy, self.dy)):
            if size and not low <= _FAR * size <= _FAR**2 * high:
                return f"the sample has {size} {what}, and the estimator was trained on {low} to {high}"
        if self.ties:
            return None
        ranks, dx = sample.ranked.ranks, sample.ranked.dx
        for name, side, size in (("x", ranks[:dx], sample.dx), ("y", ranks[dx:], sample.dy)):
            fewest = _fewest_distinct(side) if size else sample.n
            if fewest < FEW_DISTINCT * sample.n:
                return (
                    f"a column of {name} has {fewest} distinct values in {sample.n} points, and the estimator "
                    "was trained on continuous columns"
                )
        return None

    def __str__(self) -> str:
        ranges = (("n", self.n), ("dx", self.dx), ("dy", self.dy))
        return ", ".join(f"{name} {low}…{high}" for name, (low, high) in ranges)


def _discrete(side: FloatArray) -> bool:
    """Whether a column of values of shape (n, d) has so few distinct values that it is discrete."""
    return side.size > 0 and _fewest_distinct(side.T) < FEW_DISTINCT * len(side)


def _fewest_distinct(columns: NDArray[Any]) -> int:
    """The least number of distinct values of a column, of shape (d, n)."""
    ordered = np.sort(columns, axis=1)
    return 1 + int((ordered[:, 1:] != ordered[:, :-1]).sum(axis=1).min())
