"""The result of `mistworks.matrix`: mutual information of all pairs, to look at, to test and to list."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mistworks.extras import imported
from mistworks.files import write_whole
from mistworks.tables.heat_map import COLOURS, draw
from mistworks.tables.page import as_html, as_text, render
from mistworks.tables.significance import PairTests, Tested

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

_SHOWN = 10


@dataclass(frozen=True, eq=False)
class PairEstimates:
    """Estimates of pairs of blocks, in nats; NaN for pairs without an estimate.

    Attributes:
        pairs: positions of the first and of the second block of each, shape (pairs, 2).
        n: how many complete rows each has, shape (pairs,).
        mi: point estimates.
        lower: lower ends of their intervals.
        upper: upper ends of their intervals.
        normalized: point estimates between 0 and 1, see `Estimate.normalized`.
        evidence: see `mistworks.estimation.evidence`.
    """

    pairs: NDArray[np.intp]
    n: NDArray[np.int64]
    mi: Array
    lower: Array
    upper: Array
    normalized: Array
    evidence: Array


@dataclass(frozen=True, eq=False, repr=False)
class Matrix:
    """Mutual information of every pair of columns, or of named blocks of columns.

    All frames are symmetric and have the names of the blocks as index and columns. The diagonals of `mi`,
    `lower` and `upper` are NaN: what a column tells about itself is its entropy, which is infinite for a
    continuous one. A pair without an estimate is NaN.

    Attributes:
        names: of the columns or blocks.
        level: the level of each interval by itself.
    """

    names: tuple[Hashable, ...]
    level: float
    _estimates: PairEstimates
    _tests: PairTests
    _tested: dict[Any, Tested] = field(default_factory=dict)

    @property
    def mi(self) -> "pd.DataFrame":
        """Point estimates in nats."""
        return self._frame(self._estimates.mi, np.nan)

    @property
    def lower(self) -> "pd.DataFrame":
        """Lower ends of the intervals in nats."""
        return self._frame(self._estimates.lower, np.nan)

    @property
    def upper(self) -> "pd.DataFrame":
        """Upper ends of the intervals in nats."""
        return self._frame(self._estimates.upper, np.nan)

    @property
    def n(self) -> "pd.DataFrame":
        """Numbers of rows that the estimates use; on the diagonal, in how many rows a block is complete."""
        return self._frame(self._estimates.n, self._tests.blocks.complete_rows)

    @property
    def normalized(self) -> "pd.DataFrame":
        """Point estimates from 0, independent, to 1, determined; see `Estimate.normalized`.

        1 on the diagonal.
        """
        return self._frame(self._estimates.normalized, 1.0)

    def p_values(
        self,
        *,
        permutations: int = 1_000,
        rng: np.random.Generator | int = 0,
        progress: bool = True,
    ) -> "pd.DataFrame":
        """Test every pair for dependence by permuting the rows of one side; NaN on the diagonal.

        A test stops when ten permuted samples have reached the observed estimate, as then p is known well
        enough (Besag and Clifford, "Sequential Monte Carlo p-values", Biometrika 78, 1991), or after all
        permutations; P(p ≤ α) ≤ α in either case. Estimates are compared by their evidence of dependence, and
        two columns of class labels by the likelihood ratio of their table of counts. Pairs that have the same
        null distribution, such as all pairs of columns without ties, share their permutations. As
        `mistworks.independence_test`, it takes rows for independent draws.

        Args:
            permutations: how many per pair at most; the least possible p is 1 / (permutations + 1).
            rng: where the permutations come from: a generator or a seed.
            progress: show a progress bar if standard error is a terminal.

        Raises:
            MistworksError: permutations is less than 1.
        """
        return self._frame(self._test(permutations, None, rng, progress).p_values, np.nan)

    def significant(
        self,
        fdr: float = 0.05,
        *,
        permutations: int | None = None,
        rng: np.random.Generator | int = 0,
        progress: bool = True,
    ) -> "pd.DataFrame":
        """Which pairs are dependent, so that a share of at most ``fdr`` of those is so by chance, on average.

        Benjamini and Hochberg's procedure on the p-values of permutation tests ("Controlling the false
        discovery rate", J. R. Stat. Soc. B 57, 1995). A pair is permuted until its answer is settled, given
        those of all other pairs: a few dozen times where it is independent, and the more often the fewer
        dependent pairs there are beside it.

        Args:
            fdr: the false discovery rate, between 0 and 1.
            permutations: how many per pair at most; None for as many as one dependent pair among independent
                ones needs, number of pairs / fdr, and at least 1,000.
            rng: where the permutations come from: a generator or a seed.
            progress: show a progress bar if standard error is a terminal.

        Returns:
            A symmetric frame of truth values, False on the diagonal and for pairs without an estimate.

        Raises:
            MistworksError: fdr is out of range, or so few permutations can make no pair significant.
        """
        tested = self._test(permutations, fdr, rng, progress)
        assert tested.significant is not None
        return self._frame(tested.significant, False)

    def _test(
        self, permutations: int | None, fdr: float | None, rng: np.random.Generator | int, progress: bool
    ) -> Tested:
        key = permutations, fdr, rng
        tested = None if isinstance(rng, np.random.Generator) else self._tested.pop(key, None)
        if tested is None:
            tested = self._tests.run(permutations, fdr, rng, progress)
        self._tested[key] = tested
        return tested

    @property
    def _last_test(self) -> Tested | None:
        return next(reversed(self._tested.values()), None)

    def table(self) -> "pd.DataFrame":
        """List all pairs, the most informative first.

        Returns:
            A frame with a row per pair and columns ``a``, ``b``, ``mi``, ``lower``, ``upper`` (in nats) and
            ``n``. After `p_values` also ``p_value``, after `significant` also ``p_value`` and
            ``significant``: those of the last test. As `significant` stops where the answer is settled, its
            ``p_value`` is an upper bound.
        """
        pandas = imported("pandas", "a table of pairs")
        estimates = self._estimates
        columns: dict[str, Any] = {
            "a": self._names_of(estimates.pairs[:, 0]),
            "b": self._names_of(estimates.pairs[:, 1]),
            "mi": estimates.mi,
            "lower": estimates.lower,
            "upper": estimates.upper,
            "n": estimates.n,
        }
        if (tested := self._last_test) is not None:
            columns["p_value"] = tested.p_values
            if tested.significant is not None:
                columns["significant"] = tested.significant
        order = np.argsort(-estimates.mi, kind="stable")
        frame: pd.DataFrame = pandas.DataFrame(columns).iloc[order].reset_index(drop=True)
        return frame

    def plot(self, ax: "Axes | None" = None, *, cluster: bool = True, cmap: str = COLOURS) -> "Axes":
        """Draw a heat map of `normalized`, with `mi` in the cells of a small one; needs matplotlib.

        Grey cells have no estimate.

        Args:
            ax: where to draw; None for a new figure of a fitting size.
            cluster: put columns that tell about one another side by side; else keep their order.
            cmap: name of a colour map of matplotlib; the default tells values apart by lightness, so that
                colour-blind readers can read it.

        Returns:
            The axes.

        Raises:
            MistworksError: matplotlib is missing, or SciPy to cluster.
        """
        return draw(self.normalized, self.mi, ax, cluster=cluster, cmap=cmap)

    def to_html(self, file: str | Path, title: str = "What depends on what") -> None:
        """Write a page with the heat map and a table that is sorted by clicks.

        The page is one file that loads nothing from the network. It is written whole or not at all.

        Args:
            file: where to.
            title: heading of the page.

        Raises:
            MistworksError: the file cannot be written, or matplotlib or SciPy is missing.
        """
        write_whole(Path(file), render(title, self._about, self.table(), self.normalized, self.mi).encode())

    def _names_of(self, numbers: NDArray[np.intp]) -> Any:
        pandas = imported("pandas", "a table of pairs")
        return pandas.Series([self.names[number] for number in numbers.tolist()], dtype=self._dtype)

    @property
    def _dtype(self) -> str | None:
        return None if len({type(name) for name in self.names}) == 1 else "object"

    def _frame(self, values: NDArray[Any], diagonal: ArrayLike) -> "pd.DataFrame":
        pandas = imported("pandas", "a matrix")
        full = np.empty((len(self.names),) * 2, dtype=values.dtype)
        np.fill_diagonal(full, diagonal)
        first, second = self._estimates.pairs.T
        full[first, second] = full[second, first] = values
        # Names that are tuples would otherwise become several levels.
        index = pandas.Index(self.names, tupleize_cols=False)
        frame: pd.DataFrame = pandas.DataFrame(full, index=index, columns=index)
        return frame

    def __repr__(self) -> str:
        return as_text(self._about, self.table(), self.level, _SHOWN)

    def _repr_html_(self) -> str:
        """The strongest pairs as a table, for notebooks."""
        return as_html(self._about, self.table(), _SHOWN)

    @property
    def _about(self) -> str:
        n = self._estimates.n[~np.isnan(self._estimates.mi)]
        rows = "no" if not len(n) else f"{n.max():,}" if n.min() == n.max() else f"{n.min():,} to {n.max():,}"
        return (
            f"Mutual information of {len(self._estimates.n):,} pairs of {len(self.names)} columns in nats, "
            f"with {100 * self.level:g} % intervals, from {rows} rows, the strongest first"
        )


__all__ = ["Matrix", "PairEstimates"]
