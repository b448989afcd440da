"""Measure time and space of estimation, with limits beside each figure.

Each figure is measured in a separate process; figures for one core are bound to one. Run it alone, since
other work on the machine affects the figures. The comparisons with scikit-learn and torch are ratios within
one process, which hold on a busy machine too.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tables import table

ROOT = Path(__file__).resolve().parents[1]
MINUTE = 60.0
TRAINING_COUNT = 1_000_000


@dataclass(frozen=True)
class Figure:
    """A figure to measure.

    Attributes:
        name: name of the figure.
        unit: unit of the figure and its limits.
        must: limit that must not be exceeded, or None.
        aim: target, or None.
        measure: see ``MEASURES``.
        cores: maximum number of cores; all if None.
    """

    name: str
    unit: str
    must: float | None
    aim: float | None
    measure: str
    cores: int | None = None


FIGURES = (
    Figure("one estimate, n = 500, 16 + 16, one core", "ms", 7, 4, "wide", 1),
    Figure("one estimate, n = 100, 2 + 2, one core", "ms", 1.5, 0.7, "narrow", 1),
    Figure("1,000 estimates, n = 500, 16 + 16, two cores", "s", 3.5, 2, "many", 2),
    Figure("import to first answer, fresh process", "s", 0.5, 0.25, "first"),
    Figure("installed size of `pip install .`", "MB", 120, 60, "size"),
    Figure("installed size of `pip install '.[tables]'`", "MB", None, None, "size-tables"),
    Figure("installed size of `pip install '.[torch]'`", "MB", None, None, "size-torch"),
    Figure("installed size of `pip install '.[pipeline]'`", "MB", None, None, "size-pipeline"),
    Figure("n = 1,000,000, 3 + 3: time", "s", 3, 1, "million"),
    Figure("n = 1,000,000, 3 + 3, integers and rounded values: time", "s", 3, 1, "tied"),
    Figure("n = 1,000,000, 3 + 3: peak memory of the process", "GB", 1, None, "memory"),
    Figure("n = 1,000,000 against n = 100,000: time per point", "times", 1.5, None, "linear", 1),
    Figure("statistics of 1,000,000 training datasets, two cores", "min", 25, 15, "training", 1),
    Figure("one column, n = 1,000, against KSG of scikit-learn", "times", 1, 0.5, "ksg", 1),
    Figure("n = 500, 16 + 16, compiled against torch", "times", None, None, "torch", 1),
)


def median_seconds(
    work: Callable[[], object], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the median time of some calls, after one that is not measured."""
    work()
    times = []
    for _ in range(repeats):
        started = clock()
        work()
        times.append(clock() - started)
    return statistics.median(times)


def one_estimate(n: int, d: int, repeats: int) -> float:
    """Seconds of one estimate of normal data."""
    import mistworks

    x, y = normals(n, d)
    return median_seconds(lambda: mistworks.estimate(x, y), repeats)


def normals(n: int, d: int, seed: int = 0):  # noqa: ANN201 — NumPy is imported by those that need it alone
    """Draw a sample of correlated normals, d columns per side."""
    import numpy as np

    x, noise = np.random.default_rng(seed).standard_normal((2, n, d))
    return x, 0.5 * x + noise


def many_estimates() -> float:
    """Seconds of a thousand estimates at once."""
    import mistworks

    pairs = [normals(500, 16, seed) for seed in range(1_000)]
    mistworks.estimate_many(pairs[:10])
    started = time.perf_counter()
    mistworks.estimate_many(pairs)
    return time.perf_counter() - started


def first_answer() -> float:
    """Seconds of a fresh process that imports and estimates once, the median of nine; NumPy's import too."""
    code = "import numpy, mistworks; mistworks.estimate(numpy.arange(500.0), numpy.arange(500.0) ** 2 % 7)"
    return median_seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True), 9)


def installed_size(extra: str = "") -> float:
    """10⁶ bytes that an installation adds to a fresh environment, compiled Python files too.

    Args:
        extra: extra to install; none for the package alone.
    """
    with tempfile.TemporaryDirectory() as folder:
        # A copy, since building leaves files behind.
        source, environment = Path(folder, "source"), Path(folder, "environment")
        shutil.copytree(
            ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info", "mistworks-data")
        )
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        before = folder_size(environment)
        pip = [
            str(environment / "bin" / "pip"),
            "install",
            "--quiet",
            "--disable-pip-version-check",
            f"{source}[{extra}]" if extra else str(source),
        ]
        subprocess.run(pip, check=True, stdout=sys.stderr)
        return (folder_size(environment) - before) / 1e6


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def million_points(tied: bool = False) -> float:
    """Seconds of one estimate of a million points, the first in its process.

    Args:
        tied: use one column of integers and two of rounded values per side.
    """
    import mistworks

    x, y = normals(1_000_000, 3)
    if tied:
        x, y = ((side * (5, 100, 10_000)).round() / (1, 100, 10_000) for side in (x, y))
    started = time.perf_counter()
    mistworks.estimate(x, y)
    return time.perf_counter() - started


def peak_memory() -> float:
    """10⁹ bytes of a process that estimates from a million tied points, which alone take 0.05."""
    million_points(tied=True)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def growth() -> float:
    """Time of a million points over ten times that of a hundred thousand."""
    return one_estimate(1_000_000, 3, 3) / (10 * one_estimate(100_000, 3, 5))


def training_minutes() -> float:
    """Minutes for the statistics of the training datasets on two cores, from the processor time of 1,500."""
    from mistworks.preparation.prepare import rank_pair
    from mistworks.presets import PRESETS
    from mistworks.statistics import summarise_many

    meta = PRESETS["shipped"].split("train").meta_distribution
    count = 1_500
    datasets = [meta.dataset(0, "train", 7_919 * index) for index in range(count)]

    def work() -> None:
        for start in range(0, count, 100):
            summarise_many([rank_pair(each.x, each.y) for each in datasets[start : start + 100]])

    return median_seconds(work, 3, time.process_time) / count * TRAINING_COUNT / 2 / MINUTE


def against_ksg() -> float:
    """Time of one estimate over that of scikit-learn's, one column with another at n = 1,000."""
    from sklearn.feature_selection import mutual_info_regression

    import mistworks

    x, y = normals(1_000, 1)
    target = y[:, 0]
    turns = []
    for _ in range(5):
        own = median_seconds(lambda: mistworks.estimate(x, target), 20)
        turns.append(own / median_seconds(lambda: mutual_info_regression(x, target), 20))
    return statistics.median(turns)


def against_torch() -> float:
    """Time of the statistics over that of the reference in torch."""
    import torch

    from mistworks.statistics import oracle, summarise_many
    from mistworks.statistics.ranked import Ranked

    torch.set_num_threads(1)
    sample = [Ranked.of(*normals(500, 16))]
    return median_seconds(lambda: summarise_many(sample), 30) / median_seconds(
        lambda: oracle.summarise_many(sample), 10
    )


MEASURES: Mapping[str, Callable[[], float]] = {
    "wide": lambda: 1e3 * one_estimate(500, 16, 50),
    "narrow": lambda: 1e3 * one_estimate(100, 2, 100),
    "many": many_estimates,
    "first": first_answer,
    "size": installed_size,
    "size-tables": lambda: installed_size("tables"),
    "size-torch": lambda: installed_size("torch"),
    "size-pipeline": lambda: installed_size("pipeline"),
    "million": million_points,
    "tied": lambda: million_points(tied=True),
    "memory": peak_memory,
    "linear": growth,
    "training": training_minutes,
    "ksg": against_ksg,
    "torch": against_torch,
}


def measured(figure: Figure) -> tuple[float | None, str]:
    """Measure a figure in a fresh process. Return it, or None and the reason."""
    command = [sys.executable, __file__, "--measure", figure.measure]
    environment = dict(os.environ)
    if figure.cores is not None:
        command += ["--cores", str(figure.cores)]
        environment["OMP_NUM_THREADS"] = str(figure.cores)
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        return None, next(reversed(done.stderr.strip().splitlines()), "no message")
    return json.loads(done.stdout.splitlines()[-1]), ""


def speeds(figures: Sequence[Figure] = FIGURES) -> list[list[str]]:
    """Return a row per figure: name, measurement, limit, target, and the ratio to the limit."""
    rows = []
    for figure in figures:
        value, failure = measured(figure)
        cells = ["—" if limit is None else f"{limit:g} {figure.unit}" for limit in (figure.must, figure.aim)]
        if value is None:
            rows.append([figure.name, f"failed: {failure[:100]}", *cells, "—"])
            continue
        ratio = "—" if figure.must is None else f"{value / figure.must:.2f}"
        rows.append([figure.name, f"{value:.3g} {figure.unit}", *cells, ratio])
    return rows


HEAD = ("figure", "measured", "must", "aim", "measured / must")


def main() -> None:
    """Measure and print; with --measure, one figure in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="names of measures, separated by commas")
    parser.add_argument("--measure", choices=MEASURES, help=argparse.SUPPRESS)
    parser.add_argument("--cores", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        if arguments.cores and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.cores])
        print(json.dumps(MEASURES[arguments.measure]()))
        return
    chosen = [each for each in FIGURES if not arguments.only or each.measure in arguments.only.split(",")]
    print(table(HEAD, speeds(chosen)))


if __name__ == "__main__":
    main()
