"""The pairs family: independent pairs of a coordinate of X and one of Y, among noise."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.additive import AdditiveNoiseFamily
from mistworks.distributions.atoms import AtomsFamily
from mistworks.distributions.base import Family, JointDistribution
from mistworks.distributions.checkerboard import CheckerboardFamily
from mistworks.distributions.coordinates import Coordinates, draw_coordinates
from mistworks.distributions.dispersion import Factor
from mistworks.distributions.normal import NormalFamily
from mistworks.distributions.student import StudentFamily

_MOST_PAIRS = 6

PairFamily = Annotated[
    NormalFamily | StudentFamily | AdditiveNoiseFamily | CheckerboardFamily | AtomsFamily,
    Field(discriminator="family"),
]


@dataclass(frozen=True, eq=False)
class Pairs(JointDistribution):
    """Pairs (Xᵢ, Yᵢ), independent of each other and of all noise: I(X;Y) = Σᵢ I(Xᵢ;Yᵢ), by the chain rule.

    Attributes:
        pairs: the distribution of each pair, with dimensions 1 and 1.
        x_order: the positions in X of the coordinates of pairs, then those of the noise, shape (dx,).
        y_order: the same for Y, shape (dy,).
        x_noise: the other coordinates of X.
        y_noise: the other coordinates of Y.
    """

    pairs: tuple[JointDistribution, ...]
    x_order: NDArray[np.int64]
    y_order: NDArray[np.int64]
    x_noise: Coordinates
    y_noise: Coordinates

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return len(self.x_order)

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return len(self.y_order)

    @property
    @override
    def mutual_information(self) -> float:
        return sum(pair.mutual_information for pair in self.pairs)

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        x = np.empty((n, self.dx), dtype=np.float32)
        y = np.empty((n, self.dy), dtype=np.float32)
        for pair, x_place, y_place in zip(self.pairs, self.x_order, self.y_order, strict=False):
            x[:, x_place, None], y[:, y_place, None] = pair.sample(n, rng)
        x[:, self.x_order[len(self.pairs) :]] = self.x_noise.sample(n, rng)
        y[:, self.y_order[len(self.pairs) :]] = self.y_noise.sample(n, rng)
        return x, y


class PairsFamily(Family):
    """1 to min(dx, dy, 6) pairs of random kinds at random positions; the other coordinates are noise.

    Attributes:
        kinds: families of pairs, equally likely for each pair. Listing one twice doubles its weight.
    """

    family: Literal["pairs"] = "pairs"
    kinds: Annotated[tuple[PairFamily, ...], Field(min_length=1)] = (
        CheckerboardFamily(),
        CheckerboardFamily(),
        NormalFamily(dispersion=Factor()),
        AdditiveNoiseFamily(),
        AtomsFamily(),
    )

    @field_validator("kinds")
    @classmethod
    def _one_by_one(cls, kinds: tuple[Family, ...]) -> tuple[Family, ...]:
        for kind in kinds:
            kind.require_dimensions(1, 1)
        return kinds

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Pairs:
        self.require_dimensions(dx, dy)
        count = int(rng.integers(1, min(dx, dy, _MOST_PAIRS), endpoint=True))
        kinds = [self.kinds[number] for number in rng.integers(len(self.kinds), size=count)]
        return Pairs(
            tuple(kind.draw(1, 1, rng) for kind in kinds),
            rng.permutation(dx),
            rng.permutation(dy),
            draw_coordinates(dx - count, rng),
            draw_coordinates(dy - count, rng),
        )


__all__ = ["PairFamily", "Pairs", "PairsFamily"]
