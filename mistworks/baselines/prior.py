"""The floor that no estimator should fall below: a constant, the mean of the prior."""

import hashlib
from functools import lru_cache

import numpy as np
from typing_extensions import override

from mistworks.baselines.base import Baseline
from mistworks.dataset import FloatArray
from mistworks.estimation.estimator import Estimate
from mistworks.simulation.meta_distribution import MetaDistribution

_DRAWS = 4096
_ROOT_SEED = 0


def _meta_distribution() -> MetaDistribution:
    # Presets say how networks are trained too, which takes torch.
    from mistworks.presets import PRESETS

    return PRESETS["paper"].split("train").meta_distribution


class PriorMean(Baseline):
    """The mean MI of the first 4,096 distributions that the ``paper`` preset trains on, for any points."""

    @property
    @override
    def name(self) -> str:
        return "prior-mean"

    @property
    @override
    def version(self) -> str:
        """Names the digest of the meta-distribution."""
        meta = _meta_distribution()
        return f"1-{hashlib.sha256(meta.canonical_json().encode()).hexdigest()[:8]}"

    @override
    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        return Estimate(_mean())


@lru_cache(maxsize=1)
def _mean() -> float:
    meta = _meta_distribution()
    draws = (meta.draw(_ROOT_SEED, "train", index) for index in range(_DRAWS))
    return float(np.mean([draw.joint.mutual_information for draw in draws]))


__all__ = ["PriorMean"]
