"""Tables of figures in Markdown."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows.evaluate import Evaluated
    from mistworks.evaluation.results import Results


def of(evaluated: "Evaluated", suite: str) -> "list[Results]":
    """Return the results of all estimators on a suite."""
    return [part for part in evaluated.results if part.suite == suite]


def pair(value: float | None, error: float | None) -> str:
    """Format a figure with its standard error."""
    return "—" if value is None else figure(value) + ("" if error is None else f" ± {error:.2g}")


def figure(value: float | None) -> str:
    """Format a figure with three digits."""
    return "—" if value is None else f"{value:.3g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a table whose first column is text."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
