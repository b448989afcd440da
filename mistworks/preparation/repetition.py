"""Find rows that are copies of others among continuous columns, as in a bootstrap resample or a bad join.
They are not independent draws: copies of a point would count as an atom of the distribution. Among class
labels, integers and rounded values, equal rows are natural. So a column counts as continuous only if its
values are not on a lattice and, without copies, hardly any of them are tied.
"""

import numpy as np
from numpy.typing import NDArray

from mistworks.preparation.reading import Side
from mistworks.statistics.untied import hashed

# A value of more points than in a resample is an atom, such as the 0 of rainfall.
_FEW_COPIES = 12
_MOST_ATOMS = 3
# A resample has 1.6 copies of each point that is drawn; classes have many.
_MEAN_COPIES = 5.0
_CONTINUOUS = 0.95
_LEAST_GROUPS = 3
# Rows count as copies if the negative log probability of chance exceeds this.
_SURPRISE = 10.0
# On a lattice with more sites per point, ties are so rare that they are not informative.
_SITES = 100
_OFF_LATTICE = 0.02
# Sums and multiples of larger numbers may leave the range of double precision.
_LARGE = 1e290


def tie_free(ranks: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return a mask of columns without ties, shape (d,), given their half ranks of shape (d, n)."""
    n = ranks.shape[1]
    # Averaging ranks lowers the sum of their squares; modulo 2⁶⁴, as is the sum itself.
    squares = np.einsum("dn,dn->d", ranks, ranks)
    return np.asarray(squares == _as_int64(2 * n * (n - 1) * (2 * n - 1) // 3))


def _as_int64(number: int) -> int:
    return (number + 2**63) % 2**64 - 2**63


def lattice_sites(column: NDArray[np.float64]) -> float:
    """Return the number of sites of the lattice of the values, shape (n,); infinity without a lattice. A
    lattice with a hundred sites per point does not count.
    """
    distinct = np.unique(column)
    if len(distinct) <= 2:
        return 2.0
    if max(-distinct[0], distinct[-1]) > _LARGE:
        distinct = distinct / _LARGE
    reach = distinct[-1] - distinct[0]
    spacing = np.diff(distinct).min()
    # Integers may lie on a lattice without two occupied neighbouring sites.
    if reach <= _SITES * len(column) and (distinct == np.rint(distinct)).all():
        return float(reach) + 1.0
    if not reach <= _SITES * len(column) * spacing:
        return np.inf
    steps = (distinct - distinct[0]) / spacing
    return float(steps[-1]) + 1.0 if (np.abs(steps - np.rint(steps)) < _OFF_LATTICE).all() else np.inf


def multiplicities(row: NDArray[np.int32]) -> NDArray[np.intp]:
    """Return the number of points with the value of each point, shape (n,)."""
    return np.bincount(row)[row]


def unrepeated_rows(
    sides: tuple[Side, Side], ranks: NDArray[np.int32], free: NDArray[np.bool_]
) -> NDArray[np.intp] | None:
    """Return positions of the rows without copies of points; None if all remain.

    Args:
        sides: X and Y, without constant columns.
        ranks: their half ranks, shape (dx + dy, n).
        free: mask of columns without ties, see `tie_free`.
    """
    if free.any() or not len(free):
        return None
    counts = {column: multiplicities(row) for column, row in enumerate(ranks)}
    columns = [(side.values[j], bool(side.nominal[j])) for side in sides for j in range(side.shape[1])]
    candidates = [
        column
        for column, (values, nominal) in enumerate(columns)
        if not nominal and _may_be_continuous(counts[column]) and np.isinf(lattice_sites(values))
    ]
    if not candidates:
        return None
    offsets = 2 * ranks.shape[1] * np.arange(len(ranks), dtype=np.int64)[:, None]
    hashes = hashed((ranks + offsets).astype(np.uint64))
    keys = hashes.sum(axis=0, dtype=np.uint64)
    _, first, inverse, repeats = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    if len(first) == len(keys):
        return None
    for column in candidates:
        atoms = counts[column] > _FEW_COPIES
        points = first[~atoms[first]]
        groups = repeats[inverse[points]]
        # Each value that is not an atom occurs only in one point and its copies.
        alone = counts[column][points] == groups
        repeated = groups[alone & (groups > 1)]
        if alone.mean() < _CONTINUOUS or len(repeated) < _LEAST_GROUPS or groups.mean() >= _MEAN_COPIES:
            continue
        # Were the values natural ties, their rows would agree in all other columns by chance.
        if (repeated - 1).sum() * -np.log(_agreement(columns[column][0], keys - hashes[column])) > _SURPRISE:
            kept = np.zeros(len(keys), dtype=np.bool_)
            kept[first] = True
            return np.flatnonzero(kept | atoms)
    return None


def _agreement(values: NDArray[np.float64], others: NDArray[np.uint64]) -> float:
    """How often two rows with equal values would agree in all other columns, were they no copies.

    As often as any two rows, or as two rows whose values are next to each other but differ: where the other
    columns follow from the values, those agree more.
    """
    shares = np.unique(others, return_counts=True)[1] / len(others)
    order = np.argsort(values, kind="stable")
    differ = values[order][1:] != values[order][:-1]
    agree = others[order][1:] == others[order][:-1]
    return float(max((shares**2).sum(), agree[differ].mean()))


def _may_be_continuous(counts: NDArray[np.intp]) -> bool:
    """Whether points outside atoms have rare values, given the multiplicities of the values."""
    atoms = counts > _FEW_COPIES
    others = counts[~atoms]
    if not len(others) or (1.0 / others).sum() * _MEAN_COPIES <= len(others):
        return False
    return bool((1.0 / counts[atoms]).sum() <= _MOST_ATOMS + 0.5)


__all__ = ["lattice_sites", "multiplicities", "tie_free", "unrepeated_rows"]
