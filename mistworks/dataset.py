"""The contract between what makes datasets, what stores them and what learns from them.

Imports nothing of the package. X and Y stay two arrays, always.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Protocol, overload

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """One sample of a joint distribution, with the mutual information of that distribution.

    Attributes:
        x: shape (n, dx), float32.
        y: shape (n, dy), float32.
        mi: I(X;Y) in nats.
        family: the family of the joint distribution, such as ``"student-sparse"``.
        transform: the coordinate-wise map applied to both sides, such as ``"halfcube"``.
        mi_se: standard error of ``mi`` in nats; 0 where that is exact.
    """

    x: FloatArray
    y: FloatArray
    mi: float
    family: str
    transform: str
    mi_se: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """What is known of N datasets without reading their samples, a column each of shape (N,).

    Attributes:
        n: number of points.
        dx: dimension of X.
        dy: dimension of Y.
        mi: mutual information in nats, float64.
        family: names of families.
        transform: names of transforms.
        mi_se: standard errors of ``mi`` in nats, float64; zeros, which stand for exact, if left out.
    """

    n: IntArray
    dx: IntArray
    dy: IntArray
    mi: NDArray[np.float64]
    family: NDArray[np.str_]
    transform: NDArray[np.str_]
    mi_se: NDArray[np.float64] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.mi_se is None:
            object.__setattr__(self, "mi_se", np.zeros(len(self.n)))

    def __len__(self) -> int:
        return len(self.n)

    def __getitem__(self, rows: slice | IntArray | NDArray[np.bool_]) -> "Index":
        return Index(*(getattr(self, column.name)[rows] for column in fields(self)))

    @property
    def sizes(self) -> IntArray:
        """Number of values in each dataset, n · (dx + dy)."""
        return self.n * (self.dx + self.dy)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Consecutive datasets of one split, their samples in one flat array.

    Dataset j of the block occupies ``values[offsets[j]:offsets[j] + sizes[j]]``: the n·dx values of X in
    row-major order, then the n·dy values of Y.

    Attributes:
        start: position in the split of the block's first dataset.
        values: shape (total,), float32.
        offsets: shape (N,), where each dataset begins in ``values``.
        index: the N rows of the index.
    """

    start: int
    values: FloatArray
    offsets: IntArray
    index: Index

    def __len__(self) -> int:
        return len(self.index)

    def __iter__(self) -> Iterator[Dataset]:
        return (self[j] for j in range(len(self)))

    @overload
    def __getitem__(self, item: int) -> Dataset: ...
    @overload
    def __getitem__(self, item: slice) -> list[Dataset]: ...
    def __getitem__(self, item: int | slice) -> Dataset | list[Dataset]:
        if isinstance(item, slice):
            return [self[j] for j in range(*item.indices(len(self)))]
        j = range(len(self))[item]
        n, dx, dy = int(self.index.n[j]), int(self.index.dx[j]), int(self.index.dy[j])
        first = int(self.offsets[j])
        middle, last = first + n * dx, first + n * (dx + dy)
        return Dataset(
            x=self.values[first:middle].reshape(n, dx),
            y=self.values[middle:last].reshape(n, dy),
            mi=float(self.index.mi[j]),
            family=str(self.index.family[j]),
            transform=str(self.index.transform[j]),
            mi_se=float(self.index.mi_se[j]),
        )


class Source(Protocol):
    """A split that can be read partition by partition: what training and evaluation need of a store."""

    @property
    def index(self) -> Index:
        """The rows of all datasets of the split."""

    @property
    def partition_bounds(self) -> list[tuple[int, int]]:
        """Start and stop of each partition, in the order of the split."""

    def partition(self, number: int) -> Block:
        """Read one partition.

        Raises:
            MistworksError: the partition is missing or damaged.
        """

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Dataset]: ...


__all__ = ["Block", "Dataset", "FloatArray", "Index", "IntArray", "Source"]
