"""Estimates of I(X;Y|Z) in closed form: of normal scores, and of tables of states. NumPy alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mistworks.states import entropy

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]

_SHRINKAGE = 1e-6


def gaussian_conditional_information(scores: Array, dx: int, dy: int) -> tuple[float, float, float]:
    """I(X;Y|Z) of normal variables with the sample's correlations, less its bias; and how clear it is.

    The estimate is −½ Σ log(1 − ρᵢ²) with the canonical correlations of the residuals of X and Y on Z; its
    expectation under independence is that of the same from n − dz − 1 points (Anderson, "An introduction to
    multivariate statistical analysis", 3rd ed., section 4.3.1: partial correlations have the distribution of
    correlations of fewer points), see `gaussian_bias`.

    Args:
        scores: X first, then Y, then Z, shape (dx + dy + dz, n).
        dx: number of columns of X.
        dy: number of columns of Y.

    Returns:
        The estimate in nats, which may be negative; the part that the largest canonical correlation has of
        it; and how many standard deviations of independent samples the estimate lies above their mean. All
        are 0 where there are too few points.
    """
    d, n = scores.shape
    freedom = n - 1 - (d - dx - dy)
    if freedom <= dx + dy:
        return 0.0, 0.0, 0.0
    centred = scores - scores.mean(axis=1, keepdims=True)
    covariance = centred @ centred.T / n
    covariance[np.diag_indices(d)] += _SHRINKAGE
    x, y, z = np.split(np.arange(d), [dx, dx + dy])
    joint = np.concatenate([x, y])
    across = covariance[np.ix_(joint, z)]
    left = covariance[np.ix_(joint, joint)] - across @ np.linalg.solve(covariance[np.ix_(z, z)], across.T)
    x_factor, y_factor = (np.linalg.cholesky(_lifted(block)) for block in (left[:dx, :dx], left[dx:, dx:]))
    cross = np.linalg.solve(y_factor, np.linalg.solve(x_factor, left[:dx, dx:]).T)
    squares = np.clip(np.linalg.svd(cross, compute_uv=False) ** 2, 0.0, 1.0 - 1e-9)
    parts = -0.5 * np.log1p(-squares)
    bias = gaussian_bias(freedom, dx, dy)
    clear = (parts.sum() - bias) * 2.0 * freedom / np.sqrt(2.0 * dx * dy)
    return float(parts.sum() - bias), float(parts[0]), float(clear)


def gaussian_bias(freedom: int, dx: int, dy: int) -> float:
    """Expectation of −½ Σ log(1 − ρᵢ²) for independent X and Y, in nats.

    The same as `mistworks.statistics.bias.bias` of m + 1 points, which needs SciPy; a test holds them equal.
    ½ Σⱼ (ψ((m + 1 − j)/2) − ψ((m + 1 − dx − j)/2)) over j = 1, …, dy, from the
    expectations of log determinants of Wishart matrices (Misra, Singh, Demchuk, "Estimation of the entropy
    of a multivariate normal distribution", Journal of Multivariate Analysis 2005).

    Args:
        freedom: m, degrees of freedom of the covariance, above dx + dy.
        dx: number of columns of X.
        dy: number of columns of Y.
    """
    j = np.arange(1, dy + 1)
    return float(0.5 * (digamma((freedom + 1 - j) / 2) - digamma((freedom + 1 - dx - j) / 2)).sum())


def digamma(values: Array) -> Array:
    """ψ of positive numbers: by ψ(x) = ψ(x + 1) − 1/x up to 8, then the asymptotic series, to 1e-12.

    Abramowitz and Stegun, "Handbook of mathematical functions", 6.3.5 and 6.3.18.
    """
    x = np.array(values, dtype=np.float64)
    result = np.zeros_like(x)
    for _ in range(8):
        small = x < 8.0
        result -= np.where(small, 1.0 / x, 0.0)
        x = np.where(small, x + 1.0, x)
    inverse = 1.0 / np.square(x)
    series = inverse * (
        1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse * (1 / 240 - inverse / 132)))
    )
    return np.asarray(result + np.log(x) - 0.5 / x - series)


def _lifted(block: Array) -> Array:
    return np.asarray((block + block.T) / 2 + _SHRINKAGE * np.eye(len(block)))


@dataclass(frozen=True)
class StateTable:
    """What a table of the states of X, Y and Z says.

    Attributes:
        plug_in: I(X;Y|Z) of the observed shares, in nats.
        miller_madow: the same with (states − 1) / 2n added to each entropy.
        corrected: the plug-in less its expectation under independence, f / 2n.
        clear: 2n (corrected) / √(2f), standard deviations above what independent samples have.
        freedom: f = Σ_z (states of X given z − 1) (states of Y given z − 1).
        states: numbers of states of X, Y, Z and of all together.
        entropy_x: H(X) by Miller and Madow.
        entropy_y: H(Y).
        entropy_x_given: H(X|Z).
        entropy_y_given: H(Y|Z).
    """

    plug_in: float
    miller_madow: float
    corrected: float
    clear: float
    freedom: int
    states: tuple[int, int, int, int]
    entropy_x: float
    entropy_y: float
    entropy_x_given: float
    entropy_y_given: float


def tabulate(x: Numbers, y: Numbers, z: Numbers) -> StateTable:
    """Estimates from the numbers of the states of n points, shape (n,) each.

    The bias of entropies: Miller, "Note on the bias of information estimates", 1955. Under independence 2n
    times the plug-in is about χ² with f degrees of freedom (Wilks, "The large-sample distribution of the
    likelihood ratio", 1938).
    """
    n = len(x)
    xz, yz = joint_states(x, z), joint_states(y, z)
    joint = joint_states(xz, y)
    counts = [np.bincount(part) for part in (x, y, z, xz, yz, joint)]
    plain = [entropy(part) for part in counts]
    corrected = [value + (len(part) - 1) / (2 * n) for value, part in zip(plain, counts, strict=True)]
    # States of X, and of Y, in each state of Z.
    x_in = np.bincount(_first(z, xz), minlength=len(counts[2]))
    y_in = np.bincount(_first(z, yz), minlength=len(counts[2]))
    freedom = int(((x_in - 1) * (y_in - 1)).sum())
    plug_in = max(0.0, plain[3] + plain[4] - plain[2] - plain[5])
    excess = plug_in - freedom / (2 * n)
    return StateTable(
        plug_in=plug_in,
        miller_madow=corrected[3] + corrected[4] - corrected[2] - corrected[5],
        corrected=excess,
        clear=2 * n * excess / np.sqrt(2.0 * max(freedom, 1)),
        freedom=freedom,
        states=(len(counts[0]), len(counts[1]), len(counts[2]), len(counts[5])),
        entropy_x=corrected[0],
        entropy_y=corrected[1],
        entropy_x_given=max(0.0, corrected[3] - corrected[2]),
        entropy_y_given=max(0.0, corrected[4] - corrected[2]),
    )


def states_of(ranks: NDArray[np.int32]) -> Numbers:
    """Number the distinct points of columns of shape (d, n), 0, 1, …, shape (n,)."""
    states = np.zeros(ranks.shape[1], dtype=np.int64)
    for row in ranks:
        states = joint_states(states, row.astype(np.int64))
    return states


def joint_states(first: Numbers, second: Numbers) -> Numbers:
    """Number the distinct pairs of two numbers, 0, 1, …, shape (n,)."""
    pairs = first * (int(second.max()) + 1) + second
    return np.asarray(np.unique(pairs, return_inverse=True)[1].astype(np.int64))


def _first(z: Numbers, joint: Numbers) -> Numbers:
    """The state of Z that goes with each joint state."""
    result = np.zeros(int(joint.max()) + 1, dtype=np.int64)
    result[joint] = z
    return result


__all__ = [
    "StateTable",
    "digamma",
    "gaussian_bias",
    "gaussian_conditional_information",
    "joint_states",
    "states_of",
    "tabulate",
]
