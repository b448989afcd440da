"""The independent family: blocks with structure of their own that share no information."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.atoms import AtomsFamily
from mistworks.distributions.base import Family, JointDistribution
from mistworks.distributions.bits import BitsFamily
from mistworks.distributions.cells import CellsFamily
from mistworks.distributions.channel import ChannelFamily
from mistworks.distributions.clouds import CloudsFamily
from mistworks.distributions.copies import CopiesFamily
from mistworks.distributions.dispersion import Dense, Factor
from mistworks.distributions.labels import LabelsFamily
from mistworks.distributions.mixture import MixtureFamily
from mistworks.distributions.normal import NormalFamily
from mistworks.distributions.observed import ObservedFamily
from mistworks.distributions.pairs import PairsFamily
from mistworks.distributions.priors import Uniform
from mistworks.distributions.readouts import ReadoutsFamily
from mistworks.distributions.student import StudentFamily

BlockFamily = Annotated[
    NormalFamily
    | StudentFamily
    | CellsFamily
    | PairsFamily
    | AtomsFamily
    | MixtureFamily
    | ChannelFamily
    | ReadoutsFamily
    | ObservedFamily
    | LabelsFamily
    | CloudsFamily
    | BitsFamily
    | CopiesFamily,
    Field(discriminator="family"),
]
"""Families whose X or Y can be used alone: those defined for (d, 1) and (1, d) with any d."""


@dataclass(frozen=True, eq=False)
class Independent(JointDistribution):
    """X of one joint distribution and Y of another, drawn independently: I(X;Y) = 0.

    Attributes:
        x_source: its X is X; its Y is dropped.
        y_source: its Y is Y; its X is dropped.
    """

    x_source: JointDistribution
    y_source: JointDistribution

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return self.x_source.dx

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return self.y_source.dy

    @property
    @override
    def mutual_information(self) -> float:
        return 0.0

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        x, _ = self.x_source.sample(n, rng)
        _, y = self.y_source.sample(n, rng)
        return x, y


class IndependentFamily(Family):
    """Independent blocks: X from a draw of one kind at (dx, 1), Y from a draw of another at (1, dy).

    Attributes:
        kinds: families of blocks, equally likely for each side. Listing one twice doubles its weight. Each
            must be defined for (d, 1) and (1, d) with any d.
    """

    family: Literal["independent"] = "independent"
    kinds: Annotated[tuple[BlockFamily, ...], Field(min_length=1)] = (
        NormalFamily(dispersion=Factor()),
        StudentFamily(
            dispersion=Dense(correlation=Uniform(low=0.0, high=0.0)),
            degrees_of_freedom=Uniform(low=0.5, high=5.0),
        ),
        StudentFamily(dispersion=Factor(), degrees_of_freedom=Uniform(low=0.5, high=5.0)),
        PairsFamily(),
        PairsFamily(),
        AtomsFamily(),
        CellsFamily(),
        CellsFamily(atomic=1.0),
        MixtureFamily(),
        ChannelFamily(),
        ReadoutsFamily(),
    )

    @field_validator("kinds")
    @classmethod
    def _beside_one(cls, kinds: tuple[Family, ...]) -> tuple[Family, ...]:
        for kind in kinds:
            kind.require_dimensions(1, 1)
        return kinds

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Independent:
        self.require_dimensions(dx, dy)
        x_kind, y_kind = (self.kinds[number] for number in rng.integers(len(self.kinds), size=2))
        return Independent(x_kind.draw_unlabelled(dx, 1, rng), y_kind.draw_unlabelled(1, dy, rng))


__all__ = ["BlockFamily", "Independent", "IndependentFamily"]
