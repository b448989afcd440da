"""Detect that a flow run was cancelled in Prefect: a run that no Prefect worker started gets no signal."""

import contextvars
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

__all__ = ["cancellation"]

_POLL_SECONDS = 5.0


@contextmanager
def cancellation() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether this flow run, or its parent, was cancelled."""
    cancelled, ended = threading.Event(), threading.Event()

    def watch() -> None:
        while not ended.wait(_POLL_SECONDS):
            # A server that is away for a while does not end a run.
            with suppress(Exception):
                if _is_cancelled():
                    cancelled.set()
                    return

    context = contextvars.copy_context()
    threading.Thread(target=lambda: context.run(watch), daemon=True).start()
    try:
        yield cancelled.is_set
    finally:
        ended.set()


def _is_cancelled() -> bool:
    identifiers = {UUID(text) for text in (flow_run.id, flow_run.root_flow_run_id) if text}
    with get_client(sync_client=True) as client:
        states = [client.read_flow_run(identifier).state for identifier in identifiers]
    return any(state is not None and (state.is_cancelling() or state.is_cancelled()) for state in states)
