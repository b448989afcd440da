"""Steps that make stores."""

from prefect import task

from storage.generation import generate_partition
from storage.store import open_store
from tasks.retries import may_pass


@task(
    task_run_name="partitions-from-{numbers[0]}",
    retries=3,
    retry_delay_seconds=[1, 5, 25],
    retry_condition_fn=may_pass,
    persist_result=False,
)
def generate_partitions(url: str, numbers: list[int]) -> None:
    """Make some partitions of a store; those that are done already are left alone.

    A task run through Dask costs a tenth of a second, so that each makes several partitions.

    Raises:
        MistworksError: a partition could not be made; the message names it.
    """
    store = open_store(url, read_only=False)
    for number in numbers:
        generate_partition(store, number)
