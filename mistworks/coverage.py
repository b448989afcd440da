"""What a network was trained on, and whether a sample lies far outside of it."""

from collections.abc import Iterable

import numpy as np

from mistworks.config import FrozenConfig
from mistworks.dataset import Dataset, FloatArray, Index

# A network extrapolates a little: n, dx or dy count as far outside when beyond the range by more than this
# factor, and a column as discrete when less than this share of its values are distinct.
_FAR = 2
# Copies are told of above this share, where a column has about as many values as there are other points, and
# where they are of more points than this share: one value that many points bear is an atom.
_FEW_COPIES = 0.1
_FEW_COPIED = 0.05
_CONTINUOUS = 0.9
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
            ties=any(_discrete(side) is not None for dataset in datasets for side in (dataset.x, dataset.y)),
        )

    def outside(self, x: FloatArray, y: FloatArray) -> str | None:
        """How a sample lies far outside, in one sentence without its full stop; None where it does not.

        Far is a number of points or of coordinates beyond the range by more than a factor of 2, copies of
        points among continuous columns, or a column in which less than half of the values are distinct where
        training saw no such.

        Args:
            x: shape (n, dx).
            y: shape (n, dy).
        """
        sizes = (("points", len(x), self.n), ("columns in x", x.shape[1], self.dx))
        for what, size, (low, high) in (*sizes, ("columns in y", y.shape[1], self.dy)):
            if size and not low <= _FAR * size <= _FAR**2 * high:
                return f"the sample has {size} {what}, and the model was trained on {low} to {high}"
        if repeated := _repeated_rows(x, y):
            return (
                f"{repeated} of {len(x)} points are exact copies of others although the columns are "
                "continuous, as in a bootstrap resample, and the model takes repeated values for atoms"
            )
        if self.ties:
            return None
        for name, side in (("x", x), ("y", y)):
            found = _discrete(side)
            if found is not None:
                return (
                    f"a column of {name} has {found} distinct values in {len(side)} points, and the model "
                    "was trained on continuous columns"
                )
        return None

    def __str__(self) -> str:
        ranges = (("n", self.n), ("dx", self.dx), ("dy", self.dy))
        return ", ".join(f"{name} {low}…{high}" for name, (low, high) in ranges)


def _repeated_rows(x: FloatArray, y: FloatArray) -> int:
    """How many points are copies of others, where a column of each side tells the others apart; else 0."""
    if not (x.size and y.size) or len(np.unique(x[:, 0])) == len(x):
        return 0
    most = min(max(len(np.unique(column)) for column in side.T) for side in (x, y))
    if most < _FEW_COPIES * len(x):
        return 0
    _, counts = np.unique(np.hstack([x, y]), axis=0, return_counts=True)
    points, copied = len(counts), int((counts > 1).sum())
    if most <= _CONTINUOUS * points or copied <= max(1, _FEW_COPIED * len(x)):
        return 0
    return len(x) - points if points < (1 - _FEW_COPIES) * len(x) else 0


def _discrete(side: FloatArray) -> int | None:
    """The least number of distinct values of a column, if it is so low that the column is discrete."""
    if not side.size:
        return None
    ordered = np.sort(side, axis=0)
    fewest = 1 + int((ordered[1:] != ordered[:-1]).sum(axis=0).min())
    return fewest if fewest < FEW_DISTINCT * len(side) else None
