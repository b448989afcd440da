"""What flows need to keep Dask workers busy and to hear what became of each task."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, cast

import distributed
from prefect import Task
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect_dask.task_runners import DaskTaskRunner, PrefectDaskFuture

from mistworks.errors import MistworksError

DaskFuture = distributed.Future

PROGRESS_EVERY_SECONDS = 2.0


def run_partitions(
    step: Task[[str, list[int]], None],
    url: str,
    numbers: list[int],
    least: int,
    is_done: Callable[[int], bool],
    report: Callable[[float], None],
) -> None:
    """Run a step over partitions of a store on Dask, several to a task, in a flow with a Dask runner.

    Args:
        step: what to do with some partitions of a store, in their order.
        url: of the store.
        numbers: of the partitions.
        least: partitions in a task, at least.
        is_done: whether a partition is done, asked often.
        report: told how many are.

    Raises:
        MistworksError: a task failed; the others are finished first.
    """
    shares = _shares(numbers, cluster_workers(), least)
    futures = {dask_future(step.submit(url, share)): share for share in shares}
    for done in _partitions_done(is_done, futures):
        report(done)
    ended = [(share, outcome(future)) for future, share in futures.items()]
    failures = [(share, told) for share, told in ended if isinstance(told, BaseException)]
    if failures:
        raise MistworksError(_failure_message(url, failures))


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


def _partitions_done(
    is_done: Callable[[int], bool], futures: Mapping["DaskFuture[Any]", list[int]]
) -> Iterator[int]:
    """How many partitions are done, every few seconds until all tasks have ended."""
    running, done = set(futures), dict.fromkeys(futures, 0)
    while running:
        yield sum(done.values())
        running -= ended_among(running)
        # The marks in the store tell how far the long tasks are, which make their partitions in order.
        for future in running:
            share = futures[future]
            while done[future] < len(share) and is_done(share[done[future]]):
                done[future] += 1
        done |= {future: len(futures[future]) for future in done.keys() - running}
    yield sum(done.values())


def _shares(numbers: list[int], workers: int, least: int) -> list[list[int]]:
    """Partitions for each task: a fixed part of what is left, so that few tasks end at about one time.

    This is guided self-scheduling (Polychronopoulos and Kuck, 1987) with half their share, since tasks of
    equal size do not take equal time.
    """
    shares, taken = [], 0
    while taken < len(numbers):
        size = max(least, (len(numbers) - taken) // (2 * max(workers, 1)))
        shares.append(numbers[taken : taken + size])
        taken += size
    return shares


def _failure_message(url: str, failures: Iterable[tuple[list[int], BaseException]]) -> str:
    told = []
    for group, error in failures:
        known = isinstance(error, MistworksError)
        told.append(str(error) if known else f"partitions {group} of the store {url} failed ({error!r})")
    rest = f" (and {len(told) - 1} more tasks failed)" if len(told) > 1 else ""
    return f"{told[0]}{rest}"
