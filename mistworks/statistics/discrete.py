"""Sides of few states: entropies, MI of their contingency table, and the entropy that bounds the MI.

States are those of a whole side, jointly over its columns, so that neither names nor an order of them matter.
All is in nats. With cᵢ of n points in state i, K states, and f₁ of them seen once:

- plug-in: Ĥ = −Σ (cᵢ/n) log(cᵢ/n);
- Miller, Madow: Ĥ + (K − 1) / 2n (Miller, "Note on the bias of information estimates", 1955);
- Chao, Shen: −Σ C p log(C p) / (1 − (1 − C p)ⁿ) with p = cᵢ/n and the coverage C = 1 − f₁/n ("Nonparametric
  estimation of Shannon's index of diversity when there are unseen species in sample", Environmental and
  Ecological Statistics 2003).

MI is H(X) + H(Y) − H(X,Y) by each; and the plug-in Î less E, what a permutation of Y leaves of it in the
mean, on a scale on which a function of the other side keeps its entropy: (Î − E) / (m − E) times the lesser
entropy by Miller and Madow, m = min(Ĥ(X), Ĥ(Y)) (Vinh, Epps, Bailey, "Information theoretic measures for
clusterings comparison", JMLR 2010). Of independent classes it is 0 in the mean also where most cells are
empty.
"""

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammaln
from torch import Tensor

from mistworks.statistics.layout import GROUPS
from mistworks.statistics.sample import Samples
from mistworks.statistics.untied import hashed

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

_LEVEL = 1.6448536269514722
_UNSEEN = 1.6
# For cells with a larger expected count than this, moments are accurate enough.
_MANY = 40.0
# Maximum number of different cells; beyond, counts are rounded.
_MOST_CELLS = 10_000


def discrete(samples: Samples) -> dict[str, Tensor]:
    """Compute statistics of the states of whole sides; zeros if neither side has fewer than n/2 states.

    Returns:
        ``states``: 1 − log K / log n of the sides and jointly. ``sides``: plug-in, Miller–Madow and Chao–Shen
        entropy of each. ``joint``: the same of both. ``mi``: by plug-in, Miller–Madow, Chao–Shen, and by
        permutation, each within [0, least]. ``least``: the lesser entropy by Miller–Madow and Chao–Shen.
        ``singletons``: shares of points alone in their state. ``cap``: Ĥ and its standard error such that
        I ≤ Ĥ + Φ⁻¹(τ) se at level τ, and 1 where they hold. ``freedom``: (K_xy − K_x − K_y + 1) / n, the log
        of points per cell, and what a permutation leaves of the MI.
    """
    rows = [_of_sample(ranks.T.numpy(), samples.dx) for ranks in samples.exact_ranks]
    table = torch.from_numpy(np.array(rows))
    sizes = GROUPS["discrete"]
    return dict(zip(sizes, torch.split(table, list(sizes.values()), dim=1), strict=True))


def _of_sample(ranks: Floats, dx: int) -> Floats:
    """Compute the statistics of one sample of half ranks, shape (d, n)."""
    n = ranks.shape[1]
    values = np.zeros(sum(GROUPS["discrete"].values()))
    x_codes, x_counts = states(ranks[:dx])
    y_codes, y_counts = states(ranks[dx:])
    kx, ky = len(x_counts), len(y_counts)
    if 2 * min(kx, ky) >= n:
        return values
    joint = np.unique(x_codes * np.int64(ky) + y_codes, return_counts=True)[1]
    sides = np.array([entropies(counts) for counts in (x_counts, y_counts)])
    both = entropies(joint)
    least = sides.min(axis=0)
    mi = np.clip(sides.sum(axis=0) - both, 0.0, least)
    alone = [_singletons(counts) / n for counts in (x_counts, y_counts, joint)]
    chance = permuted_mi(x_counts, y_counts, n)
    plain = sides[0, 0] + sides[1, 0] - both[0]
    adjusted = (plain - chance) * least[1] / max(least[0] - chance, 1e-3 + 0.02 * least[0])
    caps = [cap(counts) for counts in (x_counts, y_counts) if 2 * len(counts) < n]
    log_n = math.log(n)
    return np.array(
        [
            1 - math.log(min(kx, ky)) / log_n,
            1 - math.log(max(kx, ky)) / log_n,
            1 - math.log(len(joint)) / log_n,
            *sides.max(axis=0),
            *sides.min(axis=0),
            *both,
            *mi,
            min(max(adjusted, 0.0), least[1]),
            *least[1:],
            max(alone[:2]),
            min(alone[:2]),
            alone[2],
            *min(caps, key=lambda pair: pair[0] + _LEVEL * pair[1]),
            1.0,
            (len(joint) - kx - ky + 1) / n,
            math.log(n / (kx * ky)),
            chance,
        ]
    )


def states(block: Floats) -> tuple[Counts, Counts]:
    """Number the points, equal for equal points, and count the points of each number.

    Args:
        block: half ranks, shape (columns, n).
    """
    d, n = block.shape
    offsets = 2 * n * np.arange(d)[:, None]
    keys = hashed((block.astype(np.int64) + offsets).astype(np.uint64)).sum(axis=0, dtype=np.uint64)
    _, codes, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return codes.astype(np.int64), counts.astype(np.int64)


def entropies(counts: Counts) -> Floats:
    """Return the plug-in, Miller–Madow and Chao–Shen entropy in nats of positive counts, shape (3,)."""
    n = int(counts.sum())
    shares = counts / n
    plain = -(shares * np.log(shares)).sum()
    alone = _singletons(counts)
    coverage = 1 - min(alone, n - 1) / n
    seen = coverage * shares
    chao_shen = -(seen * np.log(seen) / -np.expm1(n * np.log1p(-np.minimum(seen, 1 - 1e-12)))).sum()
    return np.array([plain, plain + (len(counts) - 1) / (2 * n), chao_shen])


def _singletons(counts: Counts) -> int:
    return int((counts == 1).sum())


def cap(counts: Counts) -> tuple[float, float]:
    """Return the entropy in nats, and a standard error that bounds the true entropy even if states are rare.

    The entropy is the greater of Miller–Madow's and Chao–Shen's. For the error, each count is taken to its
    95 % limits as a Poisson mean (Wilson, Hilferty 1931, for the exact ones), as is that of the states not
    seen, and the greatest rise of the entropy, divided by Φ⁻¹(.95), is its part of the error. Parts add in
    squares, together with the spread of χ²/2n of K − 1 degrees of freedom, and 1.6 f₁/n, because where states
    are still being met for the first time all estimates are too low by about the share of those not met.
    """
    n = int(counts.sum())
    estimates = entropies(counts)
    distinct, times = np.unique(counts, return_counts=True)
    plain = float(estimates[0])
    rises = np.maximum(
        _rise(distinct, _upper(distinct), n, plain), _rise(distinct, _lower(distinct), n, plain)
    )
    alone = _singletons(counts)
    unseen = float(_upper(np.array([float(alone)]))[0]) if alone else 1.0
    missing = float(_rise(np.zeros(1), np.array([unseen]), n, plain)[0])
    variance = (times * rises**2).sum() + missing**2
    spread = (len(counts) - 1) / (2 * n**2) + (_UNSEEN * alone / n) ** 2
    error = math.sqrt(float(variance) / _LEVEL**2 + spread)
    return float(estimates[1:].max()), error


def _upper(counts: Floats | Counts) -> Floats:
    c = counts + 1.0
    return np.asarray(c * (1 - 1 / (9 * c) + _LEVEL / (3 * np.sqrt(c))) ** 3)


def _lower(counts: Floats | Counts) -> Floats:
    c = np.maximum(counts, 1e-9)
    return np.asarray(c * np.maximum(1 - 1 / (9 * c) - _LEVEL / (3 * np.sqrt(c)), 0.0) ** 3)


def _rise(counts: Floats | Counts, moved: Floats, n: int, entropy: float) -> Floats:
    """Return the increase of the entropy if one count changes and the others do not, at least 0."""
    share, new = counts / n, moved / (n - counts + moved)
    others = (entropy - _binary(share)) / np.maximum(1 - share, 1e-12)
    return np.asarray(np.maximum(_binary(new) + (1 - new) * others - entropy, 0.0))


def _binary(p: Floats) -> Floats:
    q = 1 - p
    return np.asarray(-p * np.log(np.maximum(p, 1e-300)) - q * np.log(np.maximum(q, 1e-300)))


def permuted_mi(x_counts: Counts, y_counts: Counts, n: int) -> float:
    """Return the expected plug-in MI in nats if a random permutation pairs X with Y (Vinh, Epps, Bailey
    2010). Cells with a large expected count use moments of the hypergeometric distribution, the others exact
    sums.
    """
    (a, a_times), (b, b_times) = (np.unique(counts, return_counts=True) for counts in (x_counts, y_counts))
    if len(a) * len(b) > _MOST_CELLS:
        (a, a_times), (b, b_times) = (
            np.unique(rounded(counts), return_counts=True) for counts in (x_counts, y_counts)
        )
    total = 0.0
    for first, first_times in zip(a.tolist(), a_times.tolist(), strict=True):
        for second, second_times in zip(b.tolist(), b_times.tolist(), strict=True):
            total += first_times * second_times * _cell(first, second, n)
    return max(total, 0.0)


def rounded(counts: Counts) -> Counts:
    """Round counts above 63 to six binary digits, so that few of them differ."""
    digits = np.frexp(counts)[1]
    step = np.int64(1) << np.maximum(digits - 6, 0)
    return np.asarray(np.minimum((counts + step // 2) // step * step, counts.sum() - 1))


@lru_cache(maxsize=2**16)
def _cell(a: int, b: int, n: int) -> float:
    """E[(N/n) log(n N / (a b))], N hypergeometric: points in state a of X that b points of Y meet."""
    mean = a * b / n
    if mean > _MANY:
        variance = mean * (1 - a / n) * (1 - b / n) * n / max(n - 1, 1)
        skew = variance * (1 - 2 * a / n) * (1 - 2 * b / n)
        fourth = 3 * variance**2
        return (variance / (2 * mean) - skew / (6 * mean**2) + fourth / (12 * mean**3)) / n
    first = max(1, a + b - n)
    last = min(a, b, int(mean + 12 * math.sqrt(mean) + 20))
    counts = np.arange(first, last + 1)
    logs = [gammaln(whole + 1.0) for whole in (counts, a - counts, b - counts, n - a - b + counts)]
    known = gammaln(np.array([a, b, n - a, n - b]) + 1.0).sum() - gammaln(n + 1.0)
    probabilities = np.exp(known - np.sum(logs, axis=0))
    return float((probabilities * counts * np.log(n * counts / (a * b))).sum()) / n


__all__ = ["Counts", "Floats", "cap", "discrete", "entropies", "permuted_mi", "rounded", "states"]
