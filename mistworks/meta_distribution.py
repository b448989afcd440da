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


Points = Annotated[UniformInteger, AfterValidator(_points)]
Dimension = Annotated[UniformInteger, AfterValidator(_dimension)]


class Member(FrozenConfig):
    """One component of a meta-distribution: a family under a coordinate-wise transform, with its weight."""

    family: AnyFamily
    transform: TransformName = "base"
    weight: Annotated[float, Field(gt=0, le=1e9)] = 1.0


class EqualDimensions(FrozenConfig):
    """dx = dy = d with d uniform on low, …, high."""

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
    """dx and dy uniform and independent of each other."""

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


class Design(FrozenConfig, ABC):
    """How the member and the number of points of dataset i are chosen."""

    n: UniformInteger

    @abstractmethod
    def choose(
        self, index: int, cumulative_weights: Sequence[float], rng: np.random.Generator
    ) -> tuple[int, int]:
        """The position of the member, given the members' cumulative weights ending in 1, and n."""


class RandomDesign(Design):
    """The member drawn by weight, and n uniform on low, …, high."""

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
    """What a dataset is a sample of: n points of a joint distribution under a transform."""

    n: int
    joint: JointDistribution
    family: str
    transform: str

    def sample(self, rng: np.random.Generator) -> Dataset:
        """One sample with its label; arrays are C-contiguous float32."""
        x, y = self.joint.sample(self.n, rng)
        maps = TRANSFORMS[self.transform]
        return Dataset(maps.x(x), maps.y(y), self.joint.mutual_information, self.family, self.transform)


class MetaDistribution(FrozenConfig):
    """A weighted mixture of families under transforms, with priors over n, dx and dy.

    Dataset i of a split is a function of (root seed, split, i) and of this configuration alone.
    """

    members: Annotated[tuple[Member, ...], Field(min_length=1)]
    design: Annotated[RandomDesign | GridDesign, Field(discriminator="design")]
    dimensions: Annotated[EqualDimensions | SeparateDimensions, Field(discriminator="dimensions")]

    @model_validator(mode="after")
    def _defined_everywhere(self) -> Self:
        for member in self.members:
            for dx, dy in self.dimensions.extremes:
                member.family.require_dimensions(dx, dy)
        if isinstance(self.design, GridDesign) and len({member.weight for member in self.members}) > 1:
            raise ValueError("a grid design visits all members equally often; give them equal weights")
        return self

    @property
    def most_values(self) -> int:
        """The largest number of values, n · (dx + dy), that a dataset can have."""
        return self.design.n.high * sum(self.dimensions.extremes[-1])

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

    def draw(self, root_seed: int, split: str, index: int) -> Draw:
        """Draw what dataset ``index`` of a split is a sample of. The sample has a stream of its own."""
        rng = stream(root_seed, split, "parameters", index)
        position, n = self.design.choose(index, self._cumulative_weights, rng)
        member = self.members[position]
        dx, dy = self.dimensions.draw(rng)
        return Draw(n, member.family.draw(dx, dy, rng), member.family.name, member.transform)

    def dataset(self, root_seed: int, split: str, index: int) -> Dataset:
        """Dataset ``index`` of a split."""
        return self.draw(root_seed, split, index).sample(stream(root_seed, split, "sample", index))
