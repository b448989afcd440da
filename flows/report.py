"""The report of an evaluation, with the costs of estimates if requested."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from flows.evaluate import Evaluated
from flows.progress import progress
from mistworks.dataset import FloatArray
from mistworks.evaluation.cost import Cost
from mistworks.evaluation.results import Results
from mistworks.evaluation.suites import Violation, violations
from mistworks.report import Report, write_report
from storage.evaluations.costs import cost
from storage.evaluations.estimators import open_estimator
from storage.evaluations.run_log import log_file
from storage.registry.revision import code_revision

CONSISTENCY = "self-consistency"
SHAPES = tuple((n, d, d) for n in (100, 500, 2_000) for d in (2, 16))
"""The n, dx and dy at which cost is measured."""


def report_on(
    evaluated: Evaluated,
    path: Path,
    costs_folder: Path,
    tracking_uri: str,
    *,
    run_id: str | None = None,
    costs: bool = False,
) -> None:
    """Write the report as one HTML file.

    Args:
        evaluated: the results to show.
        path: the file.
        costs_folder: folder of measured costs.
        tracking_uri: where runs are kept.
        run_id: the MLflow run on which it is logged, or None.
        costs: whether to measure time and memory of each estimator. Nothing else should run at the same time.

    Raises:
        MistworksError: the file cannot be written, or there is no such run.
    """
    report = Report(
        results=evaluated.results,
        costs=_costs(evaluated, costs_folder) if costs else (),
        violations=_violations(evaluated.results),
        sample=lambda suite, position: _sample(evaluated, suite, position),
        about=_about(evaluated),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_report(path, report)
    if run_id is not None:
        log_file(tracking_uri, run_id, path)


def _costs(evaluated: Evaluated, folder: Path) -> tuple[Cost, ...]:
    costs: list[Cost] = []
    with progress("measure costs", len(evaluated.estimators) * len(SHAPES)) as report:
        for reference in evaluated.estimators:
            for shape in SHAPES:
                measured = cost(open_estimator(reference), *shape, folder)
                costs.append(replace(measured, estimator=reference.label))
                report(len(costs))
    return tuple(costs)


def _violations(results: tuple[Results, ...]) -> Mapping[str, tuple[Violation, ...]]:
    return {
        part.estimator: violations(part) for part in results if part.suite == CONSISTENCY and part.in_nats
    }


def _sample(evaluated: Evaluated, suite: str, position: int) -> tuple[FloatArray, FloatArray]:
    return evaluated.suites[suite].sample(position)


def _about(evaluated: Evaluated) -> dict[str, str]:
    code = code_revision()
    parts = {
        name: min(len(part) for part in evaluated.results if part.suite == name) for name in evaluated.suites
    }
    reduced = {name: least for name, least in parts.items() if least < evaluated.datasets[name]}
    facts = {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "code": f"{code.commit[:12]}{' with changes' if code.dirty else ''}",
        "suites": ", ".join(f"{name} ({evaluated.datasets[name]:,} datasets)" for name in evaluated.suites),
    }
    if reduced:
        facts["slow estimators"] = ", ".join(
            f"{least:,} datasets of {name} at random" for name, least in reduced.items()
        )
    return facts


__all__ = ["CONSISTENCY", "SHAPES", "report_on"]
