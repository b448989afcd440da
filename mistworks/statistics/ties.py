"""Sizes of the sample, and the shares of equal values."""

import math

import torch
from torch import Tensor

from mistworks.statistics.gaussian import both_sides
from mistworks.statistics.sample import SUBSET, Samples


def sizes(samples: Samples) -> dict[str, Tensor]:
    """Return logarithms of n, dx, dy and their combinations."""
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
    """Return 1 − distinct values / n by column: means and maxima over each side."""
    dx, shares = samples.dx, samples.tied_shares
    x, y = shares[:, :dx], shares[:, dx:]
    return {
        "means": both_sides(x.mean(dim=1), y.mean(dim=1)),
        "greatest": both_sides(x.amax(dim=1), y.amax(dim=1)),
    }
