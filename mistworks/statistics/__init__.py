"""Statistics of a sample that mutual information is read from, each with every invariance that is exact.

All follow from the ranks of the coordinates, so that no strictly monotone map of a coordinate changes them;
nor do the order of the points, the order of the coordinates, or a swap of X and Y. Signs of coordinates enter
through squares and absolute values only.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

from mistworks.statistics import gaussian, neighbours, polynomials, tails, ties
from mistworks.statistics.sample import Sample, half_ranks, smooth_half_ranks

VERSION: Literal["1"] = "1"
"""Changes whenever a statistic does; tables kept under another version are not used."""

Statistics = Callable[[Sample], dict[str, Tensor]]


GROUPS: Mapping[str, tuple[Statistics, ...]] = MappingProxyType(
    {
        "sizes": (ties.sizes,),
        "ties": (ties.ties,),
        "gaussian": (gaussian.shrunk, gaussian.spectra, gaussian.correlations, gaussian.canonical),
        "sparse": (gaussian.matched, gaussian.thresholded),
        "factors": (gaussian.factor_models,),
        "tails": (tails.t_copula, tails.radii, tails.squares),
        "polynomials": (polynomials.nonlinear,),
        "neighbours": (neighbours.nearest,),
        "metric": (neighbours.metric,),
    }
)
"""The statistics by group. A new one is a function here and in no other place."""


def summarise(x: Tensor, y: Tensor) -> Tensor:
    """The statistics of one sample.

    Args:
        x: shape (n, dx), n ≥ 5, any floating-point type. Constant columns are left out, but for one if all
            are constant.
        y: shape (n, dy), likewise.

    Returns:
        Shape (S,), float32, all finite; S is the same for all samples.
    """
    _keep_memory()
    x_ranks, y_ranks = _varying(half_ranks(x)), _varying(half_ranks(y))
    return _of(Sample(torch.cat([x_ranks, y_ranks], dim=1), x_ranks.shape[1]))


def summarise_smoothly(x: Tensor, y: Tensor) -> Tensor:
    """The same with smooth ranks and counts, through which gradients pass; see `smooth_half_ranks`."""
    ranks = torch.cat([smooth_half_ranks(x), smooth_half_ranks(y)], dim=1)
    return _of(Sample(ranks, x.shape[1], smooth=True))


@lru_cache(maxsize=1)
def statistic_names() -> tuple[str, ...]:
    """Names of the statistics in their order, such as ``"gaussian.shrunk.0"``: group, statistic, position."""
    grid = torch.arange(16, dtype=torch.float64)
    sample = Sample(torch.stack([2 * grid, 2 * (5 * grid % 16)], dim=1), 1)
    return tuple(
        f"{group}.{name}.{position}"
        for group, functions in GROUPS.items()
        for function in functions
        for name, values in function(sample).items()
        for position in range(len(values))
    )


@lru_cache(maxsize=1)
def _keep_memory() -> None:
    """Free one large block, after which glibc keeps those up to its size for the next sample.

    Else it would hand each back to the kernel, and the time to get it anew is a tenth of an estimate's. The
    block itself is never touched.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)


def _varying(ranks: Tensor) -> Tensor:
    varying = (ranks != ranks[0]).any(dim=0)
    return ranks[:, varying] if bool(varying.any()) else ranks[:, :1]


def _of(sample: Sample) -> Tensor:
    parts = [
        values
        for functions in GROUPS.values()
        for function in functions
        for values in function(sample).values()
    ]
    return torch.nan_to_num(torch.cat(parts), nan=0.0, posinf=1e3, neginf=-1e3).float()


__all__ = ["GROUPS", "VERSION", "half_ranks", "statistic_names", "summarise", "summarise_smoothly"]
