"""Diffusion spectral mutual information: how much fewer directions data have within a class than overall."""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.linalg import eigvalsh
from scipy.spatial.distance import pdist
from typing_extensions import override

from mistworks.baselines.base import Baseline
from mistworks.baselines.kernels import gaussian_kernel, median_width
from mistworks.baselines.preparation import Points, checked, some_rows, standardised
from mistworks.dataset import FloatArray
from mistworks.estimation.estimator import Estimate
from mistworks.randomness import stream
from mistworks.states import states
from mistworks.units import MeasureUnit

_OFFICIAL_WIDTH = 10.0
_CLASSES = 10
_REPEATS = 5
_ROWS_PER_STATE = 5
_MOST_POINTS = 1_000


class DiffusionSpectral(Baseline):
    """DSMI(X;Y) = Σ_b p_b (S(a random subset of X of the size of class b) − S(X given Y = b)).

    S is the diffusion spectral entropy, see `diffusion_spectral_entropy`. Liao, Liu, Christensen, Tong,
    Huguet, Wolf, Nickel, Adelstein, Krishnaswamy, "Assessing neural network representations during training
    using noise-resilient diffusion spectral entropy", 2023. The classes of Y are its
    states if there are five rows of each on average; otherwise ten equal-width bins of a scalar, and ten
    clusters of a vector (k-means). Random subsets are drawn five times. Not symmetric, and not mutual
    information.

    Columns are standardised. Of more than 1,000 points, 1,000 are read.

    Attributes:
        width: σ of the kernel of X; ``"median"`` is half the median distance of the points of X. 10 is the
            default of the paper, on the scale of the standardised columns here.
        seed: seed of the random subsets, the clusters and the choice of points.
    """

    width: Annotated[float, Field(gt=0)] | Literal["median"] = _OFFICIAL_WIDTH
    seed: Annotated[int, Field(ge=0)] = 0

    @property
    @override
    def name(self) -> str:
        """``"dsmi"``, or ``"dsmi-WIDTH"`` for another width than 10."""
        return "dsmi" if self.width == _OFFICIAL_WIDTH else f"dsmi-{self.width}"

    @property
    @override
    def unit(self) -> MeasureUnit:
        return "spectral entropy"

    @override
    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """The difference of entropies of eigenvalues, to the natural base.

        Raises:
            MistworksError: a column is constant, or scikit-learn is not installed for a vector Y.
        """
        sides = checked(x, y)
        rows = some_rows(len(x), _MOST_POINTS, self.seed)
        x_points, y_points = (standardised(side)[rows] for side in sides)
        width = median_width(pdist(x_points)) / 2 if self.width == "median" else self.width
        rng = stream(self.seed, "dsmi", "subsets", 0)
        return Estimate(diffusion_spectral_information(x_points, classes_of(y_points, self.seed), width, rng))


def diffusion_spectral_entropy(points: Points, width: float) -> float:
    """−Σ p log p with p = |λ| / Σ|λ| over the eigenvalues λ of D^−½ G D^−½, between 0 and log n.

    G is the Gaussian kernel of the points and D the diagonal of its row sums. It counts the directions of the
    data on a logarithmic scale: identical points have 0, n points far apart log n.

    Args:
        points: shape (n, d).
        width: σ of the kernel.
    """
    kernel = gaussian_kernel(pdist(points), width)
    scale = 1 / np.sqrt(kernel.sum(axis=0))
    eigenvalues = np.abs(eigvalsh(kernel * scale * scale[:, None]))
    p = eigenvalues / eigenvalues.sum()
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


def diffusion_spectral_information(
    points: Points, classes: NDArray[np.int64], width: float, rng: np.random.Generator
) -> float:
    """Σ_b p_b (S(random subset of size n_b) − S(points of class b)).

    Args:
        points: shape (n, d).
        classes: 0, 1, …, each at least once, shape (n,).
        width: σ of the kernel.
        rng: draws the random subsets, five for each class.
    """
    total, n = 0.0, len(points)
    for label in range(int(classes.max()) + 1):
        within = points[classes == label]
        subsets = [points[rng.permutation(n)[: len(within)]] for _ in range(_REPEATS)]
        without = float(np.mean([diffusion_spectral_entropy(subset, width) for subset in subsets]))
        total += len(within) / n * (without - diffusion_spectral_entropy(within, width))
    return total


def classes_of(points: Points, seed: int) -> NDArray[np.int64]:
    """States, bins or clusters of the rows, numbered from 0, shape (n,): see `DiffusionSpectral`."""
    distinct = states(points)
    if (int(distinct.max()) + 1) * _ROWS_PER_STATE <= len(points):
        return distinct
    if points.shape[1] == 1:
        edges = np.linspace(points.min(), points.max(), _CLASSES + 1)
        return states(np.digitize(points, edges[1:-1]))
    # Imported here: scikit-learn comes with the pipeline, not with the estimator.
    from sklearn.cluster import KMeans  # type: ignore[import-untyped]

    clusters = min(_CLASSES, int(distinct.max()) + 1)
    found = KMeans(clusters, n_init=1, random_state=seed).fit_predict(points)
    return states(np.asarray(found)[:, None])


__all__ = [
    "DiffusionSpectral",
    "classes_of",
    "diffusion_spectral_entropy",
    "diffusion_spectral_information",
]
