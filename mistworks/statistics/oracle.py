"""The statistics in torch: readable, differentiable, and the reference in tests of the compiled code."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mistworks.statistics import (
    classes,
    discrete,
    gaussian,
    local,
    neighbours,
    pairs,
    planes,
    polynomials,
    rotations,
    tails,
    ties,
)
from mistworks.statistics.layout import GROUPS
from mistworks.statistics.ranked import Ranked, columns, half_ranks
from mistworks.statistics.sample import SUBSET, Samples, partly_smooth
from mistworks.statistics.untied import untied

# Values in the largest array of samples that are computed together. More would not fit into a core's cache.
_MOST_VALUES = 2**20
# Fewer parts than threads would leave threads idle.
_MOST_TOGETHER = 32

Statistics = Callable[[Samples], dict[str, Tensor]]

FUNCTIONS: Mapping[str, tuple[Statistics, ...]] = MappingProxyType(
    {
        "sizes": (ties.sizes,),
        "ties": (ties.ties,),
        "discrete": (discrete.discrete,),
        "pairs": (pairs.pairs,),
        "gaussian": (gaussian.shrunk, gaussian.spectra, gaussian.correlations, gaussian.canonical),
        "sparse": (gaussian.matched, gaussian.thresholded),
        "rotations": (rotations.rotated,),
        "factors": (gaussian.factor_models,),
        "tails": (tails.t_copula, tails.radii, tails.squares),
        "polynomials": (polynomials.nonlinear,),
        "neighbours": (neighbours.nearest,),
        "metric": (neighbours.metric,),
        "local": (local.corrected, local.monotone, local.canonical),
        "planes": (planes.planes,),
        "classes": (classes.classes,),
    }
)
"""The statistics by group, in the order of `layout.GROUPS`."""


def summarise_many(samples: Sequence[Ranked], threads: int = 1) -> NDArray[np.float32]:
    """Compute the statistics of many samples, those of equal shape together; see `mistworks.statistics`.

    Args:
        samples: of any shapes.
        threads: number of samples to compute at a time, each with one thread of torch.

    Returns:
        Shape (len(samples), S), float32. The other samples may change the last digits.
    """
    _keep_memory()
    with _threads(min(threads, len(samples))) as apply:
        alike = _alike(samples)
        parts = list(apply(lambda rows: statistics_of(stacked([samples[row] for row in rows])), alike))
    table = torch.cat(parts).numpy()
    return np.asarray(table[np.argsort([row for rows in alike for row in rows])])


def summarise_smoothly(x: Tensor, y: Tensor) -> Tensor:
    """Compute the statistics of one sample with smooth ranks and counts, which pass gradients, shape (S,).

    Constant columns are not left out. See `mistworks.statistics.sample.partly_smooth`.
    """
    values = torch.cat([x, y], dim=1)
    ranks = half_ranks(columns(values))
    dx = x.shape[1]
    return statistics_of(partly_smooth(values, Ranked(ranks, dx)))[0]


def stacked(samples: Sequence[Ranked]) -> Samples:
    """Convert samples of equal shape for the statistics in torch."""
    exact = np.stack([sample.ranks for sample in samples])
    parted = np.stack([untied(sample) for sample in samples])
    as_tensor = [torch.from_numpy(ranks).mT.double().contiguous() for ranks in (parted, exact)]
    return Samples(as_tensor[0], samples[0].dx, as_tensor[1])


def statistics_of(samples: Samples) -> Tensor:
    """Compute the statistics of samples of equal shape, shape (B, S), float32, all finite.

    Raises:
        AssertionError: a function returns other statistics than those in `layout.GROUPS`.
    """
    parts: list[Tensor] = []
    for group, functions in FUNCTIONS.items():
        statistics = {name: values for function in functions for name, values in function(samples).items()}
        sizes = {name: values.shape[1] for name, values in statistics.items()}
        assert list(sizes.items()) == list(GROUPS[group].items()), f"{group}: {sizes}"
        parts += statistics.values()
    return torch.nan_to_num(torch.cat(parts, dim=1), nan=0.0, posinf=1e3, neginf=-1e3).float()


@lru_cache(maxsize=1)
def _keep_memory() -> None:
    """Free one large block. From then on, glibc reuses blocks up to its size for the next sample. Otherwise
    it would return each to the kernel, and getting it again takes a tenth of the time of an estimate. The
    block itself is never touched.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)


@contextmanager
def _threads(count: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """Return a function like `map`, on this many threads."""
    if count <= 1:
        yield map
        return
    before = torch.get_num_threads()
    try:
        # One thread of torch each: otherwise they would wait for one another in every operation.
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool.map
    finally:
        # The setting of a thread holds for all threads that start later.
        torch.set_num_threads(before)


def _alike(samples: Sequence[Ranked]) -> list[list[int]]:
    """Yield positions of samples of equal shape, in parts of the best size for a core."""
    groups: dict[tuple[int, int, int], list[int]] = {}
    for row, sample in enumerate(samples):
        groups.setdefault((sample.n, sample.dx, sample.dy), []).append(row)
    parts = []
    for (n, dx, dy), rows in groups.items():
        d = dx + dy
        # The points, their distances, and the correlation matrices under every shrinkage.
        most = min(_MOST_TOGETHER, max(1, _MOST_VALUES // max(n * d, min(n, SUBSET) ** 2, 10 * d**2)))
        parts += [rows[start : start + most] for start in range(0, len(rows), most)]
    return parts
