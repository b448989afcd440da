"""The step that computes the statistics of the datasets of a store; runs on Dask's workers."""

from collections.abc import Iterator, Sequence

import torch

from storage.summaries import create_summaries, summarise_partition
from tasks.worker import Terms


def summarise_partitions(url: str, numbers: Sequence[int], _terms: Terms) -> Iterator[int]:
    """Compute the statistics of some partitions of a store; those that are done are left alone.

    Raises:
        MistworksError: a partition is missing or damaged; the message names it.
    """
    # A process for every core, so a thread for every process.
    torch.set_num_threads(1)
    summaries = create_summaries(url)
    for number in numbers:
        summarise_partition(summaries, number)
        yield 1
