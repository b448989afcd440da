"""Every measure of dependence side by side, whatever its unit: rank correlation, power, time."""

from collections.abc import Iterable, Sequence

import numpy as np
from tables import figure, table

from mistworks.evaluation.measures import accuracy
from mistworks.evaluation.results import Results
from mistworks.evaluation.suites import PowerRow, powers
from mistworks.evaluation.suites.power import DEPENDENT, INDEPENDENT
from mistworks.evaluation.suites.power import NAME as POWER

TIMED = "beyond"
"""The suite whose median time of an estimate is given."""


def ranks(results: Sequence[Results]) -> str:
    """Return rank correlation on each suite, power, false alarms and time of each estimator."""
    suites = [suite for suite in dict.fromkeys(part.suite for part in results) if suite != POWER]
    suites = [suite for suite in suites if _has_ranks(results, suite)]
    rows = []
    for name in dict.fromkeys(part.estimator for part in results):
        parts = {part.suite: part for part in results if part.estimator == name}
        unit = next(iter(parts.values())).unit
        rows.append(
            (
                _sort_key(parts, suites),
                [
                    name,
                    unit,
                    *(_rank(parts.get(suite)) for suite in suites),
                    _rejected(parts.get(POWER), DEPENDENT),
                    _rejected(parts.get(POWER), INDEPENDENT),
                    _milliseconds(parts.get(TIMED)),
                ],
            )
        )
    head = ["measure", "unit", *suites, "power", "false alarms", "ms"]
    return table(head, [row for _, row in sorted(rows, key=lambda entry: entry[0])])


def by_relation(results: Sequence[Results]) -> str:
    """Return the share of rejections of each estimator for each relation of the suite of permuted copies."""
    parts = [part for part in results if part.suite == POWER]
    rates = {part.estimator: {row.relation: row for row in powers(part)} for part in parts}
    relations = [name for name in next(iter(rates.values())) if name not in (DEPENDENT, INDEPENDENT)]
    order = sorted(rates, key=lambda name: -_rate(rates[name]))
    rows = [[name, *(_percent(rates[name], relation) for relation in relations)] for name in order]
    return table(["measure", *relations], rows)


def absent(results: Iterable[Results]) -> str:
    """Return a sentence on the estimators that failed on every dataset, and why; "" if there are none."""
    failed: dict[str, set[str]] = {}
    whole: dict[str, bool] = {}
    for part in results:
        whole[part.estimator] = whole.get(part.estimator, True) and not part.succeeded.any()
        failed.setdefault(part.estimator, set()).update(np.unique(part.failure).tolist())
    reasons = {name: sorted(failed[name] - {""}, key=lambda r: "not installed" not in r) for name in failed}
    lines = [
        f"`{name}` has no estimate: {reasons[name][0]}" for name in reasons if whole[name] and reasons[name]
    ]
    return "\n\n".join(lines)


def _has_ranks(results: Sequence[Results], suite: str) -> bool:
    return any(accuracy(part)[0].rank_correlation is not None for part in results if part.suite == suite)


def _sort_key(parts: dict[str, Results], suites: Sequence[str]) -> tuple[bool, bool, float]:
    """Put estimators in nats first; within both kinds those that never failed, by their rank correlation."""
    failed = any(not part.succeeded.all() for part in parts.values())
    values = [accuracy(parts[suite])[0].rank_correlation for suite in suites if suite in parts]
    known = [value for value in values if value is not None]
    return not next(iter(parts.values())).in_nats, failed, -float(np.mean(known)) if known else 2.0


def _rank(part: Results | None) -> str:
    if part is None:
        return "—"
    total = accuracy(part)[0]
    failed = f" ({total.failures:,} of {total.count:,} failed)" if total.failures else ""
    return figure(total.rank_correlation) + failed


def _rejected(part: Results | None, relation: str) -> str:
    rows = [] if part is None else [row for row in powers(part) if row.relation == relation]
    rows = [row for row in rows if row.failures < row.count]
    return f"{rows[0].rate:.0%} ({rows[0].low:.0%}–{rows[0].high:.0%})" if rows else "—"


def _milliseconds(part: Results | None) -> str:
    return "—" if part is None else figure(1e3 * float(np.median(part.seconds)))


def _rate(rows: dict[str, PowerRow]) -> float:
    return rows[DEPENDENT].rate if DEPENDENT in rows else 0.0


def _percent(rows: dict[str, PowerRow], relation: str) -> str:
    row = rows.get(relation)
    return "—" if row is None or row.failures == row.count else f"{row.rate:.0%}"
