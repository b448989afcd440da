"""Groups of families. Witnesses are each trained without one, and calibration learns from them."""

import numpy as np
from numpy.typing import NDArray

from mistworks.dataset import Index
from mistworks.simulation.general import group_of


def groups_of(index: Index) -> NDArray[np.str_]:
    """Return the group of the family of each dataset, shape (N,)."""
    names, family = np.unique(index.family, return_inverse=True)
    return np.array([group_of(str(name)) for name in names], dtype=np.str_)[family]


__all__ = ["groups_of"]
