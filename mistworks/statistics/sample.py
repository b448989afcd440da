"""Samples as input of the statistics: their ranks, which no increasing map of a coordinate changes."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit
from torch import Tensor
from torch.nn import functional

from mistworks.statistics import ranked
from mistworks.statistics.ranked import Ranked
from mistworks.statistics.untied import untied

SUBSET = 512
"""Maximum number of points for statistics of quadratic cost, and of queries for others."""

POINTS = 16_384
"""Maximum number of points among which neighbours of queries are searched."""

PAIR_SUBSET = 4096
"""The same for one coordinate per side, where a tree is faster."""

DEGREES_OF_FREEDOM = (20.0, 9.0, 4.5, 2.3, 1.2)
"""Candidates ν of the t copula; the normal copula is their limit."""

_CACHED_SIZES = 256
# Tables for larger samples would fill the memory.
_MOST_CACHED = 2_000
_FARTHEST = 6.0
_GRID = 1201
_SMOOTHING = 0.15
# Finalizer of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
_MIXERS = ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15))
_INCREMENT = -0x61C8864680B583EB


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of equal shape, by the ranks of their coordinates.

    Attributes:
        ranks: half ranks of X, then of Y: 0, 2, …, 2n − 2 with ties broken, shape (B, n, dx + dy), float64;
            smooth functions of the values if ``smooth``.
        dx: dimension of X.
        exact_ranks: half ranks with ties averaged; None in the constructor if none are tied.
        untied_ranks: half ranks with ties broken, never smooth; None in the constructor for ``ranks``.
        smooth: whether ranks and counts are smooth functions of the values, for gradients.
    """

    ranks: Tensor
    dx: int
    exact_ranks: Tensor = None  # type: ignore[assignment]
    untied_ranks: Tensor = None  # type: ignore[assignment]
    smooth: bool = False

    def __post_init__(self) -> None:
        if self.untied_ranks is None:
            object.__setattr__(self, "untied_ranks", self.ranks)
        if self.exact_ranks is None:
            object.__setattr__(self, "exact_ranks", self.untied_ranks)

    def __len__(self) -> int:
        return len(self.ranks)

    @cached_property
    def exactly(self) -> "Samples":
        """The same without smoothing, for statistics that pass no gradient.

        Those are counts of neighbours. If a point moves, they change by single points, and the slope of a
        smoothed step does not show how they change if all points move.
        """
        return Samples(self.untied_ranks, self.dx, self.exact_ranks) if self.smooth else self

    @property
    def n(self) -> int:
        """Number of points."""
        return self.ranks.shape[1]

    @property
    def dy(self) -> int:
        """Dimension of Y."""
        return self.dimension - self.dx

    @property
    def dimension(self) -> int:
        """dx + dy."""
        return self.ranks.shape[2]

    @cached_property
    def scores(self) -> Tensor:
        """Normal scores Φ⁻¹(rank / (n + 1)), scaled to variance 1, shape (B, n, dx + dy)."""
        raw = self.quantiles(0)
        # Single precision, so that the order of the points does not change the last digit, and equal
        # distances in two coordinates stay equal.
        variance = raw.square().mean(dim=1, keepdim=True).float().double()
        return raw / torch.where(variance > 0, variance, 1.0).sqrt()

    @cached_property
    def correlation(self) -> Tensor:
        """Correlation matrix of the normal scores, shape (B, dx + dy, dx + dy)."""
        moments = self.scores.mT @ self.scores
        # Variances are 1 only in single precision, which would hide correlations that are nearly 1.
        scale = moments.diagonal(dim1=1, dim2=2).clamp_min(1e-300).rsqrt()
        return with_unit_diagonal(scale[..., None] * moments * scale[..., None, :])

    def quantiles(self, tables: int | slice) -> Tensor:
        """Return quantiles at the levels rank / (n + 1): normal for table 0, Student-t for the others.

        Args:
            tables: rows of `quantile_tables`.

        Returns:
            Shape (B, n, dx + dy), or (tables, B, n, dx + dy) for a slice.
        """
        compute = quantile_tables if self.n <= _MOST_CACHED else quantile_tables.__wrapped__
        values = torch.from_numpy(compute(self.n)[tables])
        return interpolated(values, self.ranks) if self.smooth else values[..., self.ranks.long()]

    @cached_property
    def uniforms(self) -> Tensor:
        """Ranks scaled to (−1, 1), shape (B, n, dx + dy)."""
        return (self.ranks + 1.0 - self.n) / self.n

    @cached_property
    def tied_shares(self) -> Tensor:
        """1 − distinct values / n of each coordinate, shape (B, dx + dy)."""
        ordered = torch.from_numpy(np.sort(self.exact_ranks.numpy(), axis=1))
        return 1.0 - (1 + (ordered[:, 1:] != ordered[:, :-1]).sum(dim=1)).double() / self.n

    def subset(self, most: int) -> Tensor:
        """Return normal scores of at most this many points. A smaller subset is a prefix.

        Returns:
            Shape (B, min(n, most), dx + dy).
        """
        return (self.scores if self.n <= SUBSET else self._in_order)[:, :most]

    @cached_property
    def _in_order(self) -> Tensor:
        return self.scores.gather(1, self.order[..., None].expand(-1, -1, self.dimension))

    @cached_property
    def order(self) -> Tensor:
        """At most `POINTS` points in an order by a hash of their ranks, shape (B, min(n, POINTS)).

        It does not depend on the order of points and coordinates, on signs, or on a swap of X and Y. A sample
        of at most `SUBSET` points stays in its own order.
        """
        if self.n <= SUBSET:
            return torch.arange(self.n).expand(len(self), -1)
        return torch.stack([_order(ranks)[:POINTS] for ranks in self.untied_ranks.long()])


def _order(ranks: Tensor) -> Tensor:
    """Return the points of one sample in the order of their hashes, shape (n,)."""
    folded = torch.minimum(ranks, 2 * len(ranks) - 2 - ranks)
    return hashed(hashed(folded).sum(dim=1)).argsort(stable=True)


def with_unit_diagonal(matrix: Tensor) -> Tensor:
    """Return matrices with their diagonals set to 1."""
    return matrix - torch.diag_embed(matrix.diagonal(dim1=-2, dim2=-1) - 1.0)


def leading(values: Tensor, count: int) -> Tensor:
    """Return the first values along the last axis, padded with zeros."""
    return functional.pad(values[..., :count], (0, max(0, count - values.shape[-1])))


def empirical_quantiles(values: Tensor, levels: tuple[float, ...]) -> Tensor:
    """Return quantiles along the last axis, linear between order statistics, shape (…, levels)."""
    positions = torch.tensor(levels, dtype=torch.float64) * (values.shape[-1] - 1)
    return interpolated(values.sort(dim=-1).values, positions)


def interpolated(values: Tensor, positions: Tensor) -> Tensor:
    """Interpolate values along the last axis linearly at fractional positions."""
    last = values.shape[-1] - 1
    below = positions.detach().floor().long().clamp(0, last)
    above = (below + 1).clamp(max=last)
    return values[..., below] + (positions - below) * (values[..., above] - values[..., below])


@lru_cache(maxsize=_CACHED_SIZES)
def quantile_tables(n: int) -> NDArray[np.float64]:
    """Return quantiles at the levels (1 + h/2) / (n + 1) of half ranks h = 0, …, 2n − 2.

    Returns:
        Shape (1 + len(DEGREES_OF_FREEDOM), 2n − 1): of the normal distribution, then of Student-t. Each
        row is antisymmetric to the bit.
    """
    normal = ndtri((1.0 + np.arange(n, 2 * n - 1) / 2.0) / (n + 1.0))
    grid, curves = _student_curves()
    halves = [normal, *(np.sinh(np.interp(normal, grid, curve)) for curve in curves)]
    return np.array([np.concatenate([-half[::-1], [0.0], half]) for half in halves])


@lru_cache(maxsize=1)
def _student_curves() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a grid of z ≥ 0 and arsinh t_ν⁻¹(Φ(z)) on it for each ν. Exact quantiles take far longer."""
    grid = np.linspace(0.0, _FARTHEST, _GRID)
    return grid, np.arcsinh([-stdtrit(nu, ndtr(-grid)) for nu in DEGREES_OF_FREEDOM])


def half_ranks(values: Tensor) -> Tensor:
    """Return half ranks of each column, shape (n, d), float64, with ties averaged; no gradient."""
    return torch.from_numpy(ranked.half_ranks(ranked.columns(values)).T.astype(np.float64))


def partly_smooth(values: Tensor, sample: Ranked) -> Samples:
    """Return a sample whose continuous columns are smooth functions of the values.

    A column of fewer than n/2 distinct values is discrete: its ties are broken and it passes no gradient,
    because a smoothed staircase has a slope that the staircase does not have. In other columns, ties are
    broken by a constant.

    Args:
        values: shape (n, dx + dy).
        sample: its ranks.
    """
    parted = torch.from_numpy(untied(sample).T.astype(np.float64))
    exact = torch.from_numpy(sample.ranks.T.astype(np.float64))
    distinct = 1 + (exact.sort(dim=0).values.diff(dim=0) != 0).sum(dim=0)
    continuous = 2 * distinct > sample.n
    smooth = parted.clone()
    if continuous.any():
        smooth[:, continuous] = smooth_half_ranks(values[:, continuous]) + (parted - exact)[:, continuous]
    return Samples(smooth[None], sample.dx, exact[None], parted[None], smooth=True)


def smooth_half_ranks(values: Tensor) -> Tensor:
    """Return 2 (rank − 1) with the steps of the ranks smoothed to logistic curves, shape (n, d), float64.

    The rank of vᵢ is ½ + Σⱼ σ((vᵢ − vⱼ) / w). The width w is 0.15 of the mean spacing of the middle half of
    the column, so that the rank of a value changes by one as it passes another. Memory is n² values per
    column.
    """
    columns = []
    for column in values.double().unbind(dim=1):
        ordered = column.detach().sort().values
        n = len(ordered)
        width = (ordered[(3 * n) // 4] - ordered[n // 4]) / (n / 2)
        width = torch.where(width > 0, width, (ordered[-1] - ordered[0]).clamp_min(1e-300) / n)
        steps = torch.sigmoid((column[:, None] - column) / (_SMOOTHING * width))
        columns.append(2.0 * steps.sum(dim=1) - 1.0)
    return torch.stack(columns, dim=1)


def hashed(values: Tensor) -> Tensor:
    """Mix integers such that sums of them identify their terms, int64."""
    mixed = values + _INCREMENT
    for shift, factor in _MIXERS:
        mixed = (mixed ^ ((mixed >> shift) & ((1 << (64 - shift)) - 1))) * factor
    return mixed ^ ((mixed >> 31) & ((1 << 33) - 1))


__all__ = [
    "DEGREES_OF_FREEDOM",
    "PAIR_SUBSET",
    "POINTS",
    "SUBSET",
    "Samples",
    "empirical_quantiles",
    "half_ranks",
    "hashed",
    "interpolated",
    "leading",
    "partly_smooth",
    "quantile_tables",
    "smooth_half_ranks",
    "with_unit_diagonal",
]
