"""Configurations of networks, without torch. A network is registered by its configuration."""

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal, Protocol, Self, TypeVar

from pydantic import Field, field_validator, model_validator
from typing_extensions import override

from mistworks.config import FrozenConfig
from mistworks.statistics.layout import GROUPS, VERSION, statistic_names

# Statistics that estimate the mutual information in nats, by the prefix of their names.
_CANDIDATES = (
    "discrete.mi",
    "discrete.least",
    "pairs.matched.0",
    "gaussian.shrunk",
    "gaussian.unbiased",
    "sparse.mi",
    "rotations.best",
    "rotations.sides",
    "factors.mi",
    "tails.average.1",
    "tails.average.3",
    "polynomials.matched.0",
    "neighbours.ksg",
    "neighbours.rectangles",
    "metric.ksg",
    "local.corrected",
    "local.kendall.0",
    "local.matched",
    "local.displacement.1",
    "local.canonical.0",
    "planes.mi",
    "classes.mi",
)

T = TypeVar("T")


class NetworkConfig(FrozenConfig):
    """The kind of a network, its size, and the data it learns from.

    A network is registered by a subclass in `AnyNetworkConfig`. Its classes are named as
    ``"package.module:Class"`` and imported at first use, since they may need torch.

    Attributes:
        network: name of the network, unique among all.
        network_class: class for training, with a class method ``fresh``.
        predictor_class: class for estimation, a `mistworks.networks.Predictor`.
    """

    network_class: ClassVar[str]
    predictor_class: ClassVar[str]

    network: str

    @abstractmethod
    def choose(self, *, samples: T, statistics: T) -> T:
        """Return the argument for the data that the network learns from: samples, or their statistics."""

    @property
    def witness(self) -> Self:
        """Configuration of a network that is trained without a group of families."""
        return self


class SampleNetworkConfig(NetworkConfig):
    """A network that reads samples: the same class, in torch, is trained and used for estimation."""

    @override
    def choose(self, *, samples: T, statistics: T) -> T:
        return samples


class SetTransformerConfig(SampleNetworkConfig):
    """Sizes of the set transformer; the defaults are those of the reference (arXiv 2511.18945).

    Attributes:
        hidden: channels of a cell.
        relation_hidden: width of a relation between two coordinates, and of every token.
        heads: attention heads; divides ``hidden`` and ``relation_hidden``.
        feedforward: inner width of the feed-forward steps of cells.
        self_attention_blocks: blocks over the coordinates of the cells; the last one computes relations only.
        induced_attention_blocks: blocks over the points; the last one computes the table only.
        inducing_points: learned inducing points of each such block.
        relation_blocks: blocks over the coordinates' tokens, with relations.
        seeds: learned seeds of the attention pooling.
        decoder_blocks: self-attention blocks over the pooled seeds.
        head_layers: layers of the head, including the last.
        head_hidden: width of the head.
        input_scaling: first step for each coordinate: normal scores of its ranks, which exactly removes any
            increasing map of the coordinate, or scaling to mean 0 and variance 1.
    """

    network_class: ClassVar[str] = "mistworks.networks.set_transformer:SetTransformer"
    predictor_class: ClassVar[str] = network_class

    network: Literal["set-transformer"] = "set-transformer"
    hidden: int = Field(default=256, ge=1, le=4096)
    relation_hidden: int = Field(default=256, ge=2, le=4096)
    heads: int = Field(default=16, ge=1, le=256)
    feedforward: int = Field(default=1024, ge=1, le=16384)
    self_attention_blocks: int = Field(default=2, ge=1, le=16)
    induced_attention_blocks: int = Field(default=2, ge=1, le=16)
    inducing_points: int = Field(default=32, ge=1, le=1024)
    relation_blocks: int = Field(default=2, ge=1, le=16)
    seeds: int = Field(default=10, ge=1, le=256)
    decoder_blocks: int = Field(default=1, ge=0, le=16)
    head_layers: int = Field(default=3, ge=1, le=16)
    head_hidden: int = Field(default=256, ge=1, le=4096)
    input_scaling: Literal["normal-scores", "standardized"] = "normal-scores"

    @model_validator(mode="after")
    def _heads_divide_widths(self) -> Self:
        for name in ("hidden", "relation_hidden"):
            if getattr(self, name) % self.heads:
                raise ValueError(
                    f"Expected {name} to be a multiple of heads, got {getattr(self, name)} and {self.heads}. "
                    "Change either."
                )
        return self


class SummaryNetworkConfig(NetworkConfig):
    """Sizes of the network over statistics.

    Attributes:
        statistics: version of the statistics that it reads; weights fit one version only.
        groups: groups of statistics to read, see `mistworks.statistics.layout.GROUPS`.
        members: number of perceptrons. They start from different weights, and their disagreement widens the
            quantiles.
        hidden: width of the residual blocks of a member.
        blocks: number of residual blocks of a member.
    """

    network_class: ClassVar[str] = "mistworks.networks.summary:SummaryNetwork"
    predictor_class: ClassVar[str] = "mistworks.networks.perceptrons:Perceptrons"

    network: Literal["summary"] = "summary"
    statistics: Literal["3"] = VERSION
    groups: tuple[str, ...] = tuple(GROUPS)
    members: Annotated[int, Field(ge=1, le=64)] = 4
    hidden: Annotated[int, Field(ge=1, le=4096)] = 192
    blocks: Annotated[int, Field(ge=1, le=32)] = 3

    @field_validator("groups")
    @classmethod
    def _groups(cls, groups: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in groups if name not in GROUPS]
        if unknown or not groups or len(set(groups)) < len(groups):
            raise ValueError(
                f"Expected different names among {', '.join(GROUPS)}, got {groups}. Name each group once."
            )
        return groups

    @override
    def choose(self, *, samples: T, statistics: T) -> T:
        return statistics

    @property
    @override
    def witness(self) -> Self:
        return self.model_copy(update={"members": 1})

    def columns(self) -> list[int]:
        """Positions of the statistics that are read."""
        return [row for row, name in enumerate(statistic_names()) if name.split(".")[0] in self.groups]

    def candidates(self) -> list[int]:
        """Positions, among these, of the statistics that estimate mutual information in nats."""
        names = statistic_names()
        return [row for row in self.columns() if names[row].startswith(_CANDIDATES)]


AnyNetworkConfig = Annotated[SetTransformerConfig | SummaryNetworkConfig, Field(discriminator="network")]
"""All networks. Add a network of your own here."""


class MemberSizes(Protocol):
    """Sizes of members: what they read, mix and compute with."""

    @property
    def members(self) -> int:
        """How many they are."""

    @property
    def hidden(self) -> int:
        """Width of a residual block."""

    @property
    def blocks(self) -> int:
        """Number of residual blocks."""

    def columns(self) -> list[int]:
        """Positions of the numbers that they read."""

    def candidates(self) -> list[int]:
        """Positions of the estimates that they mix."""


__all__ = [
    "AnyNetworkConfig",
    "MemberSizes",
    "NetworkConfig",
    "SampleNetworkConfig",
    "SetTransformerConfig",
    "SummaryNetworkConfig",
    "T",
]
