"""Wasserstein dependency: how far the points would have to be moved to become independent."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from typing_extensions import override

from mistworks.baselines.base import Baseline
from mistworks.baselines.preparation import Points, checked, normal_scores, some_rows
from mistworks.dataset import FloatArray
from mistworks.estimation.estimator import Estimate
from mistworks.randomness import stream
from mistworks.units import MeasureUnit

_MOST_POINTS = 500


class WassersteinDependency(Baseline):
    """W₁ between the joint distribution and the product of the margins, on normal scores.

    Ozair, Lynch, Bengio, van den Oord, Levine, Sermanet, "Wasserstein dependency measure for representation
    learning", NeurIPS 2019. W₁ is the mean Euclidean distance of the best assignment of the
    points (xᵢ, yᵢ) to points (xᵢ, y_π(i)) with permuted y; the same between two permutations is subtracted,
    since two samples of one distribution are apart too. That leaves a part of the bias, which grows with the
    dimension. Estimates may be below 0. Of more than 500 points, 500 are read: the time is cubic in n.

    Attributes:
        seed: seed of the permutations and of the choice of points.
    """

    seed: Annotated[int, Field(ge=0)] = 0

    @property
    @override
    def name(self) -> str:
        return "wasserstein"

    @property
    @override
    def unit(self) -> MeasureUnit:
        return "distance"

    @override
    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """The distance on normal scores.

        Raises:
            MistworksError: a column is constant.
        """
        sides = checked(x, y)
        rows = some_rows(len(x), _MOST_POINTS, self.seed)
        x_scores, y_scores = (normal_scores(side)[rows] for side in sides)
        rng = stream(self.seed, "wasserstein", "permutations", 0)
        return Estimate(excess_distance(x_scores, y_scores, rng))


def excess_distance(x: Points, y: Points, rng: np.random.Generator) -> float:
    """W₁ of the points to a permutation of theirs, less that between two permutations.

    Args:
        x: shape (n, dx).
        y: shape (n, dy).
        rng: draws three permutations.
    """
    permuted = [np.hstack([x, y[rng.permutation(len(y))]]) for _ in range(3)]
    return _distance(np.hstack([x, y]), permuted[0]) - _distance(permuted[1], permuted[2])


def _distance(first: Points, second: Points) -> float:
    """W₁ between two sets of n points each: the least mean distance of an assignment."""
    cost: NDArray[np.float64] = cdist(first, second)
    return float(cost[linear_sum_assignment(cost)].mean())


__all__ = ["WassersteinDependency", "excess_distance"]
