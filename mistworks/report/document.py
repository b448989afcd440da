"""The report as one HTML file that needs nothing else: no network, no server, no other file."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from mistworks.evaluation.cost import Cost
from mistworks.evaluation.results import Results
from mistworks.evaluation.suites.consistency import Violation
from mistworks.files import write_whole
from mistworks.report import accuracy_figures, cost_figures, interval_figures, tables
from mistworks.report.content import EVERY_SUITE, Figure, Section
from mistworks.report.view import View
from mistworks.report.worst import Sample, Scatters, worst


@dataclass(frozen=True)
class Report:
    """What a report shows.

    Attributes:
        results: of every estimator on every suite, each pair once.
        costs: measured alone on one core.
        violations: of self-consistency, by name of estimator.
        title: heading of the page.
        sample: the points of a suite's dataset at a position, for the worst cases; none leaves those out.
        about: facts shown at the top, such as the date or the commit.
    """

    results: tuple[Results, ...]
    costs: tuple[Cost, ...] = ()
    violations: Mapping[str, Sequence[Violation]] = field(default_factory=dict)
    title: str = "Mutual information estimators, evaluated"
    sample: Sample | None = None
    about: Mapping[str, str] = field(default_factory=dict)


def write_report(path: str | Path, report: Report) -> None:
    """Write the report as one self-contained HTML file, whole or not at all.

    Raises:
        MistworksError: there are no results, or an estimator came twice on a suite.
    """
    write_whole(Path(path), render(report).encode())


def render(report: Report) -> str:
    """The report as HTML text.

    Raises:
        MistworksError: as `write_report`.
    """
    from jinja2 import Environment
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]

    view = View(report.results)
    parts = sections(report, view)
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        _asset("report.html.jinja")
    )
    return template.render(
        title=report.title,
        about=report.about,
        view=view,
        counts=_counts(view),
        sections=parts,
        css=Markup(_asset("report.css")),
        script=Markup(_asset("report.js")),
        plotly=Markup(get_plotlyjs()),
        data=Markup(_json(_payload(view, parts))),
    )


def sections(report: Report, view: View) -> list[Section]:
    """All sections in order; those without data say so."""
    per_suite = partial(_per_suite, view)
    drawn: dict[str, list[Figure]] = {}
    if report.sample is not None:
        scatters = Scatters(report.sample)
        drawn = per_suite(lambda view, suite: worst(view, suite, scatters))
    no_quantiles = "None of the estimators gives quantiles on this suite, so there are no intervals to judge."
    return [
        Section(
            "ranking",
            "Who errs least",
            "Mean absolute error, and every estimator against the best one. Bars are 95% intervals.",
            per_suite(accuracy_figures.ranking),
        ),
        Section(
            "truth",
            "Estimate against truth",
            "One dot is one dataset; on the dashed line the estimate is the truth.",
            per_suite(accuracy_figures.truth),
        ),
        Section(
            "size",
            "Error against sample size and dimension",
            "Bands are intervals of 95% of the mean.",
            per_suite(accuracy_figures.size),
        ),
        Section(
            "families",
            "Error by family",
            "Mean absolute error in nats; darker is worse on paper, brighter is worse at night.",
            per_suite(accuracy_figures.families),
        ),
        Section(
            "calibration",
            "Calibration",
            "Intervals are held against the true mutual information, never against the estimator itself.",
            per_suite(interval_figures.calibration),
            absent=no_quantiles,
        ),
        Section(
            "sharpness",
            "Interval width against coverage",
            "Best is narrow and on the dashed line. Open marks are bootstraps; bars are 95% intervals.",
            per_suite(interval_figures.sharpness),
            absent=no_quantiles,
        ),
        Section(
            "null",
            "Where there is nothing to find",
            "Independent X and Y, over all suites. Bars of rates are 95% intervals.",
            {EVERY_SUITE: interval_figures.null(view)},
            absent="No suite holds independent pairs.",
        ),
        Section(
            "consistency",
            "Self-consistency",
            "Relations that mutual information obeys whatever the distribution.",
            {EVERY_SUITE: cost_figures.consistency(report.violations)},
            cost_figures.consistency_table(report.violations),
            absent="The self-consistency suite was not evaluated.",
        ),
        Section(
            "cost",
            "Time and memory",
            "Time while the suite was evaluated against error, then time and memory of one estimate alone.",
            per_suite(cost_figures.time_against_error) | {EVERY_SUITE: cost_figures.alone(report.costs)},
            cost_figures.cost_table(report.costs),
        ),
        Section(
            "worst",
            "Worst cases",
            "The datasets on which an estimator errs most, and what they look like.",
            drawn,
            absent="The data of the suites were not at hand.",
        ),
        Section("tables", "Tables", "A click on a heading sorts.", tables=tables.all_tables(view)),
    ]


def _per_suite(view: View, build: Callable[[View, str], list[Figure]]) -> dict[str, list[Figure]]:
    return {suite: build(view, suite) for suite in view.suites}


def _counts(view: View) -> dict[str, str]:
    failed = sum(int((~part.succeeded).sum()) for part in view.results)
    return {
        "estimators": f"{len(view.estimators):,}",
        "suites": f"{len(view.suites):,}",
        "estimates": f"{sum(map(len, view.results)):,}",
        "failed": f"{failed:,}",
    }


def _payload(view: View, found: Sequence[Section]) -> dict[str, Any]:
    return {
        "suites": view.suites,
        "estimators": {
            label: {**asdict(view.styles[label]), "shown": label in view.shown_at_first}
            for label in view.estimators
        },
        "sections": {
            section.key: {
                "absent": section.absent,
                "figures": {
                    suite: [asdict(f) for f in figures] for suite, figures in section.figures.items()
                },
            }
            for section in found
            if section.figures or not section.tables
        },
    }


def _json(payload: Mapping[str, Any]) -> str:
    """JSON that is safe within a script element: no character that begins a tag or an entity."""
    text = json.dumps(payload, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _asset(name: str) -> str:
    return (files("mistworks.report") / "assets" / name).read_text(encoding="utf-8")


__all__ = ["Report", "render", "sections", "write_report"]
