"""The shared part of normal and Student distributions: dispersion matrix, Cholesky factor, Gaussian MI."""

from abc import ABC

import numpy as np
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Family, require_at_least
from mistworks.distributions.dispersion import Dispersion, Matrix, cholesky_factor
from mistworks.errors import MistworksError


class EllipticalFamily(Family, ABC):
    """A family whose members have a dispersion matrix, drawn from a structured prior."""

    family: str
    dispersion: Dispersion

    @property
    @override
    def name(self) -> str:
        """Family and structure, such as ``"normal-lvm"``."""
        return f"{self.family}-{self.dispersion.structure}"

    @override
    def require_dimensions(self, dx: int, dy: int) -> None:
        require_at_least(f"dimension of {self.name}", min(dx, dy), self.dispersion.least_dimension)


def factorise(dispersion: Matrix, dx: int) -> Matrix:
    """Return the lower Cholesky factor L of a dispersion matrix, L Lᵀ = Σ.

    Raises:
        MistworksError: the matrix is not square, symmetric and positive definite, or dx leaves no Y.
    """
    size = len(dispersion)
    if dispersion.shape != (size, size) or not 1 <= dx < size:
        raise MistworksError(
            "Expected a dispersion matrix of shape (dx + dy, dx + dy) with dx, dy ≥ 1, got shape "
            f"{dispersion.shape} with dx = {dx}. Change either."
        )
    if not np.array_equal(dispersion, dispersion.T):
        raise MistworksError("Expected a symmetric dispersion matrix. Symmetrise it.")
    try:
        return cholesky_factor(dispersion)
    except np.linalg.LinAlgError:
        raise MistworksError(
            "Expected a positive definite dispersion matrix. Shrink its correlations."
        ) from None


def gaussian_mutual_information(dispersion: Matrix, cholesky: Matrix, dx: int) -> float:
    """½ (log det Σ_xx + log det Σ_yy − log det Σ), in nats.

    The leading block of L is the Cholesky factor of Σ_xx, so that only the trailing block of L and
    Σ_yy remain: I = Σⱼ log L⁽ʸ⁾ⱼⱼ − Σⱼ log Lⱼⱼ over the coordinates of Y.
    """
    factor_y = cholesky_factor(dispersion[dx:, dx:])
    difference = np.log(factor_y.diagonal()).sum() - np.log(cholesky.diagonal()[dx:]).sum()
    return max(0.0, float(difference))


def correlated_normals(
    cholesky: Matrix, dx: int, n: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """n draws of N(0, L Lᵀ) in float32: arrays of shapes (n, dx) and (n, dy)."""
    factor = cholesky.astype(np.float32)
    z = rng.standard_normal((n, len(factor)), dtype=np.float32)
    return z[:, :dx] @ factor[:dx, :dx].T, z @ factor[dx:].T


__all__ = ["EllipticalFamily", "correlated_normals", "factorise", "gaussian_mutual_information"]
