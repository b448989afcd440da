"""The step that generates the partitions of a store, on Dask workers."""

from collections.abc import Iterator, Sequence

from storage.datasets.opening import open_at
from storage.datasets.partitions import generate_partition
from storage.datasets.statistics import generate_and_summarise
from storage.places.location import Location
from tasks.statistics import summaries_to_write
from tasks.worker import Terms


def generate_partitions(place: Location, numbers: Sequence[int], terms: Terms) -> Iterator[int]:
    """Generate some partitions of a store, and skip those that are done.

    For a store without samples, statistics are computed in the same pass.

    Raises:
        MistworksError: a partition could not be generated. The message names it.
    """
    store = open_at(place, read_only=False)
    summaries = None if store.manifest.samples else summaries_to_write(store)
    for number in numbers:
        if summaries is None:
            generate_partition(store, number, terms.expected)
        else:
            generate_and_summarise(summaries, store, number, terms.expected)
        yield 1


__all__ = ["generate_partitions"]
