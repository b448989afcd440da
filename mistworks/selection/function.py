"""`mistworks.select`: which columns of a table to keep."""

from collections import Counter
from collections.abc import Collection, Hashable
from numbers import Integral
from pathlib import Path

import numpy as np

from mistworks.errors import MistworksError
from mistworks.estimation.estimator import load, shipped
from mistworks.estimation.many import Model
from mistworks.preparation.prepare import prepare
from mistworks.preparation.reading import MAX_COLUMNS, read_table, read_tables
from mistworks.preparation.table import Missing, Side, Table, complete, random_part
from mistworks.selection.result import Selection
from mistworks.selection.search import Search
from mistworks.tables.progress import progress_bar

MOST_ROWS = 10_000
"""Of more rows than these, a random part is used."""


def select(
    X: object,  # noqa: N803
    y: object,
    k: int | None = None,
    *,
    model: Model = None,
    missing: Missing = "raise",
    classes: Collection[Hashable] = (),
    alpha: float = 0.05,
    level: float = 0.9,
    rng: np.random.Generator | int = 0,
    progress: bool = False,
) -> Selection:
    """Select the columns of X that tell about y, without those that repeat what others tell.

    The search is greedy. Each step finds the column c with the largest gain I(c; y | S) given the selected
    columns S, and selects it if the gain is significant; otherwise it stops. So a copy of a selected column,
    exact or noisy, is not selected, and columns that tell about y only given others are.

    **The gain** of a column is first what it tells by itself, after what a smooth regression predicts from S
    has been subtracted from continuous columns and a continuous target, which leaves I(c; y | S) as it is.
    Columns are compared by the evidence of that, see `mistworks.estimation.evidence`. If none is significant,
    they are compared by I(S, c; y) − I(S; y), which sees columns whose effect depends on S, but varies more
    the more columns S has. The result shows the calibrated estimate of I(c; y | S), with its interval.

    **The test** compares the largest gain with those of samples in which y is permuted, among all points for
    the first column, then among points where S is alike and predicts alike (see
    `mistworks.independence_test`). One permutation serves all columns, so that the test accounts for their
    number and their dependence. At alpha = 0.05 it draws 33 to 66 permutations for the first column, and for
    others up to 99 by themselves and 199 together with S, or stops after two that reach the observed gain
    (see `mistworks.permutation.sequential`).

    **Pairs.** If no single column is significant, the step looks at two at once, of which each alone tells
    nothing, such as the inputs of an XOR: at the 8 pairs with the highest cheap scores (products of cosines
    of the ranks and of indicators of classes, correlated with y), among at most 200 columns. A significant
    pair is selected, or the one of the two that the other does not make needless. Three columns of which no
    two tell anything are not looked for.

    **False alarms.** If no column tells about y, the probability that any is selected is below alpha: 0.6
    alpha for single columns and 0.2 alpha for pairs. Each further step errs with about that probability
    again, of which it spends 0.4 alpha on columns by themselves; given S, permutations are approximate.

    Cost: of more than 40 columns that are left, each step estimates the 40 with the highest cheap scores; of
    more than 10,000 rows, a random part of 10,000 is used.

    Args:
        X: n points of d columns, shape (n, d): a table of pandas, Polars or Arrow, an array, a tensor or a
            list, not sparse. Strings and categories without an order are class labels.
        y: the target, shape (n,) or (n, dy), likewise; or the name of the column of X that is the target.
        k: how many columns to select, 1 to d: exactly as many, also where their gains are not significant,
            as their p-values tell. None selects what is significant.
        model: an estimator, what `mistworks.load` takes, or None for the weights that come with the package.
        missing: what happens to missing values, see `mistworks.estimate`; ``"drop"`` leaves out the rows that
            have one in y or in any column, so that gains can be compared.
        classes: names of columns of numbers that are class labels.
        alpha: level of the tests, between 0 and 1.
        level: level of the intervals, between 0 and 1.
        rng: draws permutations: a generator or a seed. By default a fixed seed, so that equal input gives an
            equal answer.
        progress: show a progress bar if standard error is a terminal.

    Raises:
        MistworksError: X and y are not a sample, values are missing, names repeat, y is among the columns of
            X, or k, alpha or level is out of range.

    Warns:
        MistworksWarning: only a part of the rows was used.
    """
    features, target = _read(X, y, missing, classes)
    _require_levels(alpha, level)
    _require_count(k, features)
    estimator = shipped() if model is None else load(model) if isinstance(model, str | Path) else model
    rng = np.random.default_rng(rng)
    features, target = _unrepeated(*random_part([features, target], MOST_ROWS, "a selection", rng))
    d = features.shape[1]
    with progress_bar("Selecting columns", k or d, progress) as advance:
        search = Search(features, target, estimator, alpha, rng, advance)
        stopped = search.run(k)
    return Selection(tuple(search.selected), stopped, d, len(target), alpha, level)


def _read(
    X: object,  # noqa: N803
    y: object,
    missing: Missing,
    classes: Collection[Hashable],
) -> tuple[Side, Side]:
    if y is None:
        raise MistworksError("Expected a target y, got None. Pass y, or the name of its column of X.")
    if isinstance(y, str):
        table = read_table(X, classes=classes)
        place = table.position(y, "X")
        others = [column for column in range(table.shape[1]) if column != place]
        features, target = table.columns(others), table.columns([place])
    else:
        features, target = read_tables([("X", X), ("y", y)], classes=classes, max_columns=None)
    _require_distinct(features)
    _require_no_target(features, target)
    sides, _ = complete([features, target], ["X", "y"], missing)
    return sides[0], sides[1]


def _require_distinct(features: Table) -> None:
    if not features.shape[1]:
        raise MistworksError("Expected at least 1 column of X beside the target, got none.")
    repeated = [label for label, count in Counter(features.labels).items() if count > 1]
    if repeated:
        raise MistworksError(
            f"Expected columns of X with different names, got {repeated[0]!r} more than once. Rename one."
        )


def _require_no_target(features: Table, target: Table) -> None:
    for position, label in enumerate(features.labels):
        same = label in target.labels and isinstance(label, str)
        if same and np.array_equal(
            features.values[position], target.values[target.labels.index(label)], equal_nan=True
        ):
            raise MistworksError(
                f"Expected X without the target, got column {label!r}, which is y. Pass X without it, or "
                f"y={label!r}."
            )


def _require_levels(alpha: float, level: float) -> None:
    for name, value, default in (("alpha", alpha, 0.05), ("level", level, 0.9)):
        if not 0 < value < 1:
            raise MistworksError(f"Expected {name} between 0 and 1, got {value}. Use {default}.")


def _require_count(k: int | None, features: Side) -> None:
    d = features.shape[1]
    if k is not None and not (isinstance(k, Integral) and not isinstance(k, bool) and 1 <= k <= d):
        raise MistworksError(
            f"Expected k from 1 to {d}, the number of columns of X, got {k!r}. Leave it out to select what "
            "is significant."
        )


def _unrepeated(features: Side, target: Side) -> tuple[Side, Side]:
    """Both without copies of points, which permuting would tear apart and so make dependence of."""
    rows = prepare(features.columns(np.arange(features.shape[1])[:MAX_COLUMNS]), target).rows
    return (features, target) if rows is None else (features.rows(rows), target.rows(rows))


__all__ = ["MOST_ROWS", "select"]
