"""Blocks that attend along either axis of a (coordinates × points) table of cells.

Letters in shapes: B samples, h channels of a cell, D coordinates (X's first, then Y's), N points, H heads,
k = h / H channels of a head, M inducing points, p width of a relation. Cells are kept as (B, h, D, N): moments over
the points, mixtures of coordinates and linear maps of channels are then plain matrix products of the memory as it
lies.

Attention along one axis shares its weights over the other axis (Rao et al., "MSA Transformer", ICML 2021, tied
row attention). For the coordinates this means that the weight of coordinate j in the update of coordinate i
follows from the mean over all points of ⟨query(i), key(j)⟩: a second moment of learned features over the sample.
That mean gives coordinates an identity that single points cannot give them, and it is what makes dependence
visible; the table of these means, the *relations*, has D² entries whatever N is.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class FeedForward(nn.Module):
    """Residual two-layer perceptron of each token, normalised at its input; tokens are on the last axis."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, inner)
        self.narrow = nn.Linear(inner, width)

    def forward(self, tokens: Tensor) -> Tensor:
        update: Tensor = self.narrow(functional.gelu(self.widen(self.norm(tokens))))
        return tokens + update


class CellLinear(nn.Module):
    """Linear map of the channels of each cell: (B, h, D, N) → (B, h', D, N)."""

    def __init__(self, inputs: int, outputs: int, scale: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(scale * torch.randn(outputs, inputs) / inputs**0.5)
        self.bias = nn.Parameter(torch.zeros(outputs, 1))

    def forward(self, cells: Tensor) -> Tensor:
        flat = cells.flatten(2)
        out = torch.baddbmm(self.bias.to(flat.dtype), self.weight.to(flat.dtype).expand(len(flat), -1, -1), flat)
        return out.unflatten(2, cells.shape[2:])


class CellFeedForward(nn.Module):
    """Residual two-layer perceptron of each cell."""

    def __init__(self, hidden: int, inner: int) -> None:
        super().__init__()
        self.widen = CellLinear(hidden, inner)
        self.narrow = CellLinear(inner, hidden, 0.3)

    def forward(self, cells: Tensor) -> Tensor:
        update: Tensor = self.narrow(functional.gelu(self.widen(cells)))
        return cells + update


class CoordinateAttention(nn.Module):
    def __init__(self, hidden: int, heads: int, feedforward: int, relation: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key = CellLinear(hidden, 2 * hidden)
        self.value = CellLinear(hidden, hidden)
        self.out = CellLinear(hidden, hidden, 0.3)
        self.relate = nn.Linear(2 * hidden, relation)
        self.transition = FeedForward(relation, 2 * relation)
        self.bias = nn.Linear(relation, heads)
        self.feedforward = CellFeedForward(hidden, feedforward)

    def forward(self, cells, relations, point_mask, coordinate_mask):
        query, key = self.query_key(cells).chunk(2, dim=1)
        query = query.masked_fill(~point_mask[:, None, None, :], 0.0)
        with torch.autocast(cells.device.type, enabled=False):
            # Strong dependence shows in the last digits of a correlation: bfloat16 would lose them.
            moments = query.float() @ key.float().transpose(-1, -2)
            moments = moments / point_mask.sum(dim=1)[:, None, None, None]
            both_ways = torch.cat([moments, moments.transpose(-1, -2)], dim=1).permute(0, 2, 3, 1)
            relations = self.transition(relations + self.relate(both_ways))
            logits = moments.unflatten(1, (self.heads, -1)).sum(dim=2) + self.bias(relations).permute(0, 3, 1, 2)
            weights = logits.masked_fill(~coordinate_mask[:, None, None, :], -torch.inf).softmax(dim=-1)
        value = self.value(cells).unflatten(1, (self.heads, -1))
        mixed = (weights[:, :, None].to(value.dtype) @ value).flatten(1, 2)
        return self.feedforward(cells + self.out(mixed)), relations


class InducedAttention(nn.Module):
    def __init__(self, hidden: int, heads: int, feedforward: int, inducing_points: int) -> None:
        super().__init__()
        self.heads = heads
        self.inducing = nn.Parameter(torch.randn(heads, inducing_points, hidden // heads))
        self.spread_key = nn.Parameter(torch.randn(heads, inducing_points, hidden // heads))
        self.norm = nn.LayerNorm(2 * hidden)
        self.key = nn.Linear(2 * hidden, hidden)
        self.query = nn.Linear(2 * hidden, hidden)
        self.value = CellLinear(hidden, hidden)
        self.out = CellLinear(hidden, hidden, 0.3)
        self.feedforward = CellFeedForward(hidden, feedforward)

    def forward(self, cells, point_mask, x_mask, y_mask, last):
        sides = torch.stack([x_mask, y_mask], dim=1)
        means = (sides / sides.sum(dim=2, keepdim=True)).to(cells.dtype)[:, None] @ cells
        points = self.norm(means.flatten(1, 2).transpose(1, 2))
        scale = self.inducing.shape[-1] ** -0.5
        key = self.key(points).unflatten(-1, (self.heads, -1)).permute(0, 2, 3, 1)
        logits = (self.inducing.to(key.dtype) @ key).float() * scale
        gather = logits.masked_fill(~point_mask[:, None, None, :], -torch.inf).softmax(dim=-1)
        value = self.value(cells).unflatten(1, (self.heads, -1))
        table = value @ gather[:, :, None].transpose(-1, -2).to(value.dtype)
        if last: return cells, table.flatten(1, 2)
        query = self.query(points).unflatten(-1, (self.heads, -1)).permute(0, 2, 3, 1)
        spread = ((self.spread_key.to(query.dtype) @ query).float() * scale).softmax(dim=2)
        spreaded = (self.out(table.flatten(1, 2)).unflatten(1, (self.heads, -1)) @ spread[:, :, None].to(table.dtype)).flatten(1, 2)
        return self.feedforward(cells + spreaded), table.flatten(1, 2)


class CrossAttention(nn.Module):
    """Tokens attend to a set and take a feed-forward step (Lee et al. 2019, MAB)."""

    def __init__(self, hidden: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_norm = nn.LayerNorm(hidden)
        self.set_norm = nn.LayerNorm(hidden)
        self.query = nn.Linear(hidden, hidden)
        self.key_value = nn.Linear(hidden, 2 * hidden)
        self.out = nn.Linear(hidden, hidden)
        self.feedforward = FeedForward(hidden, feedforward)

    def forward(self, tokens: Tensor, others: Tensor, mask: Tensor | None = None) -> Tensor:
        """Tokens of shape (B, T, h) attend to a set of shape (B, S, h) where its mask of shape (B, S) is True."""
        query = self.query(self.query_norm(tokens)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        key_value = self.key_value(self.set_norm(others)).unflatten(-1, (2 * self.heads, -1)).transpose(1, 2)
        key, value = key_value.chunk(2, dim=1)
        keep = None if mask is None else mask[:, None, None, :]
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=keep)
        return self.feedforward(tokens + self.out(mixed.transpose(1, 2).flatten(2)))


class RelationAttention(nn.Module):
    """Each coordinate gathers its relations, over the coordinates of X and over those of Y apart.

    For each head, out_i = Σ_j softmax_j(w·relation_ij) V relation_ij over the j of one side.
    """

    def __init__(self, relation: int, hidden: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(relation)
        self.logits = nn.Linear(relation, heads)
        self.value = nn.Linear(relation, hidden)
        self.out = nn.Linear(2 * hidden, hidden)

    def forward(self, relations: Tensor, x_mask: Tensor, y_mask: Tensor) -> Tensor:
        """Relations of shape (B, D, D, p) → coordinate tokens of shape (B, D, h)."""
        normed = self.norm(relations)
        logits, value = self.logits(normed), self.value(normed)
        value = value.unflatten(-1, (logits.shape[-1], -1))
        sides = []
        for mask in (x_mask, y_mask):
            weights = logits.masked_fill(~mask[:, None, :, None], -torch.inf).softmax(dim=2)
            sides.append((weights[..., None] * value).sum(dim=2).flatten(2))
        out: Tensor = self.out(torch.cat(sides, dim=-1))
        return out


def _masked_mean(cells: Tensor, mask: Tensor) -> Tensor:
    """Mean over the coordinates where the mask of shape (B, D) is True: (B, N, D, h) → (B, N, h)."""
    weights = (mask / mask.sum(dim=1, keepdim=True)).to(cells.dtype)
    return (weights[:, None, None, :] @ cells).squeeze(2)
