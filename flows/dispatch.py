"""What flows need to keep Dask workers busy and to hear what became of each task."""

from collections.abc import Collection
from contextlib import suppress
from typing import Any, cast

import distributed
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect_dask.task_runners import DaskTaskRunner, PrefectDaskFuture

from mistworks.errors import MistworksError

DaskFuture = distributed.Future

PROGRESS_EVERY_SECONDS = 2.0


def cluster_workers() -> int:
    """Workers of the Dask cluster that the tasks of this flow run go to."""
    context = FlowRunContext.get()
    if context is None or not isinstance(context.task_runner, DaskTaskRunner):
        return 1
    client: Any = context.task_runner.client
    return len(client.nthreads())


def dask_future(submitted: Any) -> "DaskFuture[Any]":
    """What Dask knows of a task that was submitted to Prefect."""
    return cast("PrefectDaskFuture[Any]", submitted).wrapped_future


def ended_among(running: "Collection[DaskFuture[Any]]") -> "set[DaskFuture[Any]]":
    """The tasks that have ended, as soon as one has; after two seconds perhaps none."""
    # The runner keeps its Dask client to itself; its futures know it.
    with next(iter(running)).client.as_current(), suppress(TimeoutError):
        distributed.wait(list(running), PROGRESS_EVERY_SECONDS, return_when="FIRST_COMPLETED")
    return {future for future in running if future.done()}


def outcome(future: "DaskFuture[Any]") -> Any:
    """What a task that has ended returned, or the exception that it ended with."""
    if future.status != "finished":
        return future.exception() or MistworksError(f"a task was {future.status}")
    state = future.result()
    if not isinstance(state, State):
        return state
    value = state.result(raise_on_failure=False)
    if state.is_completed() or isinstance(value, BaseException):
        return value
    return MistworksError(state.message or state.name)
