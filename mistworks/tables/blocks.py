"""Named blocks of columns of a table, and the sample that two of them make."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mistworks.errors import MistworksError
from mistworks.preparation.table import MIN_POINTS, Missing, Side, Table, complete

Groups = Mapping[Hashable, Iterable[Hashable]]

_FRAME = "the frame"


@dataclass(frozen=True, eq=False)
class Blocks:
    """Blocks of columns of one table.

    Attributes:
        table: the columns of all blocks, one block after the other, possibly with missing values.
        names: of the blocks, each once.
        starts: position of the first column of each block, and the number of columns at the end.
    """

    table: Table
    names: tuple[Hashable, ...]
    starts: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.names)

    def block(self, number: int) -> Table:
        """Return the columns of a block."""
        return self.table.columns(range(self.starts[number], self.starts[number + 1]))

    def pair(self, first: int, second: int) -> tuple[Side, Side] | None:
        """Return the rows in which both blocks are complete; None if fewer than five are."""
        left = self._common(first, second)
        count = int(left.sum())
        if count < MIN_POINTS:
            return None
        if count == len(left):
            return self._whole(first), self._whole(second)
        rows = np.flatnonzero(left)
        x, y = complete([self.block(number).rows(rows) for number in (first, second)], ["x", "y"])[0]
        return x, y

    def common_rows(self, first: int, second: int) -> int:
        """Return in how many rows both blocks are complete."""
        return int(self._common(first, second).sum())

    def _common(self, first: int, second: int) -> NDArray[np.bool_]:
        return np.asarray(~(self._holes[first] | self._holes[second]))

    def _whole(self, number: int) -> Side:
        if number not in self._sides:
            self._sides[number] = complete([self.block(number)], [_FRAME])[0][0]
        return self._sides[number]

    @cached_property
    def _sides(self) -> dict[int, Side]:
        return {}

    @cached_property
    def _holes(self) -> NDArray[np.bool_]:
        """In which rows a block is incomplete, shape (blocks, n)."""
        return np.logical_or.reduceat(self.table.missing, self.starts[:-1], axis=0)

    @property
    def complete_rows(self) -> NDArray[np.intp]:
        """In how many rows each block is complete, shape (blocks,)."""
        return np.asarray((~self._holes).sum(axis=1))


def blocks_of(
    table: Table, columns: Sequence[Hashable] | None, groups: Groups | None, missing: Missing
) -> Blocks:
    """Choose blocks of columns: those listed by themselves, then the groups; all columns if neither is given.

    Raises:
        MistworksError: a column is unknown or in two blocks, two blocks have the same name, there are fewer
            than two, there are too few rows, or values are missing that `missing` does not allow.
    """
    if columns is None and groups is None:
        columns = table.labels
        _require_different(columns)
    if groups is not None and not isinstance(groups, Mapping):
        raise MistworksError(
            f"Expected groups as names of columns by name of the group, got a {type(groups).__name__}. Pass "
            "a dict, such as {'weather': ['wind', 'rain']}."
        )
    listed = _names(columns or (), "columns")
    named = [(label, [label]) for label in listed]
    named += [(name, _names(members, f"group {name!r}")) for name, members in (groups or {}).items()]
    for name, members in named:
        if not members:
            raise MistworksError(f"Expected at least one column in group {name!r}, got none. Name some.")
    _require_distinct(named, table)
    positions = [table.position(member, _FRAME) for _, members in named for member in members]
    if len(named) < 2:
        raise MistworksError(
            f"Expected at least two columns or groups to compare, got {len(named)}. Pass more; to compare "
            "two sides of your own use mistworks.estimate."
        )
    if len(table) < MIN_POINTS:
        raise MistworksError(
            f"Expected {_FRAME} with at least {MIN_POINTS} rows, got {len(table)}. Pass more: so few say "
            "nothing about dependence."
        )
    chosen = table.columns(positions)
    if missing != "drop":
        chosen = complete([chosen], [_FRAME], missing)[0][0]
    starts = np.cumsum([0, *(len(members) for _, members in named)]).tolist()
    return Blocks(chosen, tuple(name for name, _ in named), tuple(starts))


def _names(names: Iterable[Hashable], what: str) -> list[Hashable]:
    if isinstance(names, str):
        return [names]
    if not isinstance(names, Iterable):
        raise MistworksError(
            f"Expected a list of names of columns for {what}, got {names!r}. Pass a list, even of one."
        )
    return list(names)


def _require_different(labels: Sequence[Hashable]) -> None:
    for label in labels:
        if labels.count(label) > 1:
            raise MistworksError(
                f"Expected columns of {_FRAME} with different names, got {labels.count(label)} called "
                f"{label!r}. Rename them, or choose columns."
            )


def _require_distinct(named: Sequence[tuple[Hashable, Sequence[Hashable]]], table: Table) -> None:
    homes: dict[Hashable, Hashable] = {}
    for name, members in named:
        for member in members:
            if member in homes:
                table.position(member, _FRAME)
                raise MistworksError(
                    f"Expected each column in one place, got {member!r} in {homes[member]!r} and in "
                    f"{name!r}. Leave it out of one: a column tells everything about itself."
                )
            homes[member] = name
    blocks = [name for name, _ in named]
    for name in blocks:
        if blocks.count(name) > 1:
            raise MistworksError(
                f"Expected a name for each group that no other group or listed column has, got {name!r} "
                "twice. Rename the group."
            )


__all__ = ["Blocks", "Groups", "blocks_of"]
