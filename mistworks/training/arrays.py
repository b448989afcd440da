"""Statistics of a split in one file of NumPy arrays, for training without a store."""

from pathlib import Path

import numpy as np

from mistworks.dataset import FloatArray, Index
from mistworks.errors import MistworksError
from mistworks.statistics import statistic_names
from mistworks.statistics.table import SummaryBlock

_INDEX = ("n", "dx", "dy", "mi", "family", "transform", "mi_se")


class ArraySummaries:
    """The statistics of a split in memory, see `mistworks.statistics.table.SummarySource`.

    Attributes:
        statistics: shape (N, S), float32.
        index: rows of all datasets.
        partition_size: datasets in a partition.

    Raises:
        MistworksError: the statistics have another version.
    """

    def __init__(self, statistics: FloatArray, index: Index, partition_size: int = 500) -> None:
        if statistics.shape != (len(index), len(statistic_names())):
            raise MistworksError(
                f"Expected statistics of shape {(len(index), len(statistic_names()))}, got "
                f"{statistics.shape}. Compute them with this version of Mistworks."
            )
        self.statistics, self.index, self.partition_size = statistics, index, partition_size

    @classmethod
    def load(cls, path: str | Path) -> "ArraySummaries":
        """Load a file with the arrays statistics, n, dx, dy, mi, family, transform and mi_se."""
        with np.load(path) as arrays:
            return cls(arrays["statistics"], Index(*(arrays[name] for name in _INDEX)))

    def save(self, path: str | Path) -> None:
        """Write a file for `load`."""
        np.savez(path, statistics=self.statistics, **{name: getattr(self.index, name) for name in _INDEX})

    @property
    def partition_bounds(self) -> list[tuple[int, int]]:
        """Start and stop of each partition, in order."""
        size, count = self.partition_size, len(self)
        return [(start, min(start + size, count)) for start in range(0, count, size)]

    def partition(self, number: int) -> SummaryBlock:
        """The rows of one partition."""
        bounds = slice(*self.partition_bounds[number])
        return SummaryBlock(bounds.start, self.statistics[bounds], self.index[bounds])

    def __len__(self) -> int:
        return len(self.index)


__all__ = ["ArraySummaries"]
