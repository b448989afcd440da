"""The meta-distribution: the prior over joint distributions and sample sizes that a split is drawn from."""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from mistworks.config import FrozenConfig
from mistworks.dataset import Dataset
from mistworks.distributions import TRANSFORMS, AnyFamily, JointDistribution, UniformInteger
from mistworks.distributions.block_maps import BlockMap, BlockMaps, identity
from mistworks.distributions.priors import IntegerPrior, Probability
from mistworks.distributions.transforms import TransformName
from mistworks.randomness import stream

MAX_POINTS = 100_000
MAX_DIMENSION = 512


def _points(prior: UniformInteger) -> UniformInteger:
    if prior.high > MAX_POINTS:
        raise ValueError(f"n is at most {MAX_POINTS:,}, and {prior.high:,} came; lower it")
    return prior


def _dimension(prior: UniformInteger) -> UniformInteger:
    if prior.high > MAX_DIMENSION:
        raise ValueError(f"a dimension is at most {MAX_DIMENSION}, and {prior.high} came; lower it")
    return prior


Points = Annotated[IntegerPrior, AfterValidator(_points)]
Dimension = Annotated[IntegerPrior, AfterValidator(_dimension)]


class EqualDimensions(FrozenConfig):
    """dx = dy = d."""

    dimensions: Literal["equal"] = "equal"
    d: Dimension

    @property
    def extremes(self) -> tuple[tuple[int, int], ...]:
        """Pairs (dx, dy) such that a family defined at each is defined at all; the last is the largest."""
        return (self.d.low, self.d.low), (self.d.high, self.d.high)

    def draw(self, rng: np.random.Generator) -> tuple[int, int]:
        """One pair (d, d)."""
        d = self.d.draw(rng)
        return d, d


class SeparateDimensions(FrozenConfig):
    """dx and dy independent of each other."""

    dimensions: Literal["separate"] = "separate"
    dx: Dimension
    dy: Dimension

    @property
    def extremes(self) -> tuple[tuple[int, int], ...]:
        """Pairs (dx, dy) such that a family defined at each is defined at all; the last is the largest."""
        dx, dy = self.dx, self.dy
        return (dx.low, dy.low), (dx.low, dy.high), (dx.high, dy.low), (dx.high, dy.high)

    def draw(self, rng: np.random.Generator) -> tuple[int, int]:
        """One pair (dx, dy)."""
        return self.dx.draw(rng), self.dy.draw(rng)


class MixedDimensions(FrozenConfig):
    """Three kinds of pairs of one prior over d: dx = dy; one of the two 1; dx and dy independent.

    Attributes:
        d: of every dimension that is not 1 by its kind.
        equal: probability of dx = dy = d.
        single: probability that dx or dy, each as likely, is 1 and the other is d.
    """

    dimensions: Literal["mixed"] = "mixed"
    d: Dimension
    equal: Probability = 0.5
    single: Probability = 0.1

    @model_validator(mode="after")
    def _probabilities(self) -> Self:
        if self.equal + self.single > 1:
            raise ValueError(
                f"equal and single are probabilities of different things, and {self.equal} + {self.single} "
                "came; lower either"
            )
        return self

    @property
    def extremes(self) -> tuple[tuple[int, int], ...]:
        """Pairs (dx, dy) such that a family defined at each is defined at all; the last is the largest."""
        low, high = self.d.low, self.d.high
        single = ((1, low), (low, 1), (1, high), (high, 1)) if self.single else ()
        unequal = ((low, high), (high, low)) if self.equal + self.single < 1 else ()
        return *single, *unequal, (low, low), (high, high)

    def draw(self, rng: np.random.Generator) -> tuple[int, int]:
        """One pair (dx, dy)."""
        kind, d = rng.random(), self.d.draw(rng)
        if kind < self.equal:
            return d, d
        if kind < self.equal + self.single:
            return (1, d) if rng.random() < 0.5 else (d, 1)
        return d, self.d.draw(rng)


Dimensions = Annotated[
    EqualDimensions | SeparateDimensions | MixedDimensions, Field(discriminator="dimensions")
]


def _absent(value: object) -> bool:
    return value is None


class Member(FrozenConfig):
    """One component of a meta-distribution: a family under maps that leave MI as it is, with its weight.

    Attributes:
        family: what is drawn from.
        transform: of each coordinate of both sides.
        weight: relative to the weights of the other members.
        n: instead of the n of a random design, if given.
        dimensions: instead of those of the meta-distribution, if given.
        block_maps: of X and of Y, independent of each other and applied after the transform, if given.
    """

    family: AnyFamily
    transform: TransformName = "base"
    weight: Annotated[float, Field(gt=0, le=1e9)] = 1.0
    # Left out of the JSON where absent, so that it stays what it was.
    n: Points | None = Field(default=None, exclude_if=_absent)
    dimensions: Dimensions | None = Field(default=None, exclude_if=_absent)
    block_maps: BlockMaps | None = Field(default=None, exclude_if=_absent)

    def draw_maps(self, dx: int, dy: int, rng: np.random.Generator) -> tuple[BlockMap, BlockMap]:
        """A map of the block of X and one of that of Y; nothing is drawn where there are no block maps."""
        if self.block_maps is None:
            return identity, identity
        return self.block_maps.draw(dx, rng), self.block_maps.draw(dy, rng)


class Design(FrozenConfig, ABC):
    """How the member and the number of points of dataset i are chosen."""

    n: IntegerPrior

    @abstractmethod
    def choose(
        self, index: int, cumulative_weights: Sequence[float], rng: np.random.Generator
    ) -> tuple[int, int]:
        """The position of the member, given the members' cumulative weights ending in 1, and n."""


class RandomDesign(Design):
    """The member drawn by weight, and n from its prior."""

    design: Literal["random"] = "random"
    n: Points

    def choose(
        self, index: int, cumulative_weights: Sequence[float], rng: np.random.Generator
    ) -> tuple[int, int]:
        """A member and n, both at random."""
        return bisect_right(cumulative_weights, rng.random()), self.n.draw(rng)


class GridDesign(Design):
    """Every member at each of ``steps`` values of n, evenly spaced from low to high and truncated.

    Members vary fastest, then n; the whole grid then recurs with fresh draws.
    """

    design: Literal["grid"] = "grid"
    n: Points
    steps: Annotated[int, Field(ge=2, le=10_000)]

    def choose(
        self, index: int, cumulative_weights: Sequence[float], rng: np.random.Generator
    ) -> tuple[int, int]:
        """The cell of the grid at position ``index``; nothing is drawn."""
        row, member = divmod(index, len(cumulative_weights))
        step = row % self.steps
        # Integer arithmetic, so that rounding cannot miss a value that linspace would truncate.
        return member, self.n.low + step * (self.n.high - self.n.low) // (self.steps - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """What a dataset is a sample of: n points of a joint distribution under maps that leave MI as it is.

    Attributes:
        n: number of points.
        joint: the joint distribution before the maps.
        family: its name.
        transform: name of the map of each coordinate.
        x_map: of the block of X, after the transform.
        y_map: of the block of Y, after the transform.
    """

    n: int
    joint: JointDistribution
    family: str
    transform: str
    x_map: BlockMap = identity
    y_map: BlockMap = identity

    def sample(self, rng: np.random.Generator) -> Dataset:
        """One sample with its label; arrays are C-contiguous float32."""
        x, y = self.joint.sample(self.n, rng)
        maps = TRANSFORMS[self.transform]
        return Dataset(
            x=self.x_map(maps.x(x)),
            y=self.y_map(maps.y(y)),
            mi=self.joint.mutual_information,
            family=self.family,
            transform=self.transform,
            mi_se=self.joint.standard_error,
        )


class MetaDistribution(FrozenConfig):
    """A weighted mixture of families under maps, with priors over n, dx and dy.

    Dataset i of a split is a function of (root seed, split, i) and of this configuration alone.

    Attributes:
        members: the components of the mixture.
        design: how the member and n of a dataset are chosen.
        dimensions: the prior over (dx, dy) of members that have none of their own.
        max_values: the largest number of values, n · (dx + dy), that a dataset may have, if given; where a
            draw has more, n is lowered to what fits.
    """

    members: Annotated[tuple[Member, ...], Field(min_length=1)]
    design: Annotated[RandomDesign | GridDesign, Field(discriminator="design")]
    dimensions: Dimensions
    max_values: Annotated[int, Field(ge=1)] | None = Field(default=None, exclude_if=_absent)

    @model_validator(mode="after")
    def _defined_everywhere(self) -> Self:
        for member in self.members:
            for dx, dy in self._dimensions(member).extremes:
                member.family.require_dimensions(dx, dy)
        return self

    @model_validator(mode="after")
    def _grid_of_equals(self) -> Self:
        if isinstance(self.design, GridDesign):
            if len({member.weight for member in self.members}) > 1:
                raise ValueError("a grid design visits all members equally often; give them equal weights")
            if self.max_values or any(member.n for member in self.members):
                raise ValueError(
                    "a grid design visits all members at the same n; remove max_values and the n of members"
                )
        return self

    @model_validator(mode="after")
    def _room_for_the_fewest_points(self) -> Self:
        for member in self.members if self.max_values else ():
            least = self._points(member).low * self._most_dimensions(member)
            if self.max_values is not None and least > self.max_values:
                raise ValueError(
                    f"max_values must leave room for the smallest n at the largest dimensions, {least:,} "
                    f"values of {member.family.name}, and {self.max_values:,} came; raise it or lower those"
                )
        return self

    @property
    def most_values(self) -> int:
        """The largest number of values, n · (dx + dy), that a dataset can have."""
        most = max(self._points(member).high * self._most_dimensions(member) for member in self.members)
        return most if self.max_values is None else min(most, self.max_values)

    @property
    def cells(self) -> int:
        """Number of (member, n) cells in one round of the grid; a random design has one a member."""
        steps = self.design.steps if isinstance(self.design, GridDesign) else 1
        return steps * len(self.members)

    @cached_property
    def _cumulative_weights(self) -> tuple[float, ...]:
        # A tuple: pydantic's == looks into caches, and arrays have no truth value.
        cumulative = np.cumsum([member.weight for member in self.members])
        return tuple((cumulative / cumulative[-1]).tolist())

    def _dimensions(self, member: Member) -> Dimensions:
        return member.dimensions or self.dimensions

    def _most_dimensions(self, member: Member) -> int:
        return sum(self._dimensions(member).extremes[-1])

    def _points(self, member: Member) -> UniformInteger:
        return member.n or self.design.n

    def draw(self, root_seed: int, split: str, index: int) -> Draw:
        """Draw what dataset ``index`` of a split is a sample of. The sample has a stream of its own."""
        rng = stream(root_seed, split, "parameters", index)
        position, n = self.design.choose(index, self._cumulative_weights, rng)
        member = self.members[position]
        if member.n is not None:
            n = member.n.draw(rng)
        dx, dy = self._dimensions(member).draw(rng)
        if self.max_values is not None:
            n = min(n, self.max_values // (dx + dy))
        joint = member.family.draw(dx, dy, rng)
        x_map, y_map = member.draw_maps(dx, dy, rng)
        return Draw(n, joint, member.family.name, member.transform, x_map, y_map)

    def dataset(self, root_seed: int, split: str, index: int) -> Dataset:
        """Dataset ``index`` of a split."""
        return self.draw(root_seed, split, index).sample(stream(root_seed, split, "sample", index))
