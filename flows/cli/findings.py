"""What commands about a user's table print: figures for people, or JSON that every program reads."""

import math
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli.console import print_facts, print_json
from mistworks.errors import MistworksError

if TYPE_CHECKING:
    from flows.cli.options import Unit
    from mistworks.estimation.estimator import Estimate

_ARGUMENT = re.compile(r"\b(missing|classes)='?(\w+)'?")
_MOST_NAMED = 4
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
    shown["rows"] = rows_used(used, question.rows)
    if question.plot is not None:
        shown["picture"] = str(question.plot)
    print_facts("mutual information", shown)


def rows_used(used: int, rows: int) -> str:
    """How many rows of a table an answer is made of."""
    if used == rows:
        return f"{rows:,}"
    return f"{used:,} of {rows:,}; the others have missing values"


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
        except MistworksError as error:
            raise MistworksError(_ARGUMENT.sub(r"--\1 \2", str(error))) from None
        finally:
            for warning in caught:
                sys.stderr.write(f"warning: {warning.message}\n")


__all__ = ["Question", "finite", "for_people", "listed", "print_estimate", "rows_used"]
