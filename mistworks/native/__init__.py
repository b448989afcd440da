"""Compiled statistics of samples: equal to `mistworks.statistics.oracle` to 1e-5, in a tenth of the time.

The C++ code in this folder is built for several instruction sets (see setup.py), and the best one for the
machine is loaded at first use. The environment variable ``MISTWORKS_NATIVE`` chooses another: ``baseline``,
``avx2``, ``avx512``, or ``off``. Without a build, `available` is False and torch computes the statistics.
"""

import os
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mistworks.errors import MistworksError
from mistworks.statistics.layout import GROUPS, VERSION, statistic_names
from mistworks.statistics.ranked import Ranked

BUILDS = ("baseline", "avx2", "avx512")
"""Instruction sets, in ascending order of preference."""

_TYPES = tuple(map(np.dtype, (np.float64, np.float32, np.int64, np.uint64)))


def available() -> bool:
    """Whether compiled code computes all statistics of `mistworks.statistics.layout`."""
    module = loaded(os.environ.get("MISTWORKS_NATIVE", ""))
    return module is not None and not _checked(module)[1]


def build() -> tuple[str, str]:
    """Return the instruction set in use, and a hash of the compiled sources.

    Both are empty if torch computes the statistics. Builds of the same sources agree to 1e-5, not to the last
    digit.
    """
    if not available():
        return "", ""
    module = loaded(os.environ.get("MISTWORKS_NATIVE", ""))
    # Older builds do not have the hash of their sources.
    return module.__name__.rpartition("._")[2], getattr(module, "sources", str)()


@lru_cache(maxsize=8)
def loaded(choice: str = "") -> Any:
    """Load the module for an instruction set, by default the best of this machine; None if there is none.

    Raises:
        MistworksError: the instruction set is unknown.
    """
    if choice not in {"", "off", *BUILDS}:
        raise MistworksError(
            f"Expected MISTWORKS_NATIVE to be off, {', '.join(BUILDS)}, got {choice!r}. Change or unset it."
        )
    baseline = None if choice == "off" else _built("baseline")
    if baseline is None:
        return None
    runnable = [name for name in baseline.runnable() if choice in {"", name}]
    modules = (baseline if name == "baseline" else _built(name) for name in reversed(runnable))
    return next((module for module in modules if module is not None), None)


def _built(name: str) -> Any:
    try:
        return import_module(f"mistworks.native._{name}")
    except ImportError:
        return None


@lru_cache(maxsize=8)
def _checked(module: Any) -> tuple[int, tuple[str, ...]]:
    """Return the number of statistics that a module computes, and its `missing_groups`. Cached."""
    return sum(count for *_, count in module.groups()), missing_groups(module)


def missing_groups(module: Any) -> tuple[str, ...]:
    """Return groups of `layout.GROUPS` that a module does not compute, or at other sizes or positions."""
    built = {
        group: sum(count for *_, count in entries)
        for group, entries in groupby(module.groups(), key=lambda entry: entry[0])
    }
    expected = {group: sum(statistics.values()) for group, statistics in GROUPS.items()}
    missing = tuple(group for group, count in expected.items() if built.get(group) != count)
    return missing or (() if list(built) == list(expected) else ("order",))


def summarise_many(
    samples: Sequence[Ranked], threads: int = 1, choice: str | None = None
) -> NDArray[np.float32]:
    """Compute the statistics of many samples, shape (len(samples), S), float32.

    Args:
        samples: ranks of samples of any shapes, n ≥ 5.
        threads: number of samples to compute at a time.
        choice: instruction set; by default the one in ``MISTWORKS_NATIVE``, else the best.
    """
    module = _module(choice)
    table = np.empty((len(samples), _checked(module)[0]), dtype=np.float32)
    module.summarise_many([(sample.ranks, sample.dx) for sample in samples], table, max(1, threads))
    return table


def summarise(sample: Ranked) -> NDArray[np.float32]:
    """Compute the statistics of one sample, shape (S,)."""
    table = summarise_many([sample])
    return np.asarray(table[0])


def half_ranks(columns: NDArray[Any], choice: str | None = None) -> NDArray[np.int32]:
    """Return half ranks 2 (rank − 1) of each row, shape (d, n), with ties averaged. Equal to
    `mistworks.statistics.ranked.half_ranks`.

    Args:
        columns: numbers without NaN.
        choice: as for `summarise_many`.
    """
    values = np.ascontiguousarray(columns)
    if values.dtype not in _TYPES:
        kinds = {"f": np.float64, "i": np.int64, "u": np.uint64, "b": np.uint64}
        if values.dtype.kind not in kinds:
            raise MistworksError(f"Expected numbers, got {values.dtype}. Convert them first.")
        values = values.astype(kinds[values.dtype.kind])
    ranks = np.empty(values.shape, dtype=np.int32)
    _module(choice).half_ranks(values, ranks)
    return ranks


def untied(sample: Ranked, choice: str | None = None) -> NDArray[np.int32]:
    """Return half ranks with ties broken; see `mistworks.statistics.untied`."""
    ranks = np.empty_like(sample.ranks)
    _module(choice).untied(sample.ranks, sample.dx, ranks)
    return ranks


def _module(choice: str | None) -> Any:
    module = loaded(os.environ.get("MISTWORKS_NATIVE", "") if choice is None else choice)
    if module is None:
        raise MistworksError(
            "Expected compiled statistics, got none. Install a C++ compiler, and reinstall mistworks."
        )
    return module


__all__ = [
    "BUILDS",
    "VERSION",
    "available",
    "build",
    "half_ranks",
    "loaded",
    "missing_groups",
    "statistic_names",
    "summarise",
    "summarise_many",
    "untied",
]
