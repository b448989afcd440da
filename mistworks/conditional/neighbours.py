"""Conditional mutual information from nearest neighbours, in NumPy alone."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Distances = NDArray[np.float32]


def block_distances(columns: Array, nominal: NDArray[np.bool_]) -> Distances:
    """Largest difference over the columns between all points, shape (n, n); classes are equal or far apart.

    Args:
        columns: shape (d, n).
        nominal: columns of class labels, shape (d,).
    """
    n = columns.shape[1]
    result = np.zeros((n, n), dtype=np.float32)
    for column, is_class in zip(columns.astype(np.float32), nominal.tolist(), strict=True):
        difference = column[:, None] - column
        np.abs(difference, out=difference)
        if is_class:
            difference = np.where(difference > 0, np.float32(1e3), np.float32(0.0))
        np.maximum(result, difference, out=result)
    return result


def neighbour_information(x: Distances, y: Distances, z: Distances, neighbours: int) -> float:
    """I(X;Y|Z) = ⟨ψ(k̃ᵢ) − ψ(n_xz) − ψ(n_yz) + ψ(n_z)⟩ in nats, which may be negative.

    Frenzel and Pompe, "Partial mutual information for coupling analysis of multivariate time series",
    Physical Review Letters 2007, equation 5: k̃ᵢ = k, and counts are of points strictly nearer than the k-th
    neighbour, with the point itself. Where several points share that distance, k̃ᵢ and the
    counts are of all points up to it, with the point itself, as Mesner and Shalizi do at distance 0
    ("Conditional mutual information estimation for mixed, discrete and continuous data", IEEE Transactions
    on Information Theory 2021, algorithm 1).

    Args:
        x: distances between the points of X, shape (n, n).
        y: of Y.
        z: of Z.
        neighbours: k, less than n.
    """
    xz, yz = np.maximum(x, z), np.maximum(y, z)
    joint = np.maximum(xz, y)
    radius = np.partition(joint, neighbours, axis=1)[:, neighbours]
    within = np.count_nonzero(joint <= radius[:, None], axis=1)
    tied = within > neighbours + 1
    # Strictly within r is within the next smaller number.
    reach = np.where(tied, radius, np.nextafter(radius, np.float32(0.0)))[:, None]
    counts = [np.count_nonzero(part <= reach, axis=1) for part in (xz, yz, z)]
    own = np.where(tied, within, neighbours)
    psi = digamma_table(len(x) + 1)
    return float((psi[own] - psi[counts[0]] - psi[counts[1]] + psi[counts[2]]).mean())


def digamma_table(most: int) -> Array:
    """ψ(0), …, ψ(most), with ψ(0) set to that of 1: ψ(m) = −γ + Σ_{j < m} 1/j."""
    values = np.concatenate([[0.0, 0.0], np.cumsum(1.0 / np.arange(1, max(most, 1)))])
    return np.asarray(values - np.euler_gamma)


__all__ = ["block_distances", "digamma_table", "neighbour_information"]
