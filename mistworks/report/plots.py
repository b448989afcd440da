"""Plots of the evaluation of one estimator. Needs matplotlib.

Figures are created without pyplot: no window, and no global list of figures to close.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mistworks.errors import MistworksError
from mistworks.evaluation.measures import ALL, DEFAULT_BINS, AccuracyRow, find
from mistworks.evaluation.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#3b6ea8", "#d1793a", "#4f9d69", "#8c5fa8", "#b3444f")
_BASELINE = "#9a9a9a"
_INK = "#333333"


def figures(results: Sequence[Results], rows: Sequence[AccuracyRow]) -> dict[str, "Figure"]:
    """Draw all plots of one estimator by name: ``truth``, ``mse``, ``bias`` and ``families``.

    Args:
        results: one entry per suite.
        rows: their table from `mistworks.evaluation.measures.accuracy`, with the default bins.

    Raises:
        MistworksError: the results are not from exactly one estimator, or not in nats.
    """
    for part in results:
        part.require_nats()
    if len({part.estimator for part in results}) != 1:
        raise MistworksError("Expected results of exactly one estimator. Plot each estimator separately.")
    return {
        "truth": plot_truth(results),
        "mse": plot_mse(rows),
        "bias": plot_bias(rows),
        "families": plot_families(rows),
    }


def plot_truth(parts: Sequence[Results]) -> "Figure":
    """Estimate against true MI in nats, one panel per suite, coloured by sample size n."""
    figure, axes = _panels(len(parts), width=4.6, height=4.4, share=False)
    points = None
    sizes = np.concatenate([part.n for part in parts])
    for axis, part in zip(axes, parts, strict=True):
        finite = part.succeeded
        truth, estimate = part.mi[finite], part.estimate[finite]
        order = np.argsort(-part.n[finite], kind="stable")
        points = axis.scatter(
            truth[order],
            estimate[order],
            c=part.n[finite][order],
            s=11,
            alpha=0.75,
            linewidths=0,
            cmap="viridis",
            vmin=float(sizes.min()),
            vmax=float(sizes.max()),
            rasterized=True,
        )
        ends = [float(min(truth.min(initial=0), 0)), float(truth.max(initial=1))]
        axis.plot(ends, ends, color=_INK, linewidth=1, linestyle="--", label="estimate = truth")
        axis.set_xlabel("true mutual information (nats)")
        axis.set_title(_counted(part), fontsize=10)
        axis.legend(frameon=False, fontsize=8, loc="upper left")
    axes[0].set_ylabel("estimate (nats)")
    if points is not None:
        figure.colorbar(points, ax=axes, label="sample size n", fraction=0.04, pad=0.02)
    return figure


def plot_mse(rows: Sequence[AccuracyRow]) -> "Figure":
    """MSE in nats² by bin of n with its standard error, one point per suite, and that of the constant."""

    def draw(axis: "Axes", row: AccuracyRow, x: float, width: float, colour: str) -> None:
        axis.hlines(row.baseline_mse, x - width / 2, x + width / 2, color=_BASELINE, linewidth=2)
        if row.mse is None:
            return
        axis.errorbar(x, row.mse, row.mse_se or 0.0, fmt="o", color=colour, capsize=4, markersize=6)
        axis.annotate(f"{row.mse:.2g}", (x, row.mse), (6, 4), textcoords="offset points", fontsize=8)

    figure, axis = _grouped(rows, draw)
    axis.plot([], [], color=_BASELINE, linewidth=2, label="constant estimate")
    axis.set_yscale("log")
    axis.set_ylabel("mean squared error, ± 1 standard error (nats²)")
    _legend_above(axis)
    return figure


def plot_bias(rows: Sequence[AccuracyRow]) -> "Figure":
    """Mean of estimate minus truth in nats by bin of n, ± two standard errors."""

    def draw(axis: "Axes", row: AccuracyRow, x: float, width: float, colour: str) -> None:
        if row.bias is not None:
            spread = 2 * (row.bias_se or 0.0)
            axis.errorbar(x, row.bias, spread, fmt="o", color=colour, capsize=4, markersize=6)

    figure, axis = _grouped(rows, draw)
    axis.axhline(0, color=_INK, linewidth=1, linestyle="--", zorder=0)
    axis.set_ylabel("bias, ± 2 standard errors (nats)")
    _legend_above(axis)
    return figure


def plot_families(rows: Sequence[AccuracyRow]) -> "Figure":
    """MSE in nats² by family and bin of n, one panel per suite, on one logarithmic colour scale."""
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import LogLocator

    suites = _suites(rows)
    tables = [_family_table(rows, suite) for suite in suites]
    positive = np.concatenate([table[np.isfinite(table) & (table > 0)] for _, _, table in tables])
    norm = LogNorm(positive.min(), positive.max()) if len(positive) else None
    tallest = max(len(families) for families, _, _ in tables)
    figure, axes = _panels(len(suites), width=4.8, height=1.6 + 0.36 * tallest, share=False)
    image = None
    for axis, suite, (families, bins, table) in zip(axes, suites, tables, strict=True):
        image = axis.imshow(np.ma.masked_invalid(table), aspect="auto", cmap="viridis_r", norm=norm)
        for (row, column), value in np.ndenumerate(table):
            if np.isfinite(value):
                dark = norm is not None and value > 0 and norm(value) > 0.55
                axis.text(
                    column,
                    row,
                    f"{value:.2g}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white" if dark else _INK,
                )
        axis.set_xticks(range(len(bins)), bins)
        axis.set_yticks(range(len(families)), families, fontsize=8)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        axis.set_xlabel("sample size n")
        axis.set_title(_titled(find(rows, suite)), fontsize=10)
    if image is not None:
        figure.colorbar(
            image,
            ax=axes,
            label="mean squared error (nats²)",
            fraction=0.04,
            pad=0.02,
            ticks=LogLocator(subs=(1, 2, 5)),
            format="%g",
        ).minorticks_off()
    return figure


def _family_table(
    rows: Sequence[AccuracyRow], suite: str
) -> tuple[list[str], list[str], NDArray[np.float64]]:
    """Families, bins and their MSE in nats², NaN if missing; the total is the last row."""
    rows = [row for row in rows if (row.suite, row.dimension_bin) == (suite, ALL)]
    families = [*sorted({row.family for row in rows} - {ALL}), ALL]
    bins = [*_bins(rows), ALL]
    table = np.full((len(families), len(bins)), np.nan)
    for row in rows:
        if row.n_bin in bins and row.mse is not None:
            table[families.index(row.family), bins.index(row.n_bin)] = row.mse
    return families, bins, table


def _grouped(
    rows: Sequence[AccuracyRow], draw: Callable[["Axes", AccuracyRow, float, float, str], None]
) -> tuple["Figure", "Axes"]:
    """Draw one group of marks per bin of n, with one mark per suite."""
    figure, (axis,) = _panels(1, width=6.4, height=4.2, share=True)
    groups, suites = [*_bins(rows), ALL], _suites(rows)
    width = 0.8 / len(suites)
    for position, suite in enumerate(suites):
        colour = _COLOURS[position % len(_COLOURS)]
        axis.plot([], [], "s", color=colour, label=suite)
        for row in rows:
            total = (row.suite, row.family, row.dimension_bin) == (suite, ALL, ALL)
            if total and row.n_bin in groups:
                offset = (position - (len(suites) - 1) / 2) * width
                draw(axis, row, groups.index(row.n_bin) + offset, 0.92 * width, colour)
    axis.set_xticks(range(len(groups)), groups)
    axis.set_xlabel("sample size n")
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
    return figure, axis


def _bins(rows: Sequence[AccuracyRow]) -> list[str]:
    """Bins with datasets, in the order of n."""
    present = {row.n_bin for row in rows}
    return [name for name in DEFAULT_BINS.n_bins if name in present]


def _suites(rows: Sequence[AccuracyRow]) -> list[str]:
    return list(dict.fromkeys(row.suite for row in rows))


def _panels(count: int, *, width: float, height: float, share: bool) -> tuple["Figure", list["Axes"]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * count + 0.8 * (not share), height), dpi=130, layout="constrained")
    axes = list(figure.subplots(1, count, squeeze=False)[0])
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _legend_above(axis: "Axes") -> None:
    axis.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=4)


def _counted(part: Results) -> str:
    return _title(part.suite, len(part), int((~part.succeeded).sum()))


def _titled(row: AccuracyRow) -> str:
    return _title(row.suite, row.count, row.failures)


def _title(suite: str, count: int, failures: int) -> str:
    failed = f", {failures} without an estimate" if failures else ""
    return f"{suite} ({count:,} datasets{failed})"


__all__ = ["figures", "plot_bias", "plot_families", "plot_mse", "plot_truth"]
