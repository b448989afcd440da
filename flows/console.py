"""What commands print: results on standard output, as aligned lines for people or as JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from flows.generate import Generated
    from storage.registry import RegisteredVersion
    from storage.verification import Verification


def print_json(result: "DataclassInstance | Mapping[str, Any] | Sequence[Any]") -> None:
    """Anything as JSON."""
    plain = result if isinstance(result, Mapping | Sequence) else asdict(result)
    Console(soft_wrap=True, highlight=False).print_json(json.dumps(plain))


def print_facts(title: str, facts: Mapping[str, object]) -> None:
    """Named facts, one a line; long values are not broken, so that they can be copied."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(Text(title, style="bold"))
    width = max(map(len, facts))
    for name, value in facts.items():
        console.print(Text(f"  {name:<{width}}  "), Text(str(value)), sep="")


def print_generated(made: "Generated") -> None:
    """A store that was completed."""
    facts = {
        "store": made.url,
        "split": made.split,
        "datasets": f"{made.datasets:,}",
        "partitions made": f"{made.made:,} in {made.seconds:,.1f} s" if made.made else "none: all were there",
        "content hash": made.content_hash,
    }
    if made.changed:
        facts["warning"] = (
            f"partitions {', '.join(map(str, made.changed))} differ from what was marked done before: their marker "
            "was damaged, or other library versions made them"
        )
    print_facts("generated", facts)


def print_verification(found: "Verification") -> None:
    """What the check of a store found."""
    facts = {
        "store": found.url,
        "datasets": f"{found.datasets:,}",
        "partitions": f"{found.partitions:,}",
        "missing": ", ".join(map(str, found.missing)) or "none",
        "damaged": ", ".join(map(str, found.damaged)) or "none",
    }
    facts |= {f"partition {number}": reason for number, reason in found.damaged.items()}
    facts["content hash"] = found.content_hash or "none: the store is not whole"
    print_facts("verified", facts)


def print_versions(versions: "Sequence[RegisteredVersion]") -> None:
    """A table of registered versions with their metrics."""
    table = Table("version", "aliases", "validation MSE", "test MSE (IMD)", "test MSE (OoMD)", "preset", "created")
    for version in versions:
        table.add_row(
            f"{version.name}/{version.version}",
            ", ".join(version.aliases),
            *(_figure(version.metrics, name) for name in ("validation.mse", "test-imd.mse.all", "test-oomd.mse.all")),
            version.lineage.preset,
            version.created,
        )
    Console().print(table)


def print_version(version: "RegisteredVersion") -> None:
    """One registered version with its lineage and metrics."""
    facts: dict[str, object] = {
        "uri": version.uri,
        "aliases": ", ".join(version.aliases) or "none",
        "promotion": version.promotion,
        "created": version.created,
    }
    facts |= {name.replace("_", " "): value for name, value in asdict(version.lineage).items()}
    facts |= {name: f"{value:.4g}" for name, value in sorted(version.metrics.items()) if ".all" in name or "validation" in name}
    print_facts("registered model", facts)


def _figure(metrics: Mapping[str, float], name: str) -> str:
    return f"{metrics[name]:.4g}" if name in metrics else "—"
