"""What commands print: results on standard output, as plain lines that a script can read."""

from rich.console import Console
from rich.table import Table

from flows.generate import Generated
from storage.verification import Verification


def _facts(title: str, facts: dict[str, str]) -> None:
    table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, value)
    Console(highlight=False, soft_wrap=False).print(table)


def print_generated(made: Generated) -> None:
    """A store that was completed."""
    rate = f" ({made.seconds:,.1f} s)" if made.made else ", all there already"
    facts = {
        "store": made.url,
        "split": made.split,
        "datasets": f"{made.datasets:,}",
        "partitions made": f"{made.made:,}{rate}",
        "content hash": made.content_hash,
    }
    if made.changed:
        facts["warning"] = (
            f"partitions {', '.join(map(str, made.changed))} differ from what was marked done before: their marker "
            "was damaged, or other library versions made them; the content hash has changed"
        )
    _facts("generated", facts)


def print_verification(found: Verification) -> None:
    """What the check of a store found."""
    facts = {
        "store": found.url,
        "datasets": f"{found.datasets:,}",
        "partitions": f"{found.partitions:,}",
        "missing": ", ".join(map(str, found.missing)) or "none",
        "damaged": "\n".join(found.damaged.values()) or "none",
        "content hash": found.content_hash or "none: the store is not whole",
    }
    _facts("verified", facts)
