"""Classical estimators of conditional mutual information, to compare with. Need SciPy.

Each takes x, y and z of shapes (n, dx), (n, dy) and (n, dz) and returns nats; none is clipped at 0.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mistworks.baselines.plug_in import miller_madow
from mistworks.baselines.preparation import Points, normal_scores, standardised
from mistworks.errors import MistworksError
from mistworks.randomness import stream
from mistworks.states import states
from mistworks.statistics.bias import bias

_NOISE = 1e-10
_CELLS = 2**20


def frenzel_pompe(x: Points, y: Points, z: Points, neighbours: int = 3, seed: int = 0) -> float:
    """KSG's estimator for I(X;Y|Z): ψ(k) − ⟨ψ(n_xz + 1) + ψ(n_yz + 1) − ψ(n_z + 1)⟩.

    Frenzel and Pompe, "Partial mutual information for coupling analysis of multivariate time series",
    Physical Review Letters 2007, equation 5. Columns are standardised, distances are largest
    differences, and noise of 10⁻¹⁰ standard deviations breaks ties, as in `mistworks.baselines.KSG`.

    Raises:
        MistworksError: n ≤ k.
    """
    from scipy.spatial.distance import cdist
    from scipy.special import psi

    n = len(x)
    if n <= neighbours:
        raise MistworksError(f"Expected more than k = {neighbours} points, got {n}. Lower k.")
    rng = stream(seed, "frenzel-pompe", "noise", 0)
    parts = [_scaled(part) + _NOISE * rng.standard_normal(part.shape) for part in (x, y, z)]
    terms = []
    rows = max(1, _CELLS // n)
    for start in range(0, n, rows):
        near_x, near_y, near_z = (cdist(part[start : start + rows], part, "chebyshev") for part in parts)
        xz, yz = np.maximum(near_x, near_z), np.maximum(near_y, near_z)
        radius = np.partition(np.maximum(xz, yz), neighbours, axis=1)[:, neighbours : neighbours + 1]
        # The point itself is counted: n + 1.
        counts = [np.count_nonzero(near < radius, axis=1) for near in (xz, yz, near_z)]
        terms.append(psi(counts[0]) + psi(counts[1]) - psi(counts[2]))
    return float(psi(neighbours) - np.concatenate(terms).mean())


def gaussian_copula(x: Points, y: Points, z: Points) -> float:
    """I(X;YZ) − I(X;Z) of normal variables with the correlations of the normal scores, each less its bias.

    Ince, Giordano, Kayser, Rousselet, Gross, Schyns, "A statistical framework for neuroimaging data analysis
    based on mutual information estimated via a Gaussian copula", Human Brain Mapping 2017, section 2.3.

    Raises:
        MistworksError: there are no more points than columns.
    """
    n, dx, dy, dz = len(x), x.shape[1], y.shape[1], z.shape[1]
    if n <= dx + dy + dz + 1:
        raise MistworksError(f"Expected more points than columns, got {n} of {dx} + {dy} + {dz}.")
    scores = np.hstack([normal_scores(part) for part in (x, y, z)])
    covariance = np.cov(scores.T)
    a, b, c = np.split(np.arange(dx + dy + dz), [dx, dx + dy])

    def log_determinant(*blocks: NDArray[np.intp]) -> float:
        chosen = np.concatenate(blocks)
        return float(np.linalg.slogdet(covariance[np.ix_(chosen, chosen)] + 1e-10 * np.eye(len(chosen)))[1])

    plain = 0.5 * (
        log_determinant(a, c) + log_determinant(b, c) - log_determinant(c) - log_determinant(a, b, c)
    )
    return plain - (bias(n, dx, dy + dz) - bias(n, dx, dz))


def plug_in(x: Points, y: Points, z: Points) -> float:
    """H(X,Z) + H(Y,Z) − H(Z) − H(X,Y,Z) of the observed states, each with (states − 1) / 2n added.

    Miller, "Note on the bias of information estimates", in "Information theory in psychology", 1955.
    """
    a, b, c = (states(part) for part in (x, y, z))
    joined = [states(np.column_stack(parts)) for parts in ((a, c), (b, c), (a, b, c))]
    return miller_madow(joined[0]) + miller_madow(joined[1]) - miller_madow(c) - miller_madow(joined[2])


RIVALS: Mapping[str, Callable[[Any, Any, Any], float]] = MappingProxyType(
    {"KSG-CMI": frenzel_pompe, "Gaussian copula": gaussian_copula, "plug-in": plug_in}
)
"""By name in tables."""


def _scaled(points: Points) -> Points:
    """Standardised columns; constant ones are 0."""
    varies = np.ptp(points, axis=0) > 0
    result = np.zeros_like(points)
    if varies.any():
        result[:, varies] = standardised(points[:, varies])
    return result


__all__ = ["RIVALS", "frenzel_pompe", "gaussian_copula", "plug_in"]
