"""Write docs/results.md: all estimators on all suites, from one evaluation. Stored results of former
evaluations are used, so this can be run again at any time.
"""

import argparse
import platform
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from cases import answers_by_kind, summary_of
from ranks import absent, by_relation, ranks
from speed import HEAD, speeds
from standing import by_form, by_group, standing, worst
from tables import figure, of, pair, table

from flows.evaluate import Evaluated, evaluate_planned, plan_evaluation
from flows.report import report_on
from flows.services import dask_cluster, services
from flows.workspace import Workspace
from mistworks.baselines.bootstrap import SUFFIX
from mistworks.errors import MistworksError
from mistworks.evaluation.intervals import coverage, false_alarms
from mistworks.evaluation.measures import accuracy
from mistworks.evaluation.paired import paired_difference
from mistworks.evaluation.results import Results
from mistworks.evaluation.suites import violations
from mistworks.evaluation.suites.power import NAME as POWER
from mistworks.report import pictures
from storage.evaluations.costs import cost
from storage.evaluations.estimators import open_estimator
from storage.registry.versions import lookup

MODELS = "mist@champion,mist@champion+bootstrap,classical,ksg-3+bootstrap,gaussian-copula+bootstrap,neural"
# Estimators whose cost is at most linear in n.
LARGE_MODELS = "mist@champion,gaussian-copula,t-copula,cca"
LARGE_SIZE = 10_000
SHAPES = ((100, 2, 2), (500, 16, 16), (2_000, 16, 16))
SUITES = "m-test,bmi-40,beyond,null,ordinary,strong,self-consistency"
# Other measures, most of them not in nats, and the suites on which they are compared with the models.
MEASURES = "comparators,dependence"
MEASURE_SUITES = f"{SUITES},power"


def main() -> None:
    """Evaluate missing results, then write the tables, the pictures and the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("mistworks-data"))
    parser.add_argument("--models", default=MODELS, help="the first is compared with each of the others")
    parser.add_argument("--suites", default=SUITES)
    parser.add_argument("--measures", default=MEASURES, help="compared by rank and power")
    parser.add_argument("--measure-suites", default=MEASURE_SUITES, help="where the measures are compared")
    parser.add_argument("--large-models", default=LARGE_MODELS, help=f"on bmi-40 at n = {LARGE_SIZE:,}")
    parser.add_argument("--ablations", type=Path, default=Path("docs/ablations.md"), help="to be taken in")
    parser.add_argument("--slow-limit", type=int, default=60)
    parser.add_argument(
        "--no-speeds", action="store_true", help="leave out the figures of benchmarks/speed.py"
    )
    parser.add_argument("--costs", action="store_true", help="measure time and memory too, alone")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    workspace = Workspace.of(arguments.root)
    uri = workspace.tracking_uri
    models, suites = arguments.models.split(","), arguments.suites.split(",")
    with services(arguments.root, dask_cluster(None, None, "tasks.evaluation")) as address:
        here = workspace.on(address)
        plan = plan_evaluation(models, suites, here, slow_limit=arguments.slow_limit)
        evaluated = evaluate_planned(plan, here)
        everything = [*models, *arguments.measures.split(",")]
        beside = plan_evaluation(
            everything, arguments.measure_suites.split(","), here, slow_limit=arguments.slow_limit
        )
        evaluated = _joined(evaluated, evaluate_planned(beside, here))
        large_models = arguments.large_models.split(",")
        large = evaluate_planned(plan_evaluation(large_models, ["bmi-40"], here, sizes=[LARGE_SIZE]), here)
    report_on(evaluated, arguments.root / "report.html", arguments.root / "costs", uri)
    (arguments.docs / "images").mkdir(parents=True, exist_ok=True)
    for name, picture in pictures(evaluated.results).items():
        picture.savefig(arguments.docs / "images" / f"{name}.png", dpi=110)
    text = "\n\n".join(_document(evaluated, large, models[0], uri, arguments))
    (arguments.docs / "results.md").write_text(text + "\n", encoding="utf-8")


def _joined(first: Evaluated, second: Evaluated) -> Evaluated:
    """Return both evaluations as one, with each estimator on each suite once."""
    parts = {(part.suite, part.estimator): part for part in (*first.results, *second.results)}
    return replace(
        first,
        results=tuple(parts.values()),
        suites={**first.suites, **second.suites},
        datasets={**first.datasets, **second.datasets},
        estimators=tuple(dict.fromkeys((*first.estimators, *second.estimators))),
        computed=first.computed + second.computed,
    )


def _in_nats(evaluated: Evaluated) -> Evaluated:
    """Return what has errors: estimates in nats, but for the permuted copies."""
    return replace(
        evaluated,
        results=tuple(part for part in evaluated.results if part.in_nats and part.suite != POWER),
        suites={name: suite for name, suite in evaluated.suites.items() if name != POWER},
    )


def _options(arguments: argparse.Namespace) -> str:
    """Return the given options that determine the content of the document."""
    models = [] if arguments.models == MODELS else ["--models", arguments.models]
    suites = [] if arguments.suites == SUITES else ["--suites", arguments.suites]
    for name, default in (("measures", MEASURES), ("measure_suites", MEASURE_SUITES)):
        given = getattr(arguments, name)
        suites += [] if given == default else [f"--{name.replace('_', '-')}", given]
    flags = [f"--{name.replace('_', '-')}" for name in ("costs", "no_speeds") if getattr(arguments, name)]
    return " ".join([*models, *suites, "--slow-limit", str(arguments.slow_limit), *flags])


def _document(
    evaluated: Evaluated, large: Evaluated, model: str, uri: str, arguments: argparse.Namespace
) -> Iterable[str]:
    registered = lookup(model, uri)
    first = f"{registered.name}/{registered.version}"
    yield "# Results"
    yield (
        f"Written by `python benchmarks/results.py {_options(arguments)}` on {_machine()}. "
        f"`{first}` is the `{registered.lineage.preset}` model, trained on content "
        f"`{registered.lineage.train_hash[:16]}…`. Every estimator gets the plain samples, both blocks "
        "whole. Slow estimators (neural ones, anything with bootstrap) are evaluated on a fixed random "
        "part of each suite: compare them with others by the paired differences, which are over the same "
        "datasets. Figures are in nats and nats², ± one standard error, over the datasets where the "
        "estimator did not fail; failures are counted beside them."
    )
    yield "![Mean absolute error of every estimator on every suite](images/errors.png)"
    yield "![Coverage of the true mutual information against the nominal level](images/calibration.png)"
    errors = _in_nats(evaluated)
    yield f"## Where {first} stands"
    yield standing(errors, large, first)
    yield from _every_measure(evaluated)
    yield from _beside_the_suites(evaluated, first, arguments)
    yield from _suite_by_suite(errors, large, first)
    if arguments.costs:
        yield "## Time and peak memory of one estimate, alone on one core"
        yield _costs(evaluated, arguments.root / "costs")
    yield f"## {first} against every other, on the same datasets"
    yield (
        "Mean of its squared error minus the other's, in nats², with its 95 % interval by paired bootstrap "
        "over datasets; below 0 it is better. Datasets on which either failed are left out."
    )
    yield _differences(errors, first)


def _every_measure(evaluated: Evaluated) -> Iterable[str]:
    """Yield the section that compares what has no errors in nats too."""
    yield "## Every measure of dependence: rank correlation, power and time"
    yield (
        "Measures that are not in nats have no errors: what can be compared is how well they order the "
        "datasets of a suite by their true mutual information (Spearman's rank correlation), and how often a "
        "permutation test with 19 permutations, level 5 %, sees the dependence of 50 points (the suite "
        "`power`; its independent pairs give the false alarms), in parentheses with its 95 % interval. ms is "
        "the median time of an estimate on `beyond` (60 to 500 points) while other work was running. "
        "[Looking for a measure](measures.md) has their formulas, and says what is missing: LMI and KSG with "
        "local non-uniformity, of which no package can be installed beside this one."
    )
    yield ranks(evaluated.results)
    if missing := absent(evaluated.results):
        yield missing
    yield "![Rank correlation of every measure with the truth](images/ranks.png)"
    if any(part.suite == POWER for part in evaluated.results):
        yield "![Power of a permutation test with every measure](images/power.png)"
        yield "### Power by relation"
        yield by_relation(evaluated.results)


def _beside_the_suites(evaluated: Evaluated, first: str, arguments: argparse.Namespace) -> Iterable[str]:
    """Yield the sections that need no suite: ordinary data, speed and ablations."""
    yield "## Kinds of ordinary data on which estimators fail"
    yield (
        "As `python benchmarks/cases.py` prints them one by one: right is an interval that holds the truth "
        "and, where an estimate can be had, an error of at most 0.05 nats or 10 %."
    )
    opened = next(each for each in evaluated.estimators if each.label == first)
    yield summary_of(answers_by_kind(model=open_estimator(opened).estimator))
    if not arguments.no_speeds:
        yield "## Speed and size"
        yield (
            "Of the estimator that comes with the package, by `python benchmarks/speed.py`, each figure in a "
            "process of its own."
        )
        yield table(HEAD, speeds())
    if arguments.ablations.is_file():
        yield "## What each part buys"
        yield arguments.ablations.read_text(encoding="utf-8").strip()


def _suite_by_suite(evaluated: Evaluated, large: Evaluated, first: str) -> Iterable[str]:
    """Yield the totals of each suite, then the tables that only some suites have."""
    for suite in evaluated.suites:
        yield f"## {suite} ({evaluated.datasets[suite]:,} datasets)"
        yield _totals([part for part in evaluated.results if part.suite == suite])
    yield "## m-test: MSE by n"
    yield _by_bin(evaluated, "m-test")
    for suite in ("bmi-40", "beyond"):
        yield f"## {suite}: mean absolute error by n"
        yield _by_size(evaluated, suite, _mean_absolute_error)
    yield "## ordinary: by group, and by n"
    yield by_group(evaluated, "ordinary", first, lambda part: part.family)
    yield by_group(evaluated, "ordinary", first, lambda part: part.n)
    yield "## strong: by nats, by n and by kind"
    yield by_group(evaluated, "strong", first, lambda part: part.mi)
    yield by_group(evaluated, "strong", first, lambda part: part.n)
    yield by_group(evaluated, "strong", first, lambda part: part.family)
    for suite in ("bmi-40", "beyond", "ordinary", "strong"):
        yield f"## {suite}: where {first} errs most"
        yield worst(evaluated, suite, first)
    yield "## beyond: forms that the training families share, and others"
    yield by_form(evaluated, first)
    yield f"## bmi-40 at n = {LARGE_SIZE:,}: mean absolute error"
    yield _by_size(large, "bmi-40", _mean_absolute_error)
    yield "## null: mean estimate by n, and false alarms"
    yield _by_size(evaluated, "null", _mean_estimate)
    yield _alarms(evaluated)
    yield "## Self-consistency: comparisons violated, and by how much at worst (nats)"
    yield _violated(evaluated)


def _machine() -> str:
    return f"{platform.machine()}, Python {platform.python_version()}, two processes of one thread"


def _totals(parts: Sequence[Results]) -> str:
    rows = []
    for part in sorted(parts, key=_order):
        total = accuracy(part)[0]
        interval = next(iter(coverage(part, levels=(0.9,))), None)
        rows.append(
            [
                part.estimator,
                f"{total.count:,}",
                f"{total.failures:,}",
                pair(total.mae, total.mae_se),
                pair(total.mse, total.mse_se),
                pair(total.bias, total.bias_se),
                figure(total.rank_correlation),
                "—" if interval is None else f"{interval.coverage:.1%}",
                "—" if interval is None else pair(interval.score, interval.score_se),
            ]
        )
    head = ["estimator", "datasets", "failed", "MAE", "MSE", "bias", "rank correlation"]
    return table([*head, "90 % covers", "interval score"], rows)


def _order(part: Results) -> tuple[int, float]:
    """Sort by the number of datasets first, since errors over other datasets are not comparable."""
    mae = accuracy(part)[0].mae
    return -len(part), np.inf if mae is None else mae


def _by_bin(evaluated: Evaluated, suite: str) -> str:
    bins = ("10-100", "100-300", "300-500")
    rows = []
    for part in of(evaluated, suite):
        cells = []
        for kind in ("imd", "oomd"):
            chosen = part[np.char.startswith(part.name, f"{kind}/")]
            by_bin = {
                row.n_bin: row for row in accuracy(chosen) if (row.family, row.dimension_bin) == ("all",) * 2
            }
            cells += [pair(by_bin[n].mse, by_bin[n].mse_se) if n in by_bin else "—" for n in bins]
        rows.append([part.estimator, f"{len(part):,}", *cells])
    return table(["estimator", "datasets", *(f"{kind} {n}" for kind in ("IMD", "OoMD") for n in bins)], rows)


def _by_size(evaluated: Evaluated, suite: str, measure: Callable[[Results], str]) -> str:
    parts = of(evaluated, suite)
    sizes = sorted({int(n) for part in parts for n in part.n})
    rows = [
        [part.estimator, *(measure(part[part.n == n]) if (part.n == n).any() else "—" for n in sizes)]
        for part in parts
    ]
    return table(["estimator", *(f"n = {n:,}" for n in sizes)], rows)


def _mean_absolute_error(part: Results) -> str:
    total = accuracy(part)[0]
    return pair(total.mae, total.mae_se) + (f" ({total.failures} failed)" if total.failures else "")


def _mean_estimate(part: Results) -> str:
    total = accuracy(part)[0]
    return pair(total.bias, total.bias_se) + (f" ({total.failures} failed)" if total.failures else "")


def _alarms(evaluated: Evaluated) -> str:
    rows = [
        [
            row.estimator,
            f"{row.count:,}",
            f"{row.failures:,}",
            f"{row.rate:.1%}",
            f"{row.low:.1%}–{row.high:.1%}",
        ]
        for part in of(evaluated, "null")
        for row in false_alarms(part, levels=(0.9,))
        if row.n_bin == "all"
    ]
    head = [
        "estimator",
        "datasets",
        "failed",
        "lower end of the 90 % interval > 0",
        "95 % interval of that rate",
    ]
    return table(head, rows)


def _violated(evaluated: Evaluated) -> str:
    rows, relations = [], []
    for part in of(evaluated, "self-consistency"):
        checks = violations(part)
        relations = [each.relation for each in checks]
        rows.append(
            [
                part.estimator,
                *(
                    f"{each.violated} of {each.comparisons}, {figure(each.max)}"
                    + (f" ({each.failures} failed)" if each.failures else "")
                    for each in checks
                ),
            ]
        )
    return table(["estimator", *relations], rows)


def _differences(evaluated: Evaluated, first: str) -> str:
    rows = []
    for suite in evaluated.suites:
        parts = of(evaluated, suite)
        one = next(part for part in parts if part.estimator == first)
        for other in parts:
            if other is one:
                continue
            with suppress(MistworksError):  # A pair without a common dataset has no row.
                difference = paired_difference(one, other, np.random.default_rng(0))
                rows.append(
                    [
                        suite,
                        other.estimator,
                        f"{difference.datasets:,}",
                        f"{difference.left_out:,}",
                        f"{difference.mean:+.3g}",
                        f"{difference.low:+.3g} to {difference.high:+.3g}",
                    ]
                )
    return table(["suite", "against", "datasets", "left out", "difference", "95 % interval"], rows)


def _costs(evaluated: Evaluated, folder: Path) -> str:
    rows = []
    for reference in evaluated.estimators:
        if reference.text.endswith(SUFFIX):
            continue  # The cost of the estimator times the number of resamples.
        measured = [cost(open_estimator(reference), *shape, folder) for shape in SHAPES]
        cells = [
            each.failure
            if each.seconds is None or each.memory is None
            else f"{1e3 * each.seconds:.3g} ms, {each.memory / 2**20:.3g} MiB"
            for each in measured
        ]
        rows.append([reference.label, *cells])
    return table(["estimator", *(f"n = {n:,}, {dx} + {dy}" for n, dx, dy in SHAPES)], rows)


if __name__ == "__main__":
    main()
