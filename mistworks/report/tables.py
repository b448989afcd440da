"""Tables of a report: accuracy, intervals, failures."""

import re
from collections import Counter
from collections.abc import Iterable

from mistworks.evaluation.intervals import LEVELS, coverage
from mistworks.evaluation.measures import ALL, Bins, accuracy
from mistworks.report.content import Cell, Table
from mistworks.report.view import View

# A number that is a word of its own, as 1,000 and 1e-5 are, and the 3 of ksg-3 and x3 is not.
_NUMBER = re.compile(r"(?<![\w.-])\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?(?!\w)")
_BY_N = Bins(dimension_edges=(0, 10**9))


def accuracy_table(view: View) -> Table:
    """Errors in nats by suite, estimator and bin of n."""
    rows = []
    for part in view.results:
        if not part.in_nats:
            continue
        for row in accuracy(part, bins=_BY_N):
            if row.family != ALL or row.dimension_bin != ALL:
                continue
            figures = (
                row.mse,
                row.mse_se,
                row.bias,
                row.bias_se,
                row.variance,
                row.mae,
                row.mae_se,
                row.median_absolute_error,
                row.rank_correlation,
                row.baseline_mse,
            )
            rows.append(
                (
                    part.suite,
                    [
                        Cell(view.label(part), view.label(part)),
                        Cell(row.n_bin, _first_number(row.n_bin)),
                        Cell.count(row.count),
                        Cell.count(row.failures),
                        *map(Cell.number, figures),
                    ],
                )
            )
    columns = (
        "estimator",
        "n",
        "datasets",
        "failures",
        "MSE",
        "± se",
        "bias",
        "± se",
        "variance",
        "MAE",
        "± se",
        "median absolute error",
        "rank correlation",
        "MSE of the mean truth",
    )
    return Table("Accuracy (nats, nats²)", columns, rows)


def interval_table(view: View) -> Table:
    """Coverage at the usual levels, and width and score at 90%, by estimator and bin of n."""
    rows = []
    for part in view.results:
        by_bin = {(row.n_bin, row.level): row for row in coverage(part, bins=_BY_N) if row.family == ALL}
        for n_bin in dict.fromkeys(n_bin for n_bin, _ in by_bin):
            at = {level: by_bin[n_bin, level] for level in LEVELS}
            rows.append(
                (
                    part.suite,
                    [
                        Cell(view.label(part), view.label(part)),
                        Cell(n_bin, _first_number(n_bin)),
                        Cell.count(at[0.9].count),
                        Cell.count(at[0.9].failures),
                        *(Cell.share(at[level].coverage) for level in LEVELS),
                        Cell(f"{at[0.9].low:.1%} – {at[0.9].high:.1%}", at[0.9].low),
                        Cell.number(at[0.9].width),
                        Cell.number(at[0.9].score),
                    ],
                )
            )
    columns = (
        "estimator",
        "n",
        "datasets",
        "without interval",
        *(f"coverage of {level:.0%}" for level in LEVELS),
        "95% interval of coverage of 90%",
        "mean width of 90%",
        "interval score of 90%",
    )
    return Table("Intervals", columns, rows)


def failure_table(view: View) -> Table:
    """Why estimators failed, and how often: a row for each cause."""
    rows = []
    for part in view.results:
        missing = ~part.succeeded
        reasons = Counter(str(text) or "no finite number" for text in part.failure[missing])
        rows += [
            (
                part.suite,
                [Cell(view.label(part), view.label(part)), Cell(reason, reason), Cell.count(count)],
            )
            for reason, count in by_cause(reasons).most_common()
        ]
    return Table("Failures", ("estimator", "cause", "datasets"), rows, text_columns=2)


def by_cause(reasons: Counter[str]) -> Counter[str]:
    """Reasons that differ in their numbers alone, joined: the range of each number stands in its place.

    ``"needs 5 points, got 3"`` and ``"needs 9 points, got 4"`` are ``"needs 5 to 9 points, got 3 to 4"``.
    """
    alike: dict[tuple[str, ...], list[str]] = {}
    for reason in reasons:
        alike.setdefault(tuple(_NUMBER.split(reason)), []).append(reason)
    causes: Counter[str] = Counter()
    for words, group in alike.items():
        numbers = zip(*(_NUMBER.findall(reason) for reason in group), strict=True)
        ranges = [*map(_range, numbers), ""]
        cause = "".join(word + between for word, between in zip(words, ranges, strict=True))
        causes[cause] += sum(reasons[reason] for reason in group)
    return causes


def _range(numbers: Iterable[str]) -> str:
    ordered = sorted(numbers, key=lambda number: float(number.replace(",", "")))
    low, high = ordered[0], ordered[-1]
    return low if low == high else f"{low} to {high}"


def all_tables(view: View) -> list[Table]:
    """All tables with at least one row."""
    return [t for t in (accuracy_table(view), interval_table(view), failure_table(view)) if t.rows]


def _first_number(name: str) -> float:
    """Sort key of bins: "all" first, then by lower edge, "other" last."""
    low = name.split("-")[0]
    return float(low) if low.isdigit() else (-1.0 if name == ALL else float(10**9))


__all__ = ["accuracy_table", "all_tables", "by_cause", "failure_table", "interval_table"]
