"""Many estimates from whatever a user names as the model, in parts that fit into memory."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mistworks.estimation import Estimate, _shipped, load

Pair = tuple[NDArray[Any], NDArray[Any]]

_PART_CELLS = 2**24


class BatchEstimator(Protocol):
    """What estimates many pairs at once: a `mistworks.Estimator`, or anything with this method."""

    def estimate_many(self, pairs: Iterable[tuple[object, object]]) -> list[Estimate]:
        """Estimates of pairs x of shape (n, dx) and y of shape (n, dy), in their order."""


Model = BatchEstimator | str | Path | None
"""An estimator, the folder of one, or None for the weights that come with the package."""


def estimates_of(pairs: Iterable[Pair], model: Model = None) -> Iterator[Estimate]:
    """Estimates of pairs x of shape (n, dx) and y of shape (n, dy), in their order.

    Pairs are taken from an iterator as they are needed, so that they need not all be in memory at once.

    Raises:
        MistworksError: there is no such model, or a pair is not a sample.
    """
    estimator = _estimator(model)
    for part in _parts(pairs):
        yield from estimator.estimate_many(part)


def _estimator(model: Model) -> BatchEstimator:
    if model is None:
        return _shipped()
    return load(model) if isinstance(model, str | Path) else model


def _parts(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    part: list[Pair] = []
    cells = 0
    for x, y in pairs:
        if part and cells + np.size(x) + np.size(y) > _PART_CELLS:
            yield part
            part, cells = [], 0
        part.append((x, y))
        cells += np.size(x) + np.size(y)
    if part:
        yield part
