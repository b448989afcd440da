"""Figures of intervals: calibration, width against coverage, false alarms on independent data."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import binom

from mistworks.evaluation.intervals import (
    PIT_BINS,
    CoverageRow,
    clopper_pearson,
    coverage,
    false_alarms,
    pit,
    pit_counts,
    pit_p_value,
)
from mistworks.evaluation.measures import ALL, Bins
from mistworks.evaluation.results import Results
from mistworks.evaluation.suites.power import NAME as POWER
from mistworks.randomness import stream
from mistworks.report.content import Figure, Panel, Trace, listed, numbers, percent, shown
from mistworks.report.drawing import PERCENT_TICKS, by_row, dot, reference, scale, vertical
from mistworks.report.view import BOOTSTRAP, View

CURVE_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
LEVEL = 0.9
"""Level of the intervals compared by width."""

NULL_LEVEL = 0.9
"""Level of the intervals whose lower end gives false alarms on independent data, at a nominal rate of 5%."""

SIGNIFICANT = 0.01
"""p value of the χ² test below which a transform is called not uniform."""

_ONE_BIN = Bins(n_edges=(0, 10**9), dimension_edges=(0, 10**9))


def calibration(view: View, suite: str) -> list[Figure]:
    """Coverage of the true MI against the nominal level, and the probability integral transform."""
    parts = [part for part in view.of(suite) if part.has_intervals]
    if not parts:
        return []
    rows = {view.label(part): _totals(part, CURVE_LEVELS) for part in parts}
    curve = Panel(
        [reference([0, 1], [0, 1]), *(_curve(label, each) for label, each in rows.items())], _square()
    )
    return [Figure(_calibration_sentence(suite, rows), [curve]), _pit_figure(view, suite, parts)]


def sharpness(view: View, suite: str) -> list[Figure]:
    """Mean width of 90% intervals against their coverage; a line joins an estimator and its bootstrap."""
    rows = {view.label(part): _totals(part, (LEVEL,))[0] for part in view.of(suite) if part.has_intervals}
    if not rows:
        return []
    traces: list[Trace] = []
    for label, row in rows.items():
        if label.endswith(BOOTSTRAP) and (base := rows.get(label.removesuffix(BOOTSTRAP))):
            traces.append(
                {
                    **reference([base.coverage, row.coverage], [base.width, row.width]),
                    "meta": {"role": "reference", "estimator": label},
                }
            )
        traces.append(
            {
                **dot(label, [row.coverage], []),
                "y": numbers([row.width]),
                "name": label,
                "error_x": _errors([row]),
                "hovertemplate": "coverage %{x:.1%}<br>mean width %{y:.3g} nats"
                "<extra>%{fullData.name}</extra>",
            }
        )
    layout = {
        "height": 400,
        "xaxis": {"title": {"text": "coverage of the truth"}, "tickformat": PERCENT_TICKS},
        "yaxis": {
            "title": {"text": "mean width (nats)"},
            "type": scale([row.width for row in rows.values()]),
        },
        "shapes": [vertical(LEVEL)],
    }
    return [Figure(_sharpness_sentence(suite, rows), [Panel(traces, layout)]), _score_figure(suite, rows)]


def null(view: View) -> list[Figure]:
    """Estimates and false alarms on independent pairs, over all suites with such pairs.

    Measures in other units than nats are left out, and the copies of the suite ``"power"``, which are not
    independent of one another.
    """
    figures = []
    labels, ranges = [], {}
    for label, parts in view.by_estimator():
        values = [part.estimate[part.succeeded & (part.mi == 0)] for part in parts if _of_nulls(part)]
        if values and len(joined := np.concatenate(values)):
            labels.append(label)
            ranges[label] = (np.quantile(joined, [0.05, 0.5, 0.95]), len(joined))
    if ranges:
        figures.append(_null_estimates(labels, ranges))
    if alarms := _alarms(view):
        figures.append(_null_alarms(alarms))
    return figures


def _totals(part: Results, levels: Sequence[float]) -> list[CoverageRow]:
    rows = coverage(part, levels=levels, bins=_ONE_BIN)
    return [row for row in rows if (row.family, row.n_bin) == (ALL, ALL)]


def _errors(rows: Sequence[CoverageRow]) -> dict[str, object]:
    return {
        "type": "data",
        "symmetric": False,
        "array": numbers([row.high - row.coverage for row in rows]),
        "arrayminus": numbers([row.coverage - row.low for row in rows]),
        "thickness": 1,
        "width": 2,
    }


def _curve(label: str, rows: Sequence[CoverageRow]) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": numbers([row.level for row in rows]),
        "y": numbers([row.coverage for row in rows]),
        "error_y": _errors(rows),
        "name": label,
        "hovertemplate": "nominal %{x:.0%}: %{y:.1%}<extra>%{fullData.name}</extra>",
        "meta": {"role": "line", "estimator": label},
    }


def _square() -> dict[str, object]:
    return {
        "height": 420,
        "xaxis": {"title": {"text": "nominal level"}, "range": [0, 1.02], "tickformat": PERCENT_TICKS},
        "yaxis": {
            "title": {"text": "coverage of the truth"},
            "range": [0, 1.02],
            "tickformat": PERCENT_TICKS,
        },
    }


def _calibration_sentence(suite: str, rows: dict[str, list[CoverageRow]]) -> str:
    at = {label: next(row for row in each if row.level == LEVEL) for label, each in rows.items()}
    below = [label for label, row in at.items() if row.high < LEVEL]
    above = [label for label, row in at.items() if row.low > LEVEL]
    closest = min(at, key=lambda label: abs(at[label].coverage - LEVEL))
    sentence = (
        f"Intervals of {LEVEL:.0%} contain the truth on {suite} less often than promised for {len(below)} of "
        f"{len(at)} estimators{f' ({listed(below)})' if below else ''} and more often for {len(above)}"
        f"{f' ({listed(above)})' if above else ''}; the closest is {closest}, at "
        f"{percent(at[closest].coverage)}"
    )
    failures = sum(row.failures for row in at.values())
    return sentence + (f". {failures:,} missing intervals count as not covering." if failures else ".")


def _pit_figure(view: View, suite: str, parts: list[Results]) -> Figure:
    panels, uniform, tested = [], [], 0
    for part in parts:
        values = pit(part, stream(0, "report", "probability integral transform", 0))
        counts, label = pit_counts(values), view.label(part)
        note = f"{counts.sum():,} datasets"
        if counts.sum() >= 5 * PIT_BINS:
            p_value = pit_p_value(values)
            note += f", p {'< 0.001' if p_value < 1e-3 else f'= {p_value:.3f}'}"
            tested += 1
            uniform += [label] if p_value >= SIGNIFICANT else []
        panels.append(_pit_panel(label, counts / counts.sum() * PIT_BINS, int(counts.sum()), note))
    if not tested:
        sentence = f"There are too few datasets of {suite} with intervals to test for uniformity."
    else:
        sentence = (
            "For a calibrated estimator the level of the truth in its forecasts is uniform: a flat histogram "
            f"within the band. That is not rejected (p ≥ {SIGNIFICANT}) for {len(uniform)} of "
            f"{tested} estimators{f' ({listed(uniform)})' if uniform else ''}."
        )
    return Figure(sentence, panels)


def _pit_panel(label: str, density: np.ndarray, count: int, note: str) -> Panel:
    low, high = binom.interval(0.95, count, 1 / PIT_BINS)
    bars: Trace = {
        "type": "bar",
        "x": numbers((np.arange(PIT_BINS) + 0.5) / PIT_BINS),
        "y": numbers(density),
        "width": 1 / PIT_BINS,
        "hovertemplate": "level %{x:.3f}: %{y:.2f}<extra></extra>",
        "meta": {"role": "bar", "estimator": label},
    }
    band = {
        "type": "rect",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": float(low / count * PIT_BINS),
        "y1": float(high / count * PIT_BINS),
        "meta": "band",
    }
    layout = {
        "height": 190,
        "xaxis": {"title": {"text": "level of the truth"}, "range": [0, 1]},
        "yaxis": {"title": {"text": "density"}, "rangemode": "tozero"},
        "bargap": 0.02,
        "shapes": [band],
    }
    return Panel([bars], layout, label, note, label)


def _sharpness_sentence(suite: str, rows: dict[str, CoverageRow]) -> str:
    enough = {label: row for label, row in rows.items() if row.high >= LEVEL}
    if not enough:
        return (
            f"No estimator's intervals of {LEVEL:.0%} cover the truth that often on {suite}; the highest "
            f"coverage is {percent(max(row.coverage for row in rows.values()))}."
        )
    narrow = min(enough, key=lambda label: enough[label].width)
    sentence = (
        f"The intervals of {LEVEL:.0%} of {len(enough)} of {len(rows)} estimators cover the truth on {suite} "
        f"at least that often within the error; the narrowest of them are those of {narrow}, "
        f"{shown(enough[narrow].width)} nats on average"
    )
    pairs = {label: rows.get(label.removesuffix(BOOTSTRAP)) for label in rows if label.endswith(BOOTSTRAP)}
    joined = {label: base for label, base in pairs.items() if base is not None}
    nearer = sum(abs(base.coverage - LEVEL) < abs(rows[k].coverage - LEVEL) for k, base in joined.items())
    return sentence + (
        f"; {nearer} of {len(joined)} estimators come closer to {LEVEL:.0%} with their own intervals than "
        "with those of a bootstrap."
        if joined
        else "."
    )


def _score_figure(suite: str, rows: dict[str, CoverageRow]) -> Figure:
    order = sorted((label for label in rows if np.isfinite(rows[label].score)), key=lambda k: rows[k].score)
    traces = [
        {
            **dot(label, [rows[label].score], [label]),
            "error_x": {"type": "data", "array": numbers([1.96 * (rows[label].score_se or 0)])},
            "hovertemplate": "%{x:.4g} nats<extra>%{y}</extra>",
        }
        for label in order
    ]
    layout = by_row(order, f"interval score at {LEVEL:.0%} (nats)")
    layout["xaxis"]["type"] = scale([rows[label].score for label in order])
    sentence = (
        "The interval score penalises width and misses together. The lowest on "
        f"{suite} is that of {order[0]}, {shown(rows[order[0]].score)} nats over datasets with an interval"
        + (
            f"; the highest that of {order[-1]}, {shown(rows[order[-1]].score)} nats."
            if len(order) > 1
            else "."
        )
    )
    return Figure(sentence, [Panel(traces, layout)])


def _null_estimates(labels: list[str], ranges: dict[str, tuple[np.ndarray, int]]) -> Figure:
    order = sorted(labels, key=lambda label: float(np.abs(ranges[label][0]).max()))
    traces = [
        {
            **dot(label, [ranges[label][0][1]], [label]),
            "error_x": {
                "type": "data",
                "symmetric": False,
                "array": numbers([ranges[label][0][2] - ranges[label][0][1]]),
                "arrayminus": numbers([ranges[label][0][1] - ranges[label][0][0]]),
            },
            "hovertemplate": f"median %{{x:.3g}} nats, {ranges[label][1]:,} datasets<extra>%{{y}}</extra>",
        }
        for label in order
    ]
    layout = by_row(order, "estimate (nats): median and 5 to 95%")
    layout["shapes"] = [vertical(0)]
    low, _, high = ranges[order[0]][0]
    sentence = (
        f"If X and Y are independent, 90% of the estimates of {order[0]} lie between "
        f"{shown(low)} and {shown(high)} nats"
    )
    low, _, high = ranges[order[-1]][0]
    last = f"; the furthest from 0 are those of {order[-1]}, from {shown(low)} to {shown(high)} nats."
    return Figure(sentence + (last if len(order) > 1 else "."), [Panel(traces, layout)])


def _of_nulls(part: Results) -> bool:
    return part.in_nats and part.suite != POWER


def _alarms(view: View) -> dict[str, tuple[int, int, int, float, float]]:
    """By estimator: alarms, datasets with an interval, failures, and the interval of the rate."""
    alarms_of = {}
    for label, parts in view.by_estimator():
        rows = [
            row
            for part in parts
            if _of_nulls(part)
            for row in false_alarms(part, levels=(NULL_LEVEL,), bins=_ONE_BIN)
            if row.n_bin == ALL
        ]
        alarms, failures = sum(row.alarms for row in rows), sum(row.failures for row in rows)
        if tried := sum(row.count for row in rows) - failures:
            alarms_of[label] = (alarms, tried, failures, *clopper_pearson(alarms, tried))
    return alarms_of


def _null_alarms(alarms: dict[str, tuple[int, int, int, float, float]]) -> Figure:
    nominal = (1 - NULL_LEVEL) / 2
    order = sorted(alarms, key=lambda label: alarms[label][0] / alarms[label][1])
    traces = []
    for label in order:
        raised, tried, failures, low, high = alarms[label]
        rate = raised / tried
        traces.append(
            {
                **dot(label, [rate], [label]),
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": numbers([high - rate]),
                    "arrayminus": numbers([rate - low]),
                },
                "hovertemplate": f"{raised:,} of {tried:,}, {failures:,} failed<extra>%{{y}}</extra>",
            }
        )
    layout = by_row(order, "rate of false alarms")
    top = max([2 * nominal, *(high for *_, high in alarms.values())])
    # Below 0 there is room for half a mark.
    layout["xaxis"] |= {"tickformat": PERCENT_TICKS, "range": [-0.05 * top, 1.05 * top]}
    layout["shapes"] = [vertical(nominal)]
    above = [label for label in order if alarms[label][3] > nominal]
    sentence = (
        f"The lower end of the interval of {NULL_LEVEL:.0%} exceeds 0 on independent data more often than "
        f"the promised {nominal:.0%} for {len(above)} of {len(order)} estimators"
        f"{f' ({listed(above)})' if above else ''}; the lowest rate is that of {order[0]}, "
        f"{percent(alarms[order[0]][0] / alarms[order[0]][1])}."
    )
    return Figure(sentence, [Panel(traces, layout)])


__all__ = ["CURVE_LEVELS", "LEVEL", "NULL_LEVEL", "SIGNIFICANT", "calibration", "null", "sharpness"]
