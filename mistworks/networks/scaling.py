"""Scaling of each coordinate before the network sees it; padding is left out by mask."""

import torch
from torch import Tensor

_TINY = 1e-12


def normal_scores(values: Tensor, n: Tensor) -> Tensor:
    """Normal scores Φ⁻¹(r / (n + 1)) of the ranks r, brought to mean 0 and variance 1 in each column.

    Equal values share their average rank. Scores do not change under any increasing map of a column, and mutual
    information does not either (van der Waerden, "Order tests for the two-sample problem", 1952). A constant
    column becomes 0.

    Args:
        values: shape (B, N, D); rows from n[b] on are arbitrary.
        n: number of points, shape (B,).

    Returns:
        Scores, shape (B, N, D), with rows from n[b] on set to 0.
    """
    mask = (torch.arange(values.shape[1], device=values.device) < n[:, None])[:, None, :]
    columns = torch.where(mask, values.transpose(1, 2), torch.inf).contiguous()
    ordered = columns.sort(dim=-1).values
    below = torch.searchsorted(ordered, columns)
    not_above = torch.searchsorted(ordered, columns, right=True)
    rank = 0.5 * (below + not_above + 1).to(values.dtype)
    share = torch.where(mask, rank / (n[:, None, None] + 1), 0.5)
    return _standardize_columns(torch.special.ndtri(share), mask, n).transpose(1, 2)


def standardized(values: Tensor, n: Tensor) -> Tensor:
    """Columns brought to mean 0 and variance 1; a constant column becomes 0. Shapes as in `normal_scores`."""
    mask = (torch.arange(values.shape[1], device=values.device) < n[:, None])[:, None, :]
    columns = torch.where(mask, values.transpose(1, 2), 0.0)
    # A column in units of its largest value neither overflows nor underflows when it is squared.
    largest = columns.abs().amax(dim=-1, keepdim=True)
    columns = columns / torch.where(largest > 0, largest, 1.0)
    return _standardize_columns(columns, mask, n).transpose(1, 2)


def _standardize_columns(columns: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    count = n[:, None, None].to(columns.dtype)
    mean = torch.where(mask, columns, 0.0).sum(dim=-1, keepdim=True) / count
    centred = torch.where(mask, columns - mean, 0.0)
    variance = centred.square().sum(dim=-1, keepdim=True) / count
    # Rounding leaves a constant column with a variance of about 1e-14 of its square, not with 0.
    return torch.where(variance > _TINY, centred * (variance + _TINY).rsqrt(), 0.0)
