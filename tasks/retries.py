"""Which failures are worth another try: those that the next minute may cure."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE

from storage.generation import TransientPartitionError
from storage.store import StoreUnreachableError

P = ParamSpec("P")
R = TypeVar("R")


def may_pass(_task: Any, _task_run: Any, state: Any) -> bool:
    """Whether a task run failed for a reason that may pass; a wrong input stays wrong."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, TransientPartitionError | StoreUnreachableError | ConnectionError | TimeoutError)


def retried(function: Callable[P, R]) -> Task[P, R]:
    """A task of the flow's own process, tried again where its failure may pass."""
    step: Callable[[Callable[P, R]], Task[P, R]] = task(
        retries=2,
        retry_delay_seconds=[5, 30],
        retry_condition_fn=may_pass,
        persist_result=False,
        cache_policy=NO_CACHE,
    )
    return step(function)
