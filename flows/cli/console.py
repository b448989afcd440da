"""What commands print: results on standard output, as aligned lines for people or as JSON for programs."""

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from flows.cli.tables import print_columns

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from flows.deployments import Change
    from flows.evaluate import Evaluated
    from flows.generate import Generated
    from flows.pipeline import Produced
    from flows.score import Scored
    from flows.summarise import Summarised
    from flows.workspace import Workspace
    from mistworks.evaluation import AccuracyRow
    from storage.datasets.verification import Verification
    from storage.registry.lineage import RegisteredVersion
    from storage.registry.runs import StoreReference
    from tasks.training import Trained


def print_json(result: "DataclassInstance | Mapping[str, Any] | Sequence[Any]") -> None:
    """Anything as JSON."""
    plain = result if isinstance(result, Mapping | Sequence) else asdict(result)
    Console(soft_wrap=True, highlight=False).print_json(json.dumps(plain, default=str))


def print_facts(title: str, facts: Mapping[str, object]) -> None:
    """Named facts, one a line; long values are not broken, so that they can be copied."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(Text(title, style="bold"))
    width = max(map(len, facts))
    for name, value in facts.items():
        console.print(Text(f"  {name:<{width}}  "), Text(str(value)), sep="")


def _count(number: int, seconds: float) -> str:
    return f"{number:,} in {seconds:,.1f} s" if number else "none: all were there"


def print_generated(generated: "Generated") -> None:
    """A store that was completed."""
    facts = {
        "store": generated.url,
        "split": generated.split,
        "datasets": f"{generated.datasets:,}",
        "partitions made": _count(generated.made, generated.seconds),
        "content hash": generated.content_hash,
    }
    if generated.changed:
        facts["warning"] = (
            f"partitions {', '.join(map(str, generated.changed))} differ from what was marked done before: "
            "their marker was damaged, or other library versions made them"
        )
    print_facts("generated", facts)


def print_summarised(summarised: "Summarised") -> None:
    """A store whose statistics were computed."""
    facts = {
        "store": summarised.url,
        "datasets": f"{summarised.datasets:,}",
        "partitions computed": _count(summarised.made, summarised.seconds),
    }
    print_facts("summarised", facts)


def print_verification(verification: "Verification") -> None:
    """What the check of a store found, headed by the verdict."""
    verdict = "damaged" if verification.damaged else "incomplete" if verification.missing else "verified"
    facts = {
        "store": verification.url,
        "datasets": f"{verification.datasets:,}",
        "partitions": f"{verification.partitions:,}",
        "missing": ", ".join(map(str, verification.missing)) or "none",
        "damaged": ", ".join(map(str, verification.damaged)) or "none",
    }
    facts |= {f"partition {number}": reason for number, reason in verification.damaged.items()}
    facts["content hash"] = verification.content_hash or "none: the store is not whole"
    if verification.made_by_other_code:
        facts["warning"] = (
            f"made by other code than runs here ({'; '.join(verification.made_by_other_code)}); what is "
            "there is as sound, and partitions made anew here may come out different"
        )
    print_facts(verdict, facts)


def print_versions(versions: "Sequence[RegisteredVersion]") -> None:
    """A table of registered versions with their MSE in nats²."""
    splits = ("validation", "test-imd", "test-oomd")
    rows = [
        [
            f"{version.name}/{version.version}",
            ", ".join(version.aliases),
            version.lineage.preset,
            *(_figure(version.metrics, f"{split}.mse.all") for split in splits),
            version.created[:10],
        ]
        for version in versions
    ]
    Console(soft_wrap=True, highlight=False).print("mean squared error in nats²")
    print_columns(["version", "aliases", "preset", *splits, "created"], rows, keys=1)


def print_version(version: "RegisteredVersion") -> None:
    """One registered version with its lineage and the totals of its evaluation."""
    facts: dict[str, object] = {
        "uri": version.uri,
        "aliases": ", ".join(version.aliases) or "none",
        "promotion": version.promotion,
        "created": version.created,
    }
    for name, value in asdict(version.lineage).items():
        absent = "none" if name.startswith("calibration") else "unknown"
        facts[name.replace("_", " ")] = absent if value == "" else value
    for split in ("validation", "test-imd", "test-oomd"):
        if f"{split}.mse.all" in version.metrics:
            facts[f"{split} MSE"] = (
                f"{_figure(version.metrics, f'{split}.mse.all')} nats² over "
                f"{version.metrics[f'{split}.count.all']:,.0f} datasets, that of the prior mean "
                f"{_figure(version.metrics, f'{split}.baseline_mse.all')}"
            )
    print_facts("registered model", facts)


def print_trained(trained: "Trained") -> None:
    """A training that ended."""
    facts = {
        "estimator": trained.folder,
        "run": trained.run_id,
        "trained on": f"{trained.train.url} ({trained.train.content_hash[:12]}…)",
        "validated on": f"{trained.validation.url} ({trained.validation.content_hash[:12]}…)",
        **_calibrated_on(trained.calibration),
        "steps": f"{trained.steps:,}, the best {trained.best_step:,}",
        "validation MSE": f"{trained.validation_mse:.4g} nats²",
        "speed": f"{trained.datasets_per_second:,.0f} datasets a second",
    }
    print_facts("trained", facts)


def _calibrated_on(store: "StoreReference | None") -> dict[str, object]:
    return {} if store is None else {"calibrated on": f"{store.url} ({store.content_hash[:12]}…)"}


def print_accuracy(rows: "Sequence[AccuracyRow]") -> None:
    """A table of MSE and bias by suite and sample size."""
    totals = [row for row in rows if (row.family, row.dimension_bin) == ("all", "all")]
    shown = [
        [
            row.suite,
            row.n_bin,
            f"{row.count:,}",
            _with_error(row.mse, row.mse_se),
            _with_error(row.bias, row.bias_se),
            f"{row.baseline_mse:.4g}",
            str(row.failures),
        ]
        for row in totals
    ]
    print_columns(["suite", "n", "datasets", "MSE", "bias", "prior mean's MSE", "failures"], shown, keys=2)


def print_evaluated(
    evaluated: "Evaluated", results: str, report: Path | None, width: int | None = None
) -> None:
    """A table of suites by estimators, and where to find more.

    Args:
        evaluated: what is shown.
        results: where all results are kept.
        report: the report that was written, if any.
        width: of the screen, in characters; that of the terminal if None.
    """
    summary = evaluated.summary()
    # Where all are in nats, as most are, a column of units says nothing; likewise power without its suite.
    with_units = any(row.unit != "nats" for row in summary)
    with_power = any(row.power is not None for row in summary)
    headings = ["suite", "estimator", "datasets", "failures", "MSE", "MAE", "bias", "90 % covers"]
    headings += ["rank corr.", *["unit"] * with_units, *["power"] * with_power, "ms"]
    rows = []
    for row in summary:
        all_datasets = evaluated.datasets[row.suite]
        rows.append(
            [
                row.suite,
                row.estimator,
                f"{row.count:,}" if row.count == all_datasets else f"{row.count:,} of {all_datasets:,}",
                f"{row.failures:,}",
                _with_error(row.mse, row.mse_se),
                _with_error(row.mae, row.mae_se),
                _with_error(row.bias, row.bias_se),
                "—" if row.coverage_90 is None else f"{row.coverage_90:.1%}",
                "—" if row.rank_correlation is None else f"{row.rank_correlation:.3f}",
                *[row.unit] * with_units,
                *["—" if row.power is None else f"{row.power:.1%}"] * with_power,
                f"{1000 * row.seconds:.3g}",
            ]
        )
    print_columns(headings, rows, keys=2, width=width)
    facts = {
        "figures": "in nats and nats², ± standard error; ms: median time of an estimate",
        "rank corr.": "of estimates and truth, over the datasets of the suite",
        **(
            {"unit": "what is not in nats has no error, only rank correlation and power"}
            if with_units
            else {}
        ),
        **(
            {"power": "how often a permutation test at level 5 % sees a dependence of the suite power"}
            if with_power
            else {}
        ),
        "estimates made": _count(evaluated.computed, evaluated.seconds),
        "results": results,
        "report": report.absolute() if report else "none; run again with --report report.html to have one",
    }
    print_facts("evaluated", facts)


def print_produced(produced: "Produced", root: Path | None, workspace: "Workspace") -> None:
    """What the pipeline made, and where to look."""
    for store in produced.stores.values():
        print_facts(
            store.split, {"store": store.url, "datasets": f"{store.datasets:,}", "hash": store.content_hash}
        )
    print_accuracy(produced.accuracy)
    version = produced.registered
    print_facts(
        f"registered {version.name}/{version.version}",
        {
            "aliases": ", ".join(version.aliases) or "none",
            "promotion": version.promotion,
            "run": produced.run_id,
            **_where_to_look(version, root, workspace),
        },
    )


def _where_to_look(
    version: "RegisteredVersion", root: Path | None, workspace: "Workspace"
) -> dict[str, object]:
    """Where runs and flows are shown: pages of servers that run, commands for databases that lie here."""
    from flows.root import local_root
    from storage.registry.outage import shown

    uri, folder = workspace.tracking_uri, local_root(root)
    reference = f"{version.name}/{version.version}"
    served = uri.startswith(("http://", "https://"))
    lookup = f"{_command('mistworks')} lookup {reference}"
    facts: dict[str, object] = {
        "lineage": f"MLFLOW_TRACKING_URI={shown(uri)} {lookup}"
        if served
        else f"{lookup} --root {os.path.relpath(folder)}",
        "runs": shown(uri) if served else f"{_command('mlflow')} ui --backend-store-uri {shown(uri)}",
    }
    if api := os.environ.get("PREFECT_API_URL"):
        facts["flows"] = shown(api.removesuffix("/api"))
    else:
        facts["flows"] = f"PREFECT_HOME={folder / 'prefect'} {_command('prefect')} server start"
    return facts


def print_changes(changes: "Sequence[Change]") -> None:
    """What became of deployments and of what belongs to them."""
    facts: dict[str, object] = {f"{change.kind} {change.name}": change.outcome for change in changes}
    print_facts("registered", facts)
    if all(change.outcome == "unchanged" for change in changes):
        Console(soft_wrap=True, highlight=False).print("nothing to change")


def print_scored(scored: "Scored") -> None:
    """Pairs that were estimated."""
    print_facts(
        "scored",
        {
            "source": scored.source,
            "target": scored.target,
            "model": scored.model,
            "pairs": f"{scored.pairs:,}",
            "failures": f"{scored.failures:,}",
            "parts made": f"{scored.computed:,}" if scored.computed else "none: all were there",
        },
    )


def _command(name: str) -> str:
    """How to call a program installed beside this one: by its name where the shell finds it."""
    beside = Path(sys.executable).parent / name
    return name if shutil.which(name) or not beside.exists() else os.path.relpath(beside)


def _with_error(value: float | None, error: float | None) -> str:
    if value is None:
        return "—"
    return f"{value:.4g}" if error is None else f"{value:.4g} ± {error:.2g}"


def _figure(metrics: Mapping[str, float], name: str) -> str:
    return f"{metrics[name]:.4g}" if name in metrics else "—"


__all__ = [
    "print_accuracy",
    "print_changes",
    "print_evaluated",
    "print_facts",
    "print_generated",
    "print_json",
    "print_produced",
    "print_scored",
    "print_summarised",
    "print_trained",
    "print_verification",
    "print_version",
    "print_versions",
]
