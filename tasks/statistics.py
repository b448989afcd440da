"""Steps that compute the statistics of the datasets of a store."""

import torch
from prefect import task

from storage.summaries import open_summaries, summarise_partition
from tasks.retries import may_pass


@task(
    task_run_name="statistics-from-{numbers[0]}",
    retries=3,
    retry_delay_seconds=[1, 5, 25],
    retry_condition_fn=may_pass,
    persist_result=False,
)
def summarise_partitions(url: str, numbers: list[int]) -> None:
    """Compute the statistics of some partitions of a store; those that are done are left alone.

    Raises:
        MistworksError: a partition is missing or damaged; the message names it.
    """
    # A process for every core, so a thread for every process.
    torch.set_num_threads(1)
    summaries = open_summaries(url)
    for number in numbers:
        summarise_partition(summaries, number)
