"""The Student-t family."""

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from pydantic import field_validator
from scipy.special import gammaln, psi
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
from mistworks.distributions.priors import Uniform, within
from mistworks.errors import MistworksError

MAX_DEGREES_OF_FREEDOM = 1_000_000


@dataclass(frozen=True, eq=False)
class Student(JointDistribution):
    """(X, Y) multivariate t with dispersion matrix Σ and ν degrees of freedom.

    I(X;Y) = I_Gauss(Σ) + h(dx) + h(dy) − h(dx + dy), where h(m) is the entropy of the standard
    m-variate t (Arellano-Valle, Contreras-Reyes, Genton 2013, "Shannon entropy and mutual information
    for multivariate skew-elliptical distributions"; the final formula printed there is wrong).
    It exceeds the Gaussian value even for Σ = I, and tends to it as ν grows.

    Attributes:
        dispersion: Σ, shape (dx + dy, dx + dy), X first.
        dx: dimension of X.
        degrees_of_freedom: ν, real, 0 < ν ≤ 10⁶ (beyond that, differences of entropies lose their digits).

    Raises:
        MistworksError: Σ is not a symmetric positive definite matrix of that shape, or ν is out of range.
    """

    dispersion: Matrix
    dx: int
    degrees_of_freedom: float
    cholesky: Matrix = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.degrees_of_freedom <= MAX_DEGREES_OF_FREEDOM:
            raise MistworksError(
                f"Expected degrees of freedom above 0 and up to {MAX_DEGREES_OF_FREEDOM:,}, got "
                f"{self.degrees_of_freedom}. Change them, or use the limit, a normal distribution."
            )
        object.__setattr__(self, "cholesky", factorise(self.dispersion, self.dx))

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return len(self.dispersion) - self.dx

    @property
    @override
    def mutual_information(self) -> float:
        gaussian = gaussian_mutual_information(self.dispersion, self.cholesky, self.dx)
        return gaussian + tail_mutual_information(self.dx, self.dy, self.degrees_of_freedom)

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw n points: shapes (n, dx) and (n, dy), float32. X and Y of a point share a scale √(ν/χ²_ν)."""
        x, y = correlated_normals(self.cholesky, self.dx, n, rng)
        nu = self.degrees_of_freedom
        scale = np.sqrt(nu / rng.chisquare(nu, size=(n, 1))).astype(np.float32)
        x *= scale
        y *= scale
        return x, y


def tail_mutual_information(dx: int, dy: int, nu: float) -> float:
    """h(dx) + h(dy) − h(dx + dy) in nats: the part of Student-t MI that comes from the shared scale."""
    excess = _standard_entropy(dx, nu) + _standard_entropy(dy, nu) - _standard_entropy(dx + dy, nu)
    return max(0.0, excess)


def _standard_entropy(m: int, nu: float) -> float:
    upper, lower = (nu + m) / 2, nu / 2
    logarithms = float(gammaln(lower) - gammaln(upper)) + (m / 2) * math.log(nu * math.pi)
    return upper * float(psi(upper) - psi(lower)) + logarithms


class StudentFamily(EllipticalFamily):
    """Student-t distributions with a structured dispersion matrix and ν drawn from their priors."""

    family: Literal["student"] = "student"
    degrees_of_freedom: Uniform = Uniform(low=1.0, high=10.0)

    @field_validator("degrees_of_freedom")
    @classmethod
    def _positive(cls, prior: Uniform) -> Uniform:
        # Below ½, a sample or its halfcube sometimes overflows float32.
        return within(prior, 0.5, MAX_DEGREES_OF_FREEDOM, "degrees_of_freedom")

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Student:
        dispersion = self.dispersion.draw(dx, dy, rng)
        return Student(dispersion, dx, self.degrees_of_freedom.draw(rng))


__all__ = ["MAX_DEGREES_OF_FREEDOM", "Student", "StudentFamily", "tail_mutual_information"]
