"""A progress bar on standard error where a person looks at it, and nothing where none does."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int, str], None]
"""Say how many are done in all, and a remark."""


@contextmanager
def progress_bar(title: str, total: int, shown: bool) -> Iterator[Advance]:
    """Show a bar of rich, which goes when it is done; nothing if standard error is no terminal.

    Args:
        title: what is under way.
        total: how many there are.
        shown: False for no bar.
    """
    if not (shown and sys.stderr.isatty()):
        yield lambda done, remark: None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ModuleNotFoundError:
        yield lambda done, remark: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[remark]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=total, remark="")
        yield lambda done, remark: progress.update(task, completed=done, remark=remark)


__all__ = ["Advance", "progress_bar"]
