"""Numbers for class labels that no renaming of the labels changes.

Statistics of ranks read the order of the classes, so that order has to follow from the sample alone. Colour
refinement finds it (Weisfeiler and Leman, 1968): the colour of a class is a hash of its count and of the
cells that its rows have in the other columns, whose colours are refined in turn, until no more classes are
told apart. Where classes of two columns stay alike, one is singled out and refinement goes on (as in McKay
and Piperno, "Practical graph isomorphism, II", J. Symbolic Computation 60, 2014, without their search:
classes that stay alike are nearly always symmetric, and then any choice gives the same sample).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mistworks.statistics.untied import Keys, copies, hashed

_MOST_ROUNDS = 50
# With more classes alike than this, half of them are singled out at once.
_FEW_ALIKE = 64
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
    grouping = hashed((ranks + offsets).astype(np.uint64)).sum(axis=0, dtype=np.uint64)
    _, rows, inverse, counts = np.unique(grouping, return_index=True, return_inverse=True, return_counts=True)
    columns = [np.unique(row, return_inverse=True)[1] for row in ranks[nominal][:, rows]]
    refinement = _Refinement(ranks, rows, counts.astype(np.uint64), dx, nominal, columns)
    refinement.run()
    return np.array(
        [
            _positions(colours)[column.codes][inverse]
            for colours, column in zip(refinement.colours, refinement.classes, strict=True)
        ]
    )


def _all_differ(values: NDArray[Any]) -> bool:
    return len(np.unique(values)) == len(values)


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

    def run(self) -> None:
        """Refine until the classes differ, or those that do not are symmetric."""
        self._refine()
        while self._single_out():
            self._refine()

    def _refine(self) -> None:
        count, total = -1, sum(map(len, self.colours))
        for _ in range(_MOST_ROUNDS):
            self._round()
            before, count = count, sum(len(np.unique(colours)) for colours in self.colours)
            if count in (before, total):
                return

    def _round(self) -> None:
        for column, colours, classes in zip(self.nominal, self.colours, self.classes, strict=True):
            self._cells[column] = colours[classes.codes]
        cells = hashed(self._cells + self._signatures[:, None])
        x, y = (side.sum(axis=0, dtype=np.uint64) for side in (cells[: self.dx], cells[self.dx :]))
        rows = hashed(hashed(x) + hashed(y))
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

    def _single_out(self) -> bool:
        """Give one class of those with one colour a colour of its own; many at once where many are alike.

        Not where one column alone has such classes and all others are told apart: those have equal rows in
        all other columns, so that their order does not matter.
        """
        alike = [(*_alike(colours), number) for number, colours in enumerate(self.colours)]
        alike = [group for group in alike if group[0]]
        settled = bool(self._oriented.all())
        if not alike or (len(alike) == 1 and settled):
            return False
        count, _, colour, number = min(alike)
        colours = self.colours[number]
        if count <= _FEW_ALIKE or not settled:
            chosen = np.flatnonzero(colours == colour)[:1]
        else:
            chosen = _second_halves(colours)
        colours[chosen] = hashed(colours[chosen] + _SINGLED_OUT)
        return True


def _alike(colours: Keys) -> tuple[int, int, int]:
    """How many classes share their colour; the fewest that share one, and their colour."""
    values, counts = np.unique(colours, return_counts=True)
    shared = counts > 1
    if not shared.any():
        return 0, 0, 0
    fewest = counts[shared].min()
    return int(counts[shared].sum()), int(fewest), int(values[counts == fewest].min())


def _second_halves(colours: Keys) -> NDArray[np.intp]:
    """Positions of half of the classes of each colour."""
    order = np.argsort(colours, kind="stable")
    _, starts, inverse, counts = np.unique(
        colours[order], return_index=True, return_inverse=True, return_counts=True
    )
    position = np.arange(len(order)) - starts[inverse]
    return np.asarray(order[2 * position >= counts[inverse] + counts[inverse] % 2])


__all__ = ["canonical_codes"]
