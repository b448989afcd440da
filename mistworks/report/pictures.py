"""Pictures of an evaluation, for pages without scripts. Needs matplotlib."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mistworks.evaluation.intervals import covered
from mistworks.evaluation.results import Results
from mistworks.evaluation.suites.power import DEPENDENT, INDEPENDENT, PERMUTATIONS
from mistworks.evaluation.suites.power import NAME as POWER
from mistworks.report.interval_figures import CURVE_LEVELS
from mistworks.report.rank_figures import correlations, power_rows
from mistworks.report.view import View

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK = "#1d2126"
_SOFT = "#8a9199"
_PANELS_IN_A_ROW = 3
_MARKERS = {"circle": "o", "diamond": "D", "square": "s", "cross": "P"}
_DASHES: dict[str, Any] = {"solid": "-", "dash": "--", "dot": ":", "longdash": (0, (8, 3)), "dashdot": "-."}


def pictures(results: Sequence[Results]) -> dict[str, "Figure"]:
    """Draw figures of matplotlib by name, those for which there are results.

    ``errors`` and ``ranks`` by suite, ``calibration`` for intervals, ``power`` for the suite of that name.
    """
    view = View(results)
    drawn = {"ranks": _ranks(view)}
    if any(view.ranking.values()):
        drawn["errors"] = _errors(view)
    if any(part.suite == POWER for part in view.results):
        drawn["power"] = _power(view)
    if any(part.has_intervals for part in view.results):
        drawn["calibration"] = _calibration(view)
    return drawn


def _errors(view: View) -> "Figure":
    """Mean absolute error of each estimator with its 95% interval, one panel per suite, lowest first."""
    from matplotlib.ticker import LogLocator, NullFormatter

    tallest = max(len(ranking) for ranking in view.ranking.values())
    suites = [suite for suite in view.suites if view.ranking[suite]]
    figure, axes = _panels(len(suites), 4.6, 1.3 + 0.27 * tallest)
    for axis, suite in zip(axes, suites, strict=True):
        ranked = [each for each in view.ranking[suite] if each.mae is not None]
        for place, each in enumerate(ranked):
            look = view.styles[each.label]
            axis.errorbar(
                each.mae or 0.0,
                place,
                xerr=1.96 * (each.mae_se or 0.0),
                fmt=_MARKERS[look.symbol.removesuffix("-open")],
                color=look.light,
                markerfacecolor="white" if look.symbol.endswith("-open") else look.light,
                markersize=6,
                capsize=0,
            )
        failed = [f" ({each.failures:,} failed)" if each.failures else "" for each in ranked]
        axis.set_yticks(
            range(len(ranked)), [each.label + note for each, note in zip(ranked, failed, strict=True)]
        )
        axis.invert_yaxis()
        if ranked and all(each.mae for each in ranked):
            axis.set_xscale("log")
            low, high = axis.get_xlim()
            axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0) if high < 100 * low else (1.0,)))
            axis.xaxis.set_major_formatter("{x:g}")
            axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_xlabel("mean absolute error (nats)")
        axis.set_title(suite, fontsize=10, loc="left", color=_INK)
    return figure


def _calibration(view: View) -> "Figure":
    """Coverage of the true MI against the nominal level, one panel per suite."""
    suites = [s for s in view.suites if any(part.has_intervals for part in view.of(s))]
    figure, axes = _panels(len(suites), 3.6, 3.6)
    for axis, suite in zip(axes, suites, strict=True):
        axis.plot([0, 1], [0, 1], color=_SOFT, linestyle="--", linewidth=1)
        for part in view.of(suite):
            if part.has_intervals:
                look = view.styles[view.label(part)]
                held = [covered(part, level).mean() for level in CURVE_LEVELS]
                axis.plot(
                    CURVE_LEVELS,
                    held,
                    linestyle=_DASHES[look.dash],
                    marker=_MARKERS[look.symbol.removesuffix("-open")],
                    markersize=4,
                    markerfacecolor="white" if look.symbol.endswith("-open") else look.light,
                    color=look.light,
                    label=view.label(part),
                )
        axis.set_xlabel("nominal level")
        axis.set_title(suite, fontsize=10, loc="left", color=_INK)
    axes[0].set_ylabel("coverage of the true mutual information")
    lines = [line for axis in axes for line in axis.get_lines()]
    named = {name: line for line in lines if not (name := str(line.get_label())).startswith("_")}
    figure.legend(handles=named.values(), frameon=False, fontsize=8, loc="outside lower center", ncols=3)
    return figure


@dataclass(frozen=True)
class _Row:
    """A measure with a value, the ends of its interval, and what is written beside it."""

    label: str
    value: float
    low: float
    high: float
    in_nats: bool
    note: str = ""


def _ranks(view: View) -> "Figure":
    """Rank correlation of every measure with the true MI, one panel per suite, highest first."""
    of_suite = {suite: correlations(view, suite) for suite in view.suites if suite != POWER}
    of_suite = {suite: ranked for suite, ranked in of_suite.items() if ranked}
    tallest = max(map(len, of_suite.values()), default=1)
    figure, axes = _panels(max(len(of_suite), 1), 4.6, 1.3 + 0.25 * tallest)
    for axis, (suite, ranked) in zip(axes, of_suite.items(), strict=False):
        rows = [
            _Row(
                each.label,
                *(each.value,) * 3,
                each.unit == "nats",
                f" ({each.failures:,} failed)" if each.failures else "",
            )
            for each in ranked
        ]
        _draw_rows(axis, view, rows)
        axis.axvline(0, color=_SOFT, linestyle="--", linewidth=1)
        axis.set_xlabel("rank correlation (open: not in nats)")
        axis.set_title(suite, fontsize=10, loc="left", color=_INK)
    return figure


def _power(view: View) -> "Figure":
    """Share of rejections on dependent and on independent pairs, with 95% intervals, highest first."""
    groups = {DEPENDENT: "power on dependent pairs", INDEPENDENT: "false alarms on independent pairs"}
    in_nats = {view.label(part) for part in view.results if part.in_nats}
    rows = {
        group: [
            _Row(label, row.rate, row.low, row.high, label in in_nats)
            for label, row in power_rows(view, group)
        ]
        for group in groups
    }
    figure, axes = _panels(2, 4.6, 1.3 + 0.25 * max(map(len, rows.values())))
    for axis, (group, title) in zip(axes, groups.items(), strict=True):
        _draw_rows(axis, view, rows[group])
        axis.axvline(1 / (1 + PERMUTATIONS), color=_SOFT, linestyle="--", linewidth=1)
        axis.set_xlabel("share of tests that reject independence at level 5 %")
        axis.set_title(title, fontsize=10, loc="left", color=_INK)
    return figure


def _draw_rows(axis: "Axes", view: View, rows: Sequence[_Row]) -> None:
    """Draw one row per measure; marks of other units than nats are open."""
    for place, row in enumerate(rows):
        look = view.styles[row.label]
        axis.errorbar(
            row.value,
            place,
            xerr=[[row.value - row.low], [row.high - row.value]],
            fmt=_MARKERS[look.symbol.removesuffix("-open")],
            color=look.light,
            markerfacecolor=look.light if row.in_nats else "white",
            markersize=6,
            capsize=0,
        )
    axis.set_yticks(range(len(rows)), [row.label + row.note for row in rows])
    axis.invert_yaxis()


def _panels(count: int, width: float, height: float) -> tuple["Figure", list["Axes"]]:
    """Create a figure with ``count`` panels, at most three in a row."""
    from matplotlib.figure import Figure

    columns = min(count, _PANELS_IN_A_ROW)
    rows = -(-count // columns)
    figure = Figure(figsize=(width * columns, height * rows), dpi=130, layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis in axes[count:]:
        axis.remove()
    for axis in axes[:count]:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="x", color="#e4e5e1", linewidth=0.6)
        axis.set_axisbelow(True)
        axis.tick_params(labelsize=8)
    return figure, axes[:count]


__all__ = ["pictures"]
