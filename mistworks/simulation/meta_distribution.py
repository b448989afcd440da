"""The meta-distribution: the prior over joint distributions and sample sizes from which a split is drawn."""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import AfterValidator, Field, model_validator
from typing_extensions import override

from mistworks.config import FrozenConfig
from mistworks.dataset import Dataset
from mistworks.distributions import TRANSFORMS, AnyFamily, JointDistribution, UniformInteger
from mistworks.distributions.block_maps import BlockMap, BlockMaps, identity
from mistworks.distributions.of_modality import ModalityFamily
from mistworks.distributions.priors import IntegerPrior, Probability
from mistworks.distributions.transforms import TransformName
from mistworks.modality.config import Fit
from mistworks.modality.modality import Modality
from mistworks.randomness import stream

MAX_POINTS = 100_000
MAX_DIMENSION = 512


def _points(prior: UniformInteger) -> UniformInteger:
    if prior.high > MAX_POINTS:
        raise ValueError(f"Expected n ≤ {MAX_POINTS:,}, got {prior.high:,}. Lower it.")
    return prior


def _dimension(prior: UniformInteger) -> UniformInteger:
    if prior.high > MAX_DIMENSION:
        raise ValueError(f"Expected a dimension ≤ {MAX_DIMENSION}, got {prior.high}. Lower it.")
    return prior


Points = Annotated[IntegerPrior, AfterValidator(_points)]
Dimension = Annotated[IntegerPrior, AfterValidator(_dimension)]


class DimensionPrior(FrozenConfig, ABC):
    """A prior over the dimensions (dx, dy)."""

    @property
    @abstractmethod
    def extremes(self) -> tuple[tuple[int, int], ...]:
        """Pairs such that a family that is defined for these is defined for all. The last is the largest."""

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> tuple[int, int]:
        """Draw one pair (dx, dy)."""


class EqualDimensions(DimensionPrior):
    """Equal dimensions: dx = dy = d."""

    dimensions: Literal["equal"] = "equal"
    d: Dimension

    @property
    @override
    def extremes(self) -> tuple[tuple[int, int], ...]:
        return (self.d.low, self.d.low), (self.d.high, self.d.high)

    @override
    def draw(self, rng: np.random.Generator) -> tuple[int, int]:
        d = self.d.draw(rng)
        return d, d


class SeparateDimensions(DimensionPrior):
    """Independent dimensions dx and dy."""

    dimensions: Literal["separate"] = "separate"
    dx: Dimension
    dy: Dimension

    @property
    @override
    def extremes(self) -> tuple[tuple[int, int], ...]:
        dx, dy = self.dx, self.dy
        return (dx.low, dy.low), (dx.low, dy.high), (dx.high, dy.low), (dx.high, dy.high)

    @override
    def draw(self, rng: np.random.Generator) -> tuple[int, int]:
        return self.dx.draw(rng), self.dy.draw(rng)


class MixedDimensions(DimensionPrior):
    """Three kinds of pairs (dx, dy): equal, one of them 1, or independent; all from one prior over d.

    Attributes:
        d: prior of every dimension that is not fixed to 1.
        equal: probability of dx = dy = d.
        single: probability that one of dx and dy, with equal chances, is 1 and the other is d.
    """

    dimensions: Literal["mixed"] = "mixed"
    d: Dimension
    equal: Probability = 0.5
    single: Probability = 0.1

    @model_validator(mode="after")
    def _probabilities(self) -> Self:
        if self.equal + self.single > 1:
            raise ValueError(
                f"Expected equal + single ≤ 1, got {self.equal} + {self.single}. Lower one of them."
            )
        return self

    @property
    @override
    def extremes(self) -> tuple[tuple[int, int], ...]:
        low, high = self.d.low, self.d.high
        single = ((1, low), (low, 1), (1, high), (high, 1)) if self.single else ()
        unequal = ((low, high), (high, low)) if self.equal + self.single < 1 else ()
        return *single, *unequal, (low, low), (high, high)

    @override
    def draw(self, rng: np.random.Generator) -> tuple[int, int]:
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
    """One component of a meta-distribution: a family under maps that leave MI unchanged, with a weight.

    Attributes:
        family: family of joint distributions.
        transform: map of each coordinate of both sides.
        weight: weight relative to the other members.
        n: replaces the n of a random design.
        dimensions: replaces the dimensions of the meta-distribution.
        block_maps: prior over maps of X and of Y, drawn independently and applied after the transform.
    """

    family: AnyFamily
    transform: TransformName = "base"
    weight: Annotated[float, Field(gt=0, le=1e9)] = 1.0
    # Left out of the JSON if absent, so that older content hashes stay valid.
    n: Points | None = Field(default=None, exclude_if=_absent)
    dimensions: Dimensions | None = Field(default=None, exclude_if=_absent)
    block_maps: BlockMaps | None = Field(default=None, exclude_if=_absent)

    def draw_maps(self, dx: int, dy: int, rng: np.random.Generator) -> tuple[BlockMap, BlockMap]:
        """Draw a map of X and one of Y. Without block maps, use no random numbers."""
        if self.block_maps is None:
            return identity, identity
        return self.block_maps.draw(dx, rng), self.block_maps.draw(dy, rng)


class Design(FrozenConfig, ABC):
    """A rule for the member and the number of points of dataset i."""

    n: IntegerPrior

    @abstractmethod
    def choose(
        self, index: int, cumulative_weights: Sequence[float], rng: np.random.Generator
    ) -> tuple[int, int]:
        """Return the position of the member and n; cumulative weights of the members end in 1."""


class RandomDesign(Design):
    """A random design: the member is drawn by weight, and n from its prior."""

    design: Literal["random"] = "random"
    n: Points

    @override
    def choose(
        self, index: int, cumulative_weights: Sequence[float], rng: np.random.Generator
    ) -> tuple[int, int]:
        return bisect_right(cumulative_weights, rng.random()), self.n.draw(rng)


class GridDesign(Design):
    """A grid: each member at each of ``steps`` values of n, evenly spaced from low to high, truncated.

    Members vary fastest, then n. The whole grid then repeats with fresh draws.
    """

    design: Literal["grid"] = "grid"
    n: Points
    steps: Annotated[int, Field(ge=2, le=10_000)]

    @override
    def choose(
        self, index: int, cumulative_weights: Sequence[float], rng: np.random.Generator
    ) -> tuple[int, int]:
        """Return the cell of the grid at position ``index``, without random numbers."""
        row, member = divmod(index, len(cumulative_weights))
        step = row % self.steps
        # Integer arithmetic, so that rounding cannot miss a value that linspace would truncate.
        return member, self.n.low + step * (self.n.high - self.n.low) // (self.steps - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """The parameters of a dataset: n points of a joint distribution under maps that leave MI unchanged.

    Attributes:
        n: number of points.
        joint: the joint distribution before the maps.
        family: name of its family.
        transform: name of the map of each coordinate.
        x_map: map of the block of X, applied after the transform.
        y_map: map of the block of Y, applied after the transform.
    """

    n: int
    joint: JointDistribution
    family: str
    transform: str
    x_map: BlockMap = identity
    y_map: BlockMap = identity

    def sample(self, rng: np.random.Generator) -> Dataset:
        """Draw one sample with its label; arrays are C-contiguous float32."""
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
        design: choice of the member and of n.
        dimensions: prior over (dx, dy) of members without their own.
        max_values: maximum number of values, n · (dx + dy), of a dataset. Larger draws get a smaller n.
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
                raise ValueError(
                    "Expected equal weights of all members, since a grid visits them equally often."
                )
            if self.max_values or any(member.n for member in self.members):
                raise ValueError(
                    "Expected one n for all members of a grid. Remove max_values and the n of members."
                )
        return self

    @model_validator(mode="after")
    def _room_for_the_fewest_points(self) -> Self:
        for member in self.members if self.max_values else ():
            least = self._points(member).low * self._most_dimensions(member)
            if self.max_values is not None and least > self.max_values:
                raise ValueError(
                    f"Expected max_values ≥ {least:,}, the size of {member.family.name} at the smallest n "
                    f"and largest dimensions, got {self.max_values:,}. Raise it or lower those."
                )
        return self

    @property
    def most_values(self) -> int:
        """Maximum number of values, n · (dx + dy), of a dataset."""
        most = max(self._points(member).high * self._most_dimensions(member) for member in self.members)
        return most if self.max_values is None else min(most, self.max_values)

    @property
    def cells(self) -> int:
        """Number of (member, n) cells in one round of the grid; for a random design, one per member."""
        steps = self.design.steps if isinstance(self.design, GridDesign) else 1
        return steps * len(self.members)

    @cached_property
    def _cumulative_weights(self) -> tuple[float, ...]:
        # A tuple, because == of pydantic compares caches too, and arrays have no truth value.
        cumulative = np.cumsum([member.weight for member in self.members])
        return tuple((cumulative / cumulative[-1]).tolist())

    @property
    def needs_modality(self) -> bool:
        """Whether a family draws from a modality."""
        return any(_needs_modality(member.family) for member in self.members)

    @property
    def fit(self) -> Fit | None:
        """The fitted modality that families refer to; None if there is none, or it is not known yet."""
        fits = (member.family.fit for member in self.members if isinstance(member.family, ModalityFamily))
        return next((fit for fit in fits if fit is not None), None)

    def fitted(self, fit: Fit) -> Self:
        """Return the meta-distribution with a reference to a fitted modality in each family that needs one.

        Raises:
            MistworksError: its number of features is not that of the families.
        """
        return self._with_families(lambda family: family.fitted(fit))

    def on(self, modality: Modality) -> Self:
        """Return the meta-distribution with a fitted modality itself, so that datasets can be drawn.

        Raises:
            MistworksError: it is not the one that families refer to.
        """
        return self._with_families(lambda family: family.on(modality))

    def _with_families(self, change: Callable[[ModalityFamily], ModalityFamily]) -> Self:
        members = tuple(
            member.model_copy(update={"family": change(member.family)})
            if isinstance(member.family, ModalityFamily) and member.family.needs_modality
            else member
            for member in self.members
        )
        changed = self.model_copy(update={"members": members})
        for member in members:
            for dx, dy in self._dimensions(member).extremes:
                member.family.require_dimensions(dx, dy)
        return changed

    def _dimensions(self, member: Member) -> Dimensions:
        return member.dimensions or self.dimensions

    def _most_dimensions(self, member: Member) -> int:
        return sum(self._dimensions(member).extremes[-1])

    def _points(self, member: Member) -> UniformInteger:
        return member.n or self.design.n

    def draw(self, root_seed: int, split: str, index: int) -> Draw:
        """Draw the parameters of dataset ``index`` of a split. The sample has its own random stream."""
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
        """Return dataset ``index`` of a split."""
        return self.draw(root_seed, split, index).sample(stream(root_seed, split, "sample", index))


def _needs_modality(family: AnyFamily) -> bool:
    return isinstance(family, ModalityFamily) and family.needs_modality


__all__ = [
    "MAX_DIMENSION",
    "MAX_POINTS",
    "Design",
    "Dimension",
    "Dimensions",
    "Draw",
    "EqualDimensions",
    "GridDesign",
    "Member",
    "MetaDistribution",
    "MixedDimensions",
    "Points",
    "RandomDesign",
    "SeparateDimensions",
]
