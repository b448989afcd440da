"""Number class labels in a way that no renaming of the labels changes.

Statistics of ranks depend on the order of the classes, so this order has to follow from the sample alone.
Colour refinement finds it (Weisfeiler and Leman, 1968): the colour of a class is a hash of its count and of
the cells that its rows have in the other columns, whose colours are refined in turn, until no more classes
are separated. This suffices for nearly all tables. Classes that are equal in all other columns, row for row,
may come in any order. Other ties, for example of classes with two points each on both sides, are resolved by
`mistworks.preparation.symmetry`.

Guarantees, up to collisions of hashes of 64 bits:

- No renaming of classes changes more than the order of rows that are symmetric, ever.
- Nor does a permutation of the rows, of the columns of a side or of the sides, nor a reflection of a column
  of numbers, unless the search of `mistworks.preparation.symmetry` or that of `_open_columns` is cut short.
  This needs hundreds of similar classes in a design such as a Latin square, or many interchangeable columns.
  Then symmetric classes still may come in any order, and other classes come in the order in which they first
  occur.
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
# Maximum number of ways to separate interchangeable columns that are tried at a time.
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
        """Sum over the rows of each class, modulo 2⁶⁴."""
        return np.asarray(np.add.reduceat(values[self.order], self.starts))

    def first(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the minimum over the rows of each class."""
        return np.asarray(np.minimum.reduceat(rows[self.order], self.starts))


def canonical_codes(ranks: NDArray[np.int32], dx: int, nominal: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return codes 0, 1, … of the classes of the nominal columns, shape (nominal columns, n).

    Args:
        ranks: half ranks, shape (dx + dy, n), X first; those of nominal columns in any order of the classes.
        dx: number of columns of X.
        nominal: mask of columns of class labels, shape (dx + dy,).
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
        leader: representative of each class: the first one in the sample.
        size: number of classes that it represents.
    """

    leader: NDArray[np.intp]
    size: Keys

    @classmethod
    def of(cls, column: _Classes, others: Keys, first: NDArray[np.intp]) -> "_Twins":
        """Compare hashes of the rows in the other columns; leaders are first in the sample."""
        shown = np.argsort(column.first(first))
        _, leaders, group, sizes = np.unique(
            column.sums(others)[shown], return_index=True, return_inverse=True, return_counts=True
        )
        leader, size = np.empty_like(shown), np.empty(len(shown), dtype=np.uint64)
        leader[shown], size[shown] = shown[leaders[group]], sizes[group]
        return cls(leader, size)

    @property
    def leads(self) -> NDArray[np.bool_]:
        """Mask of the classes that represent themselves."""
        return np.asarray(self.leader == np.arange(len(self.leader)))


def _decided(colours: list[Keys], twins: list[_Twins]) -> bool:
    """Whether all classes but twins are separated."""
    return all(
        len(np.unique(own)) == np.count_nonzero(twin.leads) for own, twin in zip(colours, twins, strict=True)
    )


def _positions(colours: Keys) -> NDArray[np.int64]:
    # Twins have equal rows in the other columns: in one order on both sides, they would seem dependent.
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
        # Folded, so that reflections do not change them.
        self._cells[self.numbers] = np.abs(self._centred).astype(np.uint64)
        self._oriented = np.zeros(len(self.numbers), dtype=np.bool_)
        self._signatures = np.zeros(len(ranks), dtype=np.uint64)
        self._marks = np.zeros(len(rows), dtype=np.uint64)

    def refine(self) -> None:
        """Refine until no more classes are separated."""
        count, total = -1, sum(map(len, self.colours))
        for _ in range(_MOST_ROUNDS):
            self._round()
            before, count = count, sum(len(np.unique(colours)) for colours in self.colours)
            if count in (before, total):
                return

    def refine_by_counts(self) -> None:
        """Separate rows by their frequencies, which otherwise enter only sums."""
        self._marks = hashed(self.counts)
        self.refine()

    def rows(self) -> Keys:
        """Return hashes of the rows by the colours of their classes."""
        return self._hashes()[1]

    def mark(self) -> tuple[int, int]:
        """Return a hash that is equal for refinements of equal samples."""
        colours = np.concatenate([hashed(own) for own in self.colours])
        return int(hashed(self._signatures).sum()), int(colours.sum())

    def further_columns(self) -> NDArray[np.intp]:
        """Return columns of which to single out one, else one with indistinguishable ends, else none."""
        alike = copies(self._signatures)[1]
        if (alike > 1).any():
            few = alike == alike[alike > 1].min()
        else:
            few = np.zeros(len(alike), dtype=np.bool_)
            few[self.numbers[~self._oriented]] = True
        return np.flatnonzero(few & (self._signatures == self._signatures.min(where=few, initial=_HIGHEST)))

    def further(self) -> list["_Refinement"]:
        """Return all ways to separate these columns, or the ends of this column."""
        columns = self.further_columns()
        if len(columns) > 1:
            return [self._with(column, 0) for column in columns]
        return [self._with(columns[0], sign) for sign in (1, -1)]

    def _with(self, column: np.intp, sign: int) -> "_Refinement":
        """Return a copy with one column singled out, if sign is 0, or oriented."""
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
        """Return hashes of the cells and of the rows."""
        for column, colours, classes in zip(self.nominal, self.colours, self.classes, strict=True):
            self._cells[column] = colours[classes.codes]
        cells = hashed(self._cells + self._signatures[:, None])
        x, y = (side.sum(axis=0, dtype=np.uint64) for side in (cells[: self.dx], cells[self.dx :]))
        return cells, hashed(hashed(x) + hashed(y) + self._marks)

    def _round(self) -> None:
        cells, rows = self._hashes()
        signatures = hashed((hashed(rows + cells) * self.counts).sum(axis=1, dtype=np.uint64))
        # The rest of its side separates a column from its copy on the other side.
        sides = np.repeat(np.add.reduceat(signatures, [0, self.dx]), [self.dx, len(signatures) - self.dx])
        self._signatures = hashed(signatures + hashed(sides))
        for number, (column, classes) in enumerate(zip(self.nominal, self.classes, strict=True)):
            sums = classes.sums(rows * self.counts)
            # Includes the column's own signature, so that classes of different columns differ in colour.
            self.colours[number] = hashed(self.colours[number] + hashed(sums + self._signatures[column]))
        self._orient(rows)

    def _orient(self, rows: Keys) -> None:
        """Separate the two ends of a column of numbers, once the rows at its ends differ."""
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
    """Return colours that separate all classes but twins, and are the same for equal samples.

    Args:
        refinement: refinement of the distinct rows.
        twins: twins of each nominal column.
        first: first position in the sample of each distinct row.
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
    """The leaders of all twins of all columns, and the rows with leaders only.

    Attributes:
        twins: twins of each column.
        of_column: start of the classes of each column among all, then their number.
        classes: leaders among all classes, in the order of the sample.
        rows: mask of the distinct rows that are left.
        graph: graph of these rows and classes.
    """

    twins: list[_Twins]
    of_column: NDArray[np.intp]
    classes: NDArray[np.intp]
    rows: NDArray[np.intp]
    graph: Graph

    @classmethod
    def of(cls, columns: list[_Classes], twins: list[_Twins], first: NDArray[np.intp]) -> "_Leaders":
        """Order by the sample, so that no names decide between indistinguishable classes."""
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
        """Refine colours by short cycles."""
        own = self._own(colours)
        return self._all(colours, walked(self.graph, own, copies(own)[1] > 1))

    def settled(self, colours: list[Keys], rows: Keys) -> list[Keys]:
        """Return colours that separate all classes but twins; rows are those of all distinct rows."""
        return self._all(colours, settled(self.graph, rows[self.rows], self._own(colours)))

    def _own(self, colours: list[Keys]) -> Keys:
        # Rows of twins count as many times as there are twins.
        marked = [hashed(own + twin.size) for own, twin in zip(colours, self.twins, strict=True)]
        return np.concatenate(marked)[self.classes]

    def _all(self, colours: list[Keys], leaders: Keys) -> list[Keys]:
        every = np.concatenate(colours)
        every[self.classes] = leaders
        own = np.split(every, self.of_column[1:-1])
        return [values[twin.leader] for values, twin in zip(own, self.twins, strict=True)]


__all__ = ["canonical_codes"]
