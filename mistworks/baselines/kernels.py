"""Measures of dependence from Gaussian kernels: the divergence of Cauchy and Schwarz, and HSIC."""

import math
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field
from scipy.spatial.distance import squareform
from typing_extensions import override

from mistworks.baselines.base import Baseline
from mistworks.baselines.preparation import Points, distances
from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import Estimate
from mistworks.units import MeasureUnit

_MOST_POINTS = 2_000
_OFFICIAL_FACTOR = 10


class Overlaps(NamedTuple):
    """Means of products of kernels, over k(X, X′) and l(Y, Y′) of independent draws.

    Attributes:
        joint: A = E[k(X, X′) l(Y, Y′)].
        product: B = E[k(X, X′)] E[l(Y, Y′)].
        cross: C = E[k(X, X′) l(Y, Y″)].
    """

    joint: float
    product: float
    cross: float


def unbiased_overlaps(k_x: Points, k_y: Points) -> Overlaps:
    """Overlaps without bias: means over distinct points, in O(n²).

    Song, Smola, Gretton, Bedo, Borgwardt, "Feature selection via dependence maximization", Journal of
    Machine Learning Research 2012.

    Args:
        k_x: kernel of X at all pairs of points, shape (n, n), n ≥ 4; its diagonal is not read.
        k_y: that of Y.
    """
    k_x, k_y = (kernel - np.diag(kernel.diagonal()) for kernel in (k_x, k_y))
    n = len(k_x)
    pairs, both = float((k_x * k_y).sum()), float(k_x.sum(axis=0) @ k_y.sum(axis=0))
    total = float(k_x.sum()) * float(k_y.sum())
    return Overlaps(
        joint=pairs / math.perm(n, 2),
        product=(total - 4 * both + 2 * pairs) / math.perm(n, 4),
        cross=(both - pairs) / math.perm(n, 3),
    )


def biased_overlaps(k_x: Points, k_y: Points) -> Overlaps:
    """Overlaps as means over all points, equal ones too; arguments as in `unbiased_overlaps`."""
    return Overlaps(
        joint=float((k_x * k_y).mean()),
        product=float(k_x.mean()) * float(k_y.mean()),
        cross=float((k_x.mean(axis=0) * k_y.mean(axis=0)).mean()),
    )


def gaussian_kernel(apart: Points, width: float) -> Points:
    """exp(−|a − b|² / 2s²) at all pairs, shape (n, n).

    Args:
        apart: distances between all pairs, each once, shape (n (n − 1) / 2,).
        width: s.
    """
    return np.asarray(squareform(np.exp(-0.5 * np.square(apart / width))) + np.eye(_count(apart)))


def median_width(apart: Points) -> float:
    """The median of the distances that are not 0, since repeated points say nothing of the scale; else 1."""
    positive = apart[apart > 0]
    return float(np.median(positive)) if len(positive) else 1.0


def _count(apart: Points) -> int:
    """n of n (n − 1) / 2."""
    return round((1 + math.sqrt(1 + 8 * len(apart))) / 2)


class CauchySchwarz(Baseline):
    """CS-QMI, the divergence of Cauchy and Schwarz between the joint density and the product of the margins.

    log A + log B − 2 log C of the overlaps A, B and C, which are integrals of squared and multiplied kernel
    densities (Principe, Xu, Fisher, "Information theoretic learning", 2000; Yu, Yu, Løkse, Jenssen, Príncipe,
    "Cauchy–Schwarz divergence information bottleneck for regression", ICLR 2024). It is 0 for independent
    sides and at least 0 otherwise, but not mutual information: for a Gaussian pair with correlation ρ and
    width s it is −½ log(a² − 4b²) − log a + log(a² − b²), where a = 1 + 2/s² and b = ρ/s².

    Columns are standardised. Estimates may be below 0. Of more than 2,000 points, 2,000 are read.

    Attributes:
        width: s for each side; ``"median"`` is the median distance of the side's points. ``"official"`` is
            the published code: 10 × the median squared distance (the mean where that is 0), averages that
            count each point with itself, and logarithms to base 2. Kernels that wide are nearly constant,
            and their values mostly rounding.
        seed: seed of the choice of points.
    """

    width: Annotated[float, Field(gt=0)] | Literal["median", "official"] = "median"
    seed: Annotated[int, Field(ge=0)] = 0

    @property
    @override
    def name(self) -> str:
        """``"cs-qmi"``, ``"cs-qmi-official"``, or ``"cs-qmi-S"`` for a width of S."""
        return "cs-qmi" if self.width == "median" else f"cs-qmi-{self.width}"

    @property
    @override
    def unit(self) -> MeasureUnit:
        return "log ratio"

    @override
    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """The divergence, a natural logarithm; to base 2 with the official width.

        Raises:
            MistworksError: there are fewer than 4 points, a column is constant, or the kernels of all points
                are 0 up to rounding.
        """
        sides = distances(x, y, _MOST_POINTS, self.seed)
        if self.width == "official":
            squares = [np.square(side) for side in sides]
            widths = [_OFFICIAL_FACTOR * float(np.median(each) or np.mean(each)) for each in squares]
            overlaps = biased_overlaps(*map(gaussian_kernel, sides, widths))
            return Estimate(_log_ratio(overlaps) / math.log(2))
        widths = [median_width(side) if self.width == "median" else self.width for side in sides]
        return Estimate(_log_ratio(unbiased_overlaps(*map(gaussian_kernel, sides, widths))))


class HilbertSchmidt(Baseline):
    """HSIC, the Hilbert–Schmidt norm of the covariance of features: A + B − 2C of the overlaps.

    Gretton, Bousquet, Smola, Schölkopf, "Measuring statistical dependence with Hilbert–Schmidt norms", ALT
    2005, without bias as in Song et al., JMLR 2012. The width of each Gaussian kernel is the median distance
    of the side's points. It is 0 if and only if the sides are independent; it has no unit and no scale that
    is common to distributions.

    Columns are standardised. Estimates may be below 0. Of more than 2,000 points, 2,000 are read.

    Attributes:
        seed: seed of the choice of points.
    """

    seed: Annotated[int, Field(ge=0)] = 0

    @property
    @override
    def name(self) -> str:
        return "hsic"

    @property
    @override
    def unit(self) -> MeasureUnit:
        return "none"

    @override
    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """HSIC without bias.

        Raises:
            MistworksError: there are fewer than 4 points, or a column is constant.
        """
        kernels = [
            gaussian_kernel(side, median_width(side)) for side in distances(x, y, _MOST_POINTS, self.seed)
        ]
        overlaps = unbiased_overlaps(*kernels)
        return Estimate(overlaps.joint + overlaps.product - 2 * overlaps.cross)


def _log_ratio(overlaps: Overlaps) -> float:
    if min(overlaps) <= 0:
        raise MistworksError(
            "Expected points that lie within a few widths of others on both sides, got overlaps of 0. Raise "
            "the width, or pass more points."
        )
    return math.log(overlaps.joint) + math.log(overlaps.product) - 2 * math.log(overlaps.cross)


__all__ = [
    "CauchySchwarz",
    "HilbertSchmidt",
    "Overlaps",
    "biased_overlaps",
    "gaussian_kernel",
    "median_width",
    "unbiased_overlaps",
]
