"""Estimators that need no training, for tests of what is built on estimators."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from mistworks.estimation.estimator import LEVELS, Estimate
from mistworks.estimation.inputs import check_pair


@dataclass
class GaussianStandIn:
    """Mutual information of Gaussians of the sample's canonical correlations ρ: −½ Σ log(1 − ρ²).

    Quantiles are that times factors from ½ to 3⁄2, so that ends of intervals can be told by hand; the point
    estimate is at least ``floor``.
    """

    floor: float = 0.0
    points_only: bool = False
    counts: list[int] = field(default_factory=list)

    def estimate_many(self, pairs: Iterable[tuple[object, object]]) -> list[Estimate]:
        checked = [check_pair(x, y) for x, y in pairs]
        self.counts.append(len(checked))
        return [self._estimate(*pair) for pair in checked]

    def _estimate(self, x: np.ndarray, y: np.ndarray) -> Estimate:
        correlations = np.linalg.svd(_whiten(x).T @ _whiten(y), compute_uv=False)
        mi = -0.5 * float(np.log1p(-np.minimum(correlations**2, 1 - 1e-6)).sum())
        quantiles = None if self.points_only else tuple(mi * (0.5 + level) for level in LEVELS)
        return Estimate(max(mi, self.floor), quantiles)


def _whiten(values: np.ndarray) -> np.ndarray:
    u, scale, _ = np.linalg.svd(values.astype(float) - values.mean(axis=0), full_matrices=False)
    return u[:, scale > 1e-6]
