"""Dependence outside the published families, of kinds that occur in practice.

It measures generalisation: no estimator is trained on it, calibrated on it or chosen by it. It is not
completely unseen: the meta-distribution `general` was widened towards kinds of dependence on which an earlier
estimator failed here. The results separate distributions whose form `general` contains from the others.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from mistworks.distributions import Normal
from mistworks.distributions.block_maps import BlockMap, identity
from mistworks.distributions.dispersion import sparse_matrix
from mistworks.evaluation.distributions.circles import Directions, NoisyRing
from mistworks.evaluation.distributions.composed import Mapped
from mistworks.evaluation.distributions.copulas import (
    Clayton,
    CopulaJoint,
    FarlieGumbelMorgenstern,
    Frank,
    GumbelHougaard,
)
from mistworks.evaluation.distributions.discrete import (
    Censored,
    Classes,
    Counts,
    Decisions,
    Parity,
    Rounded,
    SharedDropout,
    Table,
)
from mistworks.evaluation.distributions.maps import Spiral, Wave
from mistworks.evaluation.distributions.mixtures import (
    Component,
    GaussianMixture,
    SharedVolatility,
    clusters,
    diagonal,
    rows,
)
from mistworks.evaluation.distributions.pointwise import PointwiseJoint
from mistworks.evaluation.distributions.regression import Interaction, Regression
from mistworks.evaluation.suites.base import Entry, GridSuite

NAME = "beyond"
VERSION = "1"
SIZES = (60, 200, 500)
REPLICATES = 4

Member = tuple[str, PointwiseJoint]


def beyond(sizes: Sequence[int] = SIZES) -> GridSuite:
    """Build the suite at the given sample sizes."""
    return GridSuite(NAME, VERSION, tuple(_entries()), sizes, REPLICATES)


def pointwise_distributions() -> dict[str, PointwiseJoint]:
    """The distributions of the suite with a pointwise mutual information, by name."""
    kinds = (_mixtures(), _circles(), _copulas(), _discrete(), _regressions())
    return {name: joint for kind in kinds for name, joint in kind}


def _entries() -> Iterator[Entry]:
    maps: dict[str, BlockMap] = {
        "mixture-galaxy-2x1": Spiral(0, 1, speed=1.0),
        "mixture-waves-2x1": Wave(amplitude=5.0, frequency=3.0),
    }
    kinds = {
        "mixture": _mixtures(),
        "circle": _circles(),
        "copula": _copulas(),
        "discrete": _discrete(),
        "regression": _regressions(),
    }
    for family, members in kinds.items():
        for name, joint in members:
            mapped = Mapped(joint, x=maps.get(name, identity))
            yield Entry(name, family, mapped, joint.standard_error)
    yield from _unequal_dimensions()


def _mixtures() -> Iterator[Member]:
    """X, inliers, shells, galaxy and waves after Czyż et al., arXiv 2310.10240."""
    yield "mixture-x-1x1", _mixture((0.5, _pair(0.9)), (0.5, _pair(-0.9)))
    signal, noise = sparse_matrix(5, 5, 2, 2.0), np.eye(10)
    yield "mixture-inliers-1x1", _mixture((0.8, _pair(0.95)), (0.2, np.eye(2)))
    yield "mixture-inliers-5x5", _mixture((0.8, signal), (0.2, noise))
    yield "mixture-shells-3x1", _shells(3)
    yield "mixture-galaxy-2x1", clusters((0.5, 0.5), ((-1.5,) * 3, (1.5,) * 3), dx=2)
    yield "mixture-waves-2x1", _waves()
    yield "mixture-outliers-1x1", _mixture((0.9, _pair(0.8)), (0.1, 100.0 * np.eye(2)))
    yield "mixture-clusters-4x6", _cell_types()
    yield "volatility-1x1", SharedVolatility(1, 1, 0.8)
    yield "volatility-4x2", SharedVolatility(4, 2, 0.8)


def _circles() -> Iterator[Member]:
    yield "ring-1x1", NoisyRing(0.15)
    yield "directions-2x2", Directions(3.0)


def _copulas() -> Iterator[Member]:
    yield "gumbel-1x1", CopulaJoint(GumbelHougaard(2.0), "lognormal", "exponential")
    yield "gumbel-weak-1x1", CopulaJoint(GumbelHougaard(1.25), "pareto", "weibull")
    yield "fgm-1x1", CopulaJoint(FarlieGumbelMorgenstern(1.0), "gamma", "lognormal")
    yield "clayton-1x1", CopulaJoint(Clayton(3.0), "exponential", "pareto")
    yield "frank-1x1", CopulaJoint(Frank(-6.0), "weibull", "gamma")


def _discrete() -> Iterator[Member]:
    yield "classes-1x1", Classes((0.5, 0.3, 0.2), ((0.0,), (2.0,), (-1.0,)), (1.0, 0.5, 1.5))
    centres = ((0.0,) * 8, (1.0,) * 4 + (0.0,) * 4, (0.0,) * 4 + (-1.0,) * 4)
    yield "classes-1x8", Classes((0.5, 0.3, 0.2), centres, (1.0, 1.0, 1.0))
    yield "table-1x1", Table(((0.20, 0.05, 0.05), (0.05, 0.20, 0.05), (0.02, 0.08, 0.10), (0.10, 0.05, 0.05)))
    yield "counts-1x1", Counts(shape=2.0, rate=0.25)
    yield "decisions-5x1", Decisions((2.0, -1.5, 1.0, 0.0, 0.0))
    yield "parity-2x1", Parity(2, 0.05)
    yield "parity-3x1", Parity(3, 0.02)
    yield "dropout-1x1", SharedDropout(0.4, 0.6)
    yield "rounded-1x1", Rounded(0.85, 1.0)
    yield "censored-1x1", Censored(0.9, 0.0)


def _regressions() -> Iterator[Member]:
    yield "sine-1x1", Regression("sine", 0.3)
    yield "parabola-1x1", Regression("parabola", 0.2)
    yield "dose-response-1x1", Regression("dose-response", 0.15)
    yield "spiral-1x2", Regression("spiral", 0.4)
    yield "growing-noise-1x1", Regression("flat", 1.0, growth=2.0)
    yield "interaction-2x1", Interaction(0.5)


def _unequal_dimensions() -> Iterator[Entry]:
    family = "unequal-dimensions"
    for dx, dy, pairs, strength in ((1, 10, 1, 2.0), (3, 12, 2, 1.5), (20, 2, 2, 2.0)):
        matrix = sparse_matrix(dx, dy, pairs, strength)
        yield Entry(f"sparse-{dx}x{dy}", family, Normal(matrix, dx))
    yield Entry("sensors-1x16", family, Normal(_readouts(16, 0.4), 1))
    yield Entry("autoregression-6x2", family, Normal(_autoregression(8, 0.85), 6))


def _mixture(*parts: tuple[float, np.ndarray]) -> GaussianMixture:
    size = len(parts[0][1])
    components = tuple(Component(weight, (0.0,) * size, rows(matrix)) for weight, matrix in parts)
    return GaussianMixture(components, size // 2)


def _pair(correlation: float) -> np.ndarray:
    return np.array([[1.0, correlation], [correlation, 1.0]])


def _shells(dx: int) -> GaussianMixture:
    """Concentric clouds with radius 1, 2, 3 in X, identified by Y."""
    parts = tuple(
        Component(1 / 3, (0.0,) * dx + (float(k),), diagonal((float(k * k),) * dx + (0.01,)))
        for k in (1, 2, 3)
    )
    return GaussianMixture(parts, dx)


def _waves() -> GaussianMixture:
    parts = tuple(
        Component(1 / 12, (1.5 * k, 0.0, 1.5 * (k % 4)), diagonal((0.1, 1.0, 0.1))) for k in range(12)
    )
    return GaussianMixture(parts, 2)


def _cell_types() -> GaussianMixture:
    """Four groups within which X and Y are independent, so that they share only the group."""
    signs = ((1, 1, -1, -1, 1, -1), (-1, 1, 1, -1, -1, 1), (1, -1, 1, 1, -1, -1), (-1, -1, -1, 1, 1, 1))
    means = tuple(tuple(1.2 * sign for sign in (*row[:4], *row)) for row in signs)
    return clusters((0.4, 0.3, 0.2, 0.1), means, dx=4)


def _readouts(sensors: int, correlation: float) -> np.ndarray:
    """One cause and many readings of it, each with loading ρ."""
    loading = np.array([1.0, *(correlation,) * sensors])
    matrix = np.outer(loading, loading)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def _autoregression(steps: int, memory: float) -> np.ndarray:
    """Consecutive values of a stationary AR(1) process: correlation φ^|i − j|."""
    return memory ** np.abs(np.subtract.outer(np.arange(steps), np.arange(steps))).astype(np.float64)


__all__ = ["NAME", "REPLICATES", "SIZES", "VERSION", "Member", "beyond", "pointwise_distributions"]
