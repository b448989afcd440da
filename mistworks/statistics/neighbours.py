"""Statistics of distances: nearest neighbours, kernels and distance correlation."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.spatial.distance import squareform
from scipy.special import psi
from torch import Tensor

from mistworks.statistics.gaussian import both_sides
from mistworks.statistics.sample import PAIR_SUBSET, SUBSET, Sample, with_unit_diagonal

NEIGHBOURS = (1, 3, 6, 12)
_MAHALANOBIS_NEIGHBOURS = (1, 4)
_RECTANGLE = 3
_BANDWIDTHS = (0.6, 0.25)
_TIE_BREAK = 1e-3
# Relative; what rounding may part, and far less than what tells neighbours apart.
_TOLERANCE = 1e-6
_SMOOTHING = 0.003
# Squared distances below this are those of equal points, but for rounding.
_TINY = 1e-9
_FAR = 1e9
_LEAST_NORM = 1e-4
_LEAST_EXPONENT = -30.0
_ROWS = 128


def nearest(sample: Sample) -> dict[str, Tensor]:
    """KSG estimates in nats for several k under the maximum norm, by both algorithms.

    Kraskov, Stögbauer, Grassberger, "Estimating mutual information", Physical Review E 2004, equations 8 and
    9. Where the k-th neighbour is at distance 0, k becomes the number of points there (Gao, Kannan, Oh,
    Viswanath, "Estimating mutual information for discrete-continuous mixtures", NeurIPS 2017). The norm is
    the same to the bit in whatever order coordinates come.
    """
    if sample.dx == sample.dy == 1 and not sample.smooth:
        return nearest_in_plane(sample.scores[sample.subset(PAIR_SUBSET)].float().double().numpy())
    scores = sample.scores[sample.subset(SUBSET)].float()
    sides = [maximum_distances(part) for part in (scores[:, : sample.dx], scores[:, sample.dx :])]
    ksg, rectangles = [], []
    for rows in _blocks(len(scores)):
        distances = [side[rows] for side in sides]
        ordered = None if sample.smooth else [_sorted(part) for part in distances]
        ksg.append(_ksg_terms(distances, ordered, NEIGHBOURS))
        rectangles.append(_rectangle_terms(distances, ordered))
    constant = psi(len(scores))
    return {
        "ksg": torch.cat(ksg).mean(dim=0) + constant,
        "rectangles": torch.cat(rectangles).mean(dim=0, keepdim=True) + constant,
    }


def maximum_distances(points: Tensor) -> Tensor:
    """Maximum norm between all points, shape (m, m)."""
    if points.requires_grad:
        return torch.cdist(points.contiguous(), points.contiguous(), p=torch.inf)
    # Each pair once, which takes a seventh of the time that `cdist` does.
    return torch.from_numpy(squareform(torch.nn.functional.pdist(points.contiguous(), p=torch.inf).numpy()))


def _blocks(m: int) -> Iterator[slice]:
    """Rows of the distances that are in memory at once: few enough to stay in a core's own cache."""
    return (slice(start, start + _ROWS) for start in range(0, m, _ROWS))


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
    """ψ(k) − ψ(n_x + 1) − ψ(n_y + 1) of some points, in nats.

    Args:
        distances: from those points to all within X, and within Y, shape (rows, m).
        ordered: the same with each row in ascending order; None to count smoothly, for gradients.
        neighbours: the values of k.

    Returns:
        Shape (rows, K), float64.
    """
    joint = torch.maximum(*distances)
    rows, m = joint.shape
    used = [min(k, m - 1) for k in neighbours]
    joint_ordered = _sorted(joint)
    radii = joint_ordered[:, used].contiguous()
    inside = torch.tensor(used, dtype=torch.float64).expand(rows, -1)
    if ordered is None:
        counts = [_smooth_count(part, radii * (1 - 4 * _SMOOTHING)) - 1.0 for part in distances]
    else:
        counts = [_within(part, radii) for part in ordered]
        if bool((tied := radii <= _TINY).any()):
            here = torch.full_like(radii[:, :1], _TINY)
            inside = torch.where(tied, _up_to(joint_ordered, here), inside)
            counts = [
                torch.where(tied, _up_to(part, here), count)
                for part, count in zip(ordered, counts, strict=True)
            ]
    return _digamma(inside) - _digamma(counts[0] + 1) - _digamma(counts[1] + 1)


def _sorted(matrix: Tensor) -> Tensor:
    """Each row in ascending order. NumPy's sort is vectorised; torch's is not, but passes gradients."""
    if matrix.requires_grad:
        return matrix.sort(dim=1).values
    return torch.from_numpy(np.sort(matrix.numpy(), axis=1))


def _within(ordered: Tensor, radii: Tensor) -> Tensor:
    """How many others lie strictly within each radius of each point, shape (rows, K), float64."""
    # What is as far as the neighbour itself is out, whatever rounding did to it.
    return (torch.searchsorted(ordered, radii * (1 - _TOLERANCE)) - 1).clamp_min(0).double()


def _up_to(ordered: Tensor, radii: Tensor) -> Tensor:
    """How many others lie within each radius of each point or on it, shape (rows, K), float64."""
    return (torch.searchsorted(ordered, radii * (1 + _TOLERANCE), right=True) - 1).double()


def _smooth_count(part: Tensor, radii: Tensor) -> Tensor:
    counts = [
        torch.sigmoid((radius[:, None] - part) / (_SMOOTHING * radius.detach()[:, None] + 1e-9)).sum(dim=1)
        for radius in radii.unbind(dim=1)
    ]
    return torch.stack(counts, dim=1).double().clamp_min(1.0)


def _rectangle_terms(distances: list[Tensor], ordered: list[Tensor] | None) -> Tensor:
    """ψ(k) − 1/k − ψ(n_x) − ψ(n_y) with points within the smallest rectangle around the k nearest.

    Arguments as in `_ksg_terms`; shape (rows,), float64.
    """
    # Points at one distance are told apart by the lesser of their two distances, not by their order.
    key = torch.add(torch.maximum(*distances), torch.minimum(*distances), alpha=_TIE_BREAK).detach()
    k = min(_RECTANGLE, key.shape[1] - 1)
    outside = key > _sorted(key)[:, k, None]
    terms = torch.full((len(key),), psi(k) - 1 / k, dtype=torch.float64)
    for side, part in enumerate(distances):
        radii = part.masked_fill(outside, 0.0).amax(dim=1, keepdim=True)
        if ordered is None:
            count = _smooth_count(part, radii * (1 + 4 * _SMOOTHING)) - 1.0
        else:
            count = _up_to(ordered[side], radii)
        terms = terms - _digamma(count[:, 0].clamp_min(1.0))
    return terms


def _digamma(values: Tensor) -> Tensor:
    found: Tensor = torch.special.digamma(values.double().clamp_min(1e-3))
    return found


def metric(sample: Sample) -> dict[str, Tensor]:
    """Statistics of Mahalanobis distances between the normal scores, with shrunk covariances.

    KSG estimates in nats for several k. Alignment of Gaussian kernels of several bandwidths, centred without
    bias (Song, Smola, Gretton, Bedo, Borgwardt, "Feature selection via dependence maximization", JMLR 2012).
    Leave-one-out kernel regression (Nadaraya 1964; Watson 1964) of normal scores and of their squares, from
    X to Y and back: R² of the best and of the mean coordinate. Distance correlation (Székely, Rizzo,
    "Partial distance correlation with methods for dissimilarities", Annals of Statistics 2014).
    """
    scores = sample.scores[sample.subset(SUBSET)]
    sides = [_Squares(part) for part in whitened_blocks(sample, scores)]
    targets = _targets(scores[:, sample.dx :].float()), _targets(scores[:, : sample.dx].float())
    ksg, distances = [], _Centred()
    kernels = [_Centred() for _ in _BANDWIDTHS]
    predicted: list[tuple[list[Tensor], list[Tensor]]] = [([], []) for _ in _BANDWIDTHS]
    for rows in _blocks(len(scores)):
        squares = [side[rows] for side in sides]
        ordered = None if sample.smooth else [_sorted(part) for part in squares]
        ksg.append(_ksg_terms(squares, ordered, _MAHALANOBIS_NEIGHBOURS))
        distances.add([part.clamp_min(_TINY).sqrt().double() for part in squares])
        others = [_without_self(part, rows) for part in squares]
        for bandwidth, kernel, found in zip(_BANDWIDTHS, kernels, predicted, strict=True):
            # Bounded, since exp takes ten times as long where its result is not a normal number.
            values = [(part * (-0.5 / bandwidth**2)).clamp_min(_LEAST_EXPONENT).exp_() for part in others]
            kernel.add(values)
            for value, aim, guesses in zip(values, targets, found, strict=True):
                guesses.append(value @ aim / value.sum(dim=1, keepdim=True).clamp_min(1e-6))
    gains = [
        both_sides(*(_gain(torch.cat(part), aim) for part, aim in zip(found, targets, strict=True))).flatten()
        for found in predicted
    ]
    return {
        "ksg": torch.cat(ksg).mean(dim=0) + psi(len(scores)),
        "alignment": torch.stack([kernel.correlation() for kernel in kernels]),
        "regression": torch.cat(gains).double(),
        "distance_correlation": distances.correlation()[None],
    }


def whitened_blocks(sample: Sample, scores: Tensor) -> list[Tensor]:
    """X and Y such that mean squared distances are about 1, shape (m, dx) and (m, dy)."""
    shrinkage = min(0.5, max(0.02, 0.5 * sample.dimension / sample.n))
    matrix = with_unit_diagonal((1 - shrinkage) * sample.correlation)
    found = []
    for part in (slice(0, sample.dx), slice(sample.dx, None)):
        factor = torch.linalg.cholesky_ex(matrix[part, part]).L
        white = torch.linalg.solve_triangular(factor, scores[:, part].T, upper=False).T
        found.append(white / (2 * white.shape[1]) ** 0.5)
    return found


class _Squares:
    """Squared distances between points, as one matrix product: ‖a‖² + ‖b‖² − 2 a·b."""

    def __init__(self, points: Tensor) -> None:
        norms, ones = points.square().sum(dim=1, keepdim=True), torch.ones_like(points[:, :1])
        self._left = torch.cat([-2.0 * points, norms, ones], dim=1)
        self._right = torch.cat([points, ones, norms], dim=1).T.contiguous()

    def __getitem__(self, rows: slice) -> Tensor:
        """From some points to all, shape (rows, m), float32."""
        return (self._left[rows] @ self._right).float().clamp_min(0.0)


def _without_self(squares: Tensor, rows: slice) -> Tensor:
    """The same with each point so far from itself that it has no weight in a kernel."""
    moved = squares.clone()
    moved.diagonal(offset=rows.start).fill_(_FAR)
    return moved


def _targets(scores: Tensor) -> Tensor:
    both = torch.cat([scores, scores.square()], dim=1)
    centred = both - both.mean(dim=0)
    return centred * centred.square().mean(dim=0).clamp_min(1e-12).rsqrt()


def _gain(predicted: Tensor, targets: Tensor) -> Tensor:
    """R² of the best score, of the best square, and means over both, shape (4,)."""
    gain = 1.0 - (targets - predicted).square().mean(dim=0)
    scores, squares = gain.clamp(-1.0, 1.0).chunk(2)
    return torch.stack([scores.max(), squares.max(), scores.mean(), squares.mean()])


class _Centred:
    """⟨x, y⟩ / √(⟨x, x⟩ ⟨y, y⟩) of U-centred symmetric matrices (Székely, Rizzo 2014).

    ⟨x, y⟩ = Σ xᵢⱼ yᵢⱼ − 2 Σ xᵢ. yᵢ. / (m − 2) + x.. y.. / ((m − 1)(m − 2)), so that the matrices are needed
    once, some rows at a time, and not centred.
    """

    def __init__(self) -> None:
        self._rows: tuple[list[Tensor], list[Tensor]] = ([], [])
        self._products: list[Tensor] = []

    def add(self, blocks: list[Tensor]) -> None:
        """Take some rows of both matrices, whose diagonals are 0 or nearly so."""
        for rows, block in zip(self._rows, blocks, strict=True):
            rows.append(block.sum(dim=1).double())
        flat = [block.reshape(-1) for block in blocks]
        products = [torch.dot(flat[a], flat[b]).double() for a, b in ((0, 1), (0, 0), (1, 1))]
        self._products.append(torch.stack(products))

    def correlation(self) -> Tensor:
        """The correlation, between −1 and 1, float64."""
        rows = [torch.cat(part) for part in self._rows]
        m = len(rows[0])
        totals = torch.stack(self._products).sum(dim=0)
        centred = [
            total
            - 2 * torch.dot(rows[a], rows[b]) / (m - 2)
            + rows[a].sum() * rows[b].sum() / ((m - 1) * (m - 2))
            for total, (a, b) in zip(totals, ((0, 1), (0, 0), (1, 1)), strict=True)
        ]
        # Where a kernel is the same for all pairs, both are but rounding.
        norm: Tensor = (centred[1] * centred[2]).clamp_min(_LEAST_NORM).sqrt()
        bounded: Tensor = (centred[0] / norm).clamp(-1.0, 1.0)
        return bounded
