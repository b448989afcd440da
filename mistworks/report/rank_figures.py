"""Figures for every measure of dependence: rank correlation with the truth, and power of a test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mistworks.evaluation.measures import accuracy, rank_correlation
from mistworks.evaluation.suites.power import DEPENDENT, INDEPENDENT, NAME, PERMUTATIONS, PowerRow, powers
from mistworks.report.content import EVERY_SUITE, Cell, Figure, Panel, Table, listed, numbers, percent
from mistworks.report.drawing import PERCENT_TICKS, by_row, dot, share_map, vertical
from mistworks.report.view import View
from mistworks.units import MeasureUnit


@dataclass(frozen=True)
class Correlation:
    """How well a measure orders the datasets of a suite.

    Attributes:
        label: label of the estimator.
        unit: unit of its estimates.
        value: Spearman's rank correlation of estimate and truth, over datasets without a failure.
        count: number of datasets.
        failures: number of them without a finite estimate.
    """

    label: str
    unit: MeasureUnit
    value: float
    count: int
    failures: int


def correlations(view: View, suite: str) -> list[Correlation]:
    """Rank correlations of all measures on a suite, highest first; none where the truth is constant."""
    rows = []
    for part in view.measures_of(suite):
        good = part.succeeded
        value = rank_correlation(part.estimate[good], part.mi[good])
        if value is not None:
            rows.append(Correlation(view.label(part), part.unit, value, len(part), int((~good).sum())))
    return sorted(rows, key=lambda row: -row.value)


def power_rows(view: View, relation: str) -> list[tuple[str, PowerRow]]:
    """The power of each measure that did not always fail, for a relation or a group, highest first."""
    rows = [
        (view.label(part), row)
        for part in (view.measures_of(NAME) if NAME in view.suites else [])
        for row in powers(part)
        if row.relation == relation and row.failures < row.count
    ]
    return sorted(rows, key=lambda entry: -entry[1].rate)


def ranks(view: View, suite: str) -> list[Figure]:
    """Rank correlation with the truth of each measure, highest first."""
    rows = correlations(view, suite)
    if not rows:
        return []
    traces = [
        {
            **dot(row.label, [row.value], [row.label]),
            "hovertemplate": f"%{{x:.3f}}, unit: {row.unit}<br>{row.count:,} datasets, {row.failures} failed"
            "<extra>%{y}</extra>",
        }
        for row in rows
    ]
    layout = by_row([row.label for row in rows], "rank correlation with the truth")
    layout["shapes"] = [vertical(0)]
    return [Figure(_ranks_sentence(suite, rows), [Panel(traces, layout)])]


def _ranks_sentence(suite: str, rows: Sequence[Correlation]) -> str:
    most = max(row.count for row in rows)
    # Few datasets are easily in order.
    whole = [row for row in rows if row.count == most and not row.failures]
    if not whole:
        return f"No measure was evaluated on the whole of {suite} without failing."
    best, others = whole[0], [row for row in whole if row.unit != "nats"]
    sentence = f"{best.label} orders the datasets of {suite} best, rank correlation {best.value:.3f}"
    if others:
        sentence += f"; of those that are not in nats it is {others[0].label}, {others[0].value:.3f}"
    partial = [row.label for row in rows if row not in whole]
    return sentence + (f"; on part of the datasets alone: {listed(partial)}." if partial else ".")


def power(view: View) -> list[Figure]:
    """Power over all dependent pairs, and by relation as a map; nothing without the suite ``"power"``."""
    rows = power_rows(view, DEPENDENT)
    if not rows:
        return []
    traces = [
        {
            **dot(label, [row.rate], [label]),
            "error_x": {
                "type": "data",
                "symmetric": False,
                "array": numbers([row.high - row.rate]),
                "arrayminus": numbers([row.rate - row.low]),
            },
            "hovertemplate": f"{row.rejections:,} of {row.count:,}, {row.failures:,} failed"
            "<extra>%{y}</extra>",
        }
        for label, row in rows
    ]
    level = 1 / (1 + PERMUTATIONS)
    layout = by_row([label for label, _ in rows], "share of dependent pairs seen as dependent")
    layout["xaxis"] |= {"tickformat": PERCENT_TICKS, "range": [-0.02, 1.02]}
    layout["shapes"] = [vertical(level)]
    sentence = (
        f"A permutation test at level {level:.0%} with {rows[0][0]} sees {percent(rows[0][1].rate)} of the "
        f"dependent pairs of the suite {NAME}"
    )
    if len(rows) > 1:
        sentence += f"; with {rows[-1][0]} it sees the fewest, {percent(rows[-1][1].rate)}"
    above = [label for label, row in power_rows(view, INDEPENDENT) if row.low > level]
    sentence += (
        f". On independent pairs it rejects more often than promised with {listed(above)}."
        if above
        else f". On independent pairs no measure rejects more often than {level:.0%} beyond chance."
    )
    return [Figure(sentence, [Panel(traces, layout)]), _by_relation(view, [label for label, _ in rows])]


def _by_relation(view: View, labels: list[str]) -> Figure:
    rates = {
        (row.relation, view.label(part)): row.rate for part in view.measures_of(NAME) for row in powers(part)
    }
    relations = [
        name for name in dict.fromkeys(name for name, _ in rates) if name not in (DEPENDENT, INDEPENDENT)
    ]
    table = np.array([[rates.get((name, label), np.nan) for label in labels] for name in relations])
    panel = share_map(labels, relations, table, "rejected")
    dependent = [
        line for name, line in zip(relations, table, strict=True) if not name.startswith(INDEPENDENT)
    ]
    names = [name for name in relations if not name.startswith(INDEPENDENT)]
    means = [float(np.nanmean(line)) for line in dependent]
    hardest = int(np.argmin(means))
    sentence = (
        f"The relation that is hardest to see is {names[hardest]}, by {percent(means[hardest])} of the tests "
        "over all measures."
    )
    return Figure(sentence, [panel])


def rank_tables(view: View) -> list[Table]:
    """Rank correlation by suite, and power by relation, of all measures with their units."""
    ranked = [
        (
            row.suite,
            [
                Cell(view.label(part), view.label(part)),
                Cell(part.unit, part.unit),
                Cell.count(row.count),
                Cell.count(row.failures),
                Cell.number(row.rank_correlation),
            ],
        )
        for part in view.results
        for row in accuracy(part)[:1]
    ]
    tested = [
        (
            EVERY_SUITE,
            [
                Cell(view.label(part), view.label(part)),
                Cell(row.relation, row.relation),
                Cell.count(row.count),
                Cell.count(row.failures),
                Cell.share(row.rate),
                Cell(f"{row.low:.1%} – {row.high:.1%}", row.low),
            ],
        )
        for part in view.results
        if part.suite == NAME
        for row in powers(part)
    ]
    tables = [
        Table(
            "Rank correlation with the truth",
            ("estimator", "unit", "datasets", "failures", "rank correlation"),
            ranked,
            text_columns=2,
        )
    ]
    columns = ("estimator", "relation", "tests", "failures", "rejected", "95% interval")
    return [*tables, *([Table("Power at level 5%", columns, tested, text_columns=2)] if tested else [])]


__all__ = ["Correlation", "correlations", "power", "power_rows", "rank_tables", "ranks"]
