"""The Student-t copula fitted to the ranks."""

import math

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import minimize_scalar
from scipy.special import gammaln, stdtrit
from typing_extensions import override

from mistworks.baselines.base import Baseline
from mistworks.baselines.preparation import (
    Points,
    checked,
    require_more_points_than_dimensions,
    uniform_scores,
)
from mistworks.dataset import FloatArray
from mistworks.distributions import Student
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import Estimate

_DEGREES_OF_FREEDOM = (0.3, 1000.0)
_TOLERANCE = 1e-3
_MOST_ITERATIONS = 100


class StudentCopula(Baseline):
    """The MI of the t copula whose correlation matrix R and degrees of freedom ν best fit the ranks.

    Both maximise the pseudo-likelihood of u = rank / (n + 1) (Genest, Ghoudi, Rivest, "A semiparametric
    estimation procedure of dependence parameters in multivariate families of distributions", Biometrika
    1995): R by the weighted covariances of the EM algorithm for the t distribution (Liu, Rubin, "ML
    estimation of the t distribution using EM and its extensions, ECM and ECME", Statistica Sinica 1995),
    scaled to unit diagonal, at each ν; ν by a search of the profile between 0.3 and 1000. The MI is that of
    `mistworks.distributions.Student`. Its upward bias is not corrected.
    """

    @property
    @override
    def name(self) -> str:
        return "t-copula"

    @override
    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """Mutual information in nats, at least 0.

        Raises:
            MistworksError: n ≤ dx + dy, a column is constant, or the ranks are linearly dependent.
        """
        x_points, y_points = checked(x, y)
        require_more_points_than_dimensions(len(x), x.shape[1], y.shape[1])
        profile = _Profile(uniform_scores(np.hstack([x_points, y_points])))
        try:
            nu = profile.best_degrees_of_freedom()
            return Estimate(Student(profile.correlation, x.shape[1], nu).mutual_information)
        except (np.linalg.LinAlgError, MistworksError):
            raise MistworksError(
                "Expected linearly independent columns, but the ranks of x and y together are dependent. "
                "Drop copies of columns, or use an estimator with shrinkage."
            ) from None


class _Profile:
    """The pseudo-likelihood as a function of ν, with the best R at the last ν that it was evaluated at.

    Attributes:
        correlation: R, shape (d, d).
    """

    def __init__(self, uniform: Points) -> None:
        # Quantiles of t are slow to compute and ranks recur in every column.
        self._levels, places = np.unique(uniform, return_inverse=True)
        self._places = places.reshape(uniform.shape)
        self.correlation = np.corrcoef(stdtrit(_DEGREES_OF_FREEDOM[1], uniform).T)

    def best_degrees_of_freedom(self) -> float:
        """Return the ν of maximum pseudo-likelihood, and leave the best R for it in ``correlation``."""
        low, high = (math.log(bound) for bound in _DEGREES_OF_FREEDOM)
        optimum = minimize_scalar(
            lambda log_nu: -self(math.exp(log_nu)),
            bounds=(low, high),
            method="bounded",
            options={"xatol": 0.01},
        )
        nu = math.exp(float(optimum.x))
        self(nu)
        return nu

    def __call__(self, nu: float) -> float:
        """Log pseudo-likelihood in nats per point, up to a constant, at ν and the best R."""
        quantiles = np.asarray(stdtrit(nu, self._levels))
        points = quantiles[self._places]
        d = points.shape[1]
        for _ in range(_MOST_ITERATIONS):
            cholesky = np.linalg.cholesky(self.correlation)
            whitened = solve_triangular(cholesky, points.T, lower=True, check_finite=False)
            squares = np.asarray((whitened**2).sum(axis=0), dtype=np.float64)
            weighted = points * ((nu + d) / (nu + squares))[:, None]
            updated = _correlation(points.T @ weighted)
            change = np.abs(updated - self.correlation).max()
            self.correlation = updated
            if change < _TOLERANCE:
                break
        joint = _log_density(d, nu, squares).mean() - np.log(cholesky.diagonal()).sum()
        marginal = (
            _log_density(1, nu, np.square(quantiles, dtype=np.float64))[self._places].sum(axis=1).mean()
        )
        return float(joint - marginal)


def _log_density(d: int, nu: float, squares: Points) -> Points:
    """Log density in nats of the standard d-variate t at points with these squared norms."""
    constant = gammaln((nu + d) / 2) - gammaln(nu / 2) - d / 2 * math.log(nu * math.pi)
    return np.asarray(constant - (nu + d) / 2 * np.log1p(squares / nu))


def _correlation(scatter: Points) -> Points:
    scale = np.sqrt(scatter.diagonal())
    scaled = scatter / np.outer(scale, scale)
    np.fill_diagonal(scaled, 1.0)
    return np.asarray((scaled + scaled.T) / 2)


__all__ = ["StudentCopula"]
