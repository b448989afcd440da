"""Declare flows: descriptive names of runs, no results on disk, and an artifact for failures."""

import functools
import inspect
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import prefect
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.filesystems import WritableFileSystem
from prefect.runtime import flow_run as this_run
from prefect.states import Cancelled

from mistworks.errors import MistworksError

P = ParamSpec("P")
R = TypeVar("R")


def flow(
    name: str, run_name: str | Callable[[Mapping[str, Any]], str], *, checked: bool = True
) -> Callable[[Callable[P, R]], Flow[P, R]]:
    """Declare a flow.

    A failed run creates an artifact that says why and how to continue, unless it is part of another run.

    Args:
        name: name of the flow.
        run_name: name of its runs: a template, or a function of the parameters if some may be None.
        checked: whether parameters are checked against their types. False if they are our own objects.
    """

    def declare(function: Callable[P, R]) -> Flow[P, R]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            _keep_nothing()
            return function(*args, **kwargs)

        declared = prefect.flow(
            name=name,
            flow_run_name=run_name if isinstance(run_name, str) else _named(run_name),
            persist_result=False,
            validate_parameters=checked,
            on_failure=[_leave_note],
            on_cancellation=[_end_as_cancelled],
        )
        return cast("Flow[P, R]", declared(run))

    return declare


def _named(run_name: Callable[[Mapping[str, Any]], str]) -> Callable[[], str]:
    def name() -> str:
        return run_name(this_run.parameters)

    return name


class _Nowhere(WritableFileSystem):
    """A file system that keeps nothing."""

    async def read_path(self, path: str) -> bytes:
        raise FileNotFoundError(path)

    async def write_path(self, path: str, content: bytes) -> None:
        pass

    def _resolve_path(self, path: str) -> Path:
        return Path(path).absolute()


def _keep_nothing() -> None:
    """Stop Prefect from pickling the exception of a failed flow to disk."""
    context = FlowRunContext.get()
    if context is not None and context.result_store is not None:
        context.result_store.result_storage = _Nowhere()


def _leave_note(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:
    """Create an artifact that says what failed and how to continue."""
    if flow_run.parent_task_run_id is not None:
        return
    try:
        with get_client(sync_client=True) as client:
            client.create_artifact(
                ArtifactCreate(
                    key=f"failure-{flow.name}",
                    type="markdown",
                    description=f"Why {flow_run.name} failed, and how to go on",
                    data=_note(flow, flow_run, state),
                    flow_run_id=flow_run.id,
                )
            )
    except Exception:
        # The state and the log also say what failed.
        logging.getLogger(__name__).warning("the failure could not be recorded", exc_info=True)


def _end_as_cancelled(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:
    """End a stopped run that no Prefect worker started, since a worker would end it."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run.id, Cancelled(), force=True)


def _note(declared: Flow[..., Any], run: FlowRun, state: State) -> str:
    error = state.result(raise_on_failure=False)
    message = str(error) if isinstance(error, MistworksError) else state.message or state.name
    given = json.dumps(run.parameters, indent=2, default=str)
    about = inspect.getdoc(declared.fn) or ""
    return (
        f"# {run.name} failed\n\n{message}\n\n## How to go on\n\n"
        "Correct what the sentence names, then retry this run on its page, or start another with the same "
        "parameters: what is done is kept, and the rest is done with the same content hash.\n\n"
        f"## What was run\n\n{declared.name}: {about.splitlines()[0] if about else ''}\n\n"
        f"```json\n{given}\n```\n"
    )


__all__ = ["P", "R", "flow"]
