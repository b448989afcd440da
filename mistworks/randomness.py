"""Independent random streams keyed by (root seed, split, purpose, index): the only source of randomness.

A stream is a Philox counter-based generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
SC 2011). Its 128-bit key is a hash of (root seed, split, purpose); its 256-bit counter starts at
index · 2¹²⁸. Streams of one key cannot overlap before 2¹²⁸ blocks are drawn, and streams of different
keys are independent up to a collision of the hash.
"""

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mistworks.errors import MistworksError

MAX_INDEX = 2**64 - 1


def stream(root_seed: int, split: str, purpose: str, index: int) -> np.random.Generator:
    """The generator of one (root seed, split, purpose, index), always at its beginning.

    Args:
        root_seed: any integer ≥ 0.
        split: the split's name, such as ``"train"``.
        purpose: what is drawn, such as ``"parameters"`` or ``"sample"``.
        index: position in the split, from 0 to 2⁶⁴ − 1.

    Raises:
        MistworksError: root_seed or index is out of range, or a name has a slash in it.
    """
    if not 0 <= index <= MAX_INDEX:
        raise MistworksError(f"Expected an index from 0 to 2⁶⁴ − 1, got {index}. Ask for another dataset.")
    key = _key(root_seed, split, purpose)
    return np.random.Generator(np.random.Philox(key=key, counter=np.array([0, 0, index, 0], dtype=np.uint64)))


@lru_cache(maxsize=64)
def _key(root_seed: int, split: str, purpose: str) -> NDArray[np.uint64]:
    if root_seed < 0:
        raise MistworksError(
            f"Expected an integer of at least 0 as root seed, got {root_seed}. Choose another seed."
        )
    if "/" in split or "/" in purpose:
        raise MistworksError(
            f"Expected names of split and purpose without '/', got {split!r} and {purpose!r}. Rename either."
        )
    digest = hashlib.sha256(f"mistworks/{root_seed}/{split}/{purpose}".encode()).digest()
    return np.frombuffer(digest[:16], dtype="<u8").astype(np.uint64)


__all__ = ["MAX_INDEX", "stream"]
