"""Mutual information of every pair of columns, or of named blocks of columns."""

import warnings
from collections.abc import Collection, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from mistworks.errors import MistworksError, MistworksWarning, warn
from mistworks.estimation.estimate import Estimate
from mistworks.estimation.evidence import evidence
from mistworks.estimation.many import BatchEstimator, Model, estimate_many, estimator_of
from mistworks.extras import imported
from mistworks.preparation.reading import Side, read_table
from mistworks.preparation.table import MIN_POINTS, Missing, random_part, row_numbers
from mistworks.tables.blocks import Blocks, Groups, blocks_of
from mistworks.tables.progress import Advance, progress_bar
from mistworks.tables.result import Matrix, PairEstimates
from mistworks.tables.significance import PairTests

MOST_ROWS = 20_000
"""Number of rows beyond which a random part is used: more would cost time, and change estimates little."""

_CHUNK = 64
_MOST_NAMED = 3


def matrix(
    frame: object,
    columns: Sequence[Hashable] | None = None,
    groups: Groups | None = None,
    *,
    model: Model = None,
    missing: Missing = "raise",
    classes: Collection[Hashable] = (),
    level: float = 0.9,
    rng: np.random.Generator | int = 0,
    progress: bool = True,
) -> Matrix:
    """Mutual information of every pair of columns, in nats, each with its interval.

    With groups, each group is one block of columns: I(wind, rain; crop) is the mutual information of the
    vectors. Columns that are in no group and not listed are left out.

    A pair with fewer than five complete rows has no estimate (NaN), nor has one of a column of class labels
    that differ in every row. A constant column tells nothing: 0.

    Args:
        frame: n rows of columns: a table of pandas, Polars or Arrow, an array, a tensor or a list. Columns of
            strings and categories hold class labels, all others numbers.
        columns: names of the columns to compare, in this order; all columns unless groups are given.
        groups: names of columns by name of the group, ``{"weather": ["wind", "rain"]}``.
        model: an estimator, what `mistworks.load` takes, or None for the weights that come with the package.
        missing: ``"raise"`` an error, ``"drop"`` the rows in which either side of a pair is incomplete, pair
            by pair, or make missing class labels a ``"category"`` of their own.
        classes: names of columns of numbers that are class labels.
        level: level of each interval by itself; the probability that all hold is lower.
        rng: chooses a random part of the rows of a frame with more than 20,000, which is used for all pairs.
        progress: show a progress bar if standard error is a terminal.

    Raises:
        MistworksError: the frame cannot be read, a column is unknown or in two places, there are fewer than
            two columns or five rows, values are missing, the level is none, or pandas is not installed.

    Warns:
        MistworksWarning: pairs have no estimate, samples are unlike what the model was trained on, or a part
            of the rows was used.
    """
    imported("pandas", "a matrix")
    if not 0 < level < 1:
        raise MistworksError(f"Expected a level between 0 and 1, got {level}. Use 0.9.")
    table = read_table(frame, "the frame", classes=classes)
    (table,) = random_part([table], MOST_ROWS, "a matrix", np.random.default_rng(rng))
    blocks = blocks_of(table, columns, groups, missing)
    estimator = estimator_of(model)
    pairs = np.column_stack(np.triu_indices(len(blocks), 1))
    notes = _Notes(blocks)
    with progress_bar("Estimating pairs", len(pairs), progress) as advance:
        estimates = _estimates(blocks, pairs, estimator, level, notes, advance)
    notes.warn()
    tests = PairTests(blocks, pairs, estimates.evidence, estimator)
    return Matrix(blocks.names, level, estimates, tests)


def _estimates(
    blocks: Blocks,
    pairs: NDArray[np.intp],
    estimator: BatchEstimator,
    level: float,
    notes: "_Notes",
    advance: Advance,
) -> PairEstimates:
    values = np.full((len(pairs), 5), np.nan)
    n = np.zeros(len(pairs), dtype=np.int64)
    for start in range(0, len(pairs), _CHUNK):
        places, samples = [], []
        for place, (first, second) in enumerate(pairs[start : start + _CHUNK].tolist(), start):
            sides = blocks.pair(first, second)
            n[place] = blocks.common_rows(first, second)
            if sides is None:
                notes.too_few(first, second)
            elif not notes.identifiers((first, second), sides):
                places.append(place)
                samples.append(sides)
        for place, estimate in zip(places, notes.estimates(samples, estimator), strict=True):
            n[place] = n[place] if estimate.n_used is None else estimate.n_used
            ends, seen = estimate.interval(level), evidence(estimate, int(n[place]))
            values[place] = estimate.mi, *ends, estimate.normalized, seen
        advance(min(start + _CHUNK, len(pairs)), "")
    return PairEstimates(pairs, n, *values.T)


class _Notes:
    """What is to be said of pairs, once for all of them."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._too_few: list[str] = []
        self._identifiers: dict[Hashable, None] = {}
        self._of_estimates: dict[str, str] = {}

    def too_few(self, first: int, second: int) -> None:
        """Note a pair that has too few complete rows."""
        names = self._blocks.names
        self._too_few.append(f"{names[first]!r} and {names[second]!r}")

    def identifiers(self, numbers: tuple[int, int], sides: tuple[Side, Side]) -> bool:
        """Note columns whose class differs in every row, and say whether there are any."""
        labels = [side.labels[column] for side in sides for column in row_numbers(side)]
        self._identifiers.update(dict.fromkeys(labels))
        return bool(labels)

    def estimates(self, samples: list[tuple[Side, Side]], estimator: BatchEstimator) -> list[Estimate]:
        """Estimate, and note each kind of warning once."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimates = estimate_many(samples, estimator)
        for warning in caught:
            message = warning.message
            if isinstance(message, MistworksWarning):
                self._of_estimates.setdefault(message.kind or message.text, message.text)
            else:
                warnings.warn_explicit(message, warning.category, warning.filename, warning.lineno)
        return estimates

    def warn(self) -> None:
        """Warn of what was noted."""
        if self._too_few:
            text = f"{_listed(self._too_few)} have fewer than {MIN_POINTS} complete rows and no estimate"
            warn(text)
        if self._identifiers:
            text = (
                f"{_listed([repr(label) for label in self._identifiers])} holds a class of its own in every "
                "row, so that its pairs have no estimate; leave it out, or pass it as numbers"
            )
            warn(text)
        for text in self._of_estimates.values():
            warn(f"{text} (of some pairs)")


def _listed(names: Sequence[str]) -> str:
    shown = "; ".join(names[:_MOST_NAMED])
    return f"{shown}; and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else shown


__all__ = ["MOST_ROWS", "matrix"]
