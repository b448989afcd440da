"""Dependence that is not linear in the normal scores: moments of Legendre polynomials of the ranks."""

import math

import torch
from torch import Tensor

from mistworks.statistics.gaussian import canonical_correlations, canonical_summary, mutually_best
from mistworks.statistics.sample import Sample

_ORDERS = 4
_RIDGES = (0.1, 0.4)
_LEADING = 4
_FINE_ORDERS = 10
_MOST = 1 - 1e-6


def legendre(levels: Tensor, orders: int) -> Tensor:
    """Legendre polynomials of orders 1, 2, … on (−1, 1), orthonormal under the uniform distribution.

    Args:
        levels: shape (n, d).
        orders: how many.

    Returns:
        Shape (n, d, orders), of mean 0 over evenly spaced levels up to O(1/n²).
    """
    before, current = torch.ones_like(levels), levels
    found = []
    for order in range(1, orders + 1):
        found.append(current * math.sqrt(2 * order + 1))
        before, current = current, ((2 * order + 1) * levels * current - order * before) / (order + 1)
    return torch.stack(found, dim=-1)


def nonlinear(sample: Sample) -> dict[str, Tensor]:
    """E[P_k(x_i) P_l(y_j)] of all pairs: energy by orders, the strongest pairs, and a nonlinear CCA.

    Σ_kl E[P_k P_l]² is the χ² divergence of the copula of a pair from independence (Rényi 1959), here cut off
    at order 4, or at order 10 for the strongest pair; in the mean 1/n of each term is noise. The canonical
    correlations are of all polynomials of the coordinates (Buja, "Remarks on functional canonical variates",
    Annals of Statistics 1990).
    """
    n, dx, dy = sample.n, sample.dx, sample.dy
    basis = legendre(sample.uniforms, _ORDERS)
    basis = basis - basis.mean(dim=0)
    x, y = basis[:, :dx].flatten(1), basis[:, dx:].flatten(1)
    moments = (x.T @ y / n).view(dx, _ORDERS, dy, _ORDERS).permute(0, 2, 1, 3)
    square = moments.square() - 1 / n
    energy = square.sum(dim=(0, 1))
    symmetric = (energy + energy.T)[tuple(torch.triu_indices(_ORDERS, _ORDERS))]
    pairs = square.sum(dim=(2, 3))
    chosen = pairs[mutually_best(pairs)]
    clear = chosen[chosen * n > 2.0 * (1 + math.log(dx * dy)) * _ORDERS]
    i, j = divmod(int(pairs.argmax()), dy)
    return {
        "energy": _signed_log(symmetric),
        "best": _padded(pairs.flatten().sort(descending=True).values, 3).clamp_min(-1.0),
        "matched": torch.stack([0.5 * torch.log1p(clear).sum(), moments.new_tensor(len(clear)).log1p()]),
        **_canonical(x, y, n),
        **_strongest(sample.uniforms[:, [i, dx + j]]),
    }


def _canonical(x: Tensor, y: Tensor, n: int) -> dict[str, Tensor]:
    joint = torch.cat([x, y], dim=1)
    matrix = joint.T @ joint / n
    eye = torch.eye(len(matrix), dtype=matrix.dtype)
    found = {}
    for ridge in _RIDGES:
        rho = canonical_correlations((1 - ridge) * matrix + ridge * eye, x.shape[1])
        found[f"ridge_{ridge}"] = torch.cat([_padded(rho, _LEADING), canonical_summary(rho, n)])
    return found


def _strongest(levels: Tensor) -> dict[str, Tensor]:
    n = len(levels)
    orders = min(_FINE_ORDERS, max(2, n // 8))
    pair = legendre(levels, orders)
    pair = pair - pair.mean(dim=0)
    gram = pair[:, 0].T @ pair[:, 1] / n
    rho = torch.linalg.svdvals(gram).clamp(0.0, _MOST)
    energy = gram.square().sum() - orders**2 / n
    return {"strongest": _padded(rho, 5), "strongest_energy": _signed_log(energy)[None]}


def _signed_log(values: Tensor) -> Tensor:
    return torch.sign(values) * values.abs().log1p()


def _padded(values: Tensor, count: int) -> Tensor:
    return torch.cat([values[:count], values.new_zeros(count)])[:count]
