"""Break ties such that neither the order of points, columns and sides nor a reflection changes the result.

Noise below the spacing of a lattice column loses no information: I(X + noise; Y + noise) = I(X;Y). Here a
hash of the sample itself replaces the noise.

1. kᵢ, the key of row i: a hash of Σⱼ H(fᵢⱼ) over all columns, with fᵢⱼ = min(hᵢⱼ, 2n − 2 − hᵢⱼ) the half
   rank folded, of the row's number among equal rows, and of how many are equal.
2. The orientation of column j: the sign of Aⱼ = Σᵢ (hᵢⱼ − (n − 1)) uᵢ, uᵢ the highest 16 bits of kᵢ. A
   reflection changes the sign alone.
3. The signature of column j: sⱼ = H(Σᵢ H(fᵢⱼ + kᵢ)) + H(|Aⱼ|).
4. kᵢ ← H(kᵢ + Σⱼ H(sign(Aⱼ) (hᵢⱼ − (n − 1)) + sⱼ)), which tells rows apart that folding and the sum over
   columns made equal.
5. While an Aⱼ is 0 or two signatures are equal, which symmetric and small samples bring about:
   Aⱼ where it is 0, sⱼ ← H(sⱼ + H(Σᵢ H(φᵢⱼ + kᵢ)) + H(|Aⱼ|) + H(Σ H(s) over its side)) and
   kᵢ ← H(kᵢ + Σⱼ H(φᵢⱼ + sⱼ)) once more, with φᵢⱼ = sign(Aⱼ) (hᵢⱼ − (n − 1)), or |hᵢⱼ − (n − 1)| if that is
   0. If this tells nothing more, the columns are interchangeable, or one with its mirror image, and it does
   not matter which is chosen: of those of the lowest signature, the first is given another or is taken as
   it stands.
6. Within a group of ties, points are in the order of H(kᵢ + H(sⱼ)) from the outer end inwards: ascending
   below the middle, descending above; in a group whose mean rank is the middle itself, as Aⱼ says. What is
   equal still, Σⱼ H(hᵢⱼ + 2nj) tells apart: rows that are copies.

H is the finalizer of SplitMix64 after one increment; all sums are modulo 2⁶⁴. Step 5 is the refinement of
canonical labellings (McKay, "Practical graph isomorphism", 1981) without its search.
"""

import numpy as np
from numpy.typing import NDArray

from mistworks.statistics.ranked import Ranked

Keys = NDArray[np.uint64]

_INCREMENT = np.uint64(0x9E3779B97F4A7C15)
_MIXERS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))
_LAST_SHIFT = np.uint64(31)
# |h − (n − 1)| < 2²³, n ≤ 2²³: sums over points of products with 16 bits fit int64.
_WEIGHT_SHIFT = np.uint64(48)


def hashed(values: Keys) -> Keys:
    """Mix integers such that sums of them identify their terms.

    Finalizer of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
    """
    mixed = values + _INCREMENT
    for shift, factor in _MIXERS:
        mixed = (mixed ^ (mixed >> shift)) * factor
    return mixed ^ (mixed >> _LAST_SHIFT)


def untied(sample: Ranked) -> NDArray[np.int32]:
    """Return half ranks 0, 2, …, 2n − 2 without ties, shape (dx + dy, n), int32."""
    ranks, n = sample.ranks, sample.n
    tied = [column for column, row in enumerate(ranks) if not _all_differ(row)]
    if not tied:
        return ranks
    keys, fallback, signatures, signs = _keys(sample)
    parted = ranks.copy()
    positions = np.arange(0, 2 * n, 2, dtype=np.int32)
    for column in tied:
        row = ranks[column]
        own = hashed(keys + signatures[column])
        above = row > n - 1 if signs[column] > 0 else row >= n - 1
        own, last = (np.where(above, ~values, values) for values in (own, fallback))
        order = np.lexsort((last, own, row))
        parted[column, order] = positions
    return parted


def _all_differ(row: NDArray[np.int32]) -> bool:
    # Half ranks without ties are even; those of a group of ties of even size are odd.
    seen = np.zeros(2 * len(row), dtype=np.bool_)
    seen[row] = True
    return int(seen.sum()) == len(row)


def _keys(sample: Ranked) -> tuple[Keys, Keys, Keys, NDArray[np.int64]]:
    """Return keys and identities of the rows, and signatures and orientations of the columns."""
    ranks, n = sample.ranks.astype(np.int64), sample.n
    folded = np.minimum(ranks, 2 * n - 2 - ranks).astype(np.uint64)
    offsets = 2 * n * np.arange(len(ranks))[:, None]
    rows = hashed((ranks + offsets).astype(np.uint64)).sum(axis=0, dtype=np.uint64)
    number, multiplicity = copies(rows)
    sums = hashed(folded).sum(axis=0, dtype=np.uint64)
    keys = hashed(hashed(sums + number) + multiplicity)
    centred = ranks - (n - 1)
    moments = centred @ (keys >> _WEIGHT_SHIFT).astype(np.int64)
    signs = np.sign(moments)
    moment_sizes = np.abs(moments).astype(np.uint64)
    signatures = hashed(hashed(folded + keys).sum(axis=1, dtype=np.uint64)) + hashed(moment_sizes)
    oriented = hashed((centred * signs[:, None]).view(np.uint64) + signatures[:, None])
    keys = hashed(keys + oriented.sum(axis=0, dtype=np.uint64))
    while (known := _known(signatures, signs)) < 2 * len(signs):
        keys, signatures, signs = _refined(centred, sample.dx, keys, signatures, signs)
        if _known(signatures, signs) == known:
            _choose(signatures, signs)
            keys, signatures, signs = _refined(centred, sample.dx, keys, signatures, signs)
    return keys, rows, hashed(signatures), signs


def _known(signatures: Keys, signs: NDArray[np.int64]) -> int:
    """Return the number of columns with an orientation, and the number of signatures."""
    return int((signs != 0).sum()) + len(np.unique(signatures))


def _refined(
    centred: NDArray[np.int64], dx: int, keys: Keys, signatures: Keys, signs: NDArray[np.int64]
) -> tuple[Keys, Keys, NDArray[np.int64]]:
    """Run step 5 once."""
    moments = centred @ (keys >> _WEIGHT_SHIFT).astype(np.int64)
    signs = np.where(signs == 0, np.sign(moments), signs)
    oriented = np.where(signs[:, None] == 0, np.abs(centred), centred * signs[:, None]).view(np.uint64)
    sides = hashed(np.add.reduceat(hashed(signatures), [0, dx]))
    contents = hashed(hashed(oriented + keys).sum(axis=1, dtype=np.uint64))
    sizes = hashed(np.abs(moments).astype(np.uint64))
    of_side = np.repeat(sides, (dx, len(signs) - dx))
    signatures = hashed(signatures + contents + sizes + of_side)
    keys = hashed(keys + hashed(oriented + signatures[:, None]).sum(axis=0, dtype=np.uint64))
    return keys, signatures, signs


def _choose(signatures: Keys, signs: NDArray[np.int64]) -> None:
    """Distinguish one column from indistinguishable others, or from its mirror image."""
    _, groups, counts = np.unique(signatures, return_inverse=True, return_counts=True)
    shared = counts[groups] > 1
    unknown = np.flatnonzero(shared | (signs == 0))
    column = unknown[np.argmin(signatures[unknown])]
    if shared[column]:
        signatures[column : column + 1] = hashed(signatures[column : column + 1])
    else:
        signs[column] = 1


def copies(rows: Keys) -> tuple[Keys, Keys]:
    """Return the number of equal keys before each, and the number of equal keys."""
    order = np.argsort(rows, kind="stable")
    _, first, counts = np.unique(rows[order], return_index=True, return_counts=True)
    number = np.empty(len(rows), dtype=np.uint64)
    multiplicity = np.empty(len(rows), dtype=np.uint64)
    number[order] = np.arange(len(rows)) - np.repeat(first, counts)
    multiplicity[order] = np.repeat(counts, counts)
    return number, multiplicity


__all__ = ["Keys", "copies", "hashed", "untied"]
