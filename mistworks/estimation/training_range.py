"""The training range of an estimator, and whether a sample is far outside it."""

from dataclasses import dataclass
from typing import Any

from pydantic import model_validator

from mistworks.config import FrozenConfig
from mistworks.dataset import Index
from mistworks.preparation.prepare import Prepared

# Estimators extrapolate a little: a size is far outside if it exceeds the range by more than this factor.
_FAR = 2
# Intervals are wider than need be for more points than these, and hold: see benchmarks/many_points.py.
_FAR_MORE_POINTS = 10


@dataclass(frozen=True, slots=True)
class Outside:
    """How the size of a sample is far outside the training range. Its text has no full stop.

    Attributes:
        what: what is counted, such as ``"points"``.
        size: of the sample.
        low: minimum of the training range.
        high: maximum of the training range.
    """

    what: str
    size: int
    low: int
    high: int

    def __str__(self) -> str:
        return (
            f"the sample has {self.size:,} {self.what}, and the estimator was trained on {self.low:,} to "
            f"{self.high:,}"
        )


class TrainingRange(FrozenConfig):
    """Minimum and maximum n, dx and dy among the datasets that an estimator was trained on.

    Attributes:
        n: number of points.
        dx: number of columns of X.
        dy: number of columns of Y.
    """

    n: tuple[int, int]
    dx: tuple[int, int]
    dy: tuple[int, int]

    @model_validator(mode="before")
    @classmethod
    def _without_ties(cls, values: Any) -> Any:
        # Written by versions that warned of discrete columns.
        return (
            {name: value for name, value in values.items() if name != "ties"}
            if isinstance(values, dict)
            else values
        )

    @classmethod
    def of(cls, index: Index) -> "TrainingRange":
        """Return the range of an index that is not empty."""
        return cls(
            n=(int(index.n.min()), int(index.n.max())),
            dx=(int(index.dx.min()), int(index.dx.max())),
            dy=(int(index.dy.min()), int(index.dy.max())),
        )

    def outside(self, sample: Prepared) -> Outside | None:
        """Return how a sample is far outside; None if it is not."""
        sizes = (
            ("points", sample.n, self.n, _FAR_MORE_POINTS),
            ("columns in x", sample.dx, self.dx, _FAR),
            ("columns in y", sample.dy, self.dy, _FAR),
        )
        for what, size, (low, high), more in sizes:
            if size and not (low <= _FAR * size and size <= more * high):
                return Outside(what, size, low, high)
        return None

    def __str__(self) -> str:
        ranges = (("n", self.n), ("dx", self.dx), ("dy", self.dy))
        return ", ".join(f"{name} {low}…{high}" for name, (low, high) in ranges)


__all__ = ["Outside", "TrainingRange"]
