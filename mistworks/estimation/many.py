"""Many estimates from whatever estimator a user names, in parts that fit into memory."""

import math
from collections.abc import Collection, Hashable, Iterable, Iterator, Sized
from pathlib import Path
from typing import Protocol

from mistworks.estimation.estimator import Estimate, load, shipped
from mistworks.preparation.reading import Missing, read_pair

_PART_CELLS = 2**24


class BatchEstimator(Protocol):
    """Anything that estimates many pairs at once: a `mistworks.Estimator`, or any object with this method.

    `feature_scores` and `independence_test` pass each side as a `mistworks.preparation.reading.Side`, which
    has a shape and which `numpy.asarray` turns into an array.
    """

    def estimate_many(self, pairs: Iterable[tuple[object, object]]) -> list[Estimate]:
        """Estimate pairs x of shape (n, dx) and y of shape (n, dy), in order."""


Model = BatchEstimator | str | Path | None
"""An estimator, what `mistworks.load` takes, or None for the weights that come with the package."""


def estimate_many(
    pairs: Iterable[tuple[object, object]],
    model: Model = None,
    *,
    missing: Missing = "raise",
    classes: Collection[Hashable] = (),
) -> list[Estimate]:
    """Estimate the mutual information of many samples in nats, in order. Faster than a loop.

    Pairs of similar shape are computed together. Pairs of an iterator are taken as needed, so they need not
    all be in memory at once.

    Args:
        pairs: samples x of shape (n, dx) or (n,) and y of shape (n, dy) or (n,), of any mixture of shapes.
        model: an estimator, what `mistworks.load` takes, or None for the weights that come with the package.
        missing: what happens to missing values, in each pair by itself; see `mistworks.estimate`.
        classes: names of columns of numbers that are class labels, in every pair.

    Raises:
        MistworksError: a pair is not a sample, values are missing, or the estimator does not exist.
    """
    estimator = estimator_of(model)
    if missing != "raise" or classes:
        pairs = (read_pair(x, y, missing=missing, classes=classes) for x, y in pairs)
    return [estimate for part in _parts(pairs) for estimate in estimator.estimate_many(part)]


def estimator_of(model: Model) -> BatchEstimator:
    """Return the estimator that a user named, read from its folder if it is one."""
    if model is None:
        return shipped()
    return load(model) if isinstance(model, str | Path) else model


def _parts(pairs: Iterable[tuple[object, object]]) -> Iterator[list[tuple[object, object]]]:
    part: list[tuple[object, object]] = []
    cells = 0
    for x, y in pairs:
        size = _size(x) + _size(y)
        if part and cells + size > _PART_CELLS:
            yield part
            part, cells = [], 0
        part.append((x, y))
        cells += size
    if part:
        yield part


def _size(values: object) -> int:
    shape: tuple[int, ...] = getattr(values, "shape", ())
    return math.prod(shape) if shape else len(values) if isinstance(values, Sized) else 1


__all__ = ["BatchEstimator", "Model", "estimate_many", "estimator_of"]
