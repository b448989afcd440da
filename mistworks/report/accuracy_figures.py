"""Figures of point estimates: ranking, differences, estimate against truth, error against size, families."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from mistworks.evaluation.measures import mean_and_error, rank_correlation
from mistworks.evaluation.paired import Difference, paired_difference
from mistworks.evaluation.results import Results
from mistworks.randomness import stream
from mistworks.report.content import Figure, Panel, Trace, listed, numbers, percent, shown
from mistworks.report.drawing import by_row, dot, line_with_band, reference, scale, vertical
from mistworks.report.view import Ranked, View, absolute_errors, evenly

Z = 1.96
"""Half-width of a 95% interval in standard errors."""

_POINTS_A_PANEL = 600
_SIZES = 10
_RESAMPLES = 2_000


def ranking(view: View, suite: str) -> list[Figure]:
    """Mean absolute error of each estimator, lowest first, and the difference from the lowest."""
    ranked = view.ranking[suite]
    if not ranked:
        return []
    traces = [
        {
            **dot(each.label, [each.mae], [each.label]),
            "error_x": {"type": "data", "array": numbers([Z * (each.mae_se or 0)]), "thickness": 1.5},
            "hovertemplate": _ranking_hover(each),
        }
        for each in ranked
        if each.mae is not None
    ]
    layout = by_row([each.label for each in ranked], "mean absolute error (nats)")
    layout["xaxis"]["type"] = scale([each.mae for each in ranked])
    figures = [Figure(_ranking_sentence(view, suite), [Panel(traces, layout)])]
    return [*figures, *_differences(view, suite)]


def truth(view: View, suite: str) -> list[Figure]:
    """Estimate against truth, one panel per estimator."""
    parts = view.points_of(suite)
    if not parts:
        return []
    mi = np.concatenate([part.mi for part in parts])
    low, high = _frame(parts, mi)
    panels = [_truth_panel(view.label(part), part, mi, low, high) for part in parts]
    # Two datasets are easily in order.
    whole = max(len(part) for part in parts)
    correlations = {
        view.label(part): rank_correlation(part.estimate[part.succeeded], part.mi[part.succeeded])
        for part in parts
        if len(part) == whole
    }
    known = {label: value for label, value in correlations.items() if value is not None}
    if not known or np.ptp(mi) == 0:
        bias = {view.label(part): _bias(part) for part in parts if part.succeeded.any()}
        least = min(bias, key=lambda label: abs(bias[label]), default="")
        sentence = (
            f"The truth is {shown(float(mi[0]))} nats everywhere; {least} is closest on average, with a "
            f"bias of {shown(bias[least])} nats."
            if least
            else f"No estimator gave an estimate on {suite}."
        )
        return [Figure(sentence, panels)]
    best, worst = max(known, key=lambda k: known[k]), min(known, key=lambda k: known[k])
    sentence = (
        f"{best} orders the datasets best, with a rank correlation with the truth of {known[best]:.3f}"
        + (f"; the lowest is that of {worst}, {known[worst]:.3f}." if worst != best else ".")
    )
    return [Figure(sentence, panels)]


def size(view: View, suite: str) -> list[Figure]:
    """Mean absolute error against n and against dimension, with 95% bands."""
    if not view.ranking[suite]:
        return []
    return [
        _against(view, suite, lambda part: part.n, "n", "sample size n"),
        _against(view, suite, lambda part: np.maximum(part.dx, part.dy), "dimension", "maximum of dx and dy"),
    ]


def families(view: View, suite: str) -> list[Figure]:
    """Mean absolute error of each estimator on each family, as a map."""
    parts = view.points_of(suite)
    if not parts:
        return []
    names = np.unique(np.concatenate([part.family for part in parts])).tolist()
    table = np.full((len(names), len(parts)), np.nan)
    for column, part in enumerate(parts):
        for row, name in enumerate(names):
            error = absolute_errors(part[part.family == name])
            table[row, column] = error.mean() if len(error) else np.nan
    labels = [view.label(part) for part in parts]
    positive = table[np.isfinite(table) & (table > 0)]
    floor = positive.min() if len(positive) else 1.0
    colour = np.log10(np.maximum(table, floor))
    ticks = _decades(colour)
    trace: Trace = {
        "type": "heatmap",
        "x": labels,
        "y": names,
        "z": [numbers(line) for line in colour],
        "text": [[shown(value) if np.isfinite(value) else "" for value in line] for line in table],
        "texttemplate": "%{text}",
        "hovertemplate": "%{y}<br>%{x}: %{text} nats<extra></extra>",
        "hoverongaps": False,
        "xgap": 2,
        "ygap": 2,
        "colorbar": {
            "title": {"text": "MAE (nats)", "side": "right"},
            "tickvals": ticks,
            "ticktext": [shown(10.0**tick) for tick in ticks],
            "thickness": 10,
            "outlinewidth": 0,
        },
        "meta": {"role": "heat", "columns": True},
    }
    layout = {
        "height": 150 + 26 * len(names),
        "xaxis": {"side": "top", "tickangle": -45, "showgrid": False},
        "yaxis": {"autorange": "reversed", "showgrid": False},
    }
    panel = Panel([trace], layout | {"meta": {"wide": 260 + 58 * len(parts)}})
    return [Figure(_families_sentence(names, labels, table), [panel])]


def _ranking_hover(each: Ranked) -> str:
    count = f"{len(each.results):,} datasets, {each.failures:,} failed"
    return f"%{{x:.4g}} ± {shown(Z * (each.mae_se or 0))} nats<br>{count}<extra>%{{y}}</extra>"


def _ranking_sentence(view: View, suite: str) -> str:
    ranked = view.ranking[suite]
    best = view.best(suite)
    if best is None:
        return f"Every estimator failed on some dataset of {suite}; errors are over its other datasets."
    others = [each for each in ranked if each.mae is not None and each is not best]
    failing = [f"{each.label} ({each.failures:,})" for each in ranked if each.failures]
    partial = [each.label for each in ranked if len(each.results) < len(best.results)]
    sentence = (
        f"On {suite}, {best.label} has the lowest mean absolute error of those that never failed, "
        f"{shown(best.mae)} nats over {len(best.results):,} datasets"
    )
    if others:
        worst = others[-1]
        sentence += f"; the highest is that of {worst.label}, {shown(worst.mae)} nats"
    if partial:
        sentence += f"; evaluated on part of the suite: {listed(partial)}"
    return sentence + (f"; failed on some datasets: {listed(failing)}." if failing else ".")


def _differences(view: View, suite: str) -> list[Figure]:
    best = view.best(suite)
    if best is None or len(view.ranking[suite]) < 2:
        return []
    differences = list(_each_difference(view, suite, best))
    traces = [
        {
            **dot(label, [each.mean], [label]),
            "error_x": {
                "type": "data",
                "symmetric": False,
                "array": numbers([each.high - each.mean]),
                "arrayminus": numbers([each.mean - each.low]),
                "thickness": 1.5,
            },
            "hovertemplate": f"%{{x:.4g}} nats [{shown(each.low)}, {shown(each.high)}]<br>{each.datasets:,} "
            "datasets<extra>%{y}</extra>",
        }
        for label, each in differences
    ]
    layout = by_row([label for label, _ in differences], f"error minus that of {best.label} (nats)")
    layout["shapes"] = [vertical(0)]
    worse = [label for label, each in differences if each.low > 0]
    better = [label for label, each in differences if each.high < 0]
    sentence = (
        f"Compared dataset by dataset, {len(worse)} of {len(differences)} estimators have a larger error "
        f"than {best.label} beyond the 95% bootstrap interval, and {len(better)} a smaller one"
        f"{f' ({listed(better)})' if better else ''}; a failed estimate counts as the mean truth."
    )
    return [Figure(sentence, [Panel(traces, layout)])]


def _each_difference(view: View, suite: str, best: Ranked) -> Iterator[tuple[str, Difference]]:
    constant = float(best.results.mi.mean())
    for each in view.ranking[suite]:
        if each is not best and np.isin(each.results.position, best.results.position).any():
            rng = stream(0, "report", "paired differences", 0)
            options = {"loss": "mae", "resamples": _RESAMPLES, "fallback": constant}
            yield each.label, paired_difference(each.results, best.results, rng, **options)  # type: ignore[arg-type]


def _frame(parts: list[Results], mi: NDArray[np.float64]) -> tuple[float, float]:
    """Range of estimates in a panel: that of the truth plus a fifth, and the bulk of a median estimator."""
    ends = [
        np.quantile(part.estimate[part.succeeded], [0.02, 0.98]) for part in parts if part.succeeded.any()
    ]
    lowest, highest = np.median(ends, axis=0) if ends else (0.0, 0.0)
    margin = 0.2 * max(float(np.ptp(mi)), 1e-3)
    return min(float(mi.min()) - margin / 4, lowest - margin / 4), max(float(mi.max()) + margin, highest)


def _truth_panel(label: str, part: Results, mi: NDArray[np.float64], low: float, high: float) -> Panel:
    """A panel whose frame is that of all others: the truth of every estimator, estimates from low to high."""
    null = np.ptp(mi) == 0
    good = np.flatnonzero(part.succeeded)
    chosen = good[evenly(len(good), _POINTS_A_PANEL)] if len(good) else good
    across = part.n if null else part.mi
    inside = (part.estimate[good] >= low) & (part.estimate[good] <= high)
    frame = across if null else mi
    left, right = float(frame.min()), float(frame.max())
    margin = 0.04 * (right - left)
    points: Trace = {
        "type": "scatter",
        "mode": "markers",
        "x": numbers(across[chosen]),
        "y": numbers(part.estimate[chosen]),
        "text": [f"{part.name[row]}, n = {part.n[row]:,}" for row in chosen],
        "hovertemplate": "%{text}<br>estimate %{y:.3f}<extra></extra>",
        "marker": {"size": 4.5, "opacity": 0.55, "line": {"width": 0}},
        "meta": {"role": "point", "estimator": label, "plain": True},
    }
    line = [float(part.mi[0])] * 2 if null else [left, right]
    layout = {
        "height": 220,
        "xaxis": {"title": {"text": "sample size n"}, "type": "log"}
        if null
        else {"title": {"text": "truth (nats)"}, "range": [left - margin, right + margin]},
        "yaxis": {"range": [low, high], "title": {"text": "estimate"}},
    }
    notes = [
        f"{len(part):,} dataset{'s' * (len(part) != 1)}"
        if len(chosen) == len(good)
        else f"{len(chosen):,} of {len(part):,} drawn",
        f"{len(part) - len(good):,} failed" if len(good) < len(part) else "",
        f"{int((~inside).sum()):,} outside the frame" if not inside.all() else "",
    ]
    return Panel(
        [reference([left, right], line), points], layout, label, ", ".join(filter(None, notes)), label
    )


def _bias(part: Results) -> float:
    return float((part.estimate - part.mi)[part.succeeded].mean())


def _against(
    view: View, suite: str, axis: Callable[[Results], NDArray[np.int64]], name: str, title: str
) -> Figure:
    traces, ends = [], {}
    for each in view.ranking[suite]:
        x, mean, error = _curve(each.results, axis(each.results))
        if len(x) == 0:
            continue
        # The interval of the logarithm by the delta method, since it cannot reach below 0.
        ratio = np.exp(Z * error / np.maximum(mean, np.finfo(float).tiny))
        traces += line_with_band(each.label, x, mean, mean / ratio, mean * ratio)
        ends[each.label] = (mean[0], mean[-1], x[0], x[-1])
    layout = {
        "height": 380,
        "xaxis": {"title": {"text": title}, "type": "log"},
        "yaxis": {"title": {"text": "mean absolute error (nats)"}, "type": "log"},
    }
    panel = Panel(traces, layout, f"Error against {name}")
    return Figure(_against_sentence(view, suite, ends, name), [panel])


def _against_sentence(
    view: View, suite: str, ends: dict[str, tuple[float, float, float, float]], name: str
) -> str:
    best = view.best(suite)
    if best is None or best.label not in ends:
        return f"No estimator was evaluated on the whole of {suite} without failing."
    first, last, least, most = ends[best.label]
    if least == most:
        return f"On {suite} there is only one {name}, {least:g}."
    lead = min(ends, key=lambda label: ends[label][1])
    return (
        f"From {name} = {least:,.0f} to {most:,.0f} the mean absolute error of {best.label} goes from "
        f"{shown(first)} to {shown(last)} nats; at the largest {name} of each estimator, the lowest is "
        f"that of {lead}, {shown(ends[lead][1])} nats."
    )


def _curve(
    results: Results, axis: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean absolute errors and standard errors along an axis; many neighbouring values are pooled."""
    good = results.succeeded
    error, values = np.abs(results.estimate - results.mi)[good], axis[good]
    rows = []
    for group in np.array_split(np.unique(values), min(_SIZES, len(np.unique(values))) or 1):
        chosen = np.isin(values, group)
        mean, spread = mean_and_error(error[chosen])
        if mean is not None:
            rows.append((float(values[chosen].mean()), mean, spread or 0.0))
    columns = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return columns[:, 0], columns[:, 1], columns[:, 2]


def _families_sentence(names: list[str], labels: list[str], table: NDArray[np.float64]) -> str:
    if not np.isfinite(table).any():
        return "No estimator gave an estimate on any family."
    hardest = int(np.nanargmax(_median_by_row(table)))
    leaders = [labels[int(np.nanargmin(line))] for line in table if np.isfinite(line).any()]
    lead = max(set(leaders), key=lambda label: (leaders.count(label), label))
    return (
        f"{lead} has the lowest mean absolute error on {leaders.count(lead)} of {len(leaders)} families "
        f"({percent(leaders.count(lead) / len(leaders))}); the hardest family for the median estimator is "
        f"{names[hardest]}, at {shown(float(_median_by_row(table)[hardest]))} nats."
    )


def _median_by_row(table: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array(
        [np.median(line[np.isfinite(line)]) if np.isfinite(line).any() else -np.inf for line in table]
    )


def _decades(colour: NDArray[np.float64]) -> list[float]:
    """Ticks of a logarithmic scale: powers of ten and three times these."""
    finite = colour[np.isfinite(colour)]
    if len(finite) == 0:
        return []
    grid = [power + step for power in range(-12, 9) for step in (0.0, float(np.log10(3)))]
    return [round(tick, 4) for tick in grid if finite.min() <= tick <= finite.max()]
