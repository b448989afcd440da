"""A set transformer with attention along both axes of the (points × coordinates) table."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from mistworks.networks.attention import (
    TYPICAL_DIMENSION,
    CellLinear,
    CoordinateAttention,
    CrossAttention,
    InducedAttention,
    Relate,
    RelationAttention,
    Spread,
)
from mistworks.networks.base import Invariance, Network
from mistworks.networks.batch import Batch
from mistworks.networks.config import SetTransformerConfig
from mistworks.networks.scaling import normal_scores, standardized

_SIZES = 3
_LEVEL_FEATURES = 2


class SetTransformer(Network):
    """Set transformer over cells (Lee et al., ICML 2019), one token for each (point, coordinate).

    A cell starts as an embedding of its value plus one of its side, X or Y. Only values distinguish points,
    and coordinates of a side. Attention over the coordinates alternates with induced attention over the
    points, each with weights shared over the other axis (see `attention`). The result is a table (inducing
    point × coordinate) and relations (coordinate × coordinate). A coordinate's column of the table is its
    token. Tokens attend to one another through the relations; then follow attention pooling with learned
    seeds, a decoder and the head. Only a few narrow blocks work on cells; the rest work on the smaller
    tables, whose size does not depend on the number of points.

    Attention cannot see the sizes n, dx and dy, so the relations and the head read them. Sums complement the
    means that attention takes over coordinates, since mutual information adds up over dependent pairs.
    """

    def __init__(self, config: SetTransformerConfig) -> None:
        super().__init__()
        self.config = config
        hidden, heads, inner, width = config.hidden, config.heads, config.feedforward, config.relation_hidden
        inducing = config.inducing_points
        self.embed = nn.Sequential(CellLinear(1, hidden), nn.GELU(), CellLinear(hidden, hidden))
        self.side = nn.Parameter(0.5 * torch.randn(2, hidden))
        self.relation_side = nn.Parameter(0.5 * torch.randn(2, 2, width))
        self.relation_sizes = nn.Linear(_SIZES, width)
        self.relate = nn.ModuleList(Relate(hidden, width) for _ in range(config.self_attention_blocks))
        self.over_coordinates = nn.ModuleList(
            CoordinateAttention(hidden, heads, inner, width) for _ in range(config.self_attention_blocks - 1)
        )
        self.over_points = nn.ModuleList(
            InducedAttention(hidden, heads, inducing) for _ in range(config.induced_attention_blocks)
        )
        self.spread = nn.ModuleList(
            Spread(hidden, heads, inner, inducing) for _ in range(config.induced_attention_blocks - 1)
        )
        self.column = nn.Linear(hidden * inducing, width)
        self.token_side = nn.Parameter(0.5 * torch.randn(2, width))
        self.over_relations = nn.ModuleList(
            RelationAttention(width, heads) for _ in range(config.relation_blocks)
        )
        self.seeds = nn.Parameter(torch.randn(config.seeds, width) / width**0.5)
        self.pool = CrossAttention(width, heads)
        self.decoder = nn.ModuleList(CrossAttention(width, heads) for _ in range(config.decoder_blocks))
        self.norm = nn.LayerNorm(width)
        self.summarise = nn.Linear((config.seeds + 1) * width + _SIZES, config.head_hidden)
        self.level = nn.Linear(_LEVEL_FEATURES, config.head_hidden)
        self.head = nn.Sequential(*_head_layers(config))

    @property
    @override
    def invariances(self) -> frozenset[Invariance]:
        # X and Y have different embeddings, so a swap changes the estimate.
        scaling: frozenset[Invariance] = frozenset({"location-scale"})
        if self.config.input_scaling == "normal-scores":
            scaling |= {"increasing"}
        return super().invariances | scaling

    @override
    def encode(self, batch: Batch) -> Tensor:
        scale = normal_scores if self.config.input_scaling == "normal-scores" else standardized
        values = torch.cat([scale(batch.x, batch.n, batch.dx), scale(batch.y, batch.n, batch.dy)], dim=1)
        side = (torch.arange(values.shape[1], device=values.device) >= batch.x.shape[2]).long()
        side_masks = torch.stack(
            [
                torch.cat([batch.x_mask, torch.zeros_like(batch.y_mask)], dim=1),
                torch.cat([torch.zeros_like(batch.x_mask), batch.y_mask], dim=1),
            ],
            dim=1,
        )
        sizes = _log_sizes(batch)
        cells = self.embed(values[:, None]) + self.side[side].T[:, :, None]
        relations = self.relation_side[side[:, None], side] + self.relation_sizes(sizes)[:, None, None, :]
        table, relations = self._attend(cells, relations, batch.point_mask, side_masks)
        tokens = self.column(table.permute(0, 2, 1, 3).flatten(2)) + self.token_side[side]
        for block in self.over_relations:
            tokens = block(tokens, relations, side_masks)
        return self._pool(tokens, side_masks.any(dim=1), sizes)

    @override
    def decode(self, representation: Tensor, tau: Tensor | None = None) -> Tensor:
        # A level enters as 2τ − 1 and Φ⁻¹(τ); for the mean both are 0. Quantiles may cross, and are sorted by
        # `mistworks.networks.base.quantiles_in_order`.
        levels = representation.new_full((len(representation), 1), 0.5) if tau is None else tau
        features = torch.stack([2 * levels - 1, torch.special.ndtri(levels)], dim=-1)
        hidden = representation[:, None, :] + self.level(features)
        out = functional.softplus(self.head(hidden).squeeze(-1))
        return out.squeeze(1) if tau is None else out

    def _attend(
        self, cells: Tensor, relations: Tensor, point_mask: Tensor, side_masks: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Run the blocks over cells. Return the last table, shape (B, h, D, M), and the relations."""
        coordinate_mask = side_masks.any(dim=1)
        for step in range(max(len(self.relate), len(self.over_points))):
            if step < len(self.relate):
                relations, moments = self.relate[step](cells, relations, point_mask)
            if step < len(self.over_coordinates):
                cells = self.over_coordinates[step](cells, relations, moments, coordinate_mask)
            if step < len(self.over_points):
                table, points = self.over_points[step](cells, point_mask, side_masks)
            if step < len(self.spread):
                cells = self.spread[step](cells, table, points)
        return table, relations

    def _pool(self, tokens: Tensor, mask: Tensor, sizes: Tensor) -> Tensor:
        seeds = self.pool(self.seeds.expand(len(tokens), -1, -1), tokens, mask)
        for block in self.decoder:
            seeds = block(seeds, seeds)
        total = (mask[:, None, :].to(tokens.dtype) @ tokens).squeeze(1) / TYPICAL_DIMENSION
        summary: Tensor = self.summarise(torch.cat([self.norm(seeds).flatten(1), total, sizes], dim=-1))
        return summary


def _log_sizes(batch: Batch) -> Tensor:
    """Return the logarithms of n / 100, dx / 10 and dy / 10, shape (B, 3)."""
    return torch.stack([batch.n / 100, batch.dx / 10, batch.dy / 10], dim=-1).log()


def _head_layers(config: SetTransformerConfig) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for _ in range(config.head_layers - 1):
        layers += [nn.GELU(), nn.Linear(config.head_hidden, config.head_hidden)]
    return [*layers, nn.GELU(), nn.Linear(config.head_hidden, 1)]


__all__ = ["SetTransformer"]
