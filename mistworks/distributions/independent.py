"""The independent family: blocks with a structure of their own that share nothing."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator

from mistworks.dataset import FloatArray
from mistworks.distributions.atoms import AtomsFamily
from mistworks.distributions.base import Family, JointDistribution, require_at_least
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
"""Families whose X, or whose Y, can stand alone: those defined at 1 beside any dimension."""


@dataclass(frozen=True, eq=False)
class Independent(JointDistribution):
    """X is the X of one joint distribution and Y the Y of another, drawn apart: I(X;Y) = 0.

    Attributes:
        x_source: its X is X, and its Y is not seen.
        y_source: its Y is Y, and its X is not seen.
    """

    x_source: JointDistribution
    y_source: JointDistribution

    @property
    def dx(self) -> int:  # type: ignore[override]
        """Dimension of X."""
        return self.x_source.dx

    @property
    def dy(self) -> int:  # type: ignore[override]
        """Dimension of Y."""
        return self.y_source.dy

    @property
    def mutual_information(self) -> float:
        """I(X;Y) = 0 nats."""
        return 0.0

    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw n points: shapes (n, dx) and (n, dy), float32."""
        x, _ = self.x_source.sample(n, rng)
        _, y = self.y_source.sample(n, rng)
        return x, y


class IndependentFamily(Family):
    """Independent blocks: X from a draw of one kind at (dx, 1), Y from a draw of another at (1, dy).

    Attributes:
        kinds: families of blocks, each equally likely for each side; one that stands twice is so twice. Each
            is defined at 1 beside any dimension.
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

    @property
    def name(self) -> str:
        """Always ``"independent"``."""
        return "independent"

    def require_dimensions(self, dx: int, dy: int) -> None:
        """Any dx and dy."""
        require_at_least("dimension of independent", min(dx, dy), 1)

    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Independent:
        """Two blocks with their kinds and distributions drawn at random, apart from each other."""
        self.require_dimensions(dx, dy)
        x_kind, y_kind = (self.kinds[number] for number in rng.integers(len(self.kinds), size=2))
        return Independent(x_kind.draw_unlabelled(dx, 1, rng), y_kind.draw_unlabelled(1, dy, rng))
