"""A sample, its dependence and its mutual information in one figure."""

from collections.abc import Collection, Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mistworks.dependence import estimate
from mistworks.errors import MistworksError
from mistworks.estimation.estimate import Estimate, Unit
from mistworks.estimation.estimator import Estimator
from mistworks.extras import imported
from mistworks.plots.classical import classical_estimates
from mistworks.plots.columns import read_columns
from mistworks.plots.forest import plot_forest
from mistworks.plots.sample import draw_normal_scores, draw_sample
from mistworks.plots.style import new_axes
from mistworks.preparation.table import Missing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (8.0, 5.9)
"""Width and height of the figure in inches: at 100 dots per inch, 800 pixels wide."""


def plot(
    x: object,
    y: object,
    *,
    given: object | None = None,
    model: Estimator | str | Path | None = None,
    level: float = 0.9,
    unit: Unit = "nats",
    missing: Missing = "raise",
    classes: Collection[Hashable] = (),
    ax: "Sequence[Axes] | NDArray[Any] | None" = None,
) -> NDArray[Any]:
    """Draw a sample, its normal scores, and its mutual information beside the classical estimators.

    Composed of `mistworks.plots.plot_sample`, `mistworks.plots.plot_normal_scores` and
    `mistworks.plots.plot_forest`; see there. ``plot(x, y)[0].figure.savefig("out.png")`` saves the figure.

    Args:
        x: n points of X, as for `mistworks.estimate`.
        y: n points of Y.
        given: n points of Z: the first estimate is then I(X;Y|Z), and I(X;Y) is drawn below it. The pictures
            of the sample and the classical estimates are those of X and Y alone.
        model: an estimator, or what `mistworks.load` takes; None for the weights of the package.
        level: of the interval.
        unit: ``"nats"`` or ``"bits"``.
        missing: see `mistworks.estimate`.
        classes: names of columns of numbers that are class labels.
        ax: three axes to draw on; new ones in a new figure of pyplot if None.

    Returns:
        The three axes of matplotlib, in this order.

    Raises:
        MistworksError: x and y are not a sample, values are missing, ax does not hold three axes, or a
            package of the extra ``tables`` is not installed.

    Warns:
        MistworksWarning: as for `mistworks.estimate`.
    """
    x_column, y_column, (x_side, y_side, *z_side) = read_columns(x, y, missing, classes, given)
    if ax is None:
        ax = arranged(imported("matplotlib.pyplot", "a plot").figure(figsize=SIZE))
    if len(ax) != 3:
        raise MistworksError(f"Expected three axes to draw on, got {len(ax)}. Pass ax=None for new ones.")
    sample, scores, forest = (new_axes(each) for each in ax)
    estimates: dict[str, Estimate | None] = {"Mistworks": estimate(x_side, y_side, model)}
    if z_side:
        conditional = estimate(x_side, y_side, model, given=z_side[0])
        estimates = {"I(X;Y|Z), Mistworks": conditional, "I(X;Y), Mistworks": estimates["Mistworks"]}
    estimates |= classical_estimates(x_side, y_side)
    draw_sample(x_column, y_column, sample)
    draw_normal_scores(x_column, y_column, scores)
    plot_forest(estimates, forest, level=level, unit=unit)
    return np.array([sample, scores, forest], dtype=object)


def arranged(figure: "Figure") -> list["Axes"]:
    """Return three axes of an empty figure of `SIZE`: two beside one another, a low one below them.

    The low one has a place of its own, so that its long names leave the others as wide as they can be.
    """
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    below = 0.315
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=(0, below, 1, 1 - below), wspace=0.06))
    sample, scores = figure.subplots(1, 2)
    forest = figure.add_axes((0.29, 0.09, 0.49, 0.18))
    forest.set_in_layout(False)
    return [sample, scores, forest]


__all__ = ["SIZE", "arranged", "plot"]
