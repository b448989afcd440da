"""Statistics of a sample for estimating mutual information, each with all exact invariances.

All depend only on the ranks of the columns, so no strictly monotone map of a column changes them; nor do the
order of the points, the order of the columns, or a swap of X and Y. Signs of columns enter only through
squares and absolute values. Compiled code computes them if it was built (`mistworks.native`), else torch does
(`mistworks.statistics.oracle`, which documents each).
"""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mistworks.errors import MistworksError
from mistworks.statistics.layout import GROUPS, VERSION, statistic_names
from mistworks.statistics.ranked import Ranked

if TYPE_CHECKING:
    from torch import Tensor


def summarise(x: ArrayLike, y: ArrayLike) -> NDArray[np.float32]:
    """Compute the statistics of one sample. Args:
        x: shape (n, dx), n ≥ 5, of any ordered type, or a tensor. Constant columns are left out, except one
            if all are constant.
        y: shape (n, dy), likewise.

    Returns:
        Shape (S,), float32, all finite; S is the same for all samples.
    """
    table = summarise_many([Ranked.of(x, y)])
    return np.asarray(table[0])


def summarise_many(samples: Sequence[Ranked], threads: int = 1) -> NDArray[np.float32]:
    """Compute the statistics of many samples. Args:
        samples: ranks of samples of any shapes, n ≥ 5. threads: number of samples to compute at a time.

    Returns:
        Shape (len(samples), S), float32. The other samples may change the last digits.

    Raises:
        MistworksError: neither compiled code nor torch is available.
    """
    if not samples:
        return np.empty((0, len(statistic_names())), dtype=np.float32)
    native = _native()
    if native is not None:
        table: NDArray[np.float32] = native.summarise_many(samples, threads)
        return table
    try:
        from mistworks.statistics import oracle
    except ModuleNotFoundError as error:
        raise MistworksError(
            f"Expected compiled statistics or torch and scipy, got neither ({error.name} is missing). "
            "Install mistworks[torch]."
        ) from None
    return oracle.summarise_many(samples, threads)


def summarise_smoothly(x: "Tensor", y: "Tensor") -> "Tensor":
    """Compute the statistics of one sample with smooth ranks and counts, which pass gradients, shape (S,).

    Constant columns are not left out. Needs torch; see `mistworks.statistics.oracle.summarise_smoothly`.
    """
    from mistworks.statistics import oracle

    return oracle.summarise_smoothly(x, y)


def _native() -> Any:
    """Return the compiled code, or None if it was not built or does not compute all statistics."""
    try:
        native: Any = import_module("mistworks.native")
    except ImportError:
        return None
    return native if getattr(native, "VERSION", None) == VERSION and native.available() else None


__all__ = [
    "GROUPS",
    "VERSION",
    "Ranked",
    "statistic_names",
    "summarise",
    "summarise_many",
    "summarise_smoothly",
]
