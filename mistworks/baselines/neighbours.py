"""The nearest-neighbour estimators of Kraskov, Stögbauer and Grassberger."""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist
from scipy.special import psi
from typing_extensions import override

from mistworks.baselines.base import Baseline
from mistworks.baselines.preparation import Points, checked, standardised
from mistworks.dataset import FloatArray, IntArray
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import Estimate
from mistworks.randomness import stream

_NOISE = 1e-10
_TREE_DIMENSIONS = 6
_CELLS = 2**16


class KSG(Baseline):
    """I = ψ(k) − ⟨ψ(nₓ + 1) + ψ(n_y + 1)⟩ + ψ(n), or the second algorithm.

    Kraskov, Stögbauer, Grassberger, "Estimating mutual information", Physical Review E 2004, equations 8
    (algorithm 1) and 9 (algorithm 2), with the maximum norm within X, within Y and between them. As in the
    paper, columns are standardised and noise of 10⁻¹⁰ standard deviations breaks ties. Negative estimates are
    reported as they are.

    Attributes:
        neighbours: k, the number of nearest neighbours.
        algorithm: 1 counts the points of X and of Y strictly within the distance of the k-th neighbour;
            2 counts those within the smallest rectangle that holds the k neighbours.
        seed: seed of the noise.
    """

    neighbours: Annotated[int, Field(ge=1)] = 3
    algorithm: Literal[1, 2] = 1
    seed: Annotated[int, Field(ge=0)] = 0

    @property
    @override
    def name(self) -> str:
        """``"ksg-K"``, or ``"ksg2-K"`` for the second algorithm."""
        return f"ksg{'' if self.algorithm == 1 else 2}-{self.neighbours}"

    @property
    @override
    def version(self) -> str:
        """Names the seed of the noise unless it is 0."""
        return "1" if self.seed == 0 else f"1-seed-{self.seed}"

    @override
    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """Mutual information in nats.

        Raises:
            MistworksError: n ≤ k, or a column is constant.
        """
        x_points, y_points = checked(x, y)
        n, k = len(x), self.neighbours
        if n <= k:
            raise MistworksError(f"Expected more than k = {k} points, got {n}. Lower k.")
        x_points, y_points = self._parted(x_points, "x"), self._parted(y_points, "y")
        count = _count_in_trees if x.shape[1] + y.shape[1] <= _TREE_DIMENSIONS else _count_in_blocks
        x_counts, y_counts = count(x_points, y_points, k, self.algorithm)
        if self.algorithm == 1:
            near = psi(x_counts + 1) + psi(y_counts + 1)
            return Estimate(float(psi(k) + psi(n) - near.mean()))
        near = psi(x_counts) + psi(y_counts)
        return Estimate(float(psi(k) - 1 / k + psi(n) - near.mean()))

    def _parted(self, points: Points, block: str) -> Points:
        noise = stream(self.seed, "ksg", f"noise-{block}", 0).standard_normal(points.shape)
        return standardised(points) + _NOISE * noise


def _count_in_trees(x: Points, y: Points, k: int, algorithm: int) -> tuple[IntArray, IntArray]:
    """Count nₓ and n_y of every point, shape (n,) each; faster in few dimensions."""
    joint = np.hstack([x, y])
    distance, neighbours = map(np.asarray, KDTree(joint).query(joint, k + 1, p=np.inf))
    if algorithm == 1:
        # The next smaller number, to count points strictly within.
        radius = np.nextafter(distance[:, -1], 0)
        return _within(x, radius), _within(y, radius)
    x_radius = np.abs(x[neighbours] - x[:, None]).max(axis=(1, 2))
    y_radius = np.abs(y[neighbours] - y[:, None]).max(axis=(1, 2))
    return _within(x, x_radius), _within(y, y_radius)


def _within(points: Points, radius: NDArray[np.float64]) -> IntArray:
    """Count the other points within each point's radius, shape (n,)."""
    counts = KDTree(points).query_ball_point(points, radius, p=np.inf, return_length=True)
    return np.asarray(counts, dtype=np.int64) - 1


def _count_in_blocks(x: Points, y: Points, k: int, algorithm: int) -> tuple[IntArray, IntArray]:
    """Count nₓ and n_y of every point, shape (n,) each, from all distances, some rows at a time."""
    rows = max(1, _CELLS // len(x))
    blocks = [
        _count_in_rows(x, y, slice(start, start + rows), k, algorithm) for start in range(0, len(x), rows)
    ]
    return np.concatenate([block[0] for block in blocks]), np.concatenate([block[1] for block in blocks])


def _count_in_rows(x: Points, y: Points, rows: slice, k: int, algorithm: int) -> tuple[IntArray, IntArray]:
    x_distance = cdist(x[rows], x, "chebyshev")
    y_distance = cdist(y[rows], y, "chebyshev")
    joint = np.maximum(x_distance, y_distance)
    # The k + 1 nearest include the point itself, which is not counted.
    if algorithm == 1:
        radius = np.partition(joint, k, axis=1)[:, k : k + 1]
        return (
            np.count_nonzero(x_distance < radius, axis=1) - 1,
            np.count_nonzero(y_distance < radius, axis=1) - 1,
        )
    neighbours = np.argpartition(joint, k, axis=1)[:, : k + 1]
    x_radius = np.take_along_axis(x_distance, neighbours, axis=1).max(axis=1, keepdims=True)
    y_radius = np.take_along_axis(y_distance, neighbours, axis=1).max(axis=1, keepdims=True)
    return (
        np.count_nonzero(x_distance <= x_radius, axis=1) - 1,
        np.count_nonzero(y_distance <= y_radius, axis=1) - 1,
    )


__all__ = ["KSG"]
