"""The graph of rows of a sample and their classes, and colour refinement on it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mistworks.statistics.untied import Keys, hashed

Indices = NDArray[np.intp]

# Number of rounds before chains of nodes are passed in one step; and maximum number of rounds, which only
# long chains of branches reach.
_SHORT_ROUNDS = 8
_MOST_ROUNDS = 200
# Maximum number of walks per incidence, and maximum number of rows of a walk.
_TIMES_WALKED = 32
_LONGEST_WALK = 8


@dataclass(frozen=True, eq=False)
class Graph:
    """Rows of a sample and their classes, numbered from 0: row rows[e] has class classes[e].

    Attributes:
        rows: row of each incidence, ascending; each row has at least one.
        classes: class of each incidence; each class has at least one.
    """

    rows: Indices
    classes: Indices

    @cached_property
    def row_starts(self) -> Indices:
        """The first incidence of each row."""
        return np.flatnonzero(np.diff(self.rows, prepend=-1))

    @cached_property
    def by_class(self) -> Indices:
        """Incidences in the order of their classes."""
        return np.argsort(self.classes, kind="stable")

    @cached_property
    def class_starts(self) -> Indices:
        """Start of each class in this order."""
        return np.flatnonzero(np.diff(self.classes[self.by_class], prepend=-1))

    def of_rows(self, values: Keys) -> Keys:
        """Sum over the incidences of each row."""
        return np.asarray(np.add.reduceat(values, self.row_starts))

    def of_classes(self, values: Keys) -> Keys:
        """Sum over the incidences of each class."""
        return np.asarray(np.add.reduceat(values[self.by_class], self.class_starts))

    def parts(self) -> Indices:
        """Return the connected part of each class, numbered from 0."""
        part = np.arange(len(self.class_starts))
        while True:
            of_row = np.minimum.reduceat(part[self.classes], self.row_starts)
            lowest = np.minimum.reduceat(of_row[self.rows][self.by_class], self.class_starts)
            if np.array_equal(lowest, part):
                return np.unique(part, return_inverse=True)[1]
            roots = np.arange(len(part))
            np.minimum.at(roots, part, lowest)
            while not np.array_equal(further := roots[roots], roots):
                roots = further
            part = roots[part]

    @cached_property
    def jumps(self) -> list[Indices]:
        """Return the ends of walks through nodes of two incidences after 1, 2, 4, … steps.

        Step e goes to the class of incidence e, step E + e to its row. A step to any other node repeats.
        """
        steps = len(self.rows)
        ahead = np.arange(2 * steps)
        for offset, order, starts in (
            (0, self.by_class, self.class_starts),
            (steps, np.arange(steps), self.row_starts),
        ):
            two = starts[np.diff(starts, append=steps) == 2]
            first, second = order[two], order[two + 1]
            ahead[offset + first], ahead[offset + second] = steps - offset + second, steps - offset + first
        jumps = [ahead]
        for _ in range(len(ahead).bit_length()):
            ahead = ahead[ahead]
            if np.array_equal(ahead, jumps[-1]):
                break
            jumps.append(ahead)
        return jumps

    def among(self, kept: NDArray[np.bool_]) -> tuple["Graph", Indices, Indices]:
        """Return the graph of some classes and the rows with two or more of them, its rows and classes."""
        incident = kept[self.classes]
        several = np.bincount(self.rows[incident], minlength=len(self.row_starts)) > 1
        incident &= several[self.rows]
        rows, of_row = np.unique(self.rows[incident], return_inverse=True)
        classes, of_class = np.unique(self.classes[incident], return_inverse=True)
        return Graph(of_row, of_class), rows, classes


def refined(graph: Graph, rows: Keys, classes: Keys) -> tuple[Keys, Keys]:
    """Refine the colours of rows and classes by their neighbours until no more classes are separated."""
    count = len(np.unique(classes))
    for number in range(_MOST_ROUNDS):
        if number < _SHORT_ROUNDS:
            rows = hashed(rows + graph.of_rows(hashed(classes)[graph.classes]))
            classes = hashed(classes + graph.of_classes(hashed(rows)[graph.rows]))
        else:
            rows, classes = _passed(graph, rows, classes)
        before, count = count, len(np.unique(classes))
        if count in (before, len(classes)):
            break
    return hashed(rows + graph.of_rows(hashed(classes)[graph.classes])), classes


def _passed(graph: Graph, rows: Keys, classes: Keys) -> tuple[Keys, Keys]:
    """Run a round in which each node learns of all nodes and ends of the chains that start at it."""
    chains = np.concatenate([hashed(classes)[graph.classes], hashed(~rows)[graph.rows]])
    for ahead in graph.jumps:
        chains = hashed(hashed(chains) + chains[ahead])
    to_classes, to_rows = np.split(chains, 2)
    return hashed(rows + graph.of_rows(to_classes)), hashed(classes + graph.of_classes(to_rows))


def walked(graph: Graph, classes: Keys, asked: NDArray[np.bool_]) -> Keys:
    """Refine colours by the shortest cycles through the given classes.

    Cycles that do not separate classes are skipped for longer ones, as far as walks go.
    """
    count = len(np.unique(classes))
    for starts, ends in _walks(graph, asked):
        pair, walks = np.unique(starts * len(classes) + ends, return_counts=True)
        start, end = np.divmod(pair, len(classes))
        closed = (walks > 1) | (start == end)
        if not closed.any():
            continue
        marks = hashed(classes[end] + walks.astype(np.uint64))[closed]
        start = start[closed]
        firsts = np.flatnonzero(np.diff(start, prepend=-1))
        further = classes.copy()
        further[start[firsts]] = hashed(classes[start[firsts]] + np.add.reduceat(marks, firsts))
        if len(np.unique(further)) > count:
            return further
    return classes


def _walks(graph: Graph, asked: NDArray[np.bool_]) -> Iterator[tuple[Indices, Indices]]:
    """Yield first and last classes of all walks over one row, then two, …, that never turn back."""
    in_class, in_row = np.bincount(graph.classes), np.bincount(graph.rows)
    # The incidence over which each walk leaves its last class.
    leaving = np.flatnonzero(asked[graph.classes])
    starts = graph.classes[leaving]
    most = _TIMES_WALKED * len(graph.rows)
    for _ in range(_LONGEST_WALK):
        if in_row[graph.rows[leaving]].sum() > most:
            return
        walk, arriving = blocks(graph.row_starts, in_row, graph.rows[leaving])
        starts, leaving = starts[walk], leaving[walk]
        onward = arriving != leaving
        starts, arriving = starts[onward], arriving[onward]
        yield starts, graph.classes[arriving]
        if in_class[graph.classes[arriving]].sum() > most:
            return
        walk, position = blocks(graph.class_starts, in_class, graph.classes[arriving])
        starts, arriving, leaving = starts[walk], arriving[walk], graph.by_class[position]
        onward = arriving != leaving
        starts, leaving = starts[onward], leaving[onward]


@dataclass(frozen=True, eq=False)
class Grouped:
    """Items in the order of their groups, numbered from 0, and the position of each in its group."""

    groups: Indices
    order: Indices
    starts: Indices
    lengths: Indices
    places: Indices

    @classmethod
    def of(cls, groups: Indices) -> "Grouped":
        """Order items by their groups."""
        order = np.argsort(groups, kind="stable")
        lengths = np.bincount(groups)
        starts = np.cumsum(lengths) - lengths
        places = np.empty(len(groups), dtype=np.intp)
        places[order] = np.arange(len(groups)) - np.repeat(starts, lengths)
        return cls(groups, order, starts, lengths, places)

    def repeated(self, groups: Indices) -> tuple[Indices, Indices]:
        """Return the items of a list of groups, group after group, each with the position of its group."""
        place, position = blocks(self.starts, self.lengths, groups)
        return place, self.order[position]

    def offsets(self, groups: Indices) -> Indices:
        """Return the start of each of these groups."""
        lengths = self.lengths[groups]
        return np.asarray(np.cumsum(lengths) - lengths)


def blocks(starts: Indices, lengths: Indices, listed: Indices) -> tuple[Indices, Indices]:
    """Return the positions in a list of blocks, block after block, each with the position of its block."""
    length = lengths[listed]
    place = np.repeat(np.arange(len(listed)), length)
    first = starts[listed] - (np.cumsum(length) - length)
    return place, np.arange(len(place)) + first[place]


__all__ = ["Graph", "Grouped", "Indices", "blocks", "refined", "walked"]
