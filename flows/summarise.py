"""The flow that computes the statistics of a store's datasets, for networks that are trained on them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prefect import flow
from prefect.task_runners import TaskRunner
from prefect_dask.task_runners import DaskTaskRunner

from flows.dispatch import run_partitions
from flows.progress import progress
from flows.services import dask_cluster
from storage.location import Location
from storage.lock import exclusive
from storage.summaries import open_summaries
from tasks.statistics import summarise_partitions

# About five seconds of work.
LEAST_DATASETS_A_TASK = 1_000


@dataclass(frozen=True)
class Summarised:
    """The statistics of a store.

    Attributes:
        url: of the store.
        datasets: how many datasets it holds.
        made: partitions whose statistics this run computed; the others were there.
        seconds: time taken.
    """

    url: str
    datasets: int
    made: int
    seconds: float


@flow(name="summarise", persist_result=False)
def summarise(store: str, workers: int | None = None, dask_address: str | None = None) -> Summarised:
    """Compute the statistics of every dataset of a store; what is done is kept.

    Args:
        store: path or URL.
        workers: processes of the local Dask cluster, one a core if None.
        dask_address: of an existing Dask scheduler.

    Raises:
        MistworksError: there is no complete store, or a partition is damaged.
    """
    started = time.monotonic()
    url = Location.parse(store).url
    with exclusive(url):
        summaries = open_summaries(url)
        numbers = summaries.missing()
        if numbers:
            with dask_cluster(dask_address, workers, "tasks.statistics") as address:
                runner: TaskRunner[Any] = DaskTaskRunner(address=address)
                compute_statistics.with_options(task_runner=runner)(url, numbers)
    return Summarised(url, len(summaries), len(numbers), time.monotonic() - started)


def summarise_all(
    stores: Sequence[str], workers: int | None = None, dask_address: str | None = None
) -> dict[str, Summarised]:
    """Compute the statistics that some stores lack, on one cluster.

    Args:
        stores: their URLs.
        workers: processes of the local Dask cluster, one a core if None.
        dask_address: of an existing Dask scheduler.

    Returns:
        What was done, by the URLs of those that lacked any.

    Raises:
        MistworksError: there is no complete store, or a partition is damaged.
    """
    lacking = [url for url in stores if open_summaries(url).missing()]
    if not lacking:
        return {}
    with dask_cluster(dask_address, workers, "tasks.statistics") as address:
        return {url: summarise(url, dask_address=address) for url in lacking}


@flow(name="compute-statistics", persist_result=False)
def compute_statistics(url: str, numbers: list[int]) -> None:
    """Compute the statistics of some partitions of a store on Dask, several to a task.

    Raises:
        MistworksError: a partition is damaged; the others are finished first.
    """
    summaries = open_summaries(url)
    least = -(-LEAST_DATASETS_A_TASK // summaries.store.manifest.partition_size)
    with progress(f"statistics of {summaries.store.manifest.split}", len(numbers)) as report:
        run_partitions(summarise_partitions, url, numbers, least, summaries.is_marked, report)
