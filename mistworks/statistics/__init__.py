"""Statistics of a sample that mutual information is read from, each with every invariance that is exact.

All follow from the ranks of the columns, so that no strictly monotone map of a column changes them; nor do
the order of the points, the order of the columns, or a swap of X and Y. Signs of columns enter through
squares and absolute values only. Compiled code computes them where the machine has it (`mistworks.native`),
else torch does (`mistworks.statistics.oracle`, which says what each is).
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
    """The statistics of one sample.

    Args:
        x: shape (n, dx), n ≥ 5, of any ordered type, or a tensor. Constant columns are left out, except one
            if all are constant.
        y: shape (n, dy), likewise.

    Returns:
        Shape (S,), float32, all finite; S is the same for all samples.
    """
    table = summarise_many([Ranked.of(x, y)])
    return np.asarray(table[0])


def summarise_many(samples: Sequence[Ranked], threads: int = 1) -> NDArray[np.float32]:
    """The statistics of many samples.

    Args:
        samples: ranks of samples of any shapes, n ≥ 5.
        threads: how many samples are computed at a time.

    Returns:
        Shape (len(samples), S), float32. What samples are beside each other may change the last digits.

    Raises:
        MistworksError: there is neither compiled code nor torch.
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
    """The same of one sample with smooth ranks and counts, through which gradients pass, shape (S,).

    Constant columns are not left out. Needs torch; see `mistworks.statistics.oracle.summarise_smoothly`.
    """
    from mistworks.statistics import oracle

    return oracle.summarise_smoothly(x, y)


def _native() -> Any:
    """The compiled code, if it was built here and computes all statistics; None if not."""
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
