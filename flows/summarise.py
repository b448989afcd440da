"""The flow that computes the statistics of a store's datasets, for networks that are trained on them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from flows.declaration import flow
from flows.parameters import StoreUrl, Where
from flows.progress import progress
from flows.services import dask_cluster
from flows.workspace import Workspace
from flows.writers import one_writer
from mistworks.networks import AnyNetworkConfig
from storage.datasets.statistics import SummaryStore, create_summaries, has_statistics
from storage.places.location import Location
from tasks.jobs import Job
from tasks.on_dask import run_on_dask
from tasks.statistics import summarise_partitions


@dataclass(frozen=True)
class Summarised:
    """The statistics of a store.

    Attributes:
        url: path or URL of the store.
        datasets: number of datasets.
        made: number of partitions whose statistics this run computed; the others existed.
        seconds: time taken.
    """

    url: str
    datasets: int
    made: int
    seconds: float


@flow("summarise", "summarise-{store}")
def summarise(store: StoreUrl, workspace: Where = None) -> Summarised:
    """Compute the statistics of every dataset of a store, and keep those that are done.

    Args:
        store: path or URL.
        workspace: where the Dask cluster is.

    Raises:
        MistworksError: there is no complete store, or a partition is damaged.
    """
    started = time.monotonic()
    where, url = workspace or Workspace.of(), Location.parse(store).url
    with one_writer(url):
        summaries = create_summaries(url)
        numbers = summaries.missing()
        if numbers:
            with dask_cluster(where.dask_address, where.workers, "tasks.statistics") as address:
                _compute(summaries, numbers, address)
    return Summarised(url, len(summaries), len(numbers), time.monotonic() - started)


def summarise_all(stores: Sequence[str], workspace: Workspace) -> dict[str, Summarised]:
    """Compute the missing statistics of some stores, on one cluster.

    Args:
        stores: URLs of the stores.
        workspace: where the Dask cluster is.

    Returns:
        What was done, by the URLs of the stores that lacked statistics.

    Raises:
        MistworksError: there is no complete store, or a partition is damaged.
    """
    lacking = [url for url in stores if not has_statistics(url)]
    if not lacking:
        return {}
    with dask_cluster(workspace.dask_address, workspace.workers, "tasks.statistics") as address:
        return {url: summarise(url, workspace.on(address)) for url in lacking}


def make_readable(
    stores: Sequence[str], network: AnyNetworkConfig, workspace: Workspace
) -> dict[str, Summarised]:
    """Compute what a network learns from where stores lack it: nothing, if it learns from samples.

    Args:
        stores: their URLs.
        network: what is to be trained.
        workspace: where the Dask cluster is.

    Returns:
        What was computed, by the URLs of those stores.

    Raises:
        MistworksError: there is no complete store, or a partition is damaged.
    """
    read: Sequence[str] = network.choose(samples=(), statistics=stores)
    return summarise_all(read, workspace)


def _compute(summaries: SummaryStore, numbers: list[int], dask_address: str) -> None:
    url, split = summaries.store.url, summaries.store.manifest.split
    job = Job(
        url,
        numbers,
        lambda number: f"the statistics of partition {number} of the store {url}",
        summaries.missing,
        summaries.is_marked,
    )
    with progress(f"statistics of {split}", len(numbers)) as report:
        run_on_dask(summarise_partitions, [job], f"statistics-of-{split}", dask_address, report, [url])
