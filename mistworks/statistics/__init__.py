"""Statistics of a sample that mutual information is read from, each with every invariance that is exact.

All follow from the ranks of the coordinates, so that no strictly monotone map of a coordinate changes them;
nor do the order of the points, the order of the coordinates, or a swap of X and Y. Signs of coordinates enter
through squares and absolute values only.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor

from mistworks.statistics import gaussian, neighbours, polynomials, tails, ties
from mistworks.statistics.sample import SUBSET, Samples, half_ranks, smooth_half_ranks

VERSION: Literal["2"] = "2"
"""Changes whenever a statistic does; tables kept under another version are not used."""

# In the largest array of samples that are computed together: more of them leave a core's cache.
_MOST_VALUES = 2**20
# Fewer parts than threads would leave threads idle.
_MOST_TOGETHER = 32

Statistics = Callable[[Samples], dict[str, Tensor]]


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
    return summarise_many([(x, y)])[0]


def summarise_many(pairs: Sequence[tuple[Tensor, Tensor]], threads: int = 1) -> Tensor:
    """The statistics of many samples (x, y), those of one shape together.

    Args:
        pairs: as for `summarise`, of any shapes.
        threads: how many samples are computed at a time, each on one of torch's own threads.

    Returns:
        Shape (len(pairs), S), float32. What rows are beside each other may change the last digits of them.
    """
    _keep_memory()
    if not pairs:
        return torch.empty(0, len(statistic_names()))
    with _threads(min(threads, len(pairs))) as apply:
        ranked = list(apply(_ranked, pairs))
        alike = _alike(ranked)
        tables = apply(lambda rows: _of(_stacked([ranked[row] for row in rows])), alike)
        found = torch.cat(list(tables))
    return found[torch.tensor([row for rows in alike for row in rows]).argsort()]


def summarise_smoothly(x: Tensor, y: Tensor) -> Tensor:
    """The same with smooth ranks and counts, through which gradients pass; see `smooth_half_ranks`.

    Constant columns are not left out.
    """
    both = torch.cat([x, y], dim=1)
    return _of(Samples(smooth_half_ranks(both)[None], x.shape[1], half_ranks(both)[None]))[0]


@lru_cache(maxsize=1)
def statistic_names() -> tuple[str, ...]:
    """Names of the statistics in their order, such as ``"gaussian.shrunk.0"``: group, statistic, position."""
    grid = torch.arange(16, dtype=torch.float64)
    samples = Samples(torch.stack([2 * grid, 2 * (5 * grid % 16)], dim=1)[None], 1)
    return tuple(
        f"{group}.{name}.{position}"
        for group, functions in GROUPS.items()
        for function in functions
        for name, values in function(samples).items()
        for position in range(values.shape[1])
    )


@lru_cache(maxsize=1)
def _keep_memory() -> None:
    """Free one large block, after which glibc keeps those up to its size for the next sample.

    Else it would hand each back to the kernel, and the time to get it anew is a tenth of an estimate's. The
    block itself is never touched.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)


@contextmanager
def _threads(count: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """A function like `map`, on so many threads."""
    if count <= 1:
        yield map
        return
    before = torch.get_num_threads()
    try:
        # A thread of torch's own for each: they would wait for one another's parts of every operation.
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool.map
    finally:
        # What a thread sets holds for all that are begun after it.
        torch.set_num_threads(before)


def _ranked(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    x, y = pair
    ranks = half_ranks(torch.cat([x.cpu(), y.cpu()], dim=1))
    return _varying(ranks[:, : x.shape[1]]), _varying(ranks[:, x.shape[1] :])


def _varying(ranks: Tensor) -> Tensor:
    varying = (ranks != ranks[0]).any(dim=0)
    return ranks[:, varying] if bool(varying.any()) else ranks[:, :1]


def _alike(ranked: Sequence[tuple[Tensor, Tensor]]) -> list[list[int]]:
    """Positions of samples of one shape, as many together as a core works on best."""
    groups: dict[tuple[int, int, int], list[int]] = {}
    for row, (x, y) in enumerate(ranked):
        groups.setdefault((len(x), x.shape[1], y.shape[1]), []).append(row)
    found = []
    for (n, dx, dy), rows in groups.items():
        d = dx + dy
        # The points, their distances, and the correlation matrices under every shrinkage.
        most = min(_MOST_TOGETHER, max(1, _MOST_VALUES // max(n * d, min(n, SUBSET) ** 2, 10 * d**2)))
        found += [rows[start : start + most] for start in range(0, len(rows), most)]
    return found


def _stacked(ranked: Sequence[tuple[Tensor, Tensor]]) -> Samples:
    ranks = torch.stack([torch.cat(sides, dim=1) for sides in ranked])
    return Samples(ranks, ranked[0][0].shape[1])


def _of(samples: Samples) -> Tensor:
    parts = [
        values
        for functions in GROUPS.values()
        for function in functions
        for values in function(samples).values()
    ]
    return torch.nan_to_num(torch.cat(parts, dim=1), nan=0.0, posinf=1e3, neginf=-1e3).float()


__all__ = [
    "GROUPS",
    "VERSION",
    "half_ranks",
    "statistic_names",
    "summarise",
    "summarise_many",
    "summarise_smoothly",
]
