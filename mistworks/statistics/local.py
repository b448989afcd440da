"""Statistics of strong dependence of many nats, where counts of neighbours saturate at log n."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import psi
from torch import Tensor

from mistworks.statistics.bias import bias
from mistworks.statistics.gaussian import (
    RIDGE,
    canonical_correlations,
    gaussian_mi,
    least_residual,
    many_points,
    mutually_best,
)
from mistworks.statistics.neighbours import ksg_terms, query_distances
from mistworks.statistics.sample import POINTS, Samples, leading, with_unit_diagonal

_MOST_DIMENSIONS = 8
_FEWER, _MORE = 2, 4
# Fraction of the squared distance to the next score. Ranks do not show less.
_LATTICE = 1e-3
_TIE_BREAK = 1e-3
_TOLERANCE = 1e-6
# Number of points that may tie with the last neighbour.
_EQUAL = 4
_LEADING = 3
_MOST_PAIRS = 8
_THRESHOLD = 2.0
_LEAST_POINTS = 8
_NO_CORRELATION = 1e-12
# Among pairs with equal numbers of inversions, the one with the smallest displacement comes first.
_SECOND = 1e-3


def corrected(samples: Samples) -> dict[str, Tensor]:
    """Compute KSG estimates in nats, corrected for a density that is not uniform around a point.

    The estimator of Kraskov et al. takes the density as uniform in the box that reaches to the k-th
    neighbour, and so never exceeds log n. Gao, Ver Steeg, Galstyan ("Efficient estimation of mutual
    information for strongly dependent variables", AISTATS 2015) compare the box with the volume that the k
    neighbours fill. Here the Gaussian MI of the point and its k neighbours is that correction: ½ (log det
    C_xx + log det C_yy − log det C) less its bias. The diagonal of C is increased by a thousandth of the
    squared distance between consecutive scores there, below which ranks show nothing.

    For dx + dy ≤ 8; else 0. At most `SUBSET` points are queries, neighbours are among at most `POINTS`.

    Returns:
        ``corrected``: for k = d + 2, then for k = 2d + 4, with d = dx + dy: the estimate, and the same with
        corrections below 0 taken as 0. ``spread``: standard deviation over the queries for the latter k.
    """
    samples = samples.exactly
    size, d, dx = len(samples), samples.dimension, samples.dx
    if d > _MOST_DIMENSIONS:
        zero = torch.zeros(size, 5, dtype=torch.float64)
        return {"corrected": zero[:, :4], "spread": zero[:, 4:]}
    points = samples.subset(POINTS)
    m = points.shape[1]
    neighbours = tuple(min(k, m - 1) for k in (d + _FEWER, 2 * d + _MORE))
    terms, nearest = [], []
    for distances in query_distances(points.float(), dx):
        terms.append(ksg_terms(distances, neighbours) + psi(m))
        # Points at equal distances are ordered by the smaller of their two distances.
        key = torch.add(torch.maximum(*distances), torch.minimum(*distances), alpha=_TIE_BREAK)
        nearest.append(key.topk(min(m, max(neighbours) + 1 + _EQUAL), dim=-1, largest=False))
    counted = torch.cat(terms, dim=1)
    keys, places = (torch.cat(parts, dim=1) for parts in zip(*nearest, strict=True))
    queries = counted.shape[1]
    around = points.gather(1, places.flatten(1)[..., None].expand(-1, -1, d))
    around = around.reshape(len(samples), queries, -1, d)
    lattice = _LATTICE * 2 * math.pi / samples.n**2 * points[:, :queries].square().exp()
    values, spread = [], counted
    for position, k in enumerate(neighbours):
        inside = keys <= keys[..., k, None] * (1 + _TOLERANCE)
        local = _local_mi(around, inside, lattice, dx)
        estimates = counted[..., position] + local
        values += [estimates.mean(dim=1), (counted[..., position] + local.clamp_min(0.0)).mean(dim=1)]
        spread = estimates.std(dim=1)[:, None]
    return {"corrected": torch.stack(values, dim=1), "spread": spread}


def _local_mi(around: Tensor, inside: Tensor, lattice: Tensor, dx: int) -> Tensor:
    """Return the Gaussian MI of each point with its neighbours minus its bias, in nats, shape (B, q).

    Args:
        around: the point and its neighbours, shape (B, q, K, d).
        inside: mask of the neighbours to use, shape (B, q, K).
        lattice: addition to the variances, shape (B, q, d).
        dx: dimension of X.
    """
    weights = inside.double()[..., None]
    counts = weights.sum(dim=2, keepdim=True)
    centred = (around - (weights * around).sum(dim=2, keepdim=True) / counts) * weights
    covariance = centred.mT @ centred / counts + torch.diag_embed(lattice)
    scale = covariance.diagonal(dim1=2, dim2=3).rsqrt()
    matrices = scale[..., None] * covariance * scale[..., None, :]
    d = around.shape[3]
    biases = [bias(count, dx, d - dx) if count > d + 1 else 0.0 for count in range(around.shape[2] + 1)]
    return gaussian_mi(matrices, dx) - torch.tensor(biases)[counts.long().flatten(1)]


def monotone(samples: Samples) -> dict[str, Tensor]:
    """Count inversions of pairs of a coordinate of X and one of Y, which show even a swap of two points.

    If the ranks of a pair differ by less than one on average, 1 − r² depends more on the lattice of the ranks
    than on the dependence, and only the number of inversions is informative. With D inversions among N = n (n
    − 1) / 2 pairs of points, those against the sign of the correlation, −log sin(π (D + ½) / (N + 1)) is the
    MI in nats of the normal copula of that Kendall's τ (Kruskal, "Ordinal measures of association", JASA
    1958), which is finite without inversions too.

    Returns:
        ``kendall``: the three greatest among the first eight of the pairs that correlate best with each
        other. ``matched``: the sum over these eight, with −½ log(1 − r²) of all other such pairs, of those
        with n r² > 2 log(dx dy) + 2. ``displacement``: of the pair with the least inversions, with
        δ the difference of ranks, the mean of −log((2 |δ| + 1) / n), −½ log(12 (mean δ² + 1/12) / n²), and
        the share of δ = 0. All 0 for n < 8, where many pairs correlate equally.
    """
    n, dx = samples.n, samples.dx
    if n < _LEAST_POINTS:
        sizes = {"kendall": _LEADING, "matched": 1, "displacement": 3}
        return {name: samples.scores.new_zeros(len(samples), size) for name, size in sizes.items()}
    across = samples.correlation[:, :dx, dx:]
    square = across.square().clamp(max=1 - least_residual(n))
    pairs = (square * mutually_best(square)).flatten(1)
    best, places = pairs.topk(min(_MOST_PAIRS, pairs.shape[1]))
    signs = torch.sign(across.flatten(1).gather(1, places).detach())
    x = samples.ranks.gather(2, (places // samples.dy)[:, None].expand(-1, n, -1)) / 2
    y = samples.ranks.gather(2, (dx + places % samples.dy)[:, None].expand(-1, n, -1)) / 2
    y = torch.where(signs[:, None] < 0, n - 1 - y, y)
    kendall = _kendall_mi(_inversions(x, y, samples.smooth), n)
    cut = _THRESHOLD * (1 + math.log(pairs.shape[1]))
    clear, all_clear = best * n > cut, pairs * n > cut
    normal, all_normal = -0.5 * torch.log1p(-best), -0.5 * torch.log1p(-pairs)
    matched = ((kendall - normal) * clear).sum(dim=1) + (all_normal * all_clear).sum(dim=1)
    # If r is 0, the order of y has no sign, and the result must not depend on one.
    signed = best > _NO_CORRELATION
    kendall = kendall * signed
    displacement = _displacements(x - y, n) * signed[:, None]
    first = (kendall.detach() + _SECOND * displacement[:, 0].detach()).argmax(dim=1)
    return {
        "kendall": leading(kendall.sort(dim=1, descending=True).values, _LEADING),
        "matched": matched[:, None],
        "displacement": displacement.gather(2, first[:, None, None].expand(-1, 3, -1))[..., 0],
    }


def _displacements(apart: Tensor, n: int) -> Tensor:
    """Summarise differences of ranks, shape (B, n, pairs), by pair, shape (B, 3, pairs)."""
    values = [
        -((2 * apart.abs() + 1) / n).log().mean(dim=1),
        -0.5 * (12 * (apart.square().mean(dim=1) + 1 / 12) / n**2).log(),
        (apart.detach().abs() < 0.5).double().mean(dim=1),
    ]
    return torch.stack(values, dim=1)


def _kendall_mi(inversions: Tensor, n: int) -> Tensor:
    share = (inversions + 0.5) / (n * (n - 1) / 2 + 1)
    return -torch.sin(math.pi * share.clamp(max=0.5)).log()


def _inversions(x: Tensor, y: Tensor, smooth: bool) -> Tensor:
    """Count the pairs of points that x and y order differently, shape (B, columns), float64."""
    if smooth:
        columns = zip(x.unbind(2), y.unbind(2), strict=True)
        return torch.stack([_smooth_inversions(*pair) for pair in columns], dim=1)
    order = x.argsort(dim=1)
    rows = y.gather(1, order).long().mT.flatten(0, 1).numpy()
    counts = torch.tensor([inversions(row) for row in rows], dtype=torch.float64)
    return counts.reshape(x.shape[0], x.shape[2])


def inversions(ranks: NDArray[np.int64]) -> int:
    """Count pairs i < j with ranks[i] > ranks[j] of a permutation of 0, …, n − 1, by bits in n log n steps.
    The highest bit in which two ranks differ orders them: among ranks with equal higher bits, each 0 counts
    the ones before it.
    """
    total, order = 0, ranks
    for bit in reversed(range(int(len(ranks) - 1).bit_length())):
        group, ones = order >> (bit + 1), (order >> bit) & 1
        before = np.cumsum(ones) - ones
        first = np.flatnonzero(np.diff(group, prepend=-1))
        since = before - np.repeat(before[first], np.diff(first, append=len(order)))
        total += int(since[ones == 0].sum())
        order = order[np.argsort(order >> bit, kind="stable")]
    return total


def _smooth_inversions(x: Tensor, y: Tensor) -> Tensor:
    steps = [torch.tanh(2.0 * (part[:, :, None] - part[:, None])) for part in (x, y)]
    n = x.shape[1]
    return (n * (n - 1) - (steps[0] * steps[1]).sum(dim=(1, 2))) / 4


def canonical(samples: Samples) -> dict[str, Tensor]:
    """−½ log(1 − ρ²) in nats of the leading canonical correlations without shrinkage; see `many_points`."""
    n = samples.n
    if not many_points(n, samples.dimension):
        return {"canonical": torch.zeros(len(samples), _LEADING, dtype=torch.float64)}
    matrices = with_unit_diagonal((1 - RIDGE) * samples.correlation)
    rho = canonical_correlations(matrices, samples.dx, math.sqrt(1 - least_residual(n)))
    return {"canonical": leading(-0.5 * torch.log1p(-rho.square()), _LEADING)}


__all__ = ["canonical", "corrected", "inversions", "monotone"]
