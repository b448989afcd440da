"""Baselines that are exact for Gaussian dependence: canonical correlations and Gaussian copulas."""

import numpy as np
from typing_extensions import override

from mistworks.baselines.base import Baseline
from mistworks.baselines.preparation import (
    Points,
    checked,
    normal_scores,
    require_more_points_than_dimensions,
    standardised,
)
from mistworks.dataset import FloatArray
from mistworks.distributions.elliptical import factorise, gaussian_mutual_information
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import Estimate
from mistworks.statistics.bias import bias


class CanonicalCorrelation(Baseline):
    """I = −½ Σᵢ log(1 − ρᵢ²) with the canonical correlations ρᵢ of the sample, whose margins are left alone.

    Kay, "Feature discovery under contextual supervision using mutual information", IJCNN 1992; Brillinger,
    "Some data analyses using mutual information", Brazilian Journal of Probability and Statistics 2004.
    Its bias is not corrected: it is about dx·dy / 2n, upwards.
    """

    @property
    @override
    def name(self) -> str:
        return "cca"

    @override
    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """Mutual information in nats, at least 0.

        Raises:
            MistworksError: n ≤ rank of x + rank of y, a column is constant, or a canonical correlation is 1.
        """
        x_points, y_points = checked(x, y)
        x_basis, y_basis = _basis(x_points), _basis(y_points)
        require_more_points_than_dimensions(len(x), x_basis.shape[1], y_basis.shape[1])
        correlations = np.linalg.svd(x_basis.T @ y_basis, compute_uv=False)
        if correlations[0] >= 1 - 1e-12:
            raise MistworksError(
                "Expected canonical correlations below 1, got 1: part of x is a linear function of y, and "
                "the estimate is infinite. Drop that part."
            )
        return Estimate(float(-0.5 * np.log1p(-(correlations**2)).sum()))


def _basis(points: Points) -> Points:
    """Orthonormal columns that span the centred points, shape (n, rank)."""
    left, singular, _ = np.linalg.svd(standardised(points), full_matrices=False)
    tolerance = singular[0] * max(points.shape) * np.finfo(np.float64).eps
    return np.asarray(left[:, singular > tolerance])


class GaussianCopula(Baseline):
    """GCMI: the Gaussian MI of the normal scores, minus its bias.

    Ince, Giordano, Kayser, Rousselet, Gross, Schyns, "A statistical framework for neuroimaging data analysis
    based on mutual information estimated via a Gaussian copula", Human Brain Mapping 2017. The bias is
    that of the log determinant of a sample covariance of m normal variables, Σᵢ₌₁…ₘ ψ((n − i)/2) up to terms
    that cancel (Misra, Singh, Demchuk, "Estimation of the entropy of a multivariate normal distribution",
    Journal of Multivariate Analysis 2005). Negative estimates are reported as they are.
    """

    @property
    @override
    def name(self) -> str:
        return "gaussian-copula"

    @override
    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """Mutual information in nats.

        Raises:
            MistworksError: n ≤ dx + dy, a column is constant, or the normal scores are linearly dependent.
        """
        x_points, y_points = checked(x, y)
        n, dx, dy = len(x), x.shape[1], y.shape[1]
        require_more_points_than_dimensions(n, dx, dy)
        scores = np.hstack([normal_scores(x_points), normal_scores(y_points)])
        return Estimate(_gaussian(np.cov(scores.T), dx) - bias(n, dx, dy))


class ShrunkGaussianCopula(Baseline):
    """The Gaussian MI of the normal scores with the covariance shrunk towards a multiple of I.

    Oracle approximating shrinkage (Chen, Wiesel, Eldar, Hero, "Shrinkage algorithms for MMSE covariance
    estimation", IEEE Transactions on Signal Processing 2010, equation 23), which assumes normal points, as
    the scores nearly are; on the validation split its error is smaller than that of Ledoit and Wolf. Also
    defined for n ≤ dx + dy. Its bias is downwards.
    """

    @property
    @override
    def name(self) -> str:
        return "gaussian-copula-shrunk"

    @override
    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """Mutual information in nats, at least 0.

        Raises:
            MistworksError: a column is constant, or the normal scores are linearly dependent and not shrunk.
        """
        # Imported here: scikit-learn comes with the pipeline, not with the estimator.
        from sklearn.covariance import oas  # type: ignore[import-untyped]

        x_points, y_points = checked(x, y)
        scores = np.hstack([normal_scores(x_points), normal_scores(y_points)])
        covariance, _ = oas(scores)
        return Estimate(_gaussian(np.asarray(covariance), x.shape[1]))


def _gaussian(covariance: Points, dx: int) -> float:
    """½ (log det Σ_xx + log det Σ_yy − log det Σ) of a covariance Σ of shape (dx + dy, dx + dy), in nats."""
    symmetric = (covariance + covariance.T) / 2
    try:
        return gaussian_mutual_information(symmetric, factorise(symmetric, dx), dx)
    except MistworksError:
        raise MistworksError(
            "Expected linearly independent columns, but the normal scores of x and y together are dependent. "
            "Drop copies of columns, or use an estimator with shrinkage."
        ) from None


__all__ = ["CanonicalCorrelation", "GaussianCopula", "ShrunkGaussianCopula"]
