"""Distance correlation: a measure of dependence from distances between points."""

import math
from typing import Annotated

import numpy as np
from pydantic import Field
from scipy.spatial.distance import squareform
from typing_extensions import override

from mistworks.baselines.base import Baseline
from mistworks.baselines.preparation import Points, distances
from mistworks.dataset import FloatArray
from mistworks.estimation.estimator import Estimate
from mistworks.units import MeasureUnit

_MOST_POINTS = 2_000


class DistanceCorrelation(Baseline):
    """dCor², the squared distance correlation without bias; 0 if and only if the sides are independent.

    Székely, Rizzo, Bakirov, "Measuring and testing dependence by correlation of distances", Annals of
    Statistics 2007; without bias after Székely, Rizzo, "Partial distance correlation with methods for
    dissimilarities", Annals of Statistics 2014. It is not a function of the mutual information:
    for normal pairs it increases with |ρ|, but curves and rings of much information have little of it.

    Columns are standardised. Estimates may be below 0. Of more than 2,000 points, 2,000 are read.

    Attributes:
        seed: seed of the choice of points.
    """

    seed: Annotated[int, Field(ge=0)] = 0

    @property
    @override
    def name(self) -> str:
        return "distance-correlation"

    @property
    @override
    def unit(self) -> MeasureUnit:
        return "none"

    @override
    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """The squared distance correlation, at most 1.

        Raises:
            MistworksError: there are fewer than 4 points, or a column is constant.
        """
        first, second = (_centred(squareform(apart)) for apart in distances(x, y, _MOST_POINTS, self.seed))
        scale = math.sqrt(float(np.vdot(first, first)) * float(np.vdot(second, second)))
        return Estimate(float(np.vdot(first, second)) / scale if scale > 0 else 0.0)


def _centred(apart: Points) -> Points:
    """U-centred distances, shape (n, n): rows sum to 0 without their diagonal, which is 0."""
    n = len(apart)
    rows = apart.sum(axis=0) / (n - 2)
    centred = apart - rows - rows[:, None] + apart.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0.0)
    return np.asarray(centred)


__all__ = ["DistanceCorrelation"]
