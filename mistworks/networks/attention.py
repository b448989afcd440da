"""Blocks that attend along either axis of a (coordinates × points) table of cells.

Letters in shapes: B samples, h channels of a cell, D coordinates (X's first, then Y's), N points, H heads, M
inducing points, w width of a token or relation. Cells are stored as (B, h, D, N), so that moments over the
points, mixtures of coordinates and linear maps of channels are plain products without a copy.

Attention along one axis shares its weights over the other axis (Rao et al., "MSA Transformer", ICML 2021,
tied row attention). For the coordinates, the attention of coordinate i to coordinate j depends on the mean
over all points of query(i) · key(j), a second moment of learned features over the sample. It gives
coordinates an identity that single points cannot give them, and makes dependence visible. The table of these
means, the *relations*, has D² entries for any N.

Sums run over masked entries with weight 0; nothing is read from padding.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

TYPICAL_DIMENSION = 10.0
"""Divisor of sums over coordinates, which brings them to the order of means."""


class CellLinear(nn.Module):
    """A linear map of the channels of each cell: (B, h, D, N) → (B, h', D, N)."""

    def __init__(self, inputs: int, outputs: int, scale: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(scale * torch.randn(outputs, inputs) / inputs**0.5)
        self.bias = nn.Parameter(torch.zeros(outputs, 1))

    @override
    def forward(self, cells: Tensor) -> Tensor:
        flat = cells.flatten(2)
        # torch.matmul would copy all cells, to fold the batch into rows.
        out = torch.baddbmm(self.bias, self.weight.expand(len(flat), -1, -1), flat)
        return out.reshape(len(cells), -1, *cells.shape[2:])


class CellFeedForward(nn.Module):
    """A residual two-layer perceptron for each cell."""

    def __init__(self, hidden: int, inner: int) -> None:
        super().__init__()
        self.widen = CellLinear(hidden, inner)
        self.narrow = CellLinear(inner, hidden, scale=0.3)

    @override
    def forward(self, cells: Tensor) -> Tensor:
        update: Tensor = self.narrow(functional.gelu(self.widen(cells)))
        return cells + update


class FeedForward(nn.Module):
    """A residual two-layer perceptron for each token, with normalised input: (…, w) → (…, w)."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, inner)
        self.narrow = nn.Linear(inner, width)

    @override
    def forward(self, tokens: Tensor) -> Tensor:
        update: Tensor = self.narrow(functional.gelu(self.widen(self.norm(tokens))))
        return tokens + update


class Relate(nn.Module):
    """Second moments over the points, added to the relations: relation_ij ← relation_ij + MLP(S_ij, S_ji).

    S_ij holds, for each channel, the covariance over the points of query(cell_i) with key(cell_j).
    """

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__()
        self.query_key = CellLinear(hidden, 2 * hidden)
        with torch.no_grad():
            # Keys start equal to queries, so that S starts positive and grows with the strength of
            # dependence.
            self.query_key.weight[hidden:] = self.query_key.weight[:hidden]
        self.widen = nn.Linear(2 * hidden, 2 * width)
        self.narrow = nn.Linear(2 * width, width)

    def forward(self, cells: Tensor, relations: Tensor, point_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Map cells and relations (B, D, D, w) to updated relations, and to S of shape (B, h, D, D)."""
        query, key = self.query_key(cells).chunk(2, dim=1)
        share = (point_mask / point_mask.sum(dim=1, keepdim=True))[:, None, None, :]
        query = query * share
        key_mean = key @ share.transpose(-1, -2)
        moments = query @ key.transpose(-1, -2) - query.sum(dim=-1, keepdim=True) @ key_mean.transpose(-1, -2)
        both_ways = torch.cat([moments, moments.transpose(-1, -2)], dim=1).permute(0, 2, 3, 1)
        return relations + self.narrow(functional.gelu(self.widen(both_ways))), moments


class CoordinateAttention(nn.Module):
    """Self-attention over the coordinates of each point, with weights shared by all points.

    For each head a, with S as in `Relate` summed over the head's channels:
    A^a_ij = softmax_j(S^a_ij + b^a · relation_ij),  cell_ti ← cell_ti + W concat_a Σ_j A^a_ij v^a_tj.
    """

    def __init__(self, hidden: int, heads: int, feedforward: int, width: int) -> None:
        super().__init__()
        self.heads = heads
        self.bias = nn.Linear(width, heads)
        self.value = CellLinear(hidden, hidden)
        self.out = CellLinear(hidden, hidden, scale=0.3)
        self.feedforward = CellFeedForward(hidden, feedforward)

    def forward(self, cells: Tensor, relations: Tensor, moments: Tensor, coordinate_mask: Tensor) -> Tensor:
        """Update cells, given relations of shape (B, D, D, w) and S of shape (B, h, D, D)."""
        scores = _per_head(moments, self.heads).sum(dim=2) + self.bias(relations).permute(0, 3, 1, 2)
        weights = scores.masked_fill(~coordinate_mask[:, None, None, :], -torch.inf).softmax(dim=-1)
        mixed = weights[:, :, None] @ _per_head(self.value(cells), self.heads)
        updated: Tensor = self.feedforward(cells + self.out(mixed.flatten(1, 2)))
        return updated


class InducedAttention(nn.Module):
    """Induced attention over the points, with weights shared by all coordinates: cells → a table.

    M learned inducing points attend to the points, whose keys come from the mean cells of X and of Y. Each
    takes the weighted mean of the cells of every coordinate. The result is a table (inducing point ×
    coordinate) that keeps coordinates separate. The cost is linear in the number of points (Lee et al., "Set
    Transformer", ICML 2019, ISAB).
    """

    def __init__(self, hidden: int, heads: int, inducing_points: int) -> None:
        super().__init__()
        self.heads = heads
        self.inducing = nn.Parameter(torch.randn(heads, inducing_points, hidden // heads))
        self.norm = nn.LayerNorm(2 * hidden)
        self.key = nn.Linear(2 * hidden, hidden)
        self.value = CellLinear(hidden, hidden)

    def forward(self, cells: Tensor, point_mask: Tensor, side_masks: Tensor) -> tuple[Tensor, Tensor]:
        """Map cells and masks of both sides (B, 2, D) to a table (B, h, D, M) and points (B, N, 2h)."""
        share = side_masks / side_masks.sum(dim=2, keepdim=True)
        points = self.norm((share[:, None] @ cells).flatten(1, 2).transpose(1, 2))
        weights = head_scores(self.inducing, self.key(points))
        weights = weights.masked_fill(~point_mask[:, None, None, :], -torch.inf).softmax(dim=-1)
        value = _per_head(self.value(cells), self.heads)
        return (value @ weights[:, :, None].transpose(-1, -2)).flatten(1, 2), points


class Spread(nn.Module):
    """The reverse of induced attention: each point attends to the inducing points and adds their rows."""

    def __init__(self, hidden: int, heads: int, feedforward: int, inducing_points: int) -> None:
        super().__init__()
        self.heads = heads
        self.inducing = nn.Parameter(torch.randn(heads, inducing_points, hidden // heads))
        self.query = nn.Linear(2 * hidden, hidden)
        self.value = CellLinear(hidden, hidden, scale=0.3)
        self.feedforward = CellFeedForward(hidden, feedforward)

    def forward(self, cells: Tensor, table: Tensor, points: Tensor) -> Tensor:
        """Update cells, given a table of shape (B, h, D, M) and points of shape (B, N, 2h)."""
        weights = head_scores(self.inducing, self.query(points)).softmax(dim=2)
        rows = _per_head(self.value(table), self.heads) @ weights[:, :, None]
        updated: Tensor = self.feedforward(cells + rows.flatten(1, 2))
        return updated


class RelationAttention(nn.Module):
    """Self-attention over coordinate tokens. Relations bias its weights and are averaged with the values.

    For each head, separately over the coordinates j of X and those of Y:

    mean_i = Σ_j softmax_j(⟨q_i, k_j⟩/√k + b · relation_ij) (v_j + V relation_ij),
    sum_i = Σ_j V relation_ij / 10.

    The sum complements the mean because mutual information adds up over dependent pairs: a mean over 32
    coordinates hides the one that matters until the weights are sharp.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.relation_norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.relation_bias = nn.Linear(width, heads)
        self.relation_value = nn.Linear(width, width)
        self.out = nn.Linear(4 * width, width)
        self.feedforward = FeedForward(width, 2 * width)

    def forward(self, tokens: Tensor, relations: Tensor, side_masks: Tensor) -> Tensor:
        """Update tokens of shape (B, D, w), given relations of shape (B, D, D, w)."""
        projected = self.project(self.norm(tokens)).unflatten(-1, (3 * self.heads, -1)).transpose(1, 2)
        query, key, value = projected.chunk(3, dim=1)
        normed = self.relation_norm(relations)
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        scores = scores + self.relation_bias(normed).permute(0, 3, 1, 2)
        edges = self.relation_value(normed).unflatten(-1, (self.heads, -1)).transpose(2, 3)
        gathered = []
        for mask in side_masks.unbind(dim=1):
            weights = scores.masked_fill(~mask[:, None, None, :], -torch.inf).softmax(dim=-1)
            from_edges = weights.transpose(1, 2)[:, :, :, None] @ edges
            gathered.append(((weights @ value).transpose(1, 2) + from_edges.squeeze(3)).flatten(2))
            gathered.append(
                (mask[:, None, None, None, :].to(edges.dtype) @ edges).flatten(2) / TYPICAL_DIMENSION
            )
        updated: Tensor = self.feedforward(tokens + self.out(torch.cat(gathered, dim=-1)))
        return updated


class CrossAttention(nn.Module):
    """Attention of tokens to a set, followed by a feed-forward step (Lee et al. 2019, MAB)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_norm = nn.LayerNorm(width)
        self.set_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.feedforward = FeedForward(width, 2 * width)

    def forward(self, tokens: Tensor, others: Tensor, mask: Tensor | None = None) -> Tensor:
        """Update tokens (B, T, w), given a set (B, S, w) and its mask (B, S), which is True for members."""
        query = self.query(self.query_norm(tokens)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        key_value = self.key_value(self.set_norm(others)).unflatten(-1, (2 * self.heads, -1)).transpose(1, 2)
        key, value = key_value.chunk(2, dim=1)
        keep = None if mask is None else mask[:, None, None, :]
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=keep)
        updated: Tensor = self.feedforward(tokens + self.out(mixed.transpose(1, 2).flatten(2)))
        return updated


def head_scores(inducing: Tensor, points: Tensor) -> Tensor:
    """Return scaled products of inducing points (H, M, k) with points (B, N, H·k), shape (B, H, M, N)."""
    heads, _, channels = inducing.shape
    split = points.reshape(*points.shape[:2], heads, channels).permute(0, 2, 3, 1)
    scores: Tensor = inducing @ split * channels**-0.5
    return scores


def _per_head(cells: Tensor, heads: int) -> Tensor:
    """Split channels into heads: (B, H·k, …) → (B, H, k, …)."""
    return cells.reshape(len(cells), heads, -1, *cells.shape[2:])


__all__ = [
    "TYPICAL_DIMENSION",
    "CellFeedForward",
    "CellLinear",
    "CoordinateAttention",
    "CrossAttention",
    "FeedForward",
    "InducedAttention",
    "Relate",
    "RelationAttention",
    "Spread",
    "head_scores",
]
