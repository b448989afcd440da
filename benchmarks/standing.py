"""The figures that the estimator was built for, with limits and targets, and where it errs most."""

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import numpy as np
from bounds import bounds
from numpy.typing import NDArray
from tables import figure, of, pair, table

from flows.evaluate import Evaluated
from mistworks.baselines import GROUPS
from mistworks.baselines.bootstrap import SUFFIX
from mistworks.dataset import IntArray
from mistworks.evaluation.intervals import coverage, false_alarms
from mistworks.evaluation.measures import DEFAULT_BINS, accuracy
from mistworks.evaluation.results import Results
from mistworks.evaluation.suites.bmi import bmi_40
from mistworks.evaluation.suites.mtest import m_test
from mistworks.evaluation.suites.null import GROUPS as NULL_GROUPS

# Limit and target by the names of the figures.
TARGETS = {
    "m-test IMD, n 10-100: MSE": ("1.2", "0.9"),
    "m-test IMD, n 100-300: MSE": ("0.020", "0.012"),
    "m-test IMD, n 300-500: MSE": ("0.009", "0.006"),
    "m-test OoMD, n 10-100: MSE": ("1.5", "1.0"),
    "m-test OoMD, n 100-300: MSE": ("0.024", "0.015"),
    "m-test OoMD, n 300-500: MSE": ("0.012", "0.007"),
    "bmi-40, n = 500: MAE": ("0.045", "0.036"),
    "bmi-40, n = 1,000: MAE": ("0.032", "0.026"),
    "bmi-40, n = 10,000: MAE": ("0.018", "0.012"),
    "beyond, n = 60: MAE": ("0.15", ""),
    "beyond, n = 200: MAE": ("0.09", ""),
    "beyond, n = 500: MAE": ("0.058", ""),
    "strong, normal and additive: MAE": ("0.10", "0.05"),
    "strong, all: MAE": ("0.10", "0.05"),
    "strong, n all: 90 % interval covers": ("85–95 %", ""),
    "null, n = 500: mean estimate": ("0.03", "0.01"),
    "m-test, n all: 90 % interval covers": ("88–92 %", "89–91 %"),
    **{f"m-test, n {n}: 90 % interval covers": ("85–95 %", "") for n in ("10-100", "100-300", "300-500")},
    **{f"bmi-40, n {n}: 90 % interval covers": ("85–95 %", "") for n in ("all", "300-500", "500-1000")},
    "m-test: families of which it covers 86–94 %": ("", "every family"),
    "beyond, n all: 90 % interval covers": ("80–97 %", "86–94 %"),
    "self-consistency, n all: 90 % interval covers": ("86–94 %", ""),
}
ALARMS = ("6 %", "4–6 %")
GROUP_COVERAGE = ("84–96 %", "")
RIVALS = tuple(name for name in GROUPS["classical"] if name.startswith(("plug-in", "gaussian-copula", "ksg")))
"""The estimators whose best is the bar for each group of `ordinary`."""
MOST_FAILURES = 0.1
"""Maximum share of failures of a rival in a group."""

FAST_WAVE = "mixture-waves-2x1"
"""The distribution of `beyond` whose dependence estimators mistake for noise."""

# Distributions of `beyond` that `mistworks.simulation.general` draws in the same form, or nearly, with other
# parameters.
SHARED_FORMS = (
    "classes-1x1",
    "classes-1x8",
    "decisions-5x1",
    "dropout-1x1",
    "interaction-2x1",
    "mixture-clusters-4x6",
    "mixture-galaxy-2x1",
    "mixture-inliers-1x1",
    "mixture-inliers-5x5",
    "mixture-shells-3x1",
    "mixture-x-1x1",
    "parabola-1x1",
    "parity-2x1",
    "parity-3x1",
    "sensors-1x16",
    "sine-1x1",
    "sparse-1x10",
    "sparse-20x2",
    "sparse-3x12",
    "spiral-1x2",
    "table-1x1",
)
WORST = 10


def standing(evaluated: Evaluated, large: Evaluated, first: str) -> str:
    """Return the figures of an estimator with limits, targets and what can be reached.

    The last column is the semiparametric efficiency bound (`bounds`): the mean of Var[i] / n for a mean
    squared error, and the mean of √(2 Var[i] / πn), for normal errors, for a mean absolute error.

    Args:
        evaluated: results on every suite.
        large: results on `bmi-40` at a large n, those of the estimator first.
        first: name of the estimator.
    """
    own = {part.suite: part for part in evaluated.results if part.estimator == first}
    rows: list[list[object]] = [*_published(own["m-test"])]
    for part, name in ((own["bmi-40"], "bmi-40"), (large.results[0], "bmi-40"), (own["beyond"], "beyond")):
        for n in sorted(set(part.n.tolist())):
            total = accuracy(part[part.n == n])[0]
            rows.append([f"{name}, n = {n:,}: MAE", total.count, pair(total.mae, total.mae_se)])
    slow = own["beyond"][own["beyond"].name != FAST_WAVE]
    for n in sorted(set(slow.n.tolist())):
        total = accuracy(slow[slow.n == n])[0]
        rows.append(
            [f"beyond without {FAST_WAVE}, n = {n:,}: MAE", total.count, pair(total.mae, total.mae_se)]
        )
    reachable = {**_reachable_squares(own["m-test"]), **_reachable_errors()}
    within = own["strong"][np.isin(own["strong"].family, ("normal", "additive"))]
    strong = accuracy(within)[0]
    rows.append(["strong, normal and additive: MAE", strong.count, pair(strong.mae, strong.mae_se)])
    total = accuracy(own["strong"])[0]
    rows.append(["strong, all: MAE", total.count, pair(total.mae, total.mae_se)])
    rows += _independence(own["null"])
    for name, part in (*own.items(), ("bmi-40 at n = 10,000", large.results[0])):
        rows.extend(_coverage(name, part))
    cells = [[*map(str, row), *TARGETS.get(str(row[0]), ("", ""))] for row in rows]
    cells += [*_groups(evaluated, first), *_alarms(own["null"])]
    cells += [row for suite in ("m-test", "bmi-40", "beyond") for row in _scores(evaluated, suite, first)]
    cells = [[*row, reachable.get(row[0], "")] for row in cells]
    return table(["figure", "datasets", first, "must reach", "aim", "efficiency bound"], cells)


def _reachable_squares(part: Results) -> dict[str, str]:
    """Return the bounds of the mean squared errors of `m-test`, by the names of the figures."""
    bound = bounds(m_test())[part.position]
    n_bin = DEFAULT_BINS.of_n(part)
    reachable = {}
    for kind, of_bin in product(("IMD", "OoMD"), DEFAULT_BINS.n_bins):
        chosen = np.char.startswith(part.name, f"{kind.lower()}/") & (n_bin == of_bin)
        if chosen.any():
            reachable[f"m-test {kind}, n {of_bin}: MSE"] = figure(float(bound[chosen].mean()))
    return reachable


def _reachable_errors() -> dict[str, str]:
    """Return the bounds of the mean absolute errors of `bmi-40`, by the names of the figures."""
    suite = bmi_40((500, 1_000, 10_000))
    n, bound = np.array([case.n for case in suite.cases()]), bounds(suite)
    errors = np.sqrt(2 * bound / np.pi)
    return {f"bmi-40, n = {size:,}: MAE": figure(float(errors[n == size].mean())) for size in suite.sizes}


def _published(part: Results) -> Iterable[list[object]]:
    for kind in ("IMD", "OoMD"):
        chosen = part[np.char.startswith(part.name, f"{kind.lower()}/")]
        for row in accuracy(chosen):
            if (row.family, row.dimension_bin) == ("all", "all") and row.n_bin not in ("all", "other"):
                yield [f"m-test {kind}, n {row.n_bin}: MSE", row.count, pair(row.mse, row.mse_se)]


def _independence(part: Results) -> Iterable[list[object]]:
    null = part[part.n == 500]
    total = accuracy(null)[0]
    yield ["null, n = 500: mean estimate", len(null), pair(total.bias, total.bias_se)]


def _alarms(part: Results) -> Iterable[list[str]]:
    """Return the false alarms of each group of `null`, over all n."""
    for group in ("continuous and other margins", *NULL_GROUPS):
        chosen = part.family == group if group in NULL_GROUPS else ~np.isin(part.family, NULL_GROUPS)
        for row in false_alarms(part[chosen], levels=(0.9,)):
            if row.n_bin == "all":
                rate = f"{row.rate:.1%} ({row.low:.1%}–{row.high:.1%})"
                yield [f"null, {group}: 90 % intervals above 0", str(row.count), rate, *ALARMS]


def _groups(evaluated: Evaluated, first: str) -> Iterable[list[str]]:
    """Return error and coverage in each group of `ordinary`, with the best classical estimator."""
    own = next(part for part in of(evaluated, "ordinary") if part.estimator == first)
    for group in sorted(set(own.family.tolist())):
        part, bar = own[own.family == group], ("", "")
        best = _best_rival(evaluated, group)
        if best is not None:
            error, rival, common = best
            part = part[np.isin(part.position, common)]
            bar = f"{error:.3g}, {rival}'s", f"{error / 2:.3g}, half"
        total = accuracy(part)[0]
        yield [f"ordinary, {group}: MAE", str(total.count), pair(total.mae, total.mae_se), *bar]
        for row in coverage(own[own.family == group], levels=(0.9,)):
            if (row.family, row.n_bin) == ("all", "all"):
                share = f"{row.coverage:.1%} ({row.low:.1%}–{row.high:.1%})"
                yield [f"ordinary, {group}: 90 % interval covers", str(row.count), share, *GROUP_COVERAGE]


def _best_rival(evaluated: Evaluated, group: str) -> tuple[float, str, IntArray] | None:
    """Return the minimum MAE of the rivals in a group, its estimator, and the datasets without failures."""
    parts = [part for part in of(evaluated, "ordinary") if part.estimator in RIVALS]
    parts = [part[part.family == group] for part in parts]
    parts = [part for part in parts if np.mean(~part.succeeded) <= MOST_FAILURES]
    if not parts:
        return None
    common = parts[0].position[np.logical_and.reduce([part.succeeded for part in parts])]
    errors = {}
    for part in parts:
        kept = np.isin(part.position, common)
        errors[part.estimator] = float(np.abs(part.estimate - part.mi)[kept].mean())
    rival = min(errors, key=lambda name: errors[name])
    return errors[rival], rival, common


def _coverage(name: str, part: Results) -> Iterable[list[object]]:
    coverages = coverage(part, levels=(0.9,))
    for row in coverages:
        if row.family == "all":
            shown = f"{row.coverage:.1%} ({row.low:.1%}–{row.high:.1%})"
            yield [f"{name}, n {row.n_bin}: 90 % interval covers", row.count, shown]
    if name == "m-test":
        families = [row.coverage for row in coverages if row.family != "all" and row.n_bin == "all"]
        inside = sum(0.86 <= share <= 0.94 for share in families)
        yield ["m-test: families of which it covers 86–94 %", len(part), f"{inside} of {len(families)}"]


def _best_other(
    evaluated: Evaluated, suite: str, first: str, chosen: Callable[[Results], NDArray[np.bool_]]
) -> tuple[float, str]:
    """Return the minimum MAE of other estimators on some datasets, and its estimator; or inf and ""."""
    parts = of(evaluated, suite)
    most = max(len(part) for part in parts)
    errors = {np.inf: ""}
    for part in parts:
        total = accuracy(part[chosen(part)])[0] if len(part) == most and part.estimator != first else None
        if total is not None and total.mae is not None and not total.failures:
            errors[total.mae] = part.estimator
    least = min(errors)
    return least, errors[least]


def _scores(evaluated: Evaluated, suite: str, first: str) -> Iterable[list[str]]:
    """Return the interval score with the best bootstrap's, on the datasets where that has one."""
    parts = {part.estimator: part for part in of(evaluated, suite)}
    own = parts[first]
    scored = []
    for name, part in parts.items():
        if name.endswith(SUFFIX) and not name.startswith(first):
            kept = part[part.has_quantiles]
            other = next(iter(coverage(kept, levels=(0.9,))), None)
            if other is not None:
                same = own[np.isin(own.position, kept.position)]
                scored.append((other.score, name, next(iter(coverage(same, levels=(0.9,))))))
    if scored:
        score, name, row = min(scored, key=lambda entry: entry[0])
        label = f"{suite}: interval score where {name} has intervals"
        yield [
            label,
            str(row.count),
            pair(row.score, row.score_se),
            f"{score:.3g}, its",
            f"{score / 2:.3g}, half",
        ]


def by_group(
    evaluated: Evaluated, suite: str, first: str, group_of: Callable[[Results], NDArray[Any]]
) -> str:
    """Return errors of the estimator and its rivals by groups of datasets, and coverage of its intervals."""
    parts = {part.estimator: part for part in of(evaluated, suite)}
    rivals = [name for name in parts if name in RIVALS]
    own = parts[first]
    rows = []
    for group in sorted(set(group_of(own).tolist())):
        part = own[group_of(own) == group]
        interval = next(iter(coverage(part, levels=(0.9,))), None)
        row = [str(group), f"{len(part):,}", _error(part)]
        row.append("—" if interval is None else f"{interval.coverage:.1%}")
        row.append("—" if interval is None else f"{interval.width:.3g}")
        rows.append([*row, *(_error(parts[name][group_of(parts[name]) == group]) for name in rivals)])
    return table(["group", "datasets", f"{first}: MAE", "90 % covers", "mean width", *rivals], rows)


def _error(part: Results) -> str:
    total = accuracy(part)[0]
    return pair(total.mae, total.mae_se) + (f" ({total.failures} failed)" if total.failures else "")


def worst(evaluated: Evaluated, suite: str, first: str) -> str:
    """Return the distributions of a suite on which the estimator errs most, with the best other error."""
    own = next(part for part in of(evaluated, suite) if part.estimator == first)
    rows = []
    for name in sorted(set(own.name.tolist())):
        part = own[own.name == name]
        total, interval = accuracy(part)[0], next(iter(coverage(part, levels=(0.9,))), None)
        error, best = _best_other(evaluated, suite, first, lambda part, name=name: part.name == name)
        cells = [
            name,
            str(total.count),
            figure(float(part.mi.mean())),
            pair(total.mae, total.mae_se),
            figure(total.bias),
            "—" if interval is None else f"{interval.coverage:.0%}",
            f"{error:.3g}, {best}" if best else "—",
        ]
        rows.append((-(total.mae or 0.0), cells))
    head = ["distribution", "datasets", "MI", "MAE", "bias", "90 % covers", "best other's MAE"]
    return table(head, [row for _, row in sorted(rows)[:WORST]])


def by_form(evaluated: Evaluated, first: str) -> str:
    """Return errors on distributions of `beyond` with the form of a training family, and on the others."""
    own = next(part for part in of(evaluated, "beyond") if part.estimator == first)
    rows = []
    for label, shared in (("form shared with a training family", True), ("no such form in training", False)):
        for n in sorted(set(own.n.tolist())):

            def chosen(part: Results, n: int = n, shared: bool = shared) -> NDArray[np.bool_]:
                return (part.n == n) & (np.isin(part.name, SHARED_FORMS) == shared)

            part = own[chosen(own)]
            total, interval = accuracy(part)[0], next(iter(coverage(part, levels=(0.9,))), None)
            error, best = _best_other(evaluated, "beyond", first, chosen)
            rows.append(
                [
                    f"{label}, n = {n}",
                    str(total.count),
                    pair(total.mae, total.mae_se),
                    "—" if interval is None else f"{interval.coverage:.1%}",
                    f"{error:.3g}, {best}" if best else "—",
                ]
            )
    return table(["distributions", "datasets", "MAE", "90 % covers", "best other's MAE"], rows)
