"""The bias of Gaussian mutual information. Needs no torch."""

import numpy as np
from scipy.special import psi


def bias(n: int, dx: int, dy: int) -> float:
    """Return the expected Gaussian MI in nats of the covariance of n independent normals, n > dx + dy."""
    j = np.arange(1, dy + 1)
    return float(0.5 * (psi((n - j) / 2) - psi((n - dx - j) / 2)).sum())


__all__ = ["bias"]
