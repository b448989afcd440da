"""The training table: what the network reads of many triples, computed in parts that can be resumed."""

import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mistworks.conditional.law import Triple
from mistworks.conditional.reduction import reduce
from mistworks.conditional.summary import CANDIDATES, FEATURES, VERSION, ask, read
from mistworks.conditional.triples import draw_triple
from mistworks.errors import MistworksError, MistworksWarning
from mistworks.estimation.estimator import Estimator, shipped
from mistworks.files import naming, write_whole

_PART = 125
_COLUMNS = ("features", "candidates", "cmi", "n", "d", "family")


@dataclass(frozen=True, eq=False)
class TripleTable:
    """What the network reads of N triples, and their truth.

    Attributes:
        features: shape (N, len(FEATURES)), see `mistworks.conditional.summary`.
        candidates: in nats, shape (N, len(CANDIDATES)).
        cmi: I(X;Y|Z) in nats, shape (N,).
        n: number of points, shape (N,).
        d: dx + dy + dz, shape (N,).
        family: names, shape (N,).
    """

    features: NDArray[np.float32]
    candidates: NDArray[np.float32]
    cmi: NDArray[np.float64]
    n: NDArray[np.int64]
    d: NDArray[np.int64]
    family: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.cmi)

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "TripleTable":
        """Some of the triples."""
        return TripleTable(*(getattr(self, name)[chosen] for name in _COLUMNS))

    @classmethod
    def empty(cls) -> "TripleTable":
        """A table of no triples."""
        numbers = np.empty((0, len(FEATURES)), np.float32), np.empty((0, len(CANDIDATES)), np.float32)
        sizes = np.empty(0, np.int64), np.empty(0, np.int64)
        return cls(*numbers, np.empty(0), *sizes, np.empty(0, np.str_))

    @classmethod
    def joined(cls, tables: Sequence["TripleTable"]) -> "TripleTable":
        """All triples of several tables."""
        return cls(*(np.concatenate([getattr(table, name) for table in tables]) for name in _COLUMNS))


def summarise(triples: Iterable[Triple], estimator: Estimator) -> TripleTable:
    """Compute what the network reads of triples, without those of which a side has no column left."""
    rows = []
    for triple in triples:
        sample = reduce(*triple.sides)
        if 0 in sample.sizes:
            continue
        question = ask(sample)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MistworksWarning)
            features, candidates = read(question, estimator.estimate_many(question.pairs))
        rows.append((features, candidates, triple.cmi, sample.n, sum(sample.sizes), triple.family))
    if not rows:
        return TripleTable.empty()
    return TripleTable(*(np.array(column) for column in zip(*rows, strict=True)))


def summarise_split(
    folder: Path,
    root_seed: int,
    split: str,
    count: int,
    processes: int = 1,
    first: int = 0,
    families: Sequence[str] | None = None,
) -> TripleTable:
    """The table of the first triples of a split; parts that are in the folder already are read from it.

    Args:
        folder: where parts are kept, made if it is not there.
        root_seed: of the triples.
        split: their split.
        count: number of triples.
        processes: how many compute at a time.
        first: the triple to begin with.
        families: names of families to draw from, always the same for a split; None for all.

    Raises:
        MistworksError: a part in the folder is of other statistics or another estimator.
    """
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
    starts = range(first, first + count, _PART)
    work = partial(_part, folder, root_seed, split, first + count, families)
    if processes == 1:
        return TripleTable.joined([work(start) for start in starts])
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return TripleTable.joined(list(pool.map(work, starts)))


def _part(
    folder: Path, root_seed: int, split: str, end: int, families: Sequence[str] | None, start: int
) -> TripleTable:
    stop = min(start + _PART, end)
    path = folder / f"{split}-{root_seed}-{start}-{stop}.npz"
    estimator = shipped()
    stamp = f"{VERSION}/{estimator.sha256}"
    if path.is_file():
        return _read_part(path, stamp)
    triples = (draw_triple(root_seed, split, index, families=families) for index in range(start, stop))
    table = summarise(triples, estimator)
    content = BytesIO()
    np.savez(content, stamp=np.array(stamp), **{name: getattr(table, name) for name in _COLUMNS})
    write_whole(path, content.getvalue())
    return table


def _read_part(path: Path, stamp: str) -> TripleTable:
    with np.load(path, allow_pickle=False) as part:
        if str(part["stamp"]) != stamp:
            raise MistworksError(
                f"Expected {path} of statistics and weights {stamp[:14]}, got {str(part['stamp'])[:14]}. "
                "Remove the folder, or name another."
            )
        return TripleTable(*(part[name] for name in _COLUMNS))


__all__ = ["TripleTable", "summarise", "summarise_split"]
