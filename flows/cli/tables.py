"""Tables on a screen of any width: no digit and no name is cut off."""

import sys
from collections.abc import Sequence
from itertools import groupby

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

_ANY_WIDTH = 10_000


def print_columns(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    keys: int,
    width: int | None = None,
    ruled: bool = True,
) -> None:
    """Print rows as one table if the screen is wide enough, else as several, each with a part of the columns.

    Args:
        headings: of the columns.
        rows: a text for each column.
        keys: how many columns from the left say what a row is of; every table has them, and where there are
            several, a line is drawn where the first changes.
        width: of the screen, in characters; that of the terminal if None, or as wide as the table is where
            the output is not a terminal.
        ruled: whether lines are drawn where the first column changes.
    """
    if width is None:
        width = Console().width if sys.stdout.isatty() else _ANY_WIDTH
    named = list(range(keys))
    parts: list[list[int]] = []
    for column in range(keys, len(headings)):
        if parts and _needs(_table(headings, rows, [*named, *parts[-1], column], keys, ruled)) <= width:
            parts[-1].append(column)
        else:
            parts.append([column])
    for part in parts:
        table = _table(headings, rows, [*named, *part], keys, ruled)
        # A screen that is too narrow even for one figure breaks names into lines.
        Console(width=min(width, _needs(table)), highlight=False).print(table)


def _table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], columns: Sequence[int], keys: int, ruled: bool
) -> Table:
    table = Table(box=SIMPLE)
    for column in columns:
        table.add_column(headings[column], overflow="fold", no_wrap=column >= keys)
    for _, section in groupby(rows, key=lambda row: row[: keys - 1][:1]):
        for row in section:
            table.add_row(*(Text(row[column]) for column in columns))
        if ruled:
            table.add_section()
    return table


def _needs(table: Table) -> int:
    return Console(width=_ANY_WIDTH).measure(table).maximum


__all__ = ["print_columns"]
