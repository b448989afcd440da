"""The step that computes the statistics of the datasets of a store, on Dask workers."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from storage.datasets.opening import open_at
from storage.datasets.statistics import SummaryStore, create_summaries, summarise_partition
from storage.datasets.store import Store
from storage.places.location import Location
from tasks.worker import Terms


def summaries_to_write(store: Store) -> SummaryStore:
    """Open the statistics of a store on a worker: one process per core, so one thread per process.

    Raises:
        MistworksError: the store may not have statistics, or cannot be written.
    """
    # Compiled statistics do not need torch, but a machine that has it may fall back to it.
    with suppress(ModuleNotFoundError):
        import torch

        torch.set_num_threads(1)
    return create_summaries(store)


def summarise_partitions(place: Location, numbers: Sequence[int], _terms: Terms) -> Iterator[int]:
    """Compute the statistics of some partitions of a store, and skip those that are done.

    Raises:
        MistworksError: a partition is missing or damaged. The message names it.
    """
    summaries = summaries_to_write(open_at(place))
    for number in numbers:
        summarise_partition(summaries, number)
        yield 1


__all__ = ["summaries_to_write", "summarise_partitions"]
