"""Compression first: any estimator on a few components of each side, for images and other wide blocks."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mistworks.baselines.base import MutualInformationEstimator, unit_of
from mistworks.baselines.preparation import Points, checked, standardised
from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import Estimate
from mistworks.units import MeasureUnit

Method = Literal["pca", "autoencoder"]
"""How a side is compressed; see `Compressed`."""


@dataclass(frozen=True)
class Compressed:
    """An estimator on compressed sides: I(f(X);g(Y)) ≤ I(X;Y), with equality where nothing is lost.

    Butakov, Tolmachev, Malanchuk, Neopryatnaya, Frolov, "Information bottleneck analysis of deep neural
    networks via lossy compression", ICLR 2024. Sides of at most k columns are left as they are. Each side is
    compressed without looking at the other, so that compression makes no dependence.

    - ``"pca"``: the first k principal components of the standardised columns.
    - ``"autoencoder"``: the k units in the middle of a perceptron that is fitted to reproduce the
      standardised columns. Needs torch.

    Attributes:
        estimator: what estimates from the components.
        components: k, the number of components of each side.
        method: how sides are compressed.
        seed: seed of the autoencoder.

    Raises:
        MistworksError: k is less than 1.
    """

    estimator: MutualInformationEstimator
    components: int = 4
    method: Method = "pca"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.components < 1:
            raise MistworksError(f"Expected at least 1 component, got {self.components}. Raise it.")

    @property
    def name(self) -> str:
        """The name of the estimator, followed by ``"+pca-K"`` or ``"+autoencoder-K"``."""
        return f"{self.estimator.name}+{self.method}-{self.components}"

    @property
    def version(self) -> str:
        """The version of the estimator, with that of the compression and the seed."""
        return f"{self.estimator.version}-{self.method}-1-{self.seed}"

    @property
    def slow(self) -> bool:
        """Whether the estimator is slow, or an autoencoder is fitted first."""
        return self.estimator.slow or self.method == "autoencoder"

    @property
    def unit(self) -> MeasureUnit:
        """The unit of the estimator."""
        return unit_of(self.estimator)

    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """Estimate from the components of x of shape (n, dx) and y of shape (n, dy).

        Raises:
            MistworksError: a column is constant, or the estimator is not defined for the components.
        """
        x_points, y_points = checked(x, y)
        return self.estimator.estimate(self._compressed(x_points), self._compressed(y_points))

    def _compressed(self, points: Points) -> FloatArray:
        if points.shape[1] <= self.components:
            return points.astype(np.float32)
        columns = standardised(points)
        if self.method == "pca":
            codes = principal_components(columns, self.components)
        else:
            # torch is not needed to name an estimator.
            from mistworks.baselines.autoencoder import encoded

            codes = encoded(columns, self.components, self.seed)
        return codes.astype(np.float32)


def principal_components(columns: Points, count: int) -> Points:
    """The first components of centred columns of shape (n, d), up to their sign: shape (n, min(k, n, d)).

    Signs are chosen such that the largest weight of each component is positive.
    """
    left, singular, right = np.linalg.svd(columns, full_matrices=False)
    kept = singular[:count] > singular[0] * max(columns.shape) * np.finfo(np.float64).eps
    largest = np.abs(right[:count]).argmax(axis=1)
    signs = np.sign(np.take_along_axis(right[:count], largest[:, None], axis=1)[:, 0])
    return np.asarray((left[:, :count] * singular[:count] * signs)[:, kept])


__all__ = ["Compressed", "Method", "principal_components"]
