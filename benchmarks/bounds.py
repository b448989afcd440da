"""The semiparametric efficiency bound of the suites: how well mutual information can be estimated.

The influence function of I(X;Y) is i(x, y) − I with i = log p(x, y) − log p(x) − log p(y), the pointwise
mutual information. No regular estimator has a smaller asymptotic mean squared error than Var[i(X, Y)] / n
(Kandasamy et al., "Nonparametric von Mises estimators for entropies, divergences and mutual informations",
NeurIPS 2015, section 4). Only prior knowledge, such as the families that an estimator was trained on, allows
a smaller one.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from mistworks.distributions import AdditiveNoise, JointDistribution, Normal, Student
from mistworks.evaluation.distributions.composed import Mapped
from mistworks.evaluation.distributions.pointwise import PointwiseJoint
from mistworks.evaluation.suites.base import GridSuite
from mistworks.evaluation.suites.mtest import SplitSuite

_POINTS = 4_000
_SEED = 0

Array = NDArray[np.float64]


def pointwise(joint: JointDistribution, n: int, rng: np.random.Generator) -> Array | None:
    """Return the pointwise mutual information in nats of n points of a distribution, shape (n,). Invertible
    maps of X and of Y do not change it. None if it is unknown.
    """
    while isinstance(joint, Mapped):
        joint = joint.joint
    if isinstance(joint, PointwiseJoint):
        return joint.pointwise(*joint.draw(n, rng))
    if isinstance(joint, AdditiveNoise):
        return _additive(joint.noise, n, rng)
    if isinstance(joint, Normal):
        return _elliptical(np.asarray(joint.dispersion), joint.dx, math.inf, n, rng)
    if isinstance(joint, Student):
        return _elliptical(np.asarray(joint.dispersion), joint.dx, joint.degrees_of_freedom, n, rng)
    return None


def bounds(suite: GridSuite | SplitSuite) -> Array | None:
    """Return Var[i(X, Y)] / n in nats² of each dataset of a suite, by Monte Carlo, shape (datasets,). None if
    the pointwise mutual information of one of its distributions is unknown.
    """
    rng = np.random.default_rng(_SEED)
    known: dict[int, float] = {}
    values = []
    for position in range(len(suite)):
        joint = suite.joint(position)
        # Many datasets of a grid share a distribution, which lives as long as the suite.
        variance = known.get(id(joint)) if isinstance(suite, GridSuite) else None
        if variance is None:
            drawn = pointwise(joint, _POINTS, rng)
            if drawn is None:
                return None
            variance = known[id(joint)] = float(drawn.var())
        values.append(variance / suite.case(position).n)
    return np.array(values)


def _additive(noise: Array, n: int, rng: np.random.Generator) -> Array:
    """Y = X + U(−ε, ε): log of 1 over the part of [0, 1] within ε of y, summed over the coordinates."""
    x = rng.random((n, len(noise)))
    y = x + noise * (2.0 * rng.random((n, len(noise))) - 1.0)
    reached = np.minimum(y + noise, 1.0) - np.maximum(y - noise, 0.0)
    return np.asarray(-np.log(reached).sum(axis=1))


def _elliptical(dispersion: Array, dx: int, nu: float, n: int, rng: np.random.Generator) -> Array:
    """Of a normal (ν = ∞) or Student-t distribution with dispersion matrix Σ, X first."""
    points = rng.standard_normal((n, len(dispersion))) @ np.linalg.cholesky(dispersion).T
    if math.isfinite(nu):
        points *= np.sqrt(nu / rng.chisquare(nu, size=(n, 1)))
    blocks = slice(None), slice(dx), slice(dx, None)
    joint, x, y = (_log_density(points[:, block], dispersion[block, block], nu) for block in blocks)
    return joint - x - y


def _log_density(points: Array, dispersion: Array, nu: float) -> Array:
    d = len(dispersion)
    factor = np.linalg.cholesky(dispersion)
    square = np.square(np.linalg.solve(factor, points.T)).sum(axis=0)
    log_volume = np.log(np.diagonal(factor)).sum()
    if math.isinf(nu):
        return np.asarray(-0.5 * square - log_volume - 0.5 * d * math.log(2 * math.pi))
    constant = gammaln((nu + d) / 2) - gammaln(nu / 2) - 0.5 * d * math.log(nu * math.pi)
    return np.asarray(constant - log_volume - 0.5 * (nu + d) * np.log1p(square / nu))
