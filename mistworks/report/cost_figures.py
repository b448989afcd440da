"""Figures of time and memory, and of self-consistency."""

from collections.abc import Mapping, Sequence

import numpy as np

from mistworks.evaluation.cost import Cost
from mistworks.evaluation.suites.consistency import Violation
from mistworks.report.content import (
    EVERY_SUITE,
    Cell,
    Figure,
    Panel,
    Table,
    Trace,
    listed,
    numbers,
    shown,
)
from mistworks.report.drawing import dot, scale, share_map
from mistworks.report.view import View

_MEBIBYTE = 2**20


def time_against_error(view: View, suite: str) -> list[Figure]:
    """Median time per estimate during the evaluation of the suite, against the mean absolute error."""
    points = {
        each.label: (float(np.median(each.results.seconds[each.results.succeeded])), each.mae)
        for each in view.ranking[suite]
        if each.mae is not None
    }
    if not points:
        return []
    traces = [
        {
            **dot(label, [seconds], []),
            "y": numbers([error]),
            "name": label,
            "hovertemplate": "%{x:.3g} s<br>%{y:.3g} nats<extra>%{fullData.name}</extra>",
        }
        for label, (seconds, error) in points.items()
        if error is not None
    ]
    layout = {
        "height": 400,
        "xaxis": {
            "title": {"text": "seconds per estimate, median over the suite"},
            "type": scale([seconds for seconds, _ in points.values()]),
        },
        "yaxis": {
            "title": {"text": "mean absolute error (nats)"},
            "type": scale([error for _, error in points.values()]),
        },
    }
    return [Figure(_time_sentence(suite, points), [Panel(traces, layout)])]


def alone(costs: Sequence[Cost]) -> list[Figure]:
    """Time and memory against n, alone on one core, one panel per dimension."""
    good = [cost for cost in costs if cost.seconds is not None]
    if not good:
        return []
    dimensions = sorted({(cost.dx, cost.dy) for cost in good})
    figures = []
    for field, title, unit in (("seconds", "seconds", 1.0), ("memory", "peak memory (MiB)", _MEBIBYTE)):
        panels = [_alone_panel(good, shape, field, title, unit) for shape in dimensions]
        figures.append(Figure(_alone_sentence(costs, good, field), panels))
    return figures


def cost_table(costs: Sequence[Cost]) -> list[Table]:
    """Every measurement, failures included."""
    rows = [
        (
            EVERY_SUITE,
            [
                Cell(cost.estimator, cost.estimator),
                Cell.count(cost.n),
                Cell(f"{cost.dx} + {cost.dy}", cost.dx + cost.dy),
                Cell.number(cost.seconds),
                Cell.number(None if cost.memory is None else cost.memory / _MEBIBYTE),
                Cell(cost.failure or "–", cost.failure),
            ],
        )
        for cost in costs
    ]
    columns = ("estimator", "n", "dx + dy", "seconds", "peak memory (MiB)", "failure")
    return [Table("One estimate, alone on one core", columns, rows)] if rows else []


def consistency(violations: Mapping[str, Sequence[Violation]]) -> list[Figure]:
    """Share of comparisons that violate a relation, by estimator, as a map."""
    labels = [label for label, rows in violations.items() if rows]
    relations = list(dict.fromkeys(row.relation for label in labels for row in violations[label]))
    if not relations:
        return []
    table: dict[tuple[str, str], Violation] = {
        (row.relation, label): row for label in labels for row in violations[label]
    }
    shares = [[_share(table.get((relation, label))) for label in labels] for relation in relations]
    panel = share_map(labels, relations, shares, "violated")
    clean = [label for label in labels if not any(row.violated or row.failures for row in violations[label])]
    sized = [(row, label) for label in labels for row in violations[label] if np.isfinite(row.max)]
    sentence = f"{len(clean)} of {len(labels)} estimators satisfy every relation, without failures"
    sentence += f" ({listed(clean)})" if clean else ""
    if sized:
        row, label = max(sized, key=lambda each: each[0].max)
        sentence += f"; the largest violation is {shown(row.max)} nats, of {row.relation} by {label}"
    sentence += "."
    return [Figure(sentence, [panel])]


def consistency_table(violations: Mapping[str, Sequence[Violation]]) -> list[Table]:
    """Violations by estimator and relation."""
    rows = [
        (
            EVERY_SUITE,
            [
                Cell(label, label),
                Cell(row.relation, row.relation),
                Cell.count(row.comparisons),
                Cell.count(row.violated),
                Cell.number(row.mean),
                Cell.number(row.max),
                Cell.count(row.failures),
            ],
        )
        for label, each in violations.items()
        for row in each
    ]
    columns = (
        "estimator",
        "relation",
        "comparisons",
        "violated",
        "mean size (nats)",
        "maximum (nats)",
        "failures",
    )
    return [Table("Violations by relation", columns, rows, text_columns=2)] if rows else []


def _time_sentence(suite: str, points: Mapping[str, tuple[float, float | None]]) -> str:
    fastest = min(points, key=lambda label: points[label][0])
    front = [
        label
        for label, (seconds, error) in points.items()
        if not any(s <= seconds and (e or 0) < (error or 0) for s, e in points.values())
    ]
    slowest = max(points, key=lambda label: points[label][0])
    sentence = f"On {suite} the fastest is {fastest}, {_seconds(points[fastest][0])} per estimate"
    if len(points) > 1:
        sentence += f", the slowest {slowest}, {_seconds(points[slowest][0])}"
    front.sort(key=lambda label: points[label][0])
    return f"{sentence}; no other is both as fast and more accurate than {listed(front, most=6)}."


def _alone_panel(good: Sequence[Cost], shape: tuple[int, int], field: str, title: str, unit: float) -> Panel:
    traces: list[Trace] = []
    for label in dict.fromkeys(cost.estimator for cost in good):
        mine = [cost for cost in good if cost.estimator == label and (cost.dx, cost.dy) == shape]
        mine.sort(key=lambda cost: cost.n)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "x": [cost.n for cost in mine],
                "y": numbers([getattr(cost, field) / unit for cost in mine]),
                "name": label,
                "hovertemplate": "n = %{x:,}: %{y:.3g}<extra>%{fullData.name}</extra>",
                "meta": {"role": "line", "estimator": label},
            }
        )
    layout = {
        "height": 300,
        "xaxis": {"title": {"text": "sample size n"}, "type": "log"},
        "yaxis": {"title": {"text": title}, "type": "log"},
    }
    return Panel(traces, layout, f"{shape[0]} + {shape[1]} dimensions")


def _alone_sentence(costs: Sequence[Cost], good: Sequence[Cost], field: str) -> str:
    hardest = max((cost.n, cost.dx + cost.dy, cost.dx, cost.dy) for cost in good)
    there = [cost for cost in good if (cost.n, cost.dx, cost.dy) == (hardest[0], *hardest[2:])]
    values = {cost.estimator: float(getattr(cost, field)) for cost in there}
    low, high = min(values, key=lambda k: values[k]), max(values, key=lambda k: values[k])
    formatted = _seconds if field == "seconds" else _memory
    what = "takes" if field == "seconds" else "needs"
    failed = sum(bool(cost.failure) for cost in costs)
    sentence = (
        f"Alone on one core, an estimate from n = {hardest[0]:,} points in {hardest[2]} + {hardest[3]} "
        f"dimensions {what} {formatted(values[low])} with {low}"
    )
    sentence += f" and {formatted(values[high])} with {high}" if high != low else ""
    return sentence + (f"; {failed} of {len(costs)} measurements failed." if failed else ".")


def _seconds(value: float) -> str:
    return f"{shown(value * 1e3)} ms" if value < 1 else f"{shown(value)} s"


def _memory(value: float) -> str:
    return f"{shown(value / _MEBIBYTE)} MiB"


def _share(row: Violation | None) -> float:
    """Share of violations among comparisons without failures."""
    comparisons = 0 if row is None else row.comparisons - row.failures
    return row.violated / comparisons if row is not None and comparisons else np.nan
