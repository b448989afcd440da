"""The two objectives, dataset by dataset: squared error for the mean, pinball for quantiles."""

import math

import torch
from torch import Tensor

_OFFSET = 0.05


def squared_error(estimate: Tensor, target: Tensor) -> Tensor:
    """(estimate − target)², in nats²; its minimiser is the conditional mean.

    Args:
        estimate: shape (B,), nats.
        target: shape (B,), nats.

    Returns:
        Shape (B,).
    """
    return (estimate - target).square()


def pinball(quantiles: Tensor, target: Tensor, tau: Tensor) -> Tensor:
    """Mean over the levels of ρ_τ(target − quantile) with ρ_τ(u) = u (τ − 1[u < 0]), in nats.

    Its minimiser is the conditional quantile at level τ (Koenker, Bassett, "Regression quantiles",
    Econometrica 1978).

    Args:
        quantiles: shape (B, T), nats.
        target: shape (B,), nats.
        tau: levels between 0 and 1, shape (B, T).

    Returns:
        Shape (B,).
    """
    error = target[:, None] - quantiles
    return torch.maximum(tau * error, (tau - 1) * error).mean(dim=1)


def square_root_scale(nats: Tensor) -> Tensor:
    """2 (√(I + c) − √c) with c = 0.05 nats, continued linearly below 0.

    The variance of an estimate of weak dependence is proportional to I, so that on this scale it is about
    constant.
    """
    above = 2.0 * ((nats.clamp_min(0.0) + _OFFSET).sqrt() - math.sqrt(_OFFSET))
    return above + nats.clamp_max(0.0) / math.sqrt(_OFFSET)
