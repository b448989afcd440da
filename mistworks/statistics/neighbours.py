"""Statistics of distances: nearest neighbours, kernels and distance correlation."""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.spatial.distance import squareform
from scipy.special import psi
from torch import Tensor

from mistworks.statistics.gaussian import both_sides
from mistworks.statistics.sample import PAIR_SUBSET, SUBSET, Samples, with_unit_diagonal

NEIGHBOURS = (1, 3, 6, 12)
_MAHALANOBIS_NEIGHBOURS = (1, 4)
_RECTANGLE = 3
_BANDWIDTH = 0.6
_TIE_BREAK = 1e-3
# Relative; what rounding may part, and far less than what tells neighbours apart.
_TOLERANCE = 1e-6
_SMOOTHING = 0.0015
# Squared distances below this are those of equal points, but for rounding.
_TINY = 1e-9
_LEAST_NORM = 1e-4
_FEW = 128
_LEAST_EXPONENT = -20.0


def nearest(samples: Samples) -> dict[str, Tensor]:
    """KSG estimates in nats for several k under the maximum norm, by both algorithms.

    Kraskov, Stögbauer, Grassberger, "Estimating mutual information", Physical Review E 2004, equations 8 and
    9. Where the k-th neighbour is at distance 0, k becomes the number of points there (Gao, Kannan, Oh,
    Viswanath, "Estimating mutual information for discrete-continuous mixtures", NeurIPS 2017). The norm is
    the same to the bit in whatever order coordinates come.
    """
    # Of many points at one distance the tree finds any.
    in_plane = samples.n > SUBSET or not samples.tied_shares.any()
    if samples.dx == samples.dy == 1 and in_plane and not samples.smooth:
        points = samples.subset(PAIR_SUBSET).float().double().numpy()
        planes = [nearest_in_plane(sample) for sample in points]
        return {name: torch.stack([plane[name] for plane in planes]) for name in planes[0]}
    scores = samples.subset(SUBSET).float()
    sides = [maximum_distances(part) for part in (scores[..., : samples.dx], scores[..., samples.dx :])]
    ordered = None if samples.smooth else [_sorted(side) for side in sides]
    constant = psi(scores.shape[1])
    return {
        "ksg": _ksg_terms(sides, ordered, NEIGHBOURS).mean(dim=1) + constant,
        "rectangles": _rectangle_terms(sides, ordered).mean(dim=1, keepdim=True) + constant,
    }


def maximum_distances(points: Tensor) -> Tensor:
    """Maximum norm between all points of each sample, shape (B, m, m)."""
    if points.requires_grad:
        return torch.cdist(points.contiguous(), points.contiguous(), p=torch.inf)
    # Each pair once, which takes a seventh of the time that `cdist` does.
    pairs = [torch.nn.functional.pdist(sample, p=torch.inf).numpy() for sample in points.contiguous()]
    return torch.from_numpy(np.stack([squareform(distances) for distances in pairs]))


def nearest_in_plane(points: NDArray[np.float64]) -> dict[str, Tensor]:
    """The same for points of shape (m, 2), by a tree and by sorting, in far less than m² steps."""
    m = len(points)
    used = [min(k, m - 1) for k in NEIGHBOURS]
    distance, found = KDTree(points).query(points, max(used) + 1, p=np.inf)
    radii = np.asarray(distance)[:, used]
    counts = [_between(axis, radii * (1 - _TOLERANCE)) for axis in points.T]
    equal = [_between(axis, np.zeros((m, 1))) for axis in points.T]
    tied = radii <= 0
    _, which, copies = np.unique(points, axis=0, return_inverse=True, return_counts=True)
    inside = np.where(tied, (copies[which.reshape(-1)] - 1)[:, None], np.array(used, dtype=np.float64))
    x, y = (np.where(tied, same, count) for same, count in zip(equal, counts, strict=True))
    estimates = (psi(inside) - psi(x + 1) - psi(y + 1)).mean(axis=0) + psi(m)
    away = np.abs(points[np.asarray(found)] - points[:, None])
    key = away.max(axis=2) + _TIE_BREAK * away.min(axis=2)
    k = min(_RECTANGLE, m - 1)
    near = np.where((key <= np.sort(key, axis=1)[:, [k]])[..., None], away, 0.0).max(axis=1)
    sides = [
        _between(axis, near[:, [side]] * (1 + _TOLERANCE)).clip(min=1.0) for side, axis in enumerate(points.T)
    ]
    rectangle = psi(k) - 1 / k + psi(m) - (psi(sides[0]) + psi(sides[1])).mean()
    return {"ksg": torch.from_numpy(estimates), "rectangles": torch.tensor([float(rectangle)]).double()}


def _between(axis: NDArray[np.float64], radii: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many others lie within each radius of each value or on it, shape (m, K)."""
    ordered, centre = np.sort(axis), axis[:, None]
    above = np.searchsorted(ordered, centre + radii, side="right")
    return np.asarray(above - np.searchsorted(ordered, centre - radii, side="left") - 1.0)


def _ksg_terms(distances: list[Tensor], ordered: list[Tensor] | None, neighbours: tuple[int, ...]) -> Tensor:
    """ψ(k) − ψ(n_x + 1) − ψ(n_y + 1) of all points, in nats.

    Args:
        distances: within X, and within Y, shape (B, m, m).
        ordered: the same with each row in ascending order; None to count smoothly, for gradients.
        neighbours: the values of k.

    Returns:
        Shape (B, m, K), float64.
    """
    joint = _sorted(torch.maximum(*distances))
    used = [min(k, joint.shape[-1] - 1) for k in neighbours]
    radii = joint[..., used].contiguous()
    inside = torch.tensor(used).expand(radii.shape)
    if ordered is None:
        counts = [_smooth_count(part, radii, -1.0) - 1.0 for part in distances]
    else:
        counts = [_within(part, radii) for part in ordered]
    if bool((tied := radii <= _TINY).any()):
        here = torch.full_like(radii[..., :1], _TINY).detach()
        inside = torch.where(tied, _up_to(joint.detach(), here), inside)
        for side, part in enumerate(ordered or [_sorted(part.detach()) for part in distances]):
            counts[side] = torch.where(tied, _up_to(part, here), counts[side])
    return _digamma(inside) - _digamma(counts[0] + 1) - _digamma(counts[1] + 1)


def _sorted(matrices: Tensor) -> Tensor:
    """Each row in ascending order. NumPy's sort is vectorised; torch's is not, but passes gradients."""
    if matrices.requires_grad:
        return matrices.sort(dim=-1).values
    return torch.from_numpy(np.sort(matrices.numpy(), axis=-1))


def _within(ordered: Tensor, radii: Tensor) -> Tensor:
    """How many others lie strictly within each radius of each point, shape (B, m, K), int64."""
    # What is as far as the neighbour itself is out, whatever rounding did to it.
    return (torch.searchsorted(ordered, radii * (1 - _TOLERANCE)) - 1).clamp_min(0)


def _up_to(ordered: Tensor, radii: Tensor) -> Tensor:
    """How many others lie within each radius of each point or on it, shape (B, m, K), int64."""
    return torch.searchsorted(ordered, radii * (1 + _TOLERANCE), right=True) - 1


def _smooth_count(part: Tensor, radii: Tensor, side: float) -> Tensor:
    """How many points lie within each radius, those at it in (side = 1) or out (side = −1), float64."""
    counts = []
    for radius in radii[..., None].unbind(dim=-2):
        width = _SMOOTHING * radius.detach() + 1e-9
        # Eight widths off, a point at the radius itself counts whole or not at all.
        counts.append(torch.sigmoid((radius - part) / width + 8.0 * side).sum(dim=-1))
    return torch.stack(counts, dim=-1).double().clamp_min(1.0)


def _rectangle_terms(distances: list[Tensor], ordered: list[Tensor] | None) -> Tensor:
    """ψ(k) − 1/k − ψ(n_x) − ψ(n_y) with points within the smallest rectangle around the k nearest.

    Arguments as in `_ksg_terms`; shape (B, m), float64.
    """
    # Points at one distance are told apart by the lesser of their two distances, not by their order.
    key = torch.add(torch.maximum(*distances), torch.minimum(*distances), alpha=_TIE_BREAK).detach()
    k = min(_RECTANGLE, key.shape[-1] - 1)
    inside = torch.from_numpy(key.numpy() <= _sorted(key).numpy()[..., k, None])
    terms = torch.full(key.shape[:-1], psi(k) - 1 / k, dtype=torch.float64)
    for side, part in enumerate(distances):
        radii = _masked(part, inside).amax(dim=-1, keepdim=True)
        count = _smooth_count(part, radii, 1.0) - 1.0 if ordered is None else _up_to(ordered[side], radii)
        terms = terms - _digamma(count[..., 0].clamp_min(1))
    return terms


def _masked(values: Tensor, mask: Tensor) -> Tensor:
    """Values where the mask is set, else 0. NumPy is faster, but passes no gradients."""
    if values.requires_grad:
        return values * mask
    return torch.from_numpy(values.numpy() * mask.numpy())


def _digamma(counts: Tensor) -> Tensor:
    """ψ of counts, whole or smooth, float64."""
    if counts.is_floating_point():
        smooth: Tensor = torch.special.digamma(counts)
        return smooth
    return _digamma_table()[counts]


@lru_cache(maxsize=1)
def _digamma_table() -> Tensor:
    return torch.from_numpy(np.asarray(psi(np.arange(SUBSET + 2.0))))


def metric(samples: Samples) -> dict[str, Tensor]:
    """Statistics of Mahalanobis distances between the normal scores, with shrunk covariances.

    KSG estimates in nats for several k. Alignment of Gaussian kernels of several bandwidths, centred without
    bias (Song, Smola, Gretton, Bedo, Borgwardt, "Feature selection via dependence maximization", JMLR 2012).
    Leave-one-out kernel regression (Nadaraya 1964; Watson 1964) of normal scores and of their squares, from
    X to Y and back: R² of the best and of the mean coordinate. Distance correlation (Székely, Rizzo,
    "Partial distance correlation with methods for dissimilarities", Annals of Statistics 2014).
    """
    scores = samples.subset(SUBSET)
    squares = [_squares(part) for part in whitened_blocks(samples, scores)]
    targets = _targets(scores[..., samples.dx :].float()), _targets(scores[..., : samples.dx].float())
    ordered = None if samples.smooth else [_sorted(part) for part in squares]
    ksg = _ksg_terms(squares, ordered, _MAHALANOBIS_NEIGHBOURS)
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
        "ksg": ksg.mean(dim=1) + psi(scores.shape[1]),
        "alignment": torch.stack(alignment, dim=1),
        "regression": torch.cat(gains, dim=1).double(),
        "distance_correlation": _centred_correlation(*distances)[:, None],
    }


def whitened_blocks(samples: Samples, scores: Tensor) -> list[Tensor]:
    """X and Y such that mean squared distances are about 1, shape (B, m, dx) and (B, m, dy)."""
    shrinkage = min(0.5, max(0.02, 0.5 * samples.dimension / samples.n))
    matrices = with_unit_diagonal((1 - shrinkage) * samples.correlation)
    found = []
    for part in (slice(0, samples.dx), slice(samples.dx, None)):
        factor = torch.linalg.cholesky_ex(matrices[:, part, part]).L
        white = torch.linalg.solve_triangular(factor, scores[..., part].mT, upper=False).mT
        found.append(white / (2 * white.shape[2]) ** 0.5)
    return found


def _squares(points: Tensor) -> Tensor:
    """Squared distances between points, as one product: ‖a‖² + ‖b‖² − 2 a·b, shape (B, m, m), float32."""
    norms, ones = points.square().sum(dim=2, keepdim=True), torch.ones_like(points[..., :1])
    left = torch.cat([-2.0 * points, norms, ones], dim=2)
    right = torch.cat([points, ones, norms], dim=2)
    return (left @ right.mT).float().clamp_min_(0.0)


def _kernels(squares: list[Tensor]) -> list[list[Tensor]]:
    """Gaussian kernels of X and of Y for the greater bandwidth and for half of it, without the diagonals."""
    wide = []
    for part in squares:
        exponents = part * (-0.5 / _BANDWIDTH**2)
        exponents.diagonal(dim1=1, dim2=2).fill_(_LEAST_EXPONENT)
        # Bounded, since numbers too small to be normal take many times as long.
        exponents = exponents.clamp_min_(_LEAST_EXPONENT)
        wide.append(exponents.exp() if part.requires_grad else torch.from_numpy(np.exp(exponents.numpy())))
    return [wide, [part.square().square() for part in wide]]


def _targets(scores: Tensor) -> Tensor:
    both = torch.cat([scores, scores.square()], dim=2)
    centred = both - both.mean(dim=1, keepdim=True)
    return centred * centred.square().mean(dim=1, keepdim=True).clamp_min(1e-12).rsqrt()


def _gain(predicted: Tensor, targets: Tensor) -> Tensor:
    """R² of the best score, of the best square, and means over both, shape (B, 4)."""
    gain = 1.0 - (targets - predicted).square().mean(dim=1)
    scores, squares = gain.clamp(-1.0, 1.0).chunk(2, dim=1)
    return torch.stack([scores.amax(1), squares.amax(1), scores.mean(1), squares.mean(1)], dim=1)


def _centred_correlation(a: Tensor, b: Tensor) -> Tensor:
    """⟨a, b⟩ / √(⟨a, a⟩ ⟨b, b⟩) of U-centred symmetric matrices (Székely, Rizzo 2014), shape (B,), float64.

    ⟨a, b⟩ = Σ aᵢⱼ bᵢⱼ − 2 Σ aᵢ. bᵢ. / (m − 2) + a.. b.. / ((m − 1)(m − 2)), for which nothing is centred.
    The diagonals are 0, or nearly so.
    """
    if a.shape[1] <= _FEW:
        # The sums of few points are so small that rounding would show in single precision.
        a, b = a.double(), b.double()
    # Sums of rows in single precision, of all in double: the difference is small against the terms.
    a_rows, b_rows = (part.sum(dim=2).double() for part in (a, b))
    product = _centred((a * b).sum(dim=2), a_rows, b_rows)
    a_square = _centred(torch.linalg.vector_norm(a, dim=2).square(), a_rows, a_rows)
    b_square = _centred(torch.linalg.vector_norm(b, dim=2).square(), b_rows, b_rows)
    # Where a kernel is the same for all pairs, both are but rounding.
    norm = (a_square * b_square).clamp_min(_LEAST_NORM).sqrt()
    return (product / norm).clamp(-1.0, 1.0)


def _centred(products: Tensor, a_rows: Tensor, b_rows: Tensor) -> Tensor:
    """⟨a, b⟩ from the sums over each row of a·b, of a and of b, shape (B, m) each."""
    m = products.shape[1]
    margins = (a_rows * b_rows).sum(dim=1)
    totals = a_rows.sum(dim=1) * b_rows.sum(dim=1)
    return products.double().sum(dim=1) - 2 * margins / (m - 2) + totals / ((m - 1) * (m - 2))
