"""What commands about a user's table print: figures for people, or JSON that every program reads."""

import math
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli.console import print_facts, print_json
from flows.cli.tables import print_columns
from mistworks.errors import MissingValuesError, MistworksError

if TYPE_CHECKING:
    from flows.cli.options import Unit
    from mistworks.estimation.estimate import Estimate
    from mistworks.selection import Selection
    from mistworks.tables.result import Matrix

_MOST_NAMED, _MOST_PAIRS = 4, 30
_SYMBOLS = {"x": "X", "y": "Y", "given": "Z"}


@dataclass(frozen=True)
class Question:
    """What was asked of a table.

    Attributes:
        columns: names by option: x, y and given.
        rows: how many rows the table has.
        plot: where a picture was drawn to.
    """

    columns: Mapping[str, Sequence[str]]
    rows: int
    plot: Path | None = None


def print_estimate(
    estimate: "Estimate", question: Question, level: float, unit: "Unit", *, as_json: bool
) -> None:
    """A point estimate, with its interval if the estimator knows quantiles, and the rows it is made of."""
    mi = estimate.bits if unit == "bits" else estimate.mi
    interval = None if estimate.quantiles is None else estimate.interval(level, unit=unit)
    used = question.rows if estimate.n_used is None else estimate.n_used
    if as_json:
        ends = {} if interval is None else {"low": interval[0], "high": interval[1]}
        print_json(
            finite(
                {
                    "mi": mi,
                    **ends,
                    "level": level,
                    "unit": unit,
                    "normalized": estimate.normalized,
                    **question.columns,
                    "rows": question.rows,
                    "n_used": used,
                    "familiarity": estimate.familiarity,
                }
            )
        )
        return
    symbol = "I(X;Y|Z)" if "given" in question.columns else "I(X;Y)"
    shown = {symbol: f"{mi:.4f} {unit}"}
    if interval is not None:
        shown[f"{level:.0%} interval"] = f"[{interval[0]:.4f}, {interval[1]:.4f}] {unit}"
    shown["normalized"] = f"{estimate.normalized:.4f}"
    shown |= {_SYMBOLS[option]: listed(chosen) for option, chosen in question.columns.items()}
    shown["rows"] = rows_used(used, used, question.rows)
    shown |= _written([question.plot] if question.plot else [])
    print_facts("mutual information", shown)


def print_matrix(matrix: "Matrix", rows: int, fdr: float, written: Sequence[Path], *, as_json: bool) -> None:
    """Every pair for programs, for people the first ones; those called dependent are marked."""
    table = matrix.table()
    pairs = table.to_dict("records")
    dependent = int(table["significant"].sum())
    if as_json:
        facts = {
            "rows": rows,
            "columns": list(matrix.names),
            "unit": "nats",
            "level": matrix.level,
            "fdr": fdr,
            "dependent": dependent,
            "pairs": pairs,
        }
        print_json(finite(facts))
        return
    shown = [
        [
            str(pair["a"]),
            str(pair["b"]),
            *_with_interval(pair["mi"], pair["lower"], pair["upper"]),
            f"{pair['n']:,}",
            "yes" if pair["significant"] else "no",
        ]
        for pair in pairs[:_MOST_PAIRS]
    ]
    headings = ["column", "with", "nats", f"{matrix.level:.0%} interval", "rows", "dependent"]
    print_columns(headings, shown, keys=2, ruled=False)
    print_facts(
        "matrix",
        {
            "pairs": f"{len(pairs):,}" + f", the first {_MOST_PAIRS} above" * (len(pairs) > _MOST_PAIRS),
            "dependent": f"{dependent:,}, of which at most {fdr:.0%} by chance on average",
            "rows": rows_used(table["n"].min(), table["n"].max(), rows),
            **_written(written),
        },
    )


def print_selection(
    selection: "Selection", target: Sequence[str], rows: int, written: Sequence[Path], *, as_json: bool
) -> None:
    """The selected columns in order, with their gains."""
    columns = selection.to_frame().reset_index().to_dict("records")
    if as_json:
        facts = {
            "target": list(target),
            "selected": list(selection.names),
            "stopped": selection.stopped,
            "columns": columns,
            "candidates": selection.n_columns,
            "unit": "nats",
            "level": selection.level,
            "alpha": selection.alpha,
            "rows": rows,
            "n_used": selection.n_used,
        }
        print_json(finite(facts))
        return
    shown = [
        [
            str(column["column"]),
            *_with_interval(column["gain"], column["lower"], column["upper"]),
            f"{column['total']:.3f}",
            f"{column['p_value']:.2g}",
        ]
        for column in columns
    ]
    if shown:
        headings = ["column", "gain, nats", f"{selection.level:.0%} interval", "total, nats", "p"]
        print_columns(headings, shown, keys=1, ruled=False)
    print_facts(
        "selection",
        {
            "target": listed(target),
            "selected": f"{len(selection):,} of {selection.n_columns:,}",
            "stopped": selection.stopped,
            "rows": rows_used(selection.n_used, selection.n_used, rows),
            **_written(written),
        },
    )


def _with_interval(value: float, low: float, high: float) -> tuple[str, str]:
    """Two fields of a table; a pair without an estimate has none."""
    return ("—", "—") if math.isnan(value) else (f"{value:.3f}", f"[{low:.3f}, {high:.3f}]")


def _written(paths: Sequence[Path]) -> dict[str, str]:
    return {"page" if path.suffix.startswith(".htm") else "picture": str(path) for path in paths}


def rows_used(fewest: int, most: int, rows: int) -> str:
    """Say how many of the rows of a table answers use; warnings and options say why not all."""
    if fewest == rows:
        return f"{rows:,}"
    used = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
    return f"{used} of {rows:,}"


def listed(names: Sequence[str]) -> str:
    """Names of columns, of many the first ones."""
    if len(names) <= _MOST_NAMED:
        return ", ".join(names)
    return f"{', '.join(names[: _MOST_NAMED - 1])}, … ({len(names)} columns)"


def finite(value: Any) -> Any:
    """The same with what JSON has no numbers for: ``"Infinity"``, ``"-Infinity"``, and null for NaN."""
    if isinstance(value, Mapping):
        return {name: finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


@contextmanager
def for_people() -> Iterator[None]:
    """Write warnings to standard error, each as one line, and let errors name options, not arguments."""
    with warnings.catch_warnings(record=True) as caught:
        try:
            yield
        except MissingValuesError as error:
            raise MistworksError(error.naming("--missing drop")) from None
        finally:
            for warning in caught:
                sys.stderr.write(f"warning: {warning.message}\n")


__all__ = [
    "Question",
    "finite",
    "for_people",
    "listed",
    "print_estimate",
    "print_matrix",
    "print_selection",
    "rows_used",
]
