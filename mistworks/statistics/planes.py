"""Products of independent pairs of columns whose copula is not normal: neighbours in the plane of each pair.

The MI of such a product is the sum over its pairs. Neighbours in all coordinates say little about several
pairs, and correlations miss the shape of each: 0.18 nats per pair for uniform noise, more for heavy tails and
waves.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.special import psi
from torch import Tensor

from mistworks.statistics.gaussian import least_residual, mutually_best
from mistworks.statistics.neighbours import TOLERANCE, between
from mistworks.statistics.polynomials import ORDERS, pair_divergence
from mistworks.statistics.sample import Samples, leading

_POINTS = 2048
_NEIGHBOURS = (1, 3)
_FIRST, _MIDDLE = 0, 1
_MOST_PAIRS = 8
_LEADING = 3
_LEAST_POINTS = 8
_THRESHOLD = 2.0
# Standard deviations of the estimate for k = 3 of independent columns are about 0.8 / √n.
_CLEAR_NEIGHBOURS = 2.5
# Value of unclear pairs in the choice of pairs: less than that of clear ones.
_UNCLEAR = 1e-2
_TIE_BREAK = 1e-3


def planes(samples: Samples) -> dict[str, Tensor]:
    """Sum KSG estimates in nats over the clear pairs of one column of X and one of Y.

    Pairs are those whose columns are each other's strongest by r² or by χ² / (1 + χ²), which for a normal
    copula is r² too, with χ² up to order 4 of `mistworks.statistics.polynomials`. The first eight are
    evaluated, each by neighbours of at most `_POINTS` points among these, under the maximum norm of scores.
    A pair is clear if n r² > 2 (1 + log dx dy), n χ² > 8 (1 + log dx dy), or the estimate for k = 3 exceeds
    2.5 / √n. With J = −½ log(1 − r²) of a pair, Î_k − J is what the normal formula leaves out.

    Returns:
        ``mi``: Σ J over all clear pairs plus the mean of Î_k − J over the evaluated ones times the number of
        clear pairs, for k = 1 and 3; the same of max(Î_1, J) − J, for strong pairs. ``sums``: Σ Î_3 and
        Σ Î_3 − J over the evaluated clear pairs. ``greatest``: the three greatest Î_3. ``clear``: log(1 +
        number of clear pairs). All 0 for n < 8, where many pairs are equally strong.
    """
    n, dx, dy = samples.n, samples.dx, samples.dy
    if n < _LEAST_POINTS:
        sizes = {"mi": len(_NEIGHBOURS) + 1, "sums": 2, "greatest": _LEADING, "clear": 1}
        return {name: samples.scores.new_zeros(len(samples), size) for name, size in sizes.items()}
    most = 1 - least_residual(n)
    exact = samples.exactly
    square = exact.correlation[:, :dx, dx:].square().clamp(max=most)
    divergence = pair_divergence(exact).sum(dim=(2, 4)).clamp_min(0.0)
    cut = _THRESHOLD * (1 + math.log(dx * dy))
    by_square, by_divergence = square * n > cut, divergence * n > cut * ORDERS
    kinds = (
        torch.where(by_square, 1.0, _UNCLEAR) * square,
        torch.where(by_divergence, 1.0, _UNCLEAR) * divergence / (1 + divergence),
    )
    # Pairs that are equally strong by one measure are ordered by the other.
    strength = torch.maximum(*kinds) + _TIE_BREAK * torch.minimum(*kinds)
    matched = mutually_best(strength).flatten(1)
    count = min(_MOST_PAIRS, dx * dy)
    places = torch.where(matched, strength.flatten(1), -1.0).topk(count).indices
    chosen = matched.gather(1, places)
    ksg = _in_planes(exact, places, chosen)
    all_clear = (by_square | by_divergence).flatten(1) & matched
    clear = chosen & (all_clear.gather(1, places) | (ksg[_MIDDLE] > _CLEAR_NEIGHBOURS / math.sqrt(n)))
    all_clear = all_clear.scatter(1, places, clear)
    all_normal = -0.5 * torch.log1p(-samples.correlation[:, :dx, dx:].square().clamp(max=most)).flatten(1)
    normal = all_normal.gather(1, places)
    number, evaluated = all_clear.sum(dim=1), clear.sum(dim=1)
    shapes = torch.stack([*(ksg - normal), (ksg[_FIRST] - normal).clamp_min(0.0)], dim=1) * clear[:, None]
    corrections = shapes.sum(dim=2) * (number / evaluated.clamp_min(1))[:, None]
    return {
        "mi": corrections + (all_normal * all_clear).sum(dim=1, keepdim=True),
        "sums": torch.stack([(ksg[_MIDDLE] * clear).sum(dim=1), shapes[:, _MIDDLE].sum(dim=1)], dim=1),
        "greatest": leading(ksg[_MIDDLE].sort(dim=1, descending=True).values, _LEADING),
        "clear": number.double().log1p()[:, None],
    }


def _in_planes(samples: Samples, places: Tensor, chosen: Tensor) -> Tensor:
    """Return KSG estimates of pairs in nats, at least 0, shape (K, B, pairs); 0 for other pairs.

    Args:
        samples: the samples.
        places: i dy + j of each pair, shape (B, pairs).
        chosen: mask of the pairs to use, shape (B, pairs).
    """
    points = samples.subset(_POINTS).float().double().numpy()
    values = np.zeros((len(_NEIGHBOURS), *places.shape))
    for row, pair in zip(*np.nonzero(chosen.numpy()), strict=True):
        i, j = divmod(int(places[row, pair]), samples.dy)
        values[:, row, pair] = _ksg_in_plane(points[row][:, [i, samples.dx + j]])
    return torch.from_numpy(values)


def _ksg_in_plane(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return KSG estimates (Kraskov et al. 2004, equation 8) of points of shape (m, 2), at least 0."""
    m = len(points)
    used = np.array([min(k, m - 1) for k in _NEIGHBOURS])
    distance, _ = KDTree(points).query(points, used.max() + 1, p=np.inf)
    radii = np.asarray(distance)[:, used] * (1 - TOLERANCE)
    x, y = (between(axis, radii) for axis in points.T)
    estimates = (psi(used) - psi(x + 1) - psi(y + 1)).mean(axis=0) + psi(m)
    return np.asarray(estimates.clip(min=0.0))


__all__ = ["planes"]
