"""Statistics of many datasets: the training data of a network over statistics."""

from dataclasses import dataclass
from typing import Protocol

from mistworks.dataset import Block, FloatArray, Index
from mistworks.preparation.prepare import rank_pair
from mistworks.statistics import summarise_many


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """The statistics of one dataset.

    Attributes:
        statistics: shape (S,), float32, in the order of `mistworks.statistics.statistic_names`.
        n: number of points.
        mi: I(X;Y) in nats.
    """

    statistics: FloatArray
    n: int
    mi: float


@dataclass(frozen=True, slots=True, eq=False)
class SummaryBlock:
    """The statistics of consecutive datasets of one split.

    Attributes:
        start: position in the split of the block's first dataset.
        statistics: shape (N, S), float32.
        index: the N rows of the index.
    """

    start: int
    statistics: FloatArray
    index: Index

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, row: int) -> Summary:
        return Summary(self.statistics[row], int(self.index.n[row]), float(self.index.mi[row]))


def summarise_block(block: Block) -> FloatArray:
    """Statistics of each dataset of a block, shape (N, S), float32."""
    return summarise_many([rank_pair(dataset.x, dataset.y) for dataset in block])


class SummarySource(Protocol):
    """The statistics of a split, partition by partition, as `mistworks.dataset.Source` is of its samples."""

    @property
    def index(self) -> Index:
        """The rows of all datasets of the split."""

    @property
    def partition_bounds(self) -> list[tuple[int, int]]:
        """Start and stop of each partition, in the order of the split."""

    def partition(self, number: int) -> SummaryBlock:
        """Read one partition.

        Raises:
            MistworksError: the partition is missing or damaged.
        """

    def __len__(self) -> int: ...


__all__ = ["Summary", "SummaryBlock", "SummarySource", "summarise_block"]
