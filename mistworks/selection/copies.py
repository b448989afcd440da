"""Which columns say the same: constant ones nothing, monotone copies and renamed classes that of another."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from mistworks.preparation.prepare import half_ranks
from mistworks.preparation.table import Side

# Up to so many values, columns are compared as classes, whose order says nothing that they do not.
_FEW_VALUES = 32


def content_keys(side: Side) -> list[bytes | None]:
    """Return a key for each column, equal for columns that determine each other; None for what tells nothing.

    That is a constant column, and one of class labels that number the rows.

    Keys are equal for columns of equal or reversed ranks, and for columns of classes or of up to 32 values
    that are each a relabelling of the other.
    """
    return [_key(ranks, bool(nominal)) for ranks, nominal in zip(_ranks(side), side.nominal, strict=True)]


def _ranks(side: Side) -> NDArray[np.int32]:
    return half_ranks(side.values) if side.shape[1] else np.empty((0, len(side)), dtype=np.int32)


def _key(ranks: NDArray[np.int32], nominal: bool) -> bytes | None:
    if (ranks == ranks[0]).all():
        return None
    values, first, codes = np.unique(ranks, return_index=True, return_inverse=True)
    if nominal and len(values) == len(ranks):
        return None
    if nominal or len(values) <= _FEW_VALUES:
        # Numbered in the order in which they first occur.
        order = np.argsort(np.argsort(first))
        return hashlib.sha256(order[codes].astype(np.int32).tobytes()).digest()
    reversed_ranks = 2 * (len(ranks) - 1) - ranks
    return hashlib.sha256(min(ranks.tobytes(), reversed_ranks.tobytes())).digest()


__all__ = ["content_keys"]
