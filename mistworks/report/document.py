"""The report as one self-contained HTML file: no network, no server, no other file."""

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
from mistworks.report import accuracy_figures, cost_figures, interval_figures, rank_figures, tables
from mistworks.report.content import EVERY_SUITE, Figure, Section
from mistworks.report.view import View
from mistworks.report.worst import Sample, Scatters, worst


@dataclass(frozen=True)
class Report:
    """The data of a report.

    Attributes:
        results: results of every estimator on every suite, each pair once.
        costs: costs measured alone on one core.
        violations: violations of self-consistency, by name of estimator.
        title: heading of the page.
        sample: returns the points of the dataset of a suite at a position, to draw the worst cases; None
            leaves them out.
        about: facts shown at the top, such as the date or the commit.
    """

    results: tuple[Results, ...]
    costs: tuple[Cost, ...] = ()
    violations: Mapping[str, Sequence[Violation]] = field(default_factory=dict)
    title: str = "Mutual information estimators, evaluated"
    sample: Sample | None = None
    about: Mapping[str, str] = field(default_factory=dict)


def write_report(path: str | Path, report: Report) -> None:
    """Write the report as one self-contained HTML file, completely or not at all.

    Raises:
        MistworksError: there are no results, or an estimator has two results on a suite.
    """
    write_whole(Path(path), render(report).encode())


def render(report: Report) -> str:
    """Render the report as HTML text.

    Raises:
        MistworksError: as in `write_report`.
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
        script=Markup(_asset("colours.js") + _asset("labels.js") + _asset("report.js")),
        plotly=Markup(get_plotlyjs()),
        data=Markup(_json(_payload(view, parts))),
    )


def sections(report: Report, view: View) -> list[Section]:
    """Build all sections in order. Sections without data say so."""
    per_suite = partial(_per_suite, view)
    drawn: dict[str, list[Figure]] = {}
    if report.sample is not None:
        scatters = Scatters(report.sample)
        drawn = per_suite(lambda view, suite: worst(view, suite, scatters))
    no_quantiles = "No estimator gives quantiles on this suite, so there are no intervals to assess."
    return [
        Section(
            "ranking",
            "Ranking by error",
            "Mean absolute error, and every estimator against the best one. Bars are 95% intervals.",
            per_suite(accuracy_figures.ranking),
        ),
        Section(
            "truth",
            "Estimate against truth",
            "One dot is one dataset; on the dashed line the estimate equals the truth.",
            per_suite(accuracy_figures.truth),
        ),
        Section(
            "ranks",
            "Rank correlation and power",
            "For every measure of dependence, whatever its unit. Only what is in nats has errors, intervals "
            "and figures in the other sections.",
            per_suite(rank_figures.ranks) | {EVERY_SUITE: rank_figures.power(view)},
            rank_figures.rank_tables(view),
        ),
        Section(
            "size",
            "Error against sample size and dimension",
            "Bands are 95% intervals of the mean.",
            per_suite(accuracy_figures.size),
        ),
        Section(
            "families",
            "Error by family",
            "Mean absolute error in nats; darker is worse (brighter in the dark theme).",
            per_suite(accuracy_figures.families),
        ),
        Section(
            "calibration",
            "Calibration",
            "Intervals are compared with the true mutual information, never with the estimator itself.",
            per_suite(interval_figures.calibration),
            absent=no_quantiles,
        ),
        Section(
            "sharpness",
            "Interval width against coverage",
            "Narrow and on the dashed line is best. Open marks are bootstraps; bars are 95% intervals.",
            per_suite(interval_figures.sharpness),
            absent=no_quantiles,
        ),
        Section(
            "null",
            "Independent data",
            "Estimates where X and Y are independent, over all suites. Bars of rates are 95% intervals.",
            {EVERY_SUITE: interval_figures.null(view)},
            absent="No suite contains independent pairs.",
        ),
        Section(
            "consistency",
            "Self-consistency",
            "Relations that mutual information satisfies for every distribution.",
            {EVERY_SUITE: cost_figures.consistency(report.violations)},
            cost_figures.consistency_table(report.violations),
            absent="The self-consistency suite was not evaluated.",
        ),
        Section(
            "cost",
            "Time and memory",
            "Time during evaluation of the suite against error; then time and memory of one estimate alone.",
            per_suite(cost_figures.time_against_error) | {EVERY_SUITE: cost_figures.alone(report.costs)},
            cost_figures.cost_table(report.costs),
        ),
        Section(
            "worst",
            "Worst cases",
            "The datasets with the largest errors of an estimator, and their points.",
            drawn,
            absent="The data of the suites were not available.",
        ),
        Section("tables", "Tables", "Click a heading to sort.", tables=tables.all_tables(view)),
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


def _payload(view: View, parts: Sequence[Section]) -> dict[str, Any]:
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
            for section in parts
            if section.figures or not section.tables
        },
    }


def _json(payload: Mapping[str, Any]) -> str:
    """Dump JSON that is safe within a script element: without characters that start a tag or an entity."""
    text = json.dumps(payload, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _asset(name: str) -> str:
    return (files("mistworks.report") / "assets" / name).read_text(encoding="utf-8")


__all__ = ["Report", "render", "sections", "write_report"]
