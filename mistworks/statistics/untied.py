"""Ties broken such that neither the order of points, columns and sides nor a reflection changes the result.

Noise below the spacing of a lattice column loses nothing: I(X + noise; Y + noise) = I(X;Y). Here a hash of
the sample itself takes the place of the noise.

1. kᵢ, the key of row i: a hash of Σⱼ H(fᵢⱼ) over all columns, with fᵢⱼ = min(hᵢⱼ, 2n − 2 − hᵢⱼ) the half
   rank folded, of the row's number among equal rows, and of how many are equal.
2. The orientation of column j: the sign of Aⱼ = Σᵢ (hᵢⱼ − (n − 1)) uᵢ, uᵢ the highest 16 bits of kᵢ. A
   reflection changes the sign alone.
3. The signature of column j: sⱼ = H(Σᵢ H(fᵢⱼ + kᵢ)) + H(|Aⱼ|).
4. kᵢ ← H(kᵢ + Σⱼ H(sign(Aⱼ) (hᵢⱼ − (n − 1)) + sⱼ)), which tells rows apart that folding and the sum over
   columns made equal. Then sⱼ ← H(sⱼ + the number of equal signatures before it), where the sides are gone
   through in the order of the sums of their signatures.
5. Within a group of ties, points are in the order of H(kᵢ + sⱼ) from the outer end inwards: ascending
   below the middle, descending above; in a group whose mean rank is the middle itself, as Aⱼ says. What is
   equal still, Σⱼ H(hᵢⱼ + 2nj) tells apart.

H is the finalizer of SplitMix64 after one increment; all sums are modulo 2⁶⁴. Only a sample that
other signs or another order of the columns leave as it is, such as a full factorial design, can depend on
them; no function that parts ties could do better.
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
    """Whole numbers mixed such that sums of several tell what they are sums of.

    Finalizer of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
    """
    mixed = values + _INCREMENT
    for shift, factor in _MIXERS:
        mixed = (mixed ^ (mixed >> shift)) * factor
    return mixed ^ (mixed >> _LAST_SHIFT)


def untied(sample: Ranked) -> NDArray[np.int32]:
    """Half ranks 0, 2, …, 2n − 2 without ties, shape (dx + dy, n), int32."""
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
        above = row > n - 1 if signs[column] >= 0 else row >= n - 1
        own, last = (np.where(above, ~values, values) for values in (own, fallback))
        order = np.lexsort((last, own, row))
        parted[column, order] = positions
    return parted


def _all_differ(row: NDArray[np.int32]) -> bool:
    # Half ranks without ties are even, those of a group of an even number of ties are odd.
    seen = np.zeros(2 * len(row), dtype=np.bool_)
    seen[row] = True
    return int(seen.sum()) == len(row)


def _keys(sample: Ranked) -> tuple[Keys, Keys, Keys, NDArray[np.int64]]:
    """Keys and identities of the rows, signatures and orientations of the columns."""
    ranks, n = sample.ranks.astype(np.int64), sample.n
    folded = np.minimum(ranks, 2 * n - 2 - ranks).astype(np.uint64)
    offsets = 2 * n * np.arange(len(ranks))[:, None]
    rows = hashed((ranks + offsets).astype(np.uint64)).sum(axis=0, dtype=np.uint64)
    number, multiplicity = _copies(rows)
    sums = hashed(folded).sum(axis=0, dtype=np.uint64)
    keys = hashed(hashed(sums + number) + multiplicity)
    centred = ranks - (n - 1)
    moments = centred @ (keys >> _WEIGHT_SHIFT).astype(np.int64)
    signs = np.sign(moments)
    moment_sizes = np.abs(moments).astype(np.uint64)
    signatures = hashed(hashed(folded + keys).sum(axis=1, dtype=np.uint64)) + hashed(moment_sizes)
    oriented = hashed((centred * signs[:, None]).view(np.uint64) + signatures[:, None])
    keys = hashed(keys + oriented.sum(axis=0, dtype=np.uint64))
    return keys, rows, _told_apart(signatures, sample.dx), signs


def _copies(rows: Keys) -> tuple[Keys, Keys]:
    """How many equal rows come before each, and how many equal it."""
    order = np.argsort(rows, kind="stable")
    _, first, counts = np.unique(rows[order], return_index=True, return_counts=True)
    number = np.empty(len(rows), dtype=np.uint64)
    multiplicity = np.empty(len(rows), dtype=np.uint64)
    number[order] = np.arange(len(rows)) - np.repeat(first, counts)
    multiplicity[order] = np.repeat(counts, counts)
    return number, multiplicity


def _told_apart(signatures: Keys, dx: int) -> Keys:
    """Signatures that differ also between columns that are equal, such as a column of X that is one of Y."""
    if len(np.unique(signatures)) == len(signatures):
        return hashed(signatures)
    sides = np.arange(dx), np.arange(dx, len(signatures))
    in_order = sorted(sides, key=lambda side: int(signatures[side].sum(dtype=np.uint64)))
    seen: dict[int, int] = {}
    numbers = np.zeros(len(signatures), dtype=np.uint64)
    for column in np.concatenate(in_order).tolist():
        signature = int(signatures[column])
        numbers[column] = seen[signature] = seen.get(signature, -1) + 1
    return hashed(signatures + numbers)
