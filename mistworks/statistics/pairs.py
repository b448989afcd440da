"""Pairs of one column of X and one of Y, by the method that fits: a table of their values, or correlation.

A column is discrete where it has at most n/4 distinct values, K. Each pair has up to three strengths in nats,
with a statistic G that without dependence has about the χ² distribution of ν degrees of freedom:

- correlation r of the normal scores: −½ log(1 − r²) − 1/2n; G = −(n − 2) log(1 − r²), ν = 1;
- two discrete columns, K K′ ≤ n: MI of the table by Miller and Madow (`mistworks.statistics.discrete`);
- two discrete columns with more cells: MI less what a permutation leaves, E, as in the same file;
  both with G = ν + 2n (Î − E) of the plug-in MI Î, ν = (K − 1)(K′ − 1), at most n;
- one discrete column: the table with the ranks of the other in 9 bins (5 if 9 K > n), as above;
- the same: from the share η² of the variance of the other's normal scores that lies between the values
  (analysis of variance), ½ log((n − K) / ((n − 1)(1 − η²))), at most the entropy;
  G = −(n − 1 − K/2) log(1 − η²) (Bartlett 1938), ν = K − 1.

The strength of a pair is the greatest of those with z > 2, else 0, and its z the greatest, where
z = ((G/ν)^⅓ − 1 + 2/9ν) / √(2/9ν) is about normal (Wilson, Hilferty 1931).
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mistworks.statistics.discrete import Counts, Floats, entropies, permuted_mi, rounded
from mistworks.statistics.gaussian import both_sides, mutually_best
from mistworks.statistics.sample import Samples, leading

_THRESHOLDS = (1.0, 2.0, 4.0)
_RANKS = (1, 2, 4, 8, 16)
_CLEAR = 2.0
_MOST = 1 - 1e-12
_BINS = (9, 5)


def pairs(samples: Samples) -> dict[str, Tensor]:
    """Compute sums over the pairs whose columns are each other's strongest.

    Returns:
        ``matched``: for several thresholds t the sum of strengths over the pairs with z² > t (1 + log dx dy),
        and log(1 + their number). ``ordered``: strength of the first, second, fourth … of all. ``kinds``: of
        the second threshold's, the sums over pairs of two discrete columns and of one; the share of
        discrete columns in each side.
    """
    n, dx, dy = samples.n, samples.dx, samples.dy
    square = samples.correlation[:, :dx, dx:].square().clamp(max=_MOST)
    z = _normal(-(n - 2) * torch.log1p(-square), 1)
    strength = torch.where(z > _CLEAR, (-0.5 * torch.log1p(-square) - 0.5 / n).clamp_min(0.0), 0.0)
    columns = [[_Column(ranks, n) for ranks in sample.T.numpy()] for sample in samples.exact_ranks]
    discrete = torch.tensor([[column.discrete for column in sample] for sample in columns])
    for row in discrete.any(dim=1).nonzero()[:, 0].tolist():
        strength[row], z[row] = _with_tables(samples, row, columns[row], strength[row], z[row])
    pairs = strength * mutually_best(strength)
    of_two = discrete[:, :dx, None] & discrete[:, None, dx:]
    of_one = discrete[:, :dx, None] ^ discrete[:, None, dx:]
    matched, kinds = [], []
    for threshold in _THRESHOLDS:
        chosen = (pairs > 0) & (z > math.sqrt(threshold * (1 + math.log(dx * dy))))
        sums = (pairs * chosen).sum(dim=(1, 2))
        matched += [sums, chosen.sum(dim=(1, 2)).double().log1p()]
        if threshold == _THRESHOLDS[1]:
            kinds = [(pairs * chosen * kind).sum(dim=(1, 2)) for kind in (of_two, of_one)]
    greatest = pairs.flatten(1).topk(min(max(_RANKS), dx * dy)).values
    shares = both_sides(*(part.double().mean(dim=1) for part in (discrete[:, :dx], discrete[:, dx:])))
    return {
        "matched": torch.stack(matched, dim=1),
        "ordered": leading(greatest, max(_RANKS))[:, [rank - 1 for rank in _RANKS]],
        "kinds": torch.cat([torch.stack(kinds, dim=1), shares], dim=1),
    }


class _Column:
    """The distinct values of a column of half ranks.

    Attributes:
        codes: 0, …, K − 1, shape (n,).
        counts: points of each value, shape (K,).
        discrete: whether 4 K ≤ n and K > 1.
        entropy: by Miller and Madow, in nats.
    """

    def __init__(self, ranks: Floats, n: int) -> None:
        self.codes, self.counts = _values(ranks)
        self.discrete = 1 < len(self.counts) <= n / 4
        self.entropy = float(entropies(self.counts)[1]) if self.discrete else math.inf


def _values(ranks: Floats) -> tuple[Counts, Counts]:
    _, codes, counts = np.unique(ranks, return_inverse=True, return_counts=True)
    return codes.astype(np.int64), counts.astype(np.int64)


def _with_tables(
    samples: Samples, row: int, columns: list[_Column], strength: Tensor, z: Tensor
) -> tuple[Tensor, Tensor]:
    """Return strengths and z of the pairs of one sample, given those by correlation, shape (dx, dy) each."""
    n, dx = samples.n, samples.dx
    strengths, levels = [], []
    bins = [_Binned(ranks, n) for ranks in samples.untied_ranks[row].T.numpy()]
    for i, x in enumerate(columns[:dx]):
        for j, y in enumerate(columns[dx:]):
            options = [(strength[i, j], z[i, j])]
            if x.discrete and y.discrete:
                options.append(_clear(*_table(x, y)))
            elif x.discrete or y.discrete:
                few, other = (x, dx + j) if x.discrete else (y, i)
                options.append(_clear(*_variance_share(samples.scores[row, :, other], few)))
                if (binned := bins[other].into(len(few.counts))) is not None:
                    options.append(_clear(*_table(few, binned)))
            strengths.append(torch.stack([torch.as_tensor(value) for value, _ in options]).max())
            levels.append(max(level.item() for _, level in options))
    return torch.stack(strengths).reshape(strength.shape), torch.tensor(levels).double().reshape(z.shape)


class _Binned:
    """Sort a column of untied half ranks into few bins. A reflection reverses the bins."""

    def __init__(self, ranks: Floats, n: int) -> None:
        self._ranks, self._n = ranks.astype(np.int64), n

    def into(self, values: int) -> "_Column | None":
        """Return the number of bins such that a table with this many values has at most n cells, or None."""
        bins = next((bins for bins in _BINS if bins * values <= self._n), None)
        if bins is None:
            return None
        mirrored = 2 * self._n - 2 - self._ranks
        inwards = bins * np.minimum(self._ranks, mirrored) // (2 * self._n)
        return _Column(np.where(self._ranks <= mirrored, inwards, bins - 1 - inwards).astype(float), self._n)


def _clear(strength: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    return torch.where(z > _CLEAR, strength, 0.0), z


def _table(x: _Column, y: _Column) -> tuple[Tensor, Tensor]:
    """Return the MI in nats of the table of two discrete columns, at least 0, and z."""
    n, rows, columns = len(x.codes), len(x.counts), len(y.counts)
    cells = _values((x.codes * columns + y.codes).astype(float))[1]
    plain = _plug_in(x.counts, n) + _plug_in(y.counts, n) - _plug_in(cells, n)
    freedom = min((rows - 1) * (columns - 1), n)
    # For many pairs. Few counts differ, so that little is computed twice.
    chance = permuted_mi(rounded(x.counts), rounded(y.counts), n)
    statistic = freedom + 2 * n * (plain - chance)
    if rows * columns <= n:
        mi = plain - (len(cells) - rows - columns + 1) / (2 * n)
    else:
        least = min(_plug_in(x.counts, n), _plug_in(y.counts, n))
        mi = (plain - chance) * min(x.entropy, y.entropy) / max(least - chance, 1e-3 + 0.02 * least)
    mi = min(max(mi, 0.0), x.entropy, y.entropy)
    return torch.tensor(mi).double(), _normal(torch.tensor(max(statistic, 0.0)).double(), freedom)


def _plug_in(counts: NDArray[np.int64], n: int) -> float:
    return math.log(n) - float((counts * np.log(counts)).sum()) / n


def _variance_share(scores: Tensor, column: _Column) -> tuple[Tensor, Tensor]:
    """Return the strength in nats by analysis of variance of scores of shape (n,), and z."""
    n, k = len(scores), len(column.counts)
    codes = torch.from_numpy(column.codes)
    sums = scores.new_zeros(k).index_add(0, codes, scores)
    between = (sums.square() / torch.from_numpy(column.counts)).sum() - scores.sum() ** 2 / n
    total = (scores.square().sum() - scores.sum() ** 2 / n).clamp_min(1e-300)
    rest = (1 - between / total).clamp(1 - _MOST, 1.0)
    strength = (0.5 * (math.log((n - k) / (n - 1)) - rest.log())).clamp(0.0, column.entropy)
    return strength, _normal(-(n - 1 - k / 2) * rest.log(), k - 1)


def _normal(statistic: Tensor, freedom: float) -> Tensor:
    """Return z of a χ² statistic, without a gradient."""
    spread = 2 / (9 * freedom)
    z: Tensor = ((statistic.detach().clamp_min(0.0) / freedom) ** (1 / 3) - 1 + spread) / math.sqrt(spread)
    return z
