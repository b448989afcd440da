"""Show the progress of a step: a bar in the terminal, lines in a log, and an artifact in Prefect."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import FlowRunContext
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from flows.artifacts import key_of

Report = Callable[[float], None]

_ARTIFACT_AFTER_SECONDS = 3.0
_LINE_EVERY_SECONDS = 15.0


@contextmanager
def progress(description: str, total: float) -> Iterator[Report]:
    """Yield a function to call with the amount of ``total`` that is done. Calls are cheap."""
    console = Console(stderr=True)
    reports = [_artifact(description, total)]
    if not console.is_terminal:
        reports.append(_lines(console, description, total))
        yield lambda done: _tell(reports, done)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as bars:
        bar = bars.add_task(description, total=total)
        reports.append(lambda done: bars.update(bar, completed=done))
        yield lambda done: _tell(reports, done)


def _tell(reports: list[Report], done: float) -> None:
    for report in reports:
        report(done)


def _lines(console: Console, description: str, total: float) -> Report:
    last = time.monotonic()

    def report(done: float) -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_EVERY_SECONDS:
            last = time.monotonic()
            console.print(f"{description}: {done:,.0f} of {total:,.0f}")

    return report


def _artifact(description: str, total: float) -> Report:
    """An artifact of the flow run, created once a step takes long, and updated about once per second."""
    started = last = time.monotonic()
    identifier = None
    broken = False

    def report(done: float) -> None:
        nonlocal last, identifier, broken
        now = time.monotonic()
        waiting = now - started < _ARTIFACT_AFTER_SECONDS or (now - last < 1.0 and done < total)
        if broken or waiting or FlowRunContext.get() is None:
            return
        last = now
        percent = 100.0 * done / total if total else 100.0
        try:
            if identifier is None:
                identifier = create_progress_artifact(
                    progress=percent, key=f"progress-{key_of(description)}", description=description
                )
            else:
                update_progress_artifact(artifact_id=identifier, progress=percent)
        except Exception:
            # Work of hours is not abandoned because it could not be shown.
            broken = True
            logging.getLogger(__name__).warning("progress is no longer reported", exc_info=True)

    return report


__all__ = ["Report", "progress"]
