"""Null distributions of the estimates of many pairs, shared where they are the same.

Under independence of X and Y, given the ranks of each, every pairing of the rows is as likely as any other.
So the null distribution of an estimator that reads ranks only depends on nothing but the number of rows and
the ties of either column: how many rows have the lowest value, the next, and so on, or for class labels how
many rows each class has. All pairs of columns without ties and with equally many rows have the same; draws
for one of them are draws for all. What Benjamini and Hochberg's procedure promises holds for p-values of
shared draws as well (Bates, Candès, Lei, Romano and Sesia, "Testing for outliers with conformal
p-values", Ann. Stat. 51, 2023: they are positively dependent).

Pairs of columns of class labels hardly ever have the same counts, and need no estimator: all that a sample of
them says is its table of counts. Given the counts of either column, which permutations keep, the plug-in
estimate and the likelihood ratio order tables alike. So theirs is the classical exact test of independence
(Agresti, "A survey of exact inference for contingency tables", Statist. Sci. 7, 1992), whose draws take
microseconds.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from mistworks.estimation.estimator import Estimator
from mistworks.estimation.evidence import evidence
from mistworks.estimation.many import BatchEstimator, estimate_many
from mistworks.preparation.prepare import prepare
from mistworks.preparation.reading import Side
from mistworks.preparation.repetition import lattice_sites
from mistworks.tables.blocks import Blocks

Array = NDArray[np.float64]
Codes = NDArray[np.int32]

_DISTINCT = "distinct"
# How many codes are permuted at once, of as many samples as that makes.
_ENTRIES = 1_000_000


@dataclass(frozen=True, eq=False)
class Null(ABC):
    """One null distribution.

    Attributes:
        blocks: first and second block of a pair that has it.
        pairs: positions of all pairs that have it.
        rng: where its permutations come from.
    """

    blocks: tuple[int, int]
    pairs: NDArray[np.intp]
    rng: np.random.Generator

    @abstractmethod
    def draw(self, count: int, blocks: Blocks, estimator: BatchEstimator) -> Array:
        """Return the statistics of samples whose rows of y are permuted, shape (count,)."""

    @abstractmethod
    def observed(self, evident: Array, blocks: Blocks) -> Array:
        """Return the statistics of the pairs themselves.

        Args:
            evident: the evidence of all pairs.
            blocks: what they are of.
        """


class NullOfEstimates(Null):
    """The null distribution of the evidence of an estimate."""

    @override
    def draw(self, count: int, blocks: Blocks, estimator: BatchEstimator) -> Array:
        x, y = _sample(blocks, *self.blocks)
        permuted = ((x, y.rows(self.rng.permutation(len(y)))) for _ in range(count))
        return np.array([evidence(each, len(x)) for each in estimate_many(permuted, estimator)])

    @override
    def observed(self, evident: Array, blocks: Blocks) -> Array:
        return evident[self.pairs]


class NullOfTables(Null):
    """The null distribution of Σ c log c over the counts c of a table of two columns of class labels."""

    @override
    def draw(self, count: int, blocks: Blocks, estimator: BatchEstimator) -> Array:
        x, y = self._codes(blocks)
        most = max(1, _ENTRIES // max(len(x), _cells(x, y)))
        parts = [min(most, count - start) for start in range(0, count, most)]
        permuted = (self.rng.permuted(np.broadcast_to(y, (part, len(y))), axis=1) for part in parts)
        return np.concatenate([_from_tables(x, each) for each in permuted])

    @override
    def observed(self, evident: Array, blocks: Blocks) -> Array:
        x, y = self._codes(blocks)
        return _from_tables(x, y[None])

    def _codes(self, blocks: Blocks) -> tuple[Codes, Codes]:
        x, y = (np.unique(side.values[0], return_inverse=True)[1] for side in _sample(blocks, *self.blocks))
        return x.astype(np.int32), y.astype(np.int32)


def _cells(x: Codes, y: Codes) -> int:
    return int(x.max() + 1) * int(y.max() + 1)


def _from_tables(x: Codes, permuted: Codes) -> Array:
    """Σ c log c of the table of x and each row of codes, shape (rows,)."""
    rows, n = permuted.shape
    width, cells = int(permuted.max()) + 1, _cells(x, permuted)
    offsets = cells * np.arange(rows, dtype=np.intp)[:, None]
    counts = np.bincount((offsets + (x * width + permuted)).ravel(), minlength=rows * cells)
    numbers = np.arange(n + 1)
    return np.asarray((numbers * np.log(np.maximum(numbers, 1)))[counts.reshape(rows, cells)].sum(axis=1))


def nulls_of(
    blocks: Blocks, pairs: Sequence[tuple[int, int]], estimator: BatchEstimator, rng: np.random.Generator
) -> list[Null]:
    """Group pairs by their null distribution.

    Args:
        blocks: what the pairs are of.
        pairs: first and second block of pairs with enough complete rows.
        estimator: whose null distributions.
        rng: a generator of each distribution is seeded by it.
    """
    shares = isinstance(estimator, Estimator) and "increasing" in estimator.network.invariances
    patterns = _Patterns(blocks)
    members: dict[Hashable, list[int]] = {}
    for position, pair in enumerate(pairs):
        key = patterns.key(*pair) if shares and not _are_classes(blocks, pair) else None
        members.setdefault(position if key is None else key, []).append(position)
    seeds = rng.integers(2**63, size=len(members)).tolist()
    nulls: list[Null] = []
    for positions, seed in zip(members.values(), seeds, strict=True):
        pair = pairs[positions[0]]
        kind = NullOfTables if _are_classes(blocks, pair) else NullOfEstimates
        nulls.append(kind(pair, np.array(positions, dtype=np.intp), np.random.default_rng(seed)))
    return nulls


def _are_classes(blocks: Blocks, pair: tuple[int, int]) -> bool:
    """Whether both are single columns of class labels."""
    return all(block.nominal.tolist() == [True] for block in map(blocks.block, pair))


def _sample(blocks: Blocks, first: int, second: int) -> tuple[Side, Side]:
    """Both sides without copies of rows, which permuting would tear apart and so make dependence of."""
    x, y = _sides(blocks, first, second)
    rows = prepare(x, y).rows
    return (x, y) if rows is None else (x.rows(rows), y.rows(rows))


def _sides(blocks: Blocks, first: int, second: int) -> tuple[Side, Side]:
    sides = blocks.pair(first, second)
    if sides is None:
        raise ValueError("there are too few rows to permute")
    return sides


class _Patterns:
    """What the null distribution of a pair depends on."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._of_whole: dict[int, Hashable] = {}

    def key(self, first: int, second: int) -> Hashable:
        """Return the same for pairs of the same null distribution; None for blocks of several columns."""
        x, y = _sides(self._blocks, first, second)
        if x.shape[1] > 1 or y.shape[1] > 1:
            return None
        own = self._of(first, x), self._of(second, y)
        if _DISTINCT not in own:
            x, y = _sample(self._blocks, first, second)
            own = self._of(first, x), self._of(second, y)
        return len(x), *own

    def _of(self, number: int, side: Side) -> Hashable:
        if len(side) < len(self._blocks.table):
            return _pattern(side)
        if number not in self._of_whole:
            self._of_whole[number] = _pattern(side)
        return self._of_whole[number]


def _pattern(side: Side) -> Hashable:
    """What the null distribution depends on beside the number of rows, for a side of one column."""
    column = side.values[0]
    counts = np.unique(column, return_counts=True)[1]
    if side.nominal[0]:
        return "classes", np.sort(counts).tobytes()
    if len(counts) == len(column):
        return _DISTINCT
    # Whether ties are natural decides which copies of rows are left out.
    return "ordered", counts.tobytes(), bool(np.isinf(lattice_sites(column)))


__all__ = ["Null", "nulls_of"]
