"""The sizes of samples that an estimator was trained on, and whether a sample lies far outside of them."""

from typing import Any

from pydantic import model_validator

from mistworks.config import FrozenConfig
from mistworks.dataset import Index
from mistworks.preparation.prepare import Prepared

# An estimator extrapolates a little: a size is far outside when it is beyond the range by more than this.
_FAR = 2


class TrainingRange(FrozenConfig):
    """Minimum and maximum n, dx and dy among the datasets that an estimator was trained on.

    Attributes:
        n: of points.
        dx: of columns of X.
        dy: of columns of Y.
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
        """The range of an index that is not empty."""
        return cls(
            n=(int(index.n.min()), int(index.n.max())),
            dx=(int(index.dx.min()), int(index.dx.max())),
            dy=(int(index.dy.min()), int(index.dy.max())),
        )

    def outside(self, sample: Prepared) -> str | None:
        """Where the size of a sample lies outside by more than a factor of 2, in words without a full stop.

        None where it does not.
        """
        sizes = (
            ("points", sample.n, self.n),
            ("columns in x", sample.dx, self.dx),
            ("columns in y", sample.dy, self.dy),
        )
        for what, size, (low, high) in sizes:
            if size and not low <= _FAR * size <= _FAR**2 * high:
                return f"the sample has {size:,} {what}, and the estimator was trained on {low:,} to {high:,}"
        return None

    def __str__(self) -> str:
        ranges = (("n", self.n), ("dx", self.dx), ("dy", self.dy))
        return ", ".join(f"{name} {low}…{high}" for name, (low, high) in ranges)
