"""A sample as it was read, brought to what the statistics read: the ranks of the columns that carry information.

Mutual information does not change when a column is left out that the others of its side determine (Cover and
Thomas, "Elements of Information Theory", 2nd ed., section 2.8: data processing, both ways). So constant
columns, copies of columns and exact linear combinations go before anything is computed.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mistworks.dataset import FloatArray
from mistworks.reading import Side, read_pair
from mistworks.statistics.ranked import Ranked, half_ranks

LOWER_BOUND = (
    "one side of the sample is a function of the other to rounding, so the mutual information is infinite or "
    "beyond what the sample can tell, and the estimate is a lower bound"
)
"""The warning where `Prepared.infinite`, without its full stop."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A sample without what carries no information.

    Attributes:
        x: the columns of X that are left, at the rows that are left.
        y: the same of Y.
        ranked: their ranks; a side without columns that vary has one constant column here.
        rows: positions of the rows that are left, where repeated ones were dropped; else None.
        constant: whether all columns of X or all of Y are constant, so that mutual information is 0.
        notes: what is unusual about the sample, a sentence each without its full stop.
    """

    x: Side
    y: Side
    ranked: Ranked
    rows: NDArray[np.intp] | None
    constant: bool
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        """Number of points that are left."""
        return self.ranked.n

    @property
    def dx(self) -> int:
        """Number of columns of X that are left; 0 if all are constant."""
        return self.x.shape[1]

    @property
    def dy(self) -> int:
        """Number of columns of Y that are left; 0 if all are constant."""
        return self.y.shape[1]

    @cached_property
    def infinite(self) -> bool:
        """Whether one side is a function of the other to rounding, so that the estimate is a lower bound."""
        return False

    def raw(self) -> tuple[FloatArray, FloatArray]:
        """The columns that are left as `mistworks.inputs.check_pair` gives them: float32, within [−1, 1]."""
        raise NotImplementedError


def prepare(x: object, y: object) -> Prepared:
    """Read a sample and leave out what carries no information.

    Args:
        x: shape (n, dx) or (n,): see `mistworks.reading.read_side`.
        y: shape (n, dy) or (n,).

    Raises:
        MistworksError: x and y are not a sample.
    """
    sides = read_pair(x, y)
    varying, ranks = zip(*map(_ranked, sides), strict=True)
    ranked = Ranked(np.ascontiguousarray(np.concatenate(ranks)), len(ranks[0]))
    constant = not all(side.shape[1] for side in varying)
    return Prepared(*varying, ranked, None, constant, ())


def rank_pair(x: FloatArray, y: FloatArray) -> Ranked:
    """The ranks of a sample that needs no checks, without what carries no information; for training.

    Args:
        x: numbers of shape (n, dx), n ≥ 5.
        y: shape (n, dy).
    """
    return prepare(x, y).ranked


def _ranked(side: Side) -> tuple[Side, NDArray[np.int32]]:
    ranks = half_ranks(side.values)
    varies = (ranks != ranks[:, :1]).any(axis=1)
    if varies.all():
        return side, ranks
    return side.columns(varies), ranks[varies] if varies.any() else ranks[:1]


__all__ = ["LOWER_BOUND", "Prepared", "prepare", "rank_pair"]
