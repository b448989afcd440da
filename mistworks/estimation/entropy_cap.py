"""The entropy cap: mutual information is at most the smaller entropy, if a side has few states.

The statistics ``discrete.cap`` hold an estimate of min(H(X), H(Y)) in nats, its standard error, and a flag
that is 0 if neither side is discrete enough to have a cap.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mistworks.dataset import FloatArray
from mistworks.estimation.estimate import LEVELS_Z
from mistworks.statistics.layout import statistic_names


@lru_cache(maxsize=1)
def cap_columns() -> tuple[int, int, int]:
    """Return the positions of the cap's estimate, its standard error and its flag among the statistics."""
    value, error, flag = (statistic_names().index(f"discrete.cap.{part}") for part in range(3))
    return value, error, flag


def candidate_caps(statistics: FloatArray, most: float) -> NDArray[np.float32]:
    """Return the maximum of candidate estimates in nats: the cap, or ``most`` without one; shape (B, 1)."""
    value, _, flag = cap_columns()
    bounded = statistics[:, flag, None] > 0
    return np.where(bounded, statistics[:, value, None], np.float32(most))


def joint_entropies(statistics: FloatArray) -> list[float | None]:
    """H(X,Y) in nats by Miller and Madow of B samples; None where neither side is discrete.

    Args:
        statistics: shape (B, S).
    """
    column = statistic_names().index("discrete.joint.1")
    return [entropy if entropy > 0 else None for entropy in statistics[:, column].tolist()]


def capped(quantiles: NDArray[Any], statistics: FloatArray) -> NDArray[Any]:
    """Limit quantiles at ``LEVELS`` to those of the cap: Ĥ + Φ⁻¹(τ) · se, at least 0.

    Args:
        quantiles: in nats, in order, shape (B, len(LEVELS)).
        statistics: shape (B, S).
    """
    value, error, flag = (statistics[:, column, None].astype(np.float64) for column in cap_columns())
    bounds = np.maximum(value + LEVELS_Z * error, 0.0)
    return np.where(flag > 0, np.minimum(quantiles, bounds), quantiles)


__all__ = ["candidate_caps", "cap_columns", "capped", "joint_entropies"]
