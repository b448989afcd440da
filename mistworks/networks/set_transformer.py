"""A set transformer with attention along both axes of the (points × coordinates) table."""

from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from mistworks.config import FrozenConfig
from mistworks.networks.attention import (
    CellLinear,
    CoordinateAttention,
    CrossAttention,
    InducedAttention,
    RelationAttention,
)
from mistworks.networks.base import Network
from mistworks.networks.batch import Batch
from mistworks.networks.scaling import normal_scores, standardized

_SIZES = 3
_LEVEL_FEATURES = 2


class SetTransformerConfig(FrozenConfig):
    """Sizes of the set transformer; the defaults are those of the reference (arXiv 2511.18945).

    Attributes:
        hidden: width of a cell and of every token.
        heads: attention heads; divides ``hidden``.
        feedforward: inner width of the feed-forward steps.
        self_attention_blocks: blocks of attention over the coordinates.
        induced_attention_blocks: blocks of attention over the points.
        inducing_points: learned inducing points of each such block.
        seeds: learned seeds of the attention pooling.
        decoder_blocks: self-attention blocks over the pooled seeds.
        head_layers: layers of the head, the last one included.
        head_hidden: width of the head.
        input_scaling: what is done to each coordinate first: normal scores of its ranks, which removes every
            increasing map of a coordinate exactly, or mean 0 and variance 1.
    """

    network: Literal["set-transformer"] = "set-transformer"
    hidden: int = Field(default=256, ge=4, le=4096)
    heads: int = Field(default=16, ge=1, le=256)
    feedforward: int = Field(default=1024, ge=1, le=16384)
    self_attention_blocks: int = Field(default=2, ge=1, le=16)
    induced_attention_blocks: int = Field(default=2, ge=1, le=16)
    inducing_points: int = Field(default=32, ge=1, le=1024)
    seeds: int = Field(default=10, ge=1, le=256)
    decoder_blocks: int = Field(default=1, ge=0, le=16)
    head_layers: int = Field(default=3, ge=1, le=16)
    head_hidden: int = Field(default=256, ge=1, le=4096)
    input_scaling: Literal["normal-scores", "standardized"] = "normal-scores"

    @model_validator(mode="after")
    def _heads_divide_hidden(self) -> Self:
        if self.hidden % self.heads:
            raise ValueError(
                f"hidden must be a multiple of heads, and {self.hidden} and {self.heads} came; change either"
            )
        return self


class SetTransformer(Network):
    """Set transformer over cells (Lee et al., ICML 2019), one token for each (point, coordinate).

    A cell starts as an embedding of its value plus one of its side, X or Y: nothing tells points apart but their
    values, nor the coordinates of a side. Blocks of attention over the coordinates and blocks of induced
    attention over the points alternate, and each shares its weights over the other axis (see `attention`). What
    they leave, a table (inducing points × coordinates) and a table of relations (coordinates × coordinates), is
    gathered into one token a coordinate; attention pooling with learned seeds, a decoder and the head follow.
    Sizes n, dx, dy, which attention weights cannot tell, are given to the relations and to the head.
    """

    def __init__(self, config: SetTransformerConfig) -> None:
        super().__init__()
        self.config = config
        hidden, heads, inner = config.hidden, config.heads, config.feedforward
        self.embed = nn.Sequential(CellLinear(1, hidden), nn.GELU(), CellLinear(hidden, hidden))
        self.side = nn.Parameter(0.5 * torch.randn(2, hidden))
        self.relation_side = nn.Parameter(0.5 * torch.randn(2, 2, hidden))
        self.relation_sizes = nn.Linear(_SIZES, hidden)
        self.coordinate_blocks = nn.ModuleList(
            CoordinateAttention(hidden, heads, inner, hidden) for _ in range(config.self_attention_blocks)
        )
        self.point_blocks = nn.ModuleList(
            InducedAttention(hidden, heads, inner, config.inducing_points)
            for _ in range(config.induced_attention_blocks)
        )
        self.gather_relations = RelationAttention(hidden, hidden, heads)
        self.gather_table = nn.Linear(hidden, hidden)
        self.coordinate_attention = CrossAttention(hidden, heads, inner)
        self.seeds = nn.Parameter(torch.randn(config.seeds, hidden) / hidden**0.5)
        self.pool = CrossAttention(hidden, heads, inner)
        self.decoder = nn.ModuleList(CrossAttention(hidden, heads, inner) for _ in range(config.decoder_blocks))
        self.norm = nn.LayerNorm(hidden)
        self.summarise = nn.Linear(config.seeds * hidden + _SIZES, config.head_hidden)
        self.level = nn.Linear(_LEVEL_FEATURES, config.head_hidden)
        self.head = nn.Sequential(*_head_layers(config))

    def encode(self, batch: Batch) -> Tensor:
        """See `Network.encode`; h is ``head_hidden``."""
        scale = normal_scores if self.config.input_scaling == "normal-scores" else standardized
        values = torch.cat([scale(batch.x, batch.n), scale(batch.y, batch.n)], dim=-1)
        x_width = batch.x.shape[2]
        side = (torch.arange(values.shape[2], device=values.device) >= x_width).long()
        empty_x, empty_y = torch.zeros_like(batch.x_mask), torch.zeros_like(batch.y_mask)
        x_mask = torch.cat([batch.x_mask, empty_y], dim=1)
        y_mask = torch.cat([empty_x, batch.y_mask], dim=1)
        cells = self.embed(values.transpose(1, 2)[:, None].to(self._dt())) + self.side[side].T[:, :, None].to(self._dt())
        sizes = _sizes(batch)
        relations = self.relation_side[side[:, None], side] + self.relation_sizes(sizes)[:, None, None, :]
        table = cells
        for step in range(max(len(self.coordinate_blocks), len(self.point_blocks))):
            if step < len(self.coordinate_blocks):
                block = self.coordinate_blocks[step]
                cells, relations = block(cells, relations, batch.point_mask, x_mask | y_mask)
            if step < len(self.point_blocks):
                cells, table = self.point_blocks[step](cells, batch.point_mask, x_mask, y_mask, step + 1 == len(self.point_blocks))
        tokens = self.gather_relations(relations, x_mask, y_mask) + self.gather_table(table.permute(0, 2, 3, 1)).mean(dim=2)
        return self._pool(tokens + self.side[side], x_mask | y_mask, sizes)

    def decode(self, representation: Tensor, tau: Tensor | None = None) -> Tensor:
        """See `Network.decode`. A level enters as 2τ − 1 and Φ⁻¹(τ); for the mean both are 0.

        Quantiles of nearby levels may cross here; `mistworks.estimation` puts them in order.
        """
        levels = representation.new_full((len(representation), 1), 0.5) if tau is None else tau
        features = torch.stack([2 * levels - 1, torch.special.ndtri(levels.float())], dim=-1)
        hidden = representation[:, None, :] + self.level(features)
        out = functional.softplus(self.head(hidden).squeeze(-1).float())
        return out.squeeze(1) if tau is None else out

    def _dt(self):
        return torch.bfloat16 if torch.is_autocast_enabled('cpu') else torch.float32

    def _pool(self, tokens: Tensor, mask: Tensor, sizes: Tensor) -> Tensor:
        tokens = self.coordinate_attention(tokens, tokens, mask)
        seeds = self.pool(self.seeds.to(tokens.dtype)[None].expand(len(tokens), -1, -1), tokens, mask)
        for block in self.decoder:
            seeds = block(seeds, seeds)
        summary: Tensor = self.summarise(torch.cat([self.norm(seeds).flatten(1), sizes], dim=-1))
        return summary


def _sizes(batch: Batch) -> Tensor:
    """Logarithms of n, dx, dy, brought to about [−2, 2], shape (B, 3)."""
    sizes = torch.stack([batch.n / 100, batch.dx / 10, batch.dy / 10], dim=-1)
    return sizes.float().log()


def _head_layers(config: SetTransformerConfig) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for _ in range(config.head_layers - 1):
        layers += [nn.GELU(), nn.Linear(config.head_hidden, config.head_hidden)]
    return [*layers, nn.GELU(), nn.Linear(config.head_hidden, 1)]
