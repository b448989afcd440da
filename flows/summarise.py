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
from storage.datasets.opening import open_store
from storage.datasets.statistics import SummaryStore, create_summaries, has_statistics
from storage.datasets.store import Store
from tasks.jobs import Job
from tasks.on_dask import run_on_dask
from tasks.statistics import summarise_partitions
from tasks.stores import OpenedStore


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
    return summarise_store(OpenedStore(store=open_store(store)), workspace or Workspace.of())


def summarise_store(opened: OpenedStore, workspace: Workspace) -> Summarised:
    """Compute the statistics of every dataset of an open store, and keep those that are done.

    Raises:
        MistworksError: see `summarise`.
    """
    started = time.monotonic()
    with one_writer(opened.store.location):
        summaries = create_summaries(opened.store)
        numbers = summaries.missing()
        if numbers:
            with dask_cluster(workspace.dask_address, workspace.workers, "tasks.statistics") as address:
                _compute(summaries, numbers, address)
    return Summarised(opened.url, len(summaries), len(numbers), time.monotonic() - started)


summarise_opened = flow("summarise", "summarise-{opened.url}", checked=False)(summarise_store)
"""Run `summarise_store` as a separate flow."""


def summarise_all(stores: Sequence[Store], workspace: Workspace) -> dict[str, Summarised]:
    """Compute the missing statistics of some stores, on one cluster.

    Args:
        stores: the stores.
        workspace: where the Dask cluster is.

    Returns:
        What was done, by the URLs of the stores that lacked statistics.

    Raises:
        MistworksError: a store is not complete, or a partition is damaged.
    """
    lacking = [store for store in stores if not has_statistics(store)]
    if not lacking:
        return {}
    with dask_cluster(workspace.dask_address, workspace.workers, "tasks.statistics") as address:
        here = workspace.on(address)
        return {store.url: summarise_opened(OpenedStore(store=store), here) for store in lacking}


def make_readable(
    stores: Sequence[Store], network: AnyNetworkConfig, workspace: Workspace
) -> dict[str, Summarised]:
    """Compute what a network learns from where stores lack it: nothing, if it learns from samples.

    Args:
        stores: the stores.
        network: what is to be trained.
        workspace: where the Dask cluster is.

    Returns:
        What was computed, by the URLs of those stores.

    Raises:
        MistworksError: a store is not complete, or a partition is damaged.
    """
    read: Sequence[Store] = network.choose(samples=(), statistics=stores)
    return summarise_all(read, workspace)


def _compute(summaries: SummaryStore, numbers: list[int], dask_address: str) -> None:
    place, split = summaries.store.location, summaries.store.manifest.split
    job = Job(
        place,
        numbers,
        lambda number: f"the statistics of partition {number} of the store {place}",
        summaries.missing,
        summaries.is_marked,
    )
    with progress(f"statistics of {split}", len(numbers)) as report:
        run_on_dask(summarise_partitions, [job], f"statistics-of-{split}", dask_address, report, [place])


__all__ = ["Summarised", "make_readable", "summarise", "summarise_all", "summarise_opened", "summarise_store"]
