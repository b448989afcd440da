"""Which failures are worth another try: those that the next minute may cure."""

from typing import Any

from storage.generation import TransientPartitionError
from storage.store import StoreUnreachableError


def may_pass(_task: Any, _task_run: Any, state: Any) -> bool:
    """Whether a task run failed for a reason that may pass; a wrong input stays wrong."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, TransientPartitionError | StoreUnreachableError | ConnectionError | TimeoutError)
