"""Which network, and how large: what a configuration says of it. Nothing here needs torch."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from mistworks.config import FrozenConfig
from mistworks.statistics.layout import GROUPS, VERSION, statistic_names

# Statistics that estimate the mutual information in nats, by the beginning of their names.
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

Reads = Literal["samples", "statistics"]
"""What a network is trained on: samples, padded to common shapes, or their statistics."""


class SetTransformerConfig(FrozenConfig):
    """Sizes of the set transformer; the defaults are those of the reference (arXiv 2511.18945).

    Attributes:
        hidden: channels of a cell.
        relation_hidden: width of a relation between two coordinates, and of every token.
        heads: attention heads; divides ``hidden`` and ``relation_hidden``.
        feedforward: inner width of the feed-forward steps of cells.
        self_attention_blocks: blocks over the coordinates of the cells; the last finds relations only.
        induced_attention_blocks: blocks over the points; the last makes the table only.
        inducing_points: learned inducing points of each such block.
        relation_blocks: blocks over the coordinates' tokens, with relations.
        seeds: learned seeds of the attention pooling.
        decoder_blocks: self-attention blocks over the pooled seeds.
        head_layers: layers of the head, the last one included.
        head_hidden: width of the head.
        input_scaling: what is done to each coordinate first: normal scores of its ranks, which removes every
            increasing map of a coordinate exactly, or mean 0 and variance 1.
    """

    reads: ClassVar[Reads] = "samples"

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
                    f"{name} must be a multiple of heads, and {getattr(self, name)} and {self.heads} came; "
                    "change either"
                )
        return self


class SummaryNetworkConfig(FrozenConfig):
    """Sizes of the network over statistics.

    Attributes:
        statistics: version of the statistics that it reads; weights are of use for theirs only.
        groups: statistics that it reads, see `mistworks.statistics.layout.GROUPS`.
        members: perceptrons that differ in their first weights; what they disagree on widens the quantiles.
        hidden: width of the residual blocks of a member.
        blocks: how many a member has.
    """

    reads: ClassVar[Reads] = "statistics"

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
            raise ValueError(f"expected different names among {', '.join(GROUPS)}, got {groups}; mend them")
        return groups

    def columns(self) -> list[int]:
        """Positions of the statistics that it reads."""
        return [row for row, name in enumerate(statistic_names()) if name.split(".")[0] in self.groups]

    def candidates(self) -> list[int]:
        """Positions of those among them that are estimates of the mutual information in nats."""
        names = statistic_names()
        return [row for row in self.columns() if names[row].startswith(_CANDIDATES)]


AnyNetworkConfig = Annotated[SetTransformerConfig | SummaryNetworkConfig, Field(discriminator="network")]
