"""The additive-noise family: each coordinate of Y is a coordinate of X plus uniform noise."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Family, JointDistribution, require_at_least
from mistworks.distributions.priors import Uniform, within
from mistworks.errors import MistworksError


@dataclass(frozen=True, eq=False)
class AdditiveNoise(JointDistribution):
    """Xⱼ ~ U(0, 1) and Yⱼ = Xⱼ + U(−εⱼ, εⱼ), independent over j.

    I(X;Y) = Σⱼ (ε − ln 2ε if ε ≤ ½, else 1/(4ε)) with ε = εⱼ (Czyż et al., "Beyond Normal", 2023).

    Attributes:
        noise: ε, shape (dx,) = (dy,), each positive and finite.

    Raises:
        MistworksError: an ε is not positive and finite, or there is none.
    """

    noise: NDArray[np.float64]

    def __post_init__(self) -> None:
        valid = (self.noise > 0) & (self.noise < np.inf)
        if self.noise.ndim != 1 or self.noise.size == 0 or not valid.all():
            raise MistworksError(f"Expected a vector of positive half-widths ε as noise, got {self.noise}.")

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return len(self.noise)

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return len(self.noise)

    @property
    @override
    def mutual_information(self) -> float:
        noise = self.noise
        return float(np.where(noise <= 0.5, noise - np.log(2 * noise), 1 / (4 * noise)).sum())

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        x = rng.random((n, self.dx), dtype=np.float32)
        y = rng.random((n, self.dx), dtype=np.float32)
        width = self.noise.astype(np.float32)
        y *= 2 * width
        y -= width
        y += x
        return x, y


class AdditiveNoiseFamily(Family):
    """Additive uniform noise with εⱼ drawn independently from its prior. Requires dx = dy."""

    family: Literal["additive"] = "additive"
    noise: Uniform = Uniform(low=0.1, high=2.0)

    @field_validator("noise")
    @classmethod
    def _positive(cls, prior: Uniform) -> Uniform:
        return within(prior, 1e-6, 1e6, "noise")

    @override
    def require_dimensions(self, dx: int, dy: int) -> None:
        """Raise an error unless dx = dy: coordinates come in pairs."""
        require_at_least("dimension of additive", min(dx, dy), 1)
        if dx != dy:
            raise MistworksError(f"Expected dx = dy for the family additive, got dx = {dx}, dy = {dy}.")

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> AdditiveNoise:
        self.require_dimensions(dx, dy)
        return AdditiveNoise(self.noise.low + (self.noise.high - self.noise.low) * rng.random(dx))


__all__ = ["AdditiveNoise", "AdditiveNoiseFamily"]
