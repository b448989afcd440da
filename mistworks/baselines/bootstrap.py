"""Percentile bootstrap: uncertainty for estimators without intervals, and a comparison for the others."""

from dataclasses import dataclass

import numpy as np

from mistworks.baselines.base import MutualInformationEstimator, unit_of
from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import LEVELS, Estimate
from mistworks.randomness import stream
from mistworks.units import MeasureUnit

SUFFIX = "+bootstrap"


@dataclass(frozen=True)
class Bootstrap:
    """Quantiles of an estimator over resampled points, beside its estimate from the points themselves.

    Efron, Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13. Points are drawn with
    replacement, x and y together, n of them. A point drawn twice is its own nearest neighbour, so estimators
    based on neighbours are far off on resamples; the results show it.

    Attributes:
        estimator: the estimator to resample.
        resamples: number of resamples.
        seed: seed of the resamples.

    Raises:
        MistworksError: resamples is less than 2.
    """

    estimator: MutualInformationEstimator
    resamples: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resamples < 2:
            raise MistworksError(
                f"Expected at least 2 resamples, got {self.resamples}. Raise it, for example to 100."
            )

    @property
    def name(self) -> str:
        """The name of the estimator, followed by ``"+bootstrap"``."""
        return self.estimator.name + SUFFIX

    @property
    def version(self) -> str:
        """The version of the estimator, with the number of resamples and the seed."""
        return f"{self.estimator.version}-bootstrap-1-{self.resamples}-{self.seed}"

    @property
    def slow(self) -> bool:
        """Always True: every resample costs an estimate."""
        return True

    @property
    def unit(self) -> MeasureUnit:
        """The unit of the estimator."""
        return unit_of(self.estimator)

    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """Estimate from all points, with the quantiles of the estimates from resamples, in the same unit.

        Raises:
            MistworksError: the estimator is not defined for the points or for one of the resamples.
        """
        mi = self.estimator.estimate(x, y).mi
        resampled = [self._resampled(x, y, number) for number in range(self.resamples)]
        return Estimate(mi, tuple(np.quantile(resampled, LEVELS).tolist()))

    def _resampled(self, x: FloatArray, y: FloatArray, number: int) -> float:
        rows = stream(self.seed, "bootstrap", "resample", number).integers(len(x), size=len(x))
        try:
            return self.estimator.estimate(x[rows], y[rows]).mi
        except MistworksError as error:
            raise MistworksError(f"resample {number + 1} of {self.resamples}: {error}") from None


__all__ = ["SUFFIX", "Bootstrap"]
