"""The step of a flow that does items on Dask, as a task of Prefect."""

import sys
from collections.abc import Sequence
from contextlib import suppress

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger
from prefect.utilities.annotations import quote

from storage.places.location import Location
from tasks.cancellation import cancellation
from tasks.cluster import Limits, connected, quiet, require_alike
from tasks.dispatch import Report, dispatch
from tasks.jobs import Job
from tasks.worker import Step

__all__ = ["check_cluster", "run_on_dask"]


def run_on_dask(
    step: Step, jobs: Sequence[Job], title: str, address: str, report: Report, places: Sequence[Location] = ()
) -> None:
    """Do all items on Dask, in a task of the calling flow.

    Args:
        step: what to do with items.
        jobs: the items.
        title: name of the task run.
        address: address of the Dask scheduler.
        report: called with the number of items that are done.
        places: places that the workers read or write.

    Raises:
        MistworksError: the cluster cannot do it; or some items failed, raised once the others are done.
    """
    _run_on_dask(step, quote(jobs), title, address, report, quote(places), Limits.from_environment())


def check_cluster(step: Step, address: str, places: Sequence[Location] = ()) -> None:
    """Refuse a cluster that cannot do a step exactly as this machine would: see `require_alike`.

    Raises:
        MistworksError: as there; or the scheduler does not answer.
    """
    with quiet(), connected(address) as client:
        require_alike(client, step, places, Limits.from_environment(), _warn)


@task(name="dask", task_run_name="{title}", persist_result=False, cache_policy=NO_CACHE)
def _run_on_dask(
    step: Step,
    jobs: Sequence[Job],
    title: str,
    address: str,
    report: Report,
    places: Sequence[Location],
    limits: Limits,
) -> None:
    with cancellation() as is_cancelled:
        dispatch(step, jobs, address, places, limits, report, _warn, is_cancelled)


def _warn(text: str) -> None:
    """Write to the screen, whatever logging is set to, and to the log of the run."""
    sys.stderr.write(f"warning: {text}\n")
    with suppress(MissingContextError):
        get_run_logger().warning(text)
