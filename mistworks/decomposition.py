"""What two sources say about a target together, apart and only jointly: partial information decomposition."""

import math
from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mistworks.errors import MistworksError
from mistworks.estimation.estimate import Estimate
from mistworks.estimation.many import Model, estimate_many
from mistworks.extras import imported
from mistworks.preparation.reading import Missing, Side, read_sides
from mistworks.preparation.table import joined
from mistworks.states import entropy

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Method = Literal["broja", "minimum"]
"""How redundancy is defined; see `decompose`."""

MOST_CELLS = 1_000
"""The largest product of the numbers of levels of both sources and the target that ``"broja"`` takes."""

_MOST_LEVELS = 8
_BITS_PER_NAT = 1 / math.log(2)
_MOST_STEPS, _FITS, _TOLERANCE = 3_000, 10, 1e-8
_PARTS = ("redundancy", "unique1", "unique2", "synergy")


@dataclass(frozen=True, slots=True, repr=False)
class Decomposition:
    """The information of two sources X₁, X₂ about Y in four parts, in nats, each at least 0.

    Attributes:
        redundancy: what both say.
        unique1: what X₁ alone says.
        unique2: what X₂ alone says.
        synergy: what only both together say.
        method: ``"broja"`` or ``"minimum"``; see `decompose`.
        n_used: number of rows that were used.
        bias: for ``"broja"``, by how much the total of plug-in estimates is too high on average where Y is
            independent, (K₁₂ − 1)(K_Y − 1) / 2n for K₁₂ and K_Y observed levels, in nats; most of it is
            synergy. None for ``"minimum"``.
        estimates: for ``"minimum"``, the estimates of I(X₁;Y), I(X₂;Y) and I(X₁,X₂;Y) with their intervals.
    """

    redundancy: float
    unique1: float
    unique2: float
    synergy: float
    method: Method
    n_used: int
    bias: float | None = None
    estimates: tuple[Estimate, Estimate, Estimate] | None = None

    @property
    def parts(self) -> dict[str, float]:
        """The four parts by name, in nats."""
        return {name: getattr(self, name) for name in _PARTS}

    @property
    def bits(self) -> dict[str, float]:
        """The four parts by name, in bits."""
        return {name: value * _BITS_PER_NAT for name, value in self.parts.items()}

    @property
    def total(self) -> float:
        """I(X₁,X₂;Y) in nats, the sum of the parts."""
        return sum(self.parts.values())

    def to_frame(self) -> "pd.DataFrame":
        """Return a DataFrame with a row per part, and the columns ``nats`` and ``bits``.

        Raises:
            MistworksError: pandas is not installed.
        """
        pandas = imported("pandas", "a DataFrame")
        columns = {"nats": list(self.parts.values()), "bits": list(self.bits.values())}
        frame: pd.DataFrame = pandas.DataFrame(columns, index=pandas.Index(_PARTS, name="part"))
        return frame

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the four parts as bars.

        Args:
            ax: where to draw; None for new axes in a new figure of pyplot.

        Raises:
            MistworksError: matplotlib is not installed.
        """
        from mistworks.plots.style import new_axes

        ax = new_axes(ax)
        bars = ax.bar(["redundancy", "only X₁", "only X₂", "synergy"], list(self.parts.values()), color="C0")
        ax.bar_label(bars, fmt="%.3f", padding=2)
        ax.margins(y=0.15)
        ax.set(ylabel="information about Y in nats", title=f"method: {self.method}")
        return ax

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {value:.3f}" for name, value in self.parts.items())
        return f"{parts} nats, method {self.method}, n = {self.n_used:,}"

    def __repr__(self) -> str:
        return f"Decomposition({self})"


def decompose(
    x1: object,
    x2: object,
    y: object,
    *,
    method: Method | None = None,
    missing: Missing = "raise",
    classes: Collection[Hashable] = (),
    model: Model = None,
) -> Decomposition:
    """Decompose what X₁ and X₂ say about Y into redundancy, two unique parts and synergy, in nats.

    The parts add up: I(X₁;Y) = redundancy + unique1, I(X₂;Y) = redundancy + unique2, and I(X₁,X₂;Y) is the
    sum of all four (Williams and Beer, "Nonnegative decomposition of multivariate information", 2010). What
    counts as redundant needs a definition beyond that:

    - ``"broja"``: the unique information of Bertschinger, Rauh, Olbrich, Jost and Ay ("Quantifying unique
      information", Entropy 16, 2014) of the observed frequencies, to about 1e-5 nats. It is for classes, and
      for numbers with few values. Frequencies of small samples say too much, of synergy above all: see
      `Decomposition.bias`, which is not subtracted.
    - ``"minimum"``: redundancy = min(I(X₁;Y), I(X₂;Y)), from three estimates. It is exact for Gaussian
      sources with one target (Barrett, "Exploration of synergistic and redundant information sharing in
      static and dynamical Gaussian systems", Phys. Rev. E 91, 2015). In general it is the largest possible
      redundancy: two sources that say different things of the same amount count as redundant, and one of the
      unique parts is always 0. A joint estimate below that of one source is replaced by it.

    Args:
        x1: n points of X₁, shape (n,) or (n, d): an array, a tensor, a list, or a table or column.
        x2: n points of X₂, likewise.
        y: n points of Y, likewise.
        method: by default ``"broja"`` where all sides are classes or numbers of at most 8 values and their
            numbers of levels multiply to at most 1,000, otherwise ``"minimum"``; the result says which.
        missing: what happens to missing values, see `mistworks.estimate`.
        classes: names of columns of numbers that are class labels.
        model: what estimates for ``"minimum"``: an estimator, what `mistworks.load` takes, or None for the
            weights that come with the package.

    Raises:
        MistworksError: the sides are not a sample, or there are too many levels for ``"broja"``.
    """
    if method is not None and method not in get_args(Method):
        raise MistworksError(f"Expected method broja or minimum, got {method!r}.")
    first, second, target = read_sides([("x1", x1), ("x2", x2), ("y", y)], missing=missing, classes=classes)
    sides = [first, second, target]
    levels = [_levels(side) for side in sides]
    cells = math.prod(int(each.max()) + 1 for each in levels)
    if method is None:
        method = "broja" if cells <= MOST_CELLS and all(map(_has_few_values, sides)) else "minimum"
    if method == "minimum":
        return _minimum(first, second, target, model)
    if cells > MOST_CELLS:
        raise MistworksError(
            f"Expected levels of x1, x2 and y that multiply to at most {MOST_CELLS:,} for method broja, got "
            f"{cells:,}. Merge classes, or pass method='minimum', which is used by default beyond that."
        )
    return _broja(levels)


def _minimum(first: Side, second: Side, target: Side, model: Model) -> Decomposition:
    pairs = [(first, target), (second, target), (joined([first, second]), target)]
    one, two, both = estimate_many(pairs, model)
    redundancy, larger = sorted((one.mi, two.mi))
    return Decomposition(
        redundancy,
        one.mi - redundancy,
        two.mi - redundancy,
        max(0.0, both.mi - larger),
        "minimum",
        len(target),
        estimates=(one, two, both),
    )


def _broja(levels: list[NDArray[np.intp]]) -> Decomposition:
    n = len(levels[0])
    shape = tuple(int(each.max()) + 1 for each in levels)
    counts = np.zeros(shape)
    np.add.at(counts, tuple(levels), 1.0)
    p = counts / n
    of_first, of_second = _information(p.sum(axis=1)), _information(p.sum(axis=0))
    total = _information(p.reshape(-1, shape[2]))
    # No part is negative. The limits are those of unique1 in any decomposition of this kind.
    low, high = max(0.0, of_first - of_second), min(of_first, total - of_second)
    unique1 = float(np.clip(_unique_information(p), low, max(low, high)))
    redundancy = of_first - unique1
    unique2 = max(0.0, of_second - redundancy)
    synergy = max(0.0, total - of_first - unique2)
    together = np.count_nonzero(counts.sum(axis=2))
    bias = (together - 1) * (shape[2] - 1) / (2 * n)
    return Decomposition(redundancy, unique1, unique2, synergy, "broja", n, bias=bias)


def _unique_information(p: NDArray[np.float64]) -> float:
    """min I_Q(X₁;Y|X₂) in nats, over all Q with the margins of (X₁, Y) and (X₂, Y) of a table over X₁, X₂, Y.

    Alternating projections, which converge to the minimum (Banerjee, Rauh, Montúfar, "Computing the unique
    information", ISIT 2018, algorithm 1): given Q's margin of (X₁, X₂), fitting rows and columns in turn for
    each y gives the closest Q with the right margins.
    """
    rows, columns = p.sum(axis=1).T[:, :, None], p.sum(axis=0).T[:, None, :]
    of_y = p.sum(axis=(0, 1))[:, None, None]
    both = _quotient(rows * columns, of_y).sum(axis=0)
    last = math.inf
    for _ in range(_MOST_STEPS):
        q = np.broadcast_to(both, (p.shape[2], *p.shape[:2]))
        for _ in range(_FITS):
            q = q * _quotient(rows, q.sum(axis=2, keepdims=True))
            q = q * _quotient(columns, q.sum(axis=1, keepdims=True))
        both = q.sum(axis=0)
        # I(X₁;Y|X₂) = Σ q log q(x₁, x₂, y) q(x₂) / q(x₁, x₂) q(x₂, y)
        ratio = _quotient(q * both.sum(axis=0), both * q.sum(axis=1, keepdims=True))
        value = float((q * np.log(np.where(ratio > 0, ratio, 1.0))).sum())
        if abs(last - value) < _TOLERANCE:
            break
        last = value
    return value


def _quotient(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Their quotient, 0 where the divisor is."""
    above, below = np.broadcast_arrays(above, below)
    return np.divide(above, below, out=np.zeros(above.shape), where=below > 0)


def _information(table: NDArray[np.float64]) -> float:
    """Mutual information in nats of a table of probabilities of two variables."""
    return max(0.0, entropy(table.sum(axis=1)) + entropy(table.sum(axis=0)) - entropy(table))


def _levels(side: Side) -> NDArray[np.intp]:
    """Number the distinct rows of a side from 0, shape (n,)."""
    return np.unique(side.values, axis=1, return_inverse=True)[1].ravel()


def _has_few_values(side: Side) -> bool:
    numbers = side.values[~side.nominal]
    return all(len(np.unique(column)) <= _MOST_LEVELS for column in numbers)


__all__ = ["MOST_CELLS", "Decomposition", "Method", "decompose"]
