"""Pictures of an evaluation. Needs matplotlib, which the rest of the package does not.

Figures are made without pyplot: no window, no global list of figures to close.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mistworks.evaluation.accuracy import ALL, AccuracyRow, Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#3b6ea8", "#d1793a", "#4f9d69", "#8c5fa8", "#b3444f")
_BASELINE = "#9a9a9a"
_INK = "#333333"


def figures(evaluation: Evaluation) -> dict[str, "Figure"]:
    """All plots by name: ``truth``, ``mse``, ``bias`` and ``families``."""
    return {
        "truth": plot_truth(evaluation),
        "mse": plot_mse(evaluation),
        "bias": plot_bias(evaluation),
        "families": plot_families(evaluation),
    }


def plot_truth(evaluation: Evaluation) -> "Figure":
    """Estimate against true MI in nats, a panel a split, coloured by the sample size n."""
    parts = evaluation.estimates
    figure, axes = _panels(len(parts), width=4.6, height=4.4, share=False)
    points = None
    sizes = np.concatenate([part.index.n for part in parts])
    for axis, part in zip(axes, parts, strict=True):
        finite = part.succeeded
        truth, estimate = part.index.mi[finite], part.mi[finite]
        order = np.argsort(-part.index.n[finite], kind="stable")
        points = axis.scatter(
            truth[order],
            estimate[order],
            c=part.index.n[finite][order],
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
        axis.set_title(_counted(evaluation.row(part.split)), fontsize=10)
        axis.legend(frameon=False, fontsize=8, loc="upper left")
    axes[0].set_ylabel("estimate (nats)")
    if points is not None:
        figure.colorbar(points, ax=axes, label="sample size n", fraction=0.04, pad=0.02)
    return figure


def plot_mse(evaluation: Evaluation) -> "Figure":
    """MSE in nats² by bin of n with its standard error, a point a split, beside that of the constant."""

    def draw(axis: "Axes", row: AccuracyRow, x: float, width: float, colour: str) -> None:
        axis.hlines(row.baseline_mse, x - width / 2, x + width / 2, color=_BASELINE, linewidth=2)
        if row.mse is None:
            return
        axis.errorbar(x, row.mse, row.mse_se or 0.0, fmt="o", color=colour, capsize=4, markersize=6)
        axis.annotate(f"{row.mse:.2g}", (x, row.mse), (6, 4), textcoords="offset points", fontsize=8)

    figure, axis = _grouped(evaluation, draw)
    axis.plot([], [], color=_BASELINE, linewidth=2, label="constant estimate")
    axis.set_yscale("log")
    axis.set_ylabel("mean squared error, ± 1 standard error (nats²)")
    _legend_above(axis)
    return figure


def plot_bias(evaluation: Evaluation) -> "Figure":
    """Mean of estimate minus truth in nats by bin of n, with two standard errors each way."""

    def draw(axis: "Axes", row: AccuracyRow, x: float, width: float, colour: str) -> None:
        if row.bias is not None:
            spread = 2 * (row.bias_se or 0.0)
            axis.errorbar(x, row.bias, spread, fmt="o", color=colour, capsize=4, markersize=6)

    figure, axis = _grouped(evaluation, draw)
    axis.axhline(0, color=_INK, linewidth=1, linestyle="--", zorder=0)
    axis.set_ylabel("bias, ± 2 standard errors (nats)")
    _legend_above(axis)
    return figure


def plot_families(evaluation: Evaluation) -> "Figure":
    """MSE in nats² as a map of family by bin of n, a panel a split, on one logarithmic colour scale."""
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import LogLocator

    parts = evaluation.estimates
    tables = [_family_table(evaluation, part.split) for part in parts]
    positive = np.concatenate([table[np.isfinite(table) & (table > 0)] for _, _, table in tables])
    norm = LogNorm(positive.min(), positive.max()) if len(positive) else None
    tallest = max(len(families) for families, _, _ in tables)
    figure, axes = _panels(len(parts), width=4.8, height=1.6 + 0.36 * tallest, share=False)
    image = None
    for axis, part, (families, bins, table) in zip(axes, parts, tables, strict=True):
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
        axis.set_title(_counted(evaluation.row(part.split)), fontsize=10)
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


def _family_table(evaluation: Evaluation, split: str) -> tuple[list[str], list[str], NDArray[np.float64]]:
    """Families, bins and their MSE in nats², NaN where there is none; the total is the last row."""
    rows = [row for row in evaluation.rows if row.split == split]
    families = [*sorted({row.family for row in rows} - {ALL}), ALL]
    bins = [*_bins(evaluation), ALL]
    table = np.full((len(families), len(bins)), np.nan)
    for row in rows:
        if row.n_bin in bins and row.mse is not None:
            table[families.index(row.family), bins.index(row.n_bin)] = row.mse
    return families, bins, table


def _grouped(
    evaluation: Evaluation, draw: Callable[["Axes", AccuracyRow, float, float, str], None]
) -> tuple["Figure", "Axes"]:
    """One group of marks a bin of n, one mark a split in it."""
    figure, (axis,) = _panels(1, width=6.4, height=4.2, share=True)
    groups = [*_bins(evaluation), ALL]
    splits = [part.split for part in evaluation.estimates]
    width = 0.8 / len(splits)
    for position, split in enumerate(splits):
        colour = _COLOURS[position % len(_COLOURS)]
        axis.plot([], [], "s", color=colour, label=split)
        for row in evaluation.rows:
            if row.split == split and row.family == ALL and row.n_bin in groups:
                offset = (position - (len(splits) - 1) / 2) * width
                draw(axis, row, groups.index(row.n_bin) + offset, 0.92 * width, colour)
    axis.set_xticks(range(len(groups)), groups)
    axis.set_xlabel("sample size n")
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
    return figure, axis


def _bins(evaluation: Evaluation) -> list[str]:
    """The bins that hold datasets, in the order of n."""
    present = {row.n_bin for row in evaluation.rows}
    return [name for name in evaluation.config.bins if name in present]


def _panels(count: int, *, width: float, height: float, share: bool) -> tuple["Figure", list["Axes"]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * count + 0.8 * (not share), height), dpi=130, layout="constrained")
    axes = list(figure.subplots(1, count, squeeze=False)[0])
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _legend_above(axis: "Axes") -> None:
    axis.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=4)


def _counted(row: AccuracyRow) -> str:
    failed = f", {row.failures} without an estimate" if row.failures else ""
    return f"{row.split} ({row.count:,} datasets{failed})"
