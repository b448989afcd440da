"""Statistics of distances: nearest neighbours, kernels and distance correlation."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.spatial.distance import squareform
from scipy.special import psi
from torch import Tensor

from mistworks.statistics.gaussian import both_sides
from mistworks.statistics.sample import PAIR_SUBSET, POINTS, SUBSET, Samples, with_unit_diagonal

NEIGHBOURS = (1, 3, 6, 12)
_MAHALANOBIS_NEIGHBOURS = (1, 4)
_RECTANGLE = 3
_BANDWIDTH = 0.6
_TIE_BREAK = 1e-3
# Relative tolerance for rounding, far smaller than differences between neighbours.
TOLERANCE = 1e-6
# Squared distances below this are 0 up to rounding.
_TINY = 1e-9
_LEAST_NORM = 1e-4
_FEW = 128
# With many points, distances of more queries would not fit into a core's cache.
_QUERIES_TOGETHER = 64
_LEAST_EXPONENT = -20.0


def nearest(samples: Samples) -> dict[str, Tensor]:
    """Compute KSG estimates in nats for several k under the maximum norm, by both algorithms.

    Kraskov, Stögbauer, Grassberger, "Estimating mutual information", Physical Review E 2004, equations 8 and
    9. Neighbours of at most `SUBSET` points are counted among at most `POINTS`. The norm is the same to the
    bit in whatever order coordinates come.
    """
    samples = samples.exactly
    if samples.dx == samples.dy == 1:
        points = samples.subset(PAIR_SUBSET).float().double().numpy()
        planes = [nearest_in_plane(sample) for sample in points]
        return {name: torch.stack([plane[name] for plane in planes]) for name in planes[0]}
    scores = samples.subset(POINTS).float()
    terms = [_nearest_terms(part) for part in query_distances(scores, samples.dx)]
    values = torch.cat(terms, dim=1).mean(dim=1) + psi(scores.shape[1])
    return {"ksg": values[:, :-1], "rectangles": values[:, -1:]}


def _nearest_terms(distances: list[Tensor]) -> Tensor:
    return torch.cat([ksg_terms(distances, NEIGHBOURS), _rectangle_terms(distances)], dim=2)


def query_distances(points: Tensor, dx: int) -> Iterator[list[Tensor]]:
    """Compute the maximum norm between points, within X and within Y, for some of the first `SUBSET` points.

    Args:
        points: shape (B, m, dx + dy), in the order of the subset.
        dx: dimension of X.

    Yields:
        Two of shape (B, q, m), each query at distance 0 from itself.
    """
    sides = points[..., :dx].contiguous(), points[..., dx:].contiguous()
    queries = min(SUBSET, points.shape[1])
    if queries == points.shape[1]:
        yield [_all_distances(side) for side in sides]
        return
    for rows in torch.split(torch.arange(queries), _QUERIES_TOGETHER):
        yield [torch.cdist(side[:, rows], side, p=torch.inf) for side in sides]


def _all_distances(points: Tensor) -> Tensor:
    # Computing each pair once takes a seventh of the time of `cdist`.
    pairs = [torch.nn.functional.pdist(sample, p=torch.inf).numpy() for sample in points]
    return torch.from_numpy(np.stack([squareform(distances) for distances in pairs]))


def nearest_in_plane(points: NDArray[np.float64]) -> dict[str, Tensor]:
    """Compute the same for points of shape (m, 2), by a tree and by sorting, in far fewer than m² steps.

    Every point is a query.
    """
    m = len(points)
    used = np.array([min(k, m - 1) for k in NEIGHBOURS])
    distance, nearest_points = KDTree(points).query(points, used.max() + 1, p=np.inf)
    radii = np.asarray(distance)[:, used]
    x, y = (between(axis, radii * (1 - TOLERANCE)) for axis in points.T)
    estimates = (psi(used) - psi(x + 1) - psi(y + 1)).mean(axis=0) + psi(m)
    away = np.abs(points[np.asarray(nearest_points)] - points[:, None])
    key = away.max(axis=2) + _TIE_BREAK * away.min(axis=2)
    k = min(_RECTANGLE, m - 1)
    near = np.where((key <= np.sort(key, axis=1)[:, [k]])[..., None], away, 0.0).max(axis=1)
    sides = [
        between(axis, near[:, [side]] * (1 + TOLERANCE)).clip(min=1.0) for side, axis in enumerate(points.T)
    ]
    rectangle = psi(k) - 1 / k + psi(m) - (psi(sides[0]) + psi(sides[1])).mean()
    return {"ksg": torch.from_numpy(estimates), "rectangles": torch.tensor([float(rectangle)]).double()}


def between(axis: NDArray[np.float64], radii: NDArray[np.float64]) -> NDArray[np.float64]:
    """Count the other values within each radius of each value, with the boundary, shape (m, K)."""
    ordered, centre = np.sort(axis), axis[:, None]
    above = np.searchsorted(ordered, centre + radii, side="right")
    return np.asarray(above - np.searchsorted(ordered, centre - radii, side="left") - 1.0).clip(min=0.0)


def ksg_terms(distances: list[Tensor], neighbours: tuple[int, ...]) -> Tensor:
    """Return ψ(k) − ψ(n_x + 1) − ψ(n_y + 1) of each query, in nats.

    Args:
        distances: within X, and within Y, shape (B, q, m).
        neighbours: values of k.

    Returns:
        Shape (B, q, K), float64.
    """
    used = [min(k, distances[0].shape[-1] - 1) for k in neighbours]
    radii = smallest(torch.maximum(*distances), max(used) + 1)[..., used]
    terms = torch.from_numpy(psi(np.array(used))).expand(radii.shape)
    for part in distances:
        # Points as far as the neighbour itself are excluded, despite rounding.
        terms = terms - digamma(_count(part, radii * (1 - TOLERANCE)).clamp_min(1))
    return terms


def smallest(values: Tensor, count: int) -> Tensor:
    """Return the smallest values along the last axis, in ascending order."""
    return torch.from_numpy(np.sort(np.partition(values.numpy(), count - 1)[..., :count]))


def _count(part: Tensor, radii: Tensor) -> Tensor:
    """Count the distances within each radius, including the query's to itself, shape (B, q, K)."""
    return torch.stack([(part <= radius).sum(dim=-1) for radius in radii[..., None].unbind(dim=-2)], dim=-1)


def _rectangle_terms(distances: list[Tensor]) -> Tensor:
    """Return ψ(k) − 1/k − ψ(n_x) − ψ(n_y) for points in the smallest rectangle around the k nearest.

    Arguments as in `ksg_terms`; shape (B, q, 1), float64.
    """
    # Points at equal distances are ordered by the smaller of their two distances, not by position.
    key = torch.add(torch.maximum(*distances), torch.minimum(*distances), alpha=_TIE_BREAK)
    k = min(_RECTANGLE, key.shape[-1] - 1)
    inside = key <= smallest(key, k + 1)[..., k, None]
    terms = torch.full((*key.shape[:-1], 1), psi(k) - 1 / k, dtype=torch.float64)
    for part in distances:
        radii = torch.from_numpy((part.numpy() * inside.numpy()).max(axis=-1, keepdims=True))
        terms = terms - digamma((_count(part, radii * (1 + TOLERANCE)) - 1).clamp_min(1))
    return terms


def digamma(counts: Tensor) -> Tensor:
    """Return ψ of counts, float64."""
    return _digamma_table()[counts]


@lru_cache(maxsize=1)
def _digamma_table() -> Tensor:
    return torch.from_numpy(np.asarray(psi(np.arange(POINTS + 2.0))))


def metric(samples: Samples) -> dict[str, Tensor]:
    """Compute statistics of Mahalanobis distances between the normal scores, with shrunk covariances.

    KSG estimates in nats for several k. Alignment of Gaussian kernels of several bandwidths, centred without
    bias (Song, Smola, Gretton, Bedo, Borgwardt, "Feature selection via dependence maximization", JMLR 2012).
    Leave-one-out kernel regression (Nadaraya 1964; Watson 1964) of normal scores and of their squares, from
    X to Y and back: R² of the best and of the mean coordinate. Distance correlation (Székely, Rizzo,
    "Partial distance correlation with methods for dissimilarities", Annals of Statistics 2014).
    """
    points = samples.subset(POINTS)
    scores = points[:, :SUBSET]
    blocks = whitened_blocks(samples, points)
    squares = [_squares(part[:, :SUBSET], part[:, :SUBSET]) for part in blocks]
    targets = _targets(scores[..., samples.dx :].float()), _targets(scores[..., : samples.dx].float())
    exact = samples.exactly
    exact_blocks = whitened_blocks(exact, exact.subset(POINTS)) if samples.smooth else blocks
    ksg = [
        ksg_terms([_squares(part[:, rows], part) for part in exact_blocks], _MAHALANOBIS_NEIGHBOURS)
        for rows in torch.split(torch.arange(scores.shape[1]), _QUERIES_TOGETHER)
    ]
    distances = [part.clamp_min(_TINY).sqrt_() for part in squares]
    alignment, gains = [], []
    for kernels in _kernels(squares):
        alignment.append(_centred_correlation(*kernels))
        predicted = [
            kernel @ aim / kernel.sum(dim=2, keepdim=True).clamp_min(1e-6)
            for kernel, aim in zip(kernels, targets, strict=True)
        ]
        gains.append(both_sides(*(_gain(*pair) for pair in zip(predicted, targets, strict=True))))
    return {
        "ksg": torch.cat(ksg, dim=1).mean(dim=1) + psi(points.shape[1]),
        "alignment": torch.stack(alignment, dim=1),
        "regression": torch.cat(gains, dim=1).double(),
        "distance_correlation": _centred_correlation(*distances)[:, None],
    }


def whitened_blocks(samples: Samples, scores: Tensor) -> list[Tensor]:
    """Whiten X and Y to mean squared distances of about 1, shape (B, m, dx) and (B, m, dy)."""
    shrinkage = min(0.5, max(0.02, 0.5 * samples.dimension / samples.n))
    matrices = with_unit_diagonal((1 - shrinkage) * samples.correlation)
    whitened = []
    for part in (slice(0, samples.dx), slice(samples.dx, None)):
        factor = torch.linalg.cholesky_ex(matrices[:, part, part]).L
        white = torch.linalg.solve_triangular(factor, scores[..., part].mT, upper=False).mT
        whitened.append(white / (2 * white.shape[2]) ** 0.5)
    return whitened


def _squares(queries: Tensor, points: Tensor) -> Tensor:
    """Compute squared distances as one product: ‖a‖² + ‖b‖² − 2 a·b, shape (B, q, m), float32."""
    query_norms, norms = (part.square().sum(dim=2, keepdim=True) for part in (queries, points))
    left = torch.cat([-2.0 * queries, query_norms, torch.ones_like(query_norms)], dim=2)
    right = torch.cat([points, torch.ones_like(norms), norms], dim=2)
    return (left @ right.mT).float().clamp_min_(0.0)


def _kernels(squares: list[Tensor]) -> list[list[Tensor]]:
    """Return Gaussian kernels of X and of Y for the larger bandwidth and for half of it, with diagonal 0."""
    wide = []
    for part in squares:
        exponents = part * (-0.5 / _BANDWIDTH**2)
        exponents.diagonal(dim1=1, dim2=2).fill_(_LEAST_EXPONENT)
        # Bounded, since arithmetic with subnormal numbers takes many times as long.
        exponents = exponents.clamp_min_(_LEAST_EXPONENT)
        wide.append(exponents.exp() if part.requires_grad else torch.from_numpy(np.exp(exponents.numpy())))
    return [wide, [part.square().square() for part in wide]]


def _targets(scores: Tensor) -> Tensor:
    both = torch.cat([scores, scores.square()], dim=2)
    centred = both - both.mean(dim=1, keepdim=True)
    return centred * centred.square().mean(dim=1, keepdim=True).clamp_min(1e-12).rsqrt()


def _gain(predicted: Tensor, targets: Tensor) -> Tensor:
    """Return R² of the best score, of the best square, and means over both, shape (B, 4)."""
    gain = 1.0 - (targets - predicted).square().mean(dim=1)
    scores, squares = gain.clamp(-1.0, 1.0).chunk(2, dim=1)
    return torch.stack([scores.amax(1), squares.amax(1), scores.mean(1), squares.mean(1)], dim=1)


def _centred_correlation(a: Tensor, b: Tensor) -> Tensor:
    """Return ⟨a, b⟩ / √(⟨a, a⟩ ⟨b, b⟩) of U-centred symmetric matrices (Székely, Rizzo 2014), shape (B,).

    ⟨a, b⟩ = Σ aᵢⱼ bᵢⱼ − 2 Σ aᵢ. bᵢ. / (m − 2) + a.. b.. / ((m − 1)(m − 2)), which avoids centring. The
    diagonals are about 0.
    """
    if a.shape[1] <= _FEW:
        # Sums over few points are so small that single precision would show rounding.
        a, b = a.double(), b.double()
    # Sums of rows in single precision, total sums in double: the difference is small compared with the terms.
    a_rows, b_rows = (part.sum(dim=2).double() for part in (a, b))
    product = _centred((a * b).sum(dim=2), a_rows, b_rows)
    a_square = _centred(torch.linalg.vector_norm(a, dim=2).square(), a_rows, a_rows)
    b_square = _centred(torch.linalg.vector_norm(b, dim=2).square(), b_rows, b_rows)
    # If a kernel is equal for all pairs, both are only rounding.
    norm = (a_square * b_square).clamp_min(_LEAST_NORM).sqrt()
    return (product / norm).clamp(-1.0, 1.0)


def _centred(products: Tensor, a_rows: Tensor, b_rows: Tensor) -> Tensor:
    """Return ⟨a, b⟩ from the sums over each row of a·b, of a and of b, shape (B, m) each."""
    m = products.shape[1]
    margins = (a_rows * b_rows).sum(dim=1)
    totals = a_rows.sum(dim=1) * b_rows.sum(dim=1)
    return products.double().sum(dim=1) - 2 * margins / (m - 2) + totals / ((m - 1) * (m - 2))


__all__ = [
    "NEIGHBOURS",
    "TOLERANCE",
    "between",
    "digamma",
    "ksg_terms",
    "metric",
    "nearest",
    "nearest_in_plane",
    "query_distances",
    "smallest",
    "whitened_blocks",
]
