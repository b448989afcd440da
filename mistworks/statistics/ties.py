"""Sizes of the sample, and what equal values say: atoms, discrete coordinates, contingency tables."""

import math

import torch
from torch import Tensor

from mistworks.statistics.gaussian import both_sides
from mistworks.statistics.sample import SUBSET, Samples, hashed


def sizes(samples: Samples) -> dict[str, Tensor]:
    """Logarithms of n, dx and dy and of what they make together."""
    n, d = samples.n, samples.dimension
    low, high = sorted((samples.dx, samples.dy))
    values = [
        math.log(n),
        math.log(min(n, SUBSET)),
        math.log(low),
        math.log(high),
        math.log(d),
        math.log(n / d),
        1 / math.sqrt(n),
        math.sqrt(d / n),
        math.log(low * high / n),
        float(d <= 2),
    ]
    return {"log": torch.tensor(values, dtype=torch.float64).expand(len(samples), -1)}


def ties(samples: Samples) -> dict[str, Tensor]:
    """1 − distinct values / n by coordinate, and a contingency table of whole points."""
    ranks, dx, shares = samples.exact_ranks, samples.dx, samples.tied_shares
    x, y = shares[:, :dx], shares[:, dx:]
    tables = ranks.new_zeros(len(samples), 5)
    for row in shares.any(dim=1).nonzero()[:, 0].tolist():
        tables[row] = _table(ranks[row, :, :dx], ranks[row, :, dx:])
    return {
        "means": both_sides(x.mean(dim=1), y.mean(dim=1)),
        "greatest": both_sides(x.amax(dim=1), y.amax(dim=1)),
        "table": tables,
    }


def _table(x: Tensor, y: Tensor) -> Tensor:
    """Of the contingency table of whole points: log sizes, and its MI in nats where it has few cells.

    The plug-in estimate and what Miller and Madow's correction takes off it (Miller 1955).
    """
    n = len(x)
    x_codes, x_counts = _codes(x)
    y_codes, y_counts = _codes(y)
    rows, columns = len(x_counts), len(y_counts)
    _, cells = torch.unique(x_codes * columns + y_codes, return_counts=True)
    entropies = [_entropy(counts, n) for counts in (x_counts, y_counts, cells)]
    few = rows * columns <= n
    plug_in = entropies[0] + entropies[1] - entropies[2]
    bias = (len(cells) - rows - columns + 1) / (2 * n)
    shares = sorted((1.0 - math.log(size) / math.log(n) for size in (rows, columns)), reverse=True)
    values = [*shares, plug_in if few else 0.0, bias if few else 0.0, float(few)]
    return torch.tensor(values, dtype=torch.float64)


def _codes(block: Tensor) -> tuple[Tensor, Tensor]:
    """A number for each point, equal for equal points, and how many points bear each."""
    offsets = torch.arange(block.shape[1]) * 2 * len(block)
    keys = hashed(block.round().long() + offsets).sum(dim=1)
    _, codes, counts = torch.unique(keys, return_inverse=True, return_counts=True)
    return codes, counts


def _entropy(counts: Tensor, n: int) -> float:
    share = counts.double() / n
    return float(-(share * share.log()).sum())
