"""The step that makes the partitions of a store; runs on Dask's workers."""

from collections.abc import Iterator, Sequence

from storage.generation import generate_partition
from storage.store import open_store
from tasks.worker import Terms


def generate_partitions(url: str, numbers: Sequence[int], terms: Terms) -> Iterator[int]:
    """Make some partitions of a store; those that are done already are left alone.

    Raises:
        MistworksError: a partition could not be made; the message names it.
    """
    store = open_store(url, read_only=False)
    for number in numbers:
        generate_partition(store, number, terms.expected)
        yield 1
