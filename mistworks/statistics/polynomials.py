"""Dependence that is not linear in the normal scores: moments of Legendre polynomials of the ranks."""

import math

import torch
from torch import Tensor

from mistworks.statistics.gaussian import canonical_correlations, canonical_summary, mutually_best
from mistworks.statistics.sample import Samples, leading

ORDERS = 4
_RIDGES = (0.1, 0.4)
_LEADING = 4
_FINE_ORDERS = 10
_BEST = 3
_MOST = 1 - 1e-6


def legendre(levels: Tensor, orders: int) -> Tensor:
    """Evaluate Legendre polynomials of orders 1, 2, … on (−1, 1), orthonormal for the uniform distribution.

    Args:
        levels: shape (…,).
        orders: number of orders.

    Returns:
        Shape (…, orders), of mean 0 over evenly spaced levels up to O(1/n²).
    """
    before, current = torch.ones_like(levels), levels
    polynomials = []
    for order in range(1, orders + 1):
        polynomials.append(current * math.sqrt(2 * order + 1))
        before, current = current, ((2 * order + 1) * levels * current - order * before) / (order + 1)
    return torch.stack(polynomials, dim=-1)


def nonlinear(samples: Samples) -> dict[str, Tensor]:
    """Compute E[P_k(x_i) P_l(y_j)] of all pairs: energy by orders, the strongest pairs, a nonlinear CCA.

    Σ_kl E[P_k P_l]² is the χ² divergence of the copula of a pair from independence (Rényi 1959), here cut off
    at order 4, or at order 10 for the strongest pair; in the mean 1/n of each term is noise. The canonical
    correlations are of all polynomials of the coordinates (Buja, "Remarks on functional canonical variates",
    Annals of Statistics 1990).
    """
    n, dx, dy = samples.n, samples.dx, samples.dy
    gram = _moments(samples)
    square = _divergence(gram, samples)
    energy = square.sum(dim=(1, 3))
    rows, columns = torch.triu_indices(ORDERS, ORDERS)
    pairs = square.sum(dim=(2, 4))
    clear = mutually_best(pairs) & (pairs * n > 2.0 * (1 + math.log(dx * dy)) * ORDERS)
    matched = [0.5 * torch.log1p(pairs * clear).sum(dim=(1, 2)), clear.sum(dim=(1, 2)).double().log1p()]
    best = pairs.flatten(1).argmax(dim=1)
    places = torch.stack([best // dy, dx + best % dy], dim=1)
    return {
        "energy": _signed_log((energy + energy.mT)[:, rows, columns]),
        "best": leading(pairs.flatten(1).topk(min(_BEST, dx * dy)).values, _BEST).clamp_min(-1.0),
        "matched": torch.stack(matched, dim=1),
        **_canonical(gram, dx * ORDERS, n),
        **_strongest(samples.uniforms.gather(2, places[:, None].expand(-1, n, -1))),
    }


def pair_divergence(samples: Samples) -> Tensor:
    """Return E[P_k(x_i) P_l(y_j)]² − 1/n up to order 4, shape (B, dx, orders, dy, orders)."""
    return _divergence(_moments(samples), samples)


def _moments(samples: Samples) -> Tensor:
    """Return E[P_k P_l] of all columns, shape (B, orders d, orders d)."""
    basis = legendre(samples.uniforms, ORDERS)
    basis = (basis - basis.mean(dim=1, keepdim=True)).flatten(2)
    return basis.mT @ basis / samples.n


def _divergence(gram: Tensor, samples: Samples) -> Tensor:
    first = samples.dx * ORDERS
    across = gram[:, :first, first:].reshape(-1, samples.dx, ORDERS, samples.dy, ORDERS)
    return across.square() - 1 / samples.n


def _canonical(gram: Tensor, dx: int, n: int) -> dict[str, Tensor]:
    ridges = torch.tensor(_RIDGES, dtype=torch.float64)[:, None, None]
    eye = torch.eye(gram.shape[-1], dtype=gram.dtype)
    rho = canonical_correlations((1 - ridges) * gram[:, None] + ridges * eye, dx)
    figures = torch.cat([leading(rho, _LEADING), canonical_summary(rho, n)], dim=-1)
    return {f"ridge_{ridge}": figures[:, row] for row, ridge in enumerate(_RIDGES)}


def _strongest(levels: Tensor) -> dict[str, Tensor]:
    n = levels.shape[1]
    orders = min(_FINE_ORDERS, max(2, n // 8))
    pair = legendre(levels, orders)
    pair = pair - pair.mean(dim=1, keepdim=True)
    gram = pair[:, :, 0].mT @ pair[:, :, 1] / n
    rho = torch.linalg.svdvals(gram).clamp(0.0, _MOST)
    energy = gram.square().sum(dim=(1, 2)) - orders**2 / n
    return {"strongest": leading(rho, 5), "strongest_energy": _signed_log(energy)[:, None]}


def _signed_log(values: Tensor) -> Tensor:
    return torch.sign(values) * values.abs().log1p()


__all__ = ["ORDERS", "legendre", "nonlinear", "pair_divergence"]
