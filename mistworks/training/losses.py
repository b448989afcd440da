"""The two objectives, dataset by dataset: squared error for the mean, pinball for quantiles."""

import torch
from torch import Tensor


def squared_error(estimate: Tensor, target: Tensor) -> Tensor:
    """Return (estimate − target)², in nats². Its minimiser is the conditional mean.

    Args:
        estimate: shape (B,), nats.
        target: shape (B,), nats.

    Returns:
        Shape (B,).
    """
    return (estimate - target).square()


def pinball(quantiles: Tensor, target: Tensor, tau: Tensor) -> Tensor:
    """Return the mean over levels of ρ_τ(target − quantile) with ρ_τ(u) = u (τ − 1[u < 0]), in nats.

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


__all__ = ["pinball", "squared_error"]
