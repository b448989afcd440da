"""Batches of datasets from a partitioned source: shuffled, bounded in memory, and the same on every run.

The order of an epoch depends only on the index, the seed and the epoch. Partitions are shuffled and read a
few at a time; the datasets of those few are shuffled together. Reading is cheap compared with training, so no
thread reads ahead.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mistworks.dataset import Block, Dataset, IntArray, Source
from mistworks.errors import MistworksError
from mistworks.randomness import stream
from mistworks.statistics.table import SummarySource

AnySource = Source | SummarySource
"""A source of training data: samples, or the statistics of samples."""


@dataclass(frozen=True, slots=True, eq=False)
class EpochPlan:
    """The batches of one epoch.

    Attributes:
        order: all positions of the split in the order of training, shape (N,).
        batch_size: datasets per batch; the last batch of the epoch has the rest.
        partition: number of the partition of each position in ``order``, shape (N,).
        starts: first position of each partition.
        windows: numbers of the partitions that are shuffled together, in the order of training.
    """

    order: IntArray
    batch_size: int
    partition: IntArray
    starts: IntArray
    windows: tuple[IntArray, ...]

    def __len__(self) -> int:
        return -(-len(self.order) // self.batch_size)

    def rows(self, step: int) -> slice:
        """Return the part of ``order`` for batch ``step``."""
        return slice(step * self.batch_size, (step + 1) * self.batch_size)


def plan_epoch(
    bounds: list[tuple[int, int]], seed: int, epoch: int, batch_size: int, shuffle_partitions: int
) -> EpochPlan:
    """Plan an epoch over partitions, given their start and stop, without reading them.

    Raises:
        MistworksError: the split holds no datasets.
    """
    if not any(stop > start for start, stop in bounds):
        raise MistworksError("Expected datasets in the training split, got none. Generate some first.")
    rng = stream(seed, "train", "order", epoch)
    numbers = rng.permutation(len(bounds))
    orders, partitions, windows = [], [], []
    for first in range(0, len(numbers), shuffle_partitions):
        window = numbers[first : first + shuffle_partitions]
        windows.append(window)
        positions = np.concatenate([np.arange(*bounds[number]) for number in window])
        owners = np.concatenate([np.full(bounds[number][1] - bounds[number][0], number) for number in window])
        shuffled = rng.permutation(len(positions))
        orders.append(positions[shuffled])
        partitions.append(owners[shuffled])
    starts = np.array([start for start, _ in bounds], dtype=np.int64)
    return EpochPlan(np.concatenate(orders), batch_size, np.concatenate(partitions), starts, tuple(windows))


def read_batches(source: Source, plan: EpochPlan, first_step: int = 0) -> Iterator[list[Dataset]]:
    """Yield the batches of samples of a plan from ``first_step`` on; for statistics see `tables`.

    A partition is read for the first batch that needs it and freed after the last one. Partitions that only
    earlier batches need are not read.
    """
    last_use = _last_use(plan)
    held: dict[int, Block] = {}
    for step in range(first_step, len(plan)):
        rows = plan.rows(step)
        batch: list[Dataset] = []
        for position, number in zip(plan.order[rows].tolist(), plan.partition[rows].tolist(), strict=True):
            if number not in held:
                held[number] = source.partition(number)
            batch.append(held[number][position - int(plan.starts[number])])
        yield batch
        held = {number: block for number, block in held.items() if last_use[number] > step}


def _last_use(plan: EpochPlan) -> NDArray[np.int64]:
    last = np.full(len(plan.starts), -1)
    np.maximum.at(last, plan.partition, np.arange(len(plan.order)) // plan.batch_size)
    return last


__all__ = ["AnySource", "EpochPlan", "plan_epoch", "read_batches"]
