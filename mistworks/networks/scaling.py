"""Scale each column before the network reads it. A mask excludes padding."""

import torch
from torch import Tensor

# Rounding leaves deviations of about 1e-7 of its size in a constant column of float32.
_TINY = 1e-6


def normal_scores(half_ranks: Tensor, n: Tensor, d: Tensor) -> Tensor:
    """Return normal scores Φ⁻¹(r / (n + 1)) of ranks r, with mean 0 and variance 1 in each column.

    Neither scores nor mutual information change under an increasing map of a column (van der Waerden, "Order
    tests for the two-sample problem", 1952). A constant column becomes 0.

    This version is in torch, for padded batches; `mistworks.baselines.preparation.normal_scores` is in NumPy.
    Tests compare both with SciPy.

    Args:
        half_ranks: 2 (r − 1) with ties averaged, shape (B, N, D); rows from n[b] and columns from d[b] on are
            arbitrary.
        n: number of points, shape (B,).
        d: number of columns, shape (B,).

    Returns:
        Scores with one row per column, shape (B, D, N); 0 in the padding.
    """
    mask = _mask(half_ranks, n, d)
    rank = 0.5 * half_ranks.transpose(1, 2) + 1.0
    share = torch.where(mask, rank / (n[:, None, None] + 1), 0.5).contiguous()
    return _to_unit_variance(torch.special.ndtri(share), mask, n)


def standardized(values: Tensor, n: Tensor, d: Tensor) -> Tensor:
    """Scale columns to mean 0 and variance 1; a constant column becomes 0.

    Values of shape (B, N, D), otherwise as in `normal_scores`; gradients pass.
    """
    mask = _mask(values, n, d)
    columns = torch.where(mask, values.transpose(1, 2), 0.0)
    size = columns.abs().amax(dim=-1, keepdim=True)
    # Dividing by the largest value, then by the largest deviation, keeps squares from overflow and underflow.
    columns = _centred(columns / torch.where(size > 0, size, 1.0), mask, n)
    spread = columns.abs().amax(dim=-1, keepdim=True)
    return _to_unit_variance(columns / torch.where(spread > _TINY, spread, 1.0), mask, n)


def _mask(values: Tensor, n: Tensor, d: Tensor) -> Tensor:
    points = torch.arange(values.shape[1], device=values.device) < n[:, None]
    coordinates = torch.arange(values.shape[2], device=values.device) < d[:, None]
    return points[:, None, :] & coordinates[:, :, None]


def _centred(columns: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    mean = torch.where(mask, columns, 0.0).sum(dim=-1, keepdim=True) / n[:, None, None]
    return torch.where(mask, columns - mean, 0.0)


def _to_unit_variance(columns: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    centred = _centred(columns, mask, n)
    variance = centred.square().sum(dim=-1, keepdim=True) / n[:, None, None]
    constant = variance < _TINY
    return torch.where(constant, 0.0, centred * torch.where(constant, 1.0, variance).rsqrt())


__all__ = ["normal_scores", "standardized"]
