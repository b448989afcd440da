"""The figures that the estimator was built for, each beside what it must reach, and where it errs most."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tables import figure, of, pair, table

import mistworks
from flows.evaluate import Evaluated
from mistworks.baselines.bootstrap import SUFFIX
from mistworks.evaluation.intervals import coverage, false_alarms
from mistworks.evaluation.measures import accuracy
from mistworks.evaluation.results import Results

# What must be reached and what is aimed at, by the names of the figures.
TARGETS = {
    "m-test IMD, n 10-100: MSE": ("1.6", "1.0"),
    "m-test IMD, n 100-300: MSE": ("0.03", "0.012"),
    "m-test IMD, n 300-500: MSE": ("0.015", "0.006"),
    "m-test OoMD, n 10-100: MSE": ("1.6", "1.0"),
    "m-test OoMD, n 100-300: MSE": ("0.04", "0.015"),
    "m-test OoMD, n 300-500: MSE": ("0.02", "0.007"),
    "bmi-40, n = 500: MAE": ("0.08", "0.04"),
    "bmi-40, n = 1,000: MAE": ("0.06", "0.03"),
    "bmi-40, n = 10,000: MAE": ("0.05", "0.015"),
    "null, n = 500: mean estimate": ("0.03", "0.01"),
    "null, n = 500: 5% quantile above 0": ("5 %", ""),
    "m-test, n all: 90 % interval covers": ("88–92 %", "89–91 %"),
    **{f"m-test, n {n}: 90 % interval covers": ("85–95 %", "") for n in ("10-100", "100-300", "300-500")},
    **{f"bmi-40, n {n}: 90 % interval covers": ("85–95 %", "") for n in ("all", "300-500", "500-1000")},
    "m-test: families of which it covers 86–94 %": ("", "every family"),
    "beyond, n all: 90 % interval covers": ("80–97 %", "86–94 %"),
    "one estimate at n = 500, 16 + 16, one core": ("25 ms", "8 ms"),
    "1,000 estimates at n = 500, 16 + 16, batched, all cores": ("10 s", "3 s"),
    "from import to the first answer, fresh process": ("4 s", "2 s"),
    "weights, calibration and card": ("20 MB", "5 MB"),
}
# Distributions of `beyond` that `mistworks.general` draws in the same form, or nearly, with other parameters.
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
    """The figures of an estimator, each beside what it must reach and what was aimed at.

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
    rows += _independence(own["null"])
    for name, part in (*own.items(), ("bmi-40 at n = 10,000", large.results[0])):
        rows.extend(_coverage(name, part))
    rows += [[name, "", told] for name, told in _speeds()]
    targets = {**TARGETS, **_shares_of_the_best(evaluated, "beyond", first)}
    cells = [[*map(str, row), *targets.get(str(row[0]), ("", ""))] for row in rows]
    cells += [row for suite in ("m-test", "bmi-40", "beyond") for row in _scores(evaluated, suite, first)]
    return table(["figure", "datasets", first, "must reach", "aim"], cells)


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
    for level in (0.05, 0.025):
        for row in false_alarms(null, levels=(1 - 2 * level,)):
            if row.n_bin == "all":
                yield [f"null, n = 500: {100 * level:g}% quantile above 0", row.count, f"{row.rate:.1%}"]


def _coverage(name: str, part: Results) -> Iterable[list[object]]:
    found = coverage(part, levels=(0.9,))
    for row in found:
        if row.family == "all":
            told = f"{row.coverage:.1%} ({row.low:.1%}–{row.high:.1%})"
            yield [f"{name}, n {row.n_bin}: 90 % interval covers", row.count, told]
    if name == "m-test":
        families = [row.coverage for row in found if row.family != "all" and row.n_bin == "all"]
        inside = sum(0.86 <= share <= 0.94 for share in families)
        yield ["m-test: families of which it covers 86–94 %", len(part), f"{inside} of {len(families)}"]


def _shares_of_the_best(evaluated: Evaluated, suite: str, first: str) -> dict[str, tuple[str, str]]:
    """Half and a quarter of the least error of any other estimator, of those that failed on no dataset."""
    found = {}
    for n in sorted({int(n) for part in of(evaluated, suite) for n in part.n}):
        error, best = _best_other(evaluated, suite, first, lambda part, n=n: part.n == n)
        if best:
            found[f"{suite}, n = {n:,}: MAE"] = (
                f"{error / 2:.3g}, half of {best}'s",
                f"{error / 4:.3g}, a quarter",
            )
    return found


def _best_other(
    evaluated: Evaluated, suite: str, first: str, chosen: Callable[[Results], NDArray[np.bool_]]
) -> tuple[float, str]:
    """The least mean absolute error of another estimator on chosen datasets, and its name; or inf and ""."""
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
    """The interval score beside the best bootstrap's, on the datasets where that has one."""
    parts = {part.estimator: part for part in of(evaluated, suite)}
    own = parts[first]
    found = []
    for name, part in parts.items():
        if name.endswith(SUFFIX) and not name.startswith(first):
            kept = part[part.has_quantiles]
            other = next(iter(coverage(kept, levels=(0.9,))), None)
            if other is not None:
                same = own[np.isin(own.position, kept.position)]
                found.append((other.score, name, next(iter(coverage(same, levels=(0.9,))))))
    if found:
        score, name, row = min(found, key=lambda entry: entry[0])
        told = f"{suite}: interval score where {name} has intervals"
        yield [
            told,
            str(row.count),
            pair(row.score, row.score_se),
            f"{score:.3g}, its",
            f"{score / 2:.3g}, half",
        ]


def _speeds() -> Iterable[tuple[str, str]]:
    """Of the estimator that comes with the package: one sample, many at once, a fresh process, its size."""
    rng = np.random.default_rng(0)
    pairs = [(rng.standard_normal((500, 16)), rng.standard_normal((500, 16))) for _ in range(1_000)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    times = [_seconds(lambda one=one: mistworks.estimate(*one)) for one in pairs[:50]]
    torch.set_num_threads(threads)
    yield "one estimate at n = 500, 16 + 16, one core", f"{1000 * np.median(times):.1f} ms"
    seconds = _seconds(lambda: mistworks.estimate_many(pairs))
    yield "1,000 estimates at n = 500, 16 + 16, batched, all cores", f"{seconds:.1f} s"
    code = "import numpy, mistworks; mistworks.estimate(numpy.arange(500.0), numpy.arange(500.0) ** 2)"
    seconds = _seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True))
    yield "from import to the first answer, fresh process", f"{seconds:.2f} s"
    folder = Path(mistworks.__file__).parent / "weights"
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    yield "weights, calibration and card", f"{size:.1f} MB"


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def worst(evaluated: Evaluated, suite: str, first: str) -> str:
    """The distributions of a suite on which the estimator errs most, beside the best other's error."""
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
    """Errors on the distributions of `beyond` whose form the training families share, and on the others."""
    own = next(part for part in of(evaluated, "beyond") if part.estimator == first)
    rows = []
    for told, shared in (("form shared with a training family", True), ("no such form in training", False)):
        for n in sorted(set(own.n.tolist())):

            def chosen(part: Results, n: int = n, shared: bool = shared) -> NDArray[np.bool_]:
                return (part.n == n) & (np.isin(part.name, SHARED_FORMS) == shared)

            part = own[chosen(own)]
            total, interval = accuracy(part)[0], next(iter(coverage(part, levels=(0.9,))), None)
            error, best = _best_other(evaluated, "beyond", first, chosen)
            rows.append(
                [
                    f"{told}, n = {n}",
                    str(total.count),
                    pair(total.mae, total.mae_se),
                    "—" if interval is None else f"{interval.coverage:.1%}",
                    f"{error:.3g}, {best}" if best else "—",
                ]
            )
    return table(["distributions", "datasets", "MAE", "90 % covers", "best other's MAE"], rows)
