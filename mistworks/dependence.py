"""How much two sides of a sample depend on each other: the question that most users ask first."""

from collections.abc import Collection, Hashable
from pathlib import Path

import numpy as np

from mistworks.estimation.estimate import Estimate, averaged
from mistworks.estimation.estimator import Estimator, load, shipped
from mistworks.preparation.reading import MAX_COLUMNS, Missing, Side, read_sides
from mistworks.preparation.reduction import Reduction, reduced
from mistworks.preparation.table import random_part, require_repeated_classes

# Intervals hold up to here, as benchmarks/many_points.py shows, although the estimator was trained on fewer.
_MOST_IN_PART, _MOST_PARTS = 100_000, 10


def estimate(
    x: object,
    y: object,
    model: Estimator | str | Path | None = None,
    *,
    given: object | None = None,
    missing: Missing = "raise",
    classes: Collection[Hashable] = (),
    reduce: Reduction | None = None,
    rng: "np.random.Generator | int" = 0,
) -> Estimate:
    """Mutual information I(X;Y) in nats of a sample, or I(X;Y|Z) given Z.

    Constant columns carry no information and are left out: where all of x or all of y is constant, the
    estimate and its intervals are 0. Rows of x and y belong together by position, and those of two pandas
    objects by their index; pass ``y.to_numpy()`` to pair these by position too, for instance after a shuffle.

    Args:
        x: n points of X, shape (n, dx) or (n,): an array, a tensor, a list, or a table or column of pandas,
            Polars or Arrow. Strings and categories without an order are class labels, dates are numbers; see
            `mistworks.preparation.reading`.
        y: n points of Y, shape (n, dy) or (n,), likewise.
        model: an estimator, or what `load` takes; None for the weights that come with the package.
        given: n points of Z, shape (n, dz) or (n,), likewise; the estimate is the conditional mutual
            information I(X;Y|Z) then, with an interval of its own, see `mistworks.conditional`.
        missing: ``"raise"`` refuses missing values; ``"drop"`` leaves out the rows that have one anywhere;
            ``"category"`` makes a missing class label a class of its own. `Estimate.n_used` says how many
            rows were used.
        classes: names of columns of numbers that are class labels, such as ``["zip"]``.
        reduce: ``"pca"`` replaces the columns of a side of more than 64 by their principal components, see
            `mistworks.preparation.reduction`. The estimate is a lower bound then, unless a wide Z is reduced
            too: I(X;Y|Z) is then asked for the components of Z alone.
        rng: chooses random parts of the rows, where there are many: a generator or a seed. Beyond 100,000
            rows, the estimates of up to ten random parts of at most 100,000 are averaged, quantile by
            quantile; `Estimate.n_used` is the number of rows in them together. Given Z, and for networks that
            read fewer, one part is used, and a warning says so.

    Raises:
        MistworksError: x, y and given are not a sample, values are missing, a column of class labels numbers
            the rows, or there are no weights.

    Warns:
        MistworksWarning: the sample is far outside what the model was trained on, rows were moved to match an
            index, or only a part of the rows was used.
    """
    named = {"x": x, "y": y} | ({} if given is None else {"given": given})
    limit = None if reduce else MAX_COLUMNS
    sides = read_sides([*named.items()], missing=missing, classes=classes, max_columns=limit)
    require_repeated_classes(sides, [*named])
    if reduce is not None:
        sides = [reduced(side, name, reduce) for name, side in zip(named, sides, strict=True)]
    if given is not None:
        # The first plain estimate of a process need not wait for what it does not use.
        from mistworks.conditional import conditional

        return conditional(sides[0], sides[1], sides[2], model)
    if not isinstance(model, Estimator):
        model = shipped() if model is None else load(model)
    n, most = len(sides[0]), model.network.max_points
    if n <= min(most or n, _MOST_IN_PART):
        return model.estimate(*sides)
    rng = np.random.default_rng(rng)
    if most is not None:
        sides = random_part(sides, most, f"the network {model.network_config.network}", rng)
    return averaged(model.estimate_many(_parts(sides[0], sides[1], rng)))


def _parts(x: Side, y: Side, rng: "np.random.Generator") -> list[tuple[Side, Side]]:
    n = len(x)
    count = min(-(-n // _MOST_IN_PART), _MOST_PARTS)
    rows = rng.permutation(n)[: count * _MOST_IN_PART]
    # In the order of the sample, whose own ties and copies stay next to each other.
    return [(x.rows(part), y.rows(part)) for part in map(np.sort, np.array_split(rows, count))]


__all__ = ["estimate"]
