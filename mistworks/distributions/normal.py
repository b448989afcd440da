"""The normal family."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.base import JointDistribution
from mistworks.distributions.dispersion import Matrix
from mistworks.distributions.elliptical import (
    EllipticalFamily,
    correlated_normals,
    factorise,
    gaussian_mutual_information,
)


@dataclass(frozen=True, eq=False)
class Normal(JointDistribution):
    """(X, Y) ~ N(0, Σ), with I(X;Y) = ½ (log det Σ_xx + log det Σ_yy − log det Σ).

    Attributes:
        dispersion: Σ, shape (dx + dy, dx + dy), X first.
        dx: dimension of X.

    Raises:
        MistworksError: Σ is not a symmetric positive definite matrix of that shape.
    """

    dispersion: Matrix
    dx: int
    cholesky: Matrix = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cholesky", factorise(self.dispersion, self.dx))

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return len(self.dispersion) - self.dx

    @property
    @override
    def mutual_information(self) -> float:
        return gaussian_mutual_information(self.dispersion, self.cholesky, self.dx)

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        return correlated_normals(self.cholesky, self.dx, n, rng)


class NormalFamily(EllipticalFamily):
    """Normal distributions with a dispersion matrix drawn from a structured prior."""

    family: Literal["normal"] = "normal"

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Normal:
        return Normal(self.dispersion.draw(dx, dy, rng), dx)


__all__ = ["Normal", "NormalFamily"]
