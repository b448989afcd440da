"""Steps in the flow's own process, retried if their failure may pass."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE

from tasks.worker import may_pass

P = ParamSpec("P")
R = TypeVar("R")


def retried(function: Callable[P, R]) -> Task[P, R]:
    """A task in the flow's own process, retried if its failure may pass."""
    step: Callable[[Callable[P, R]], Task[P, R]] = task(
        retries=2,
        retry_delay_seconds=[5, 30],
        # Runs that one outage stops should not all return at once.
        retry_jitter_factor=0.5,
        retry_condition_fn=_failure_may_pass,
        persist_result=False,
        cache_policy=NO_CACHE,
    )
    return step(function)


def _failure_may_pass(_task: Any, _task_run: Any, state: Any) -> bool:
    return may_pass(state.result(raise_on_failure=False))


__all__ = ["P", "R", "retried"]
