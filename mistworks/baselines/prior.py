"""The floor that no estimator may fall below: the mean of what it could be, whatever the points."""

import hashlib
from functools import lru_cache

import numpy as np

from mistworks.baselines.base import Baseline
from mistworks.dataset import FloatArray
from mistworks.estimation.estimator import Estimate
from mistworks.presets import PRESETS

_DRAWS = 4096
_ROOT_SEED = 0


class PriorMean(Baseline):
    """The mean MI of the distributions that the ``paper`` preset trains on, from its first 4,096."""

    @property
    def name(self) -> str:
        """``"prior-mean"``."""
        return "prior-mean"

    @property
    def version(self) -> str:
        """Of the estimates, with the digest of the meta-distribution."""
        meta = PRESETS["paper"].split("train").meta_distribution
        return f"1-{hashlib.sha256(meta.canonical_json().encode()).hexdigest()[:8]}"

    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """The same for all points, in nats."""
        return Estimate(_mean())


@lru_cache(maxsize=1)
def _mean() -> float:
    meta = PRESETS["paper"].split("train").meta_distribution
    draws = (meta.draw(_ROOT_SEED, "train", index) for index in range(_DRAWS))
    return float(np.mean([draw.joint.mutual_information for draw in draws]))
