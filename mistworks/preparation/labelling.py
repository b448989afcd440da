"""Numbers for class labels that no renaming of the labels changes.

Statistics of ranks read the order of the classes, so that order has to follow from the sample alone. Colour
refinement finds it (Weisfeiler and Leman, 1968): the colour of a class is a hash of its count and of the
cells that its rows have in the other columns, whose colours are refined in turn, until no more classes are
told apart. That settles nearly all tables. Classes that equal each other in all other columns, row for row,
may come in any order; what else stays alike, as where classes of both sides have two points each, is settled
by `mistworks.preparation.symmetry`.

What is guaranteed, up to collisions of hashes of 64 bits:

- No renaming of classes changes more than the order of rows that are symmetric, ever.
- Nor does a permutation of the rows, of the columns of a side or of the sides, nor a reflection of a column
  of numbers, unless the search of `mistworks.preparation.symmetry` or that of `_open_columns` is cut short.
  That takes classes that are alike by the hundred in a design such as a Latin square, or many columns that
  are interchangeable. Then symmetric classes still may come in any order, and other classes come in the order
  in which the rows show them first.
"""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mistworks.preparation.incidence import Graph, walked
from mistworks.preparation.symmetry import settled
from mistworks.statistics.untied import Keys, copies, hashed

_MOST_ROUNDS = 50
# So many ways to tell interchangeable columns apart are tried at a time.
_MOST_WAYS = 16
_HIGHEST = np.iinfo(np.uint64).max
_SINGLED_OUT = np.uint64(0x5851F42D4C957F2D)
# Half ranks stay below 2²⁴ and points below 2²³, so that weights of 15 bits make sums that fit int64.
_WEIGHT_SHIFT = np.uint64(49)


@dataclass(frozen=True, eq=False)
class _Classes:
    """A column of class labels: codes of rows, and the rows in the order of their classes."""

    codes: NDArray[np.intp]
    order: NDArray[np.intp]
    starts: NDArray[np.intp]

    @classmethod
    def of(cls, codes: NDArray[np.intp]) -> "_Classes":
        order = np.argsort(codes, kind="stable")
        counts = np.bincount(codes)
        return cls(codes, order, np.cumsum(counts) - counts)

    def sums(self, values: Keys) -> Keys:
        """Sums of the rows of each class, modulo 2⁶⁴."""
        return np.asarray(np.add.reduceat(values[self.order], self.starts))

    def first(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """The lowest of the values of the rows of each class."""
        return np.asarray(np.minimum.reduceat(rows[self.order], self.starts))


def canonical_codes(ranks: NDArray[np.int32], dx: int, nominal: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Codes 0, 1, … of the classes of the nominal columns, shape (nominal columns, n).

    Args:
        ranks: half ranks, shape (dx + dy, n), X first; those of nominal columns in any order of the classes.
        dx: number of columns of X.
        nominal: which columns hold class labels, shape (dx + dy,).
    """
    counts = [np.bincount(row, minlength=2 * len(row)) for row in ranks[nominal]]
    if all(_all_differ(count[count > 0]) for count in counts):
        colours = [hashed(count.astype(np.uint64)) * (count > 0) for count in counts]
        pairs = zip(ranks[nominal], colours, strict=True)
        return np.array(
            [np.searchsorted(np.unique(colour[colour > 0]), colour[row]) for row, colour in pairs]
        )
    return _refined_codes(ranks, dx, nominal)


def _refined_codes(ranks: NDArray[np.int32], dx: int, nominal: NDArray[np.bool_]) -> NDArray[np.int64]:
    offsets = 2 * ranks.shape[1] * np.arange(len(ranks), dtype=np.int64)[:, None]
    contents = hashed((ranks + offsets).astype(np.uint64))
    grouping = contents.sum(axis=0, dtype=np.uint64)
    _, rows, inverse, counts = np.unique(grouping, return_index=True, return_inverse=True, return_counts=True)
    columns = [np.unique(row, return_inverse=True)[1] for row in ranks[nominal][:, rows]]
    refinement = _Refinement(ranks, rows, counts.astype(np.uint64), dx, nominal, columns)
    refinement.refine()
    colours = refinement.colours
    if not all(map(_all_differ, colours)):
        own = contents[nominal][:, rows]
        twins = [
            _Twins.of(column, hashed(grouping[rows] - content) * refinement.counts, rows)
            for column, content in zip(refinement.classes, own, strict=True)
        ]
        if not _decided(colours, twins):
            colours = _settled(refinement, twins, rows)
    return np.array(
        [
            _positions(own)[column.codes][inverse]
            for own, column in zip(colours, refinement.classes, strict=True)
        ]
    )


def _all_differ(values: NDArray[Any]) -> bool:
    return len(np.unique(values)) == len(values)


@dataclass(frozen=True, eq=False)
class _Twins:
    """Classes of a column that have equal rows in all other columns.

    Attributes:
        leader: which class stands for each: the one that the sample shows first.
        size: how many it stands for.
    """

    leader: NDArray[np.intp]
    size: Keys

    @classmethod
    def of(cls, column: _Classes, others: Keys, first: NDArray[np.intp]) -> "_Twins":
        """By hashes of what the rows have in the other columns, and where in the sample they are first."""
        shown = np.argsort(column.first(first))
        _, leaders, group, sizes = np.unique(
            column.sums(others)[shown], return_index=True, return_inverse=True, return_counts=True
        )
        leader, size = np.empty_like(shown), np.empty(len(shown), dtype=np.uint64)
        leader[shown], size[shown] = shown[leaders[group]], sizes[group]
        return cls(leader, size)

    @property
    def leads(self) -> NDArray[np.bool_]:
        """Which classes stand for themselves."""
        return np.asarray(self.leader == np.arange(len(self.leader)))


def _decided(colours: list[Keys], twins: list[_Twins]) -> bool:
    """Whether only twins are alike."""
    return all(
        len(np.unique(own)) == np.count_nonzero(twin.leads) for own, twin in zip(colours, twins, strict=True)
    )


def _positions(colours: Keys) -> NDArray[np.int64]:
    # Classes that are alike have equal rows in the other columns: side by side they would seem dependent.
    colours = hashed(colours + copies(colours)[0])
    positions = np.empty(len(colours), dtype=np.int64)
    positions[np.argsort(colours, kind="stable")] = np.arange(len(colours))
    return positions


class _Refinement:
    """Colours of classes, refined on the distinct rows of a sample."""

    def __init__(
        self,
        ranks: NDArray[np.int32],
        rows: NDArray[np.intp],
        counts: Keys,
        dx: int,
        nominal: NDArray[np.bool_],
        columns: list[NDArray[np.intp]],
    ) -> None:
        self.counts, self.dx = counts, dx
        self.nominal = np.flatnonzero(nominal)
        self.numbers = np.flatnonzero(~nominal)
        self.classes = [_Classes.of(codes) for codes in columns]
        self.colours = [hashed(column.sums(counts)) for column in self.classes]
        self._centred = ranks[self.numbers][:, rows].astype(np.int64) - (ranks.shape[1] - 1)
        self._cells = np.empty((len(ranks), len(rows)), dtype=np.uint64)
        # Folded, so that reflections leave them as they are.
        self._cells[self.numbers] = np.abs(self._centred).astype(np.uint64)
        self._oriented = np.zeros(len(self.numbers), dtype=np.bool_)
        self._signatures = np.zeros(len(ranks), dtype=np.uint64)
        self._marks = np.zeros(len(rows), dtype=np.uint64)

    def refine(self) -> None:
        """Refine until no more classes are told apart."""
        count, total = -1, sum(map(len, self.colours))
        for _ in range(_MOST_ROUNDS):
            self._round()
            before, count = count, sum(len(np.unique(colours)) for colours in self.colours)
            if count in (before, total):
                return

    def refine_by_counts(self) -> None:
        """Tell rows apart by how often they occur, which else counts in sums alone."""
        self._marks = hashed(self.counts)
        self.refine()

    def rows(self) -> Keys:
        """Hashes of the rows by the colours of their classes."""
        return self._hashes()[1]

    def mark(self) -> tuple[int, int]:
        """Equal for refinements of equal samples."""
        colours = np.concatenate([hashed(own) for own in self.colours])
        return int(hashed(self._signatures).sum()), int(colours.sum())

    def further_columns(self) -> NDArray[np.intp]:
        """Columns of which one is to be told from the others, else one whose ends are alike; none at last."""
        alike = copies(self._signatures)[1]
        if (alike > 1).any():
            few = alike == alike[alike > 1].min()
        else:
            few = np.zeros(len(alike), dtype=np.bool_)
            few[self.numbers[~self._oriented]] = True
        return np.flatnonzero(few & (self._signatures == self._signatures.min(where=few, initial=_HIGHEST)))

    def further(self) -> list["_Refinement"]:
        """All ways to tell these columns apart, or the ends of this column."""
        columns = self.further_columns()
        if len(columns) > 1:
            return [self._with(column, 0) for column in columns]
        return [self._with(columns[0], sign) for sign in (1, -1)]

    def _with(self, column: np.intp, sign: int) -> "_Refinement":
        """With a column that is singled out, if sign is 0, or that is oriented."""
        further = copy.copy(self)
        further.colours = list(self.colours)
        further._cells, further._signatures = self._cells.copy(), self._signatures.copy()
        further._oriented = self._oriented.copy()
        if sign:
            position = np.searchsorted(self.numbers, column)
            further._cells[column] = (sign * self._centred[position]).astype(np.uint64)
            further._oriented[position] = True
        else:
            further._signatures[[column]] = hashed(self._signatures[[column]] + _SINGLED_OUT)
        further.refine()
        return further

    def _hashes(self) -> tuple[Keys, Keys]:
        """Of the cells and of the rows."""
        for column, colours, classes in zip(self.nominal, self.colours, self.classes, strict=True):
            self._cells[column] = colours[classes.codes]
        cells = hashed(self._cells + self._signatures[:, None])
        x, y = (side.sum(axis=0, dtype=np.uint64) for side in (cells[: self.dx], cells[self.dx :]))
        return cells, hashed(hashed(x) + hashed(y) + self._marks)

    def _round(self) -> None:
        cells, rows = self._hashes()
        signatures = hashed((hashed(rows + cells) * self.counts).sum(axis=1, dtype=np.uint64))
        # What else is on its side tells a column from its copy on the other.
        sides = np.repeat(np.add.reduceat(signatures, [0, self.dx]), [self.dx, len(signatures) - self.dx])
        self._signatures = hashed(signatures + hashed(sides))
        for number, (column, classes) in enumerate(zip(self.nominal, self.classes, strict=True)):
            sums = classes.sums(rows * self.counts)
            # With the column's own signature, so that classes of different columns differ in colour.
            self.colours[number] = hashed(self.colours[number] + hashed(sums + self._signatures[column]))
        self._orient(rows)

    def _orient(self, rows: Keys) -> None:
        """Tell the two ends of a column of numbers apart, once the rows at its ends differ."""
        if self._oriented.all():
            return
        weights = (rows >> _WEIGHT_SHIFT).astype(np.int64) * self.counts.astype(np.int64)
        tilt = np.sign(self._centred @ weights)
        tilt[self._oriented] = 0
        turned = np.flatnonzero(tilt)
        oriented = self._centred[turned] * tilt[turned][:, None]
        self._cells[self.numbers[turned]] = oriented.astype(np.uint64)
        self._oriented[turned] = True


def _settled(refinement: _Refinement, twins: list[_Twins], first: NDArray[np.intp]) -> list[Keys]:
    """Colours in which only twins are alike, the same for equal samples.

    Args:
        refinement: of the distinct rows.
        twins: of each nominal column.
        first: where in the sample each of the distinct rows is first.
    """
    refinement.refine_by_counts()
    leaders = _Leaders.of(refinement.classes, twins, first)
    if not _decided(refinement.colours, twins) and len(refinement.further_columns()):
        refinement.colours = leaders.walked(refinement.colours)
        refinement.refine()
    ways = [refinement]
    while not _decided(ways[0].colours, twins) and len(ways[0].further_columns()):
        further = [new for way in ways for new in way.further()]
        marks = [way.mark() for way in further]
        ways = [way for way, mark in zip(further, marks, strict=True) if mark == min(marks)][:_MOST_WAYS]
    for way in ways:
        way.colours = leaders.settled(way.colours, way.rows())
    return min(ways, key=lambda way: int((hashed(way.rows()) * way.counts).sum())).colours


@dataclass(frozen=True, eq=False)
class _Leaders:
    """The leaders of all twins of all columns, and the rows that have no others.

    Attributes:
        twins: of each column.
        of_column: where the classes of each column are among all; after them, how many there are.
        classes: the leaders among all classes, in the order in which the sample shows them.
        rows: which of the distinct rows are left.
        graph: of these rows and classes.
    """

    twins: list[_Twins]
    of_column: NDArray[np.intp]
    classes: NDArray[np.intp]
    rows: NDArray[np.intp]
    graph: Graph

    @classmethod
    def of(cls, columns: list[_Classes], twins: list[_Twins], first: NDArray[np.intp]) -> "_Leaders":
        """In the order of the sample, so that what nothing else tells apart depends on no name."""
        of_column = np.cumsum([0, *(len(column.starts) for column in columns)])
        leading = np.flatnonzero(np.concatenate([twin.leads for twin in twins]))
        shown = np.concatenate([column.first(first) for column in columns])[leading]
        leading = leading[np.argsort(shown, kind="stable")]
        node = np.full(of_column[-1], -1)
        node[leading] = np.arange(len(leading))
        rows = np.argsort(first)
        nodes = np.array(
            [node[column.codes[rows] + start] for column, start in zip(columns, of_column[:-1], strict=True)]
        ).T
        kept = (nodes >= 0).all(axis=1)
        nodes, rows = nodes[kept], rows[kept]
        graph = Graph(np.repeat(np.arange(len(rows)), len(columns)), nodes.ravel())
        return cls(twins, of_column, leading, rows, graph)

    def walked(self, colours: list[Keys]) -> list[Keys]:
        """Colours refined by short cycles."""
        own = self._own(colours)
        return self._all(colours, walked(self.graph, own, copies(own)[1] > 1))

    def settled(self, colours: list[Keys], rows: Keys) -> list[Keys]:
        """Colours in which only twins are alike; rows are those of all distinct rows."""
        return self._all(colours, settled(self.graph, rows[self.rows], self._own(colours)))

    def _own(self, colours: list[Keys]) -> Keys:
        # What only twins share counts as many times as there are of them.
        marked = [hashed(own + twin.size) for own, twin in zip(colours, self.twins, strict=True)]
        return np.concatenate(marked)[self.classes]

    def _all(self, colours: list[Keys], leaders: Keys) -> list[Keys]:
        every = np.concatenate(colours)
        every[self.classes] = leaders
        own = np.split(every, self.of_column[1:-1])
        return [values[twin.leader] for values, twin in zip(own, self.twins, strict=True)]


__all__ = ["canonical_codes"]
