"""Compare the suite bmi-40 with the package benchmark-mi: dimensions, mutual information and samples.

The package needs other versions of NumPy and JAX, so it runs in a separate environment, created at first use.
Samples are compared by two-sample Kolmogorov–Smirnov tests of random projections of (X, Y), which are
sensitive to the shape of margins and less to the strength of dependence (which the true value covers), with
one false alarm in a thousand runs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mistworks.evaluation.suites import Suite, suite

# The release of equinox that benchmark-mi asks for fails to import with later releases of JAX.
REQUIREMENTS = ("benchmark-mi==0.1.3", "jax<0.4.34", "jaxlib<0.4.34")
POINTS = 5_000
PROJECTIONS = 10
TASKS = 40
FALSE_ALARM = 1e-3
FLOAT32 = 2e-6
"""Relative accuracy of a true value that was computed in single precision."""

THEIRS = """
import json, sys, numpy, bmi
folder, points = sys.argv[1], int(sys.argv[2])
truths = {}
for number, (name, task) in enumerate(bmi.benchmark.BENCHMARK_TASKS.items()):
    x, y = task.sample(points, seed=number)
    numpy.savez(f"{folder}/{name}.npz", x=numpy.asarray(x), y=numpy.asarray(y))
    truths[name] = [int(task.dim_x), int(task.dim_y), float(task.mutual_information)]
print(json.dumps(truths))
"""


def main() -> None:
    """Print one line per task, and exit with 1 if any differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, help="an interpreter that has benchmark-mi already")
    parser.add_argument(
        "--environment", type=Path, default=Path("build/benchmark-mi"), help="where to make one"
    )
    arguments = parser.parse_args()
    python = arguments.python or interpreter_of(arguments.environment)
    ours = suite("bmi-40", [POINTS])
    with tempfile.TemporaryDirectory() as folder:
        theirs = json.loads(output_of([str(python), "-c", THEIRS, folder, str(POINTS)]))
        positions = {case.name: position for position, case in enumerate(ours.cases()) if case.replicate == 0}
        if list(positions) != list(theirs):
            raise SystemExit(f"tasks differ: {sorted(set(positions) ^ set(theirs))}")
        checks = [
            agrees(ours, positions[name], theirs[name], Path(folder) / f"{name}.npz") for name in theirs
        ]
    print(f"{sum(checks)} of {len(checks)} tasks agree")
    sys.exit(not all(checks))


def interpreter_of(environment: Path) -> Path:
    """Return the interpreter of an environment with benchmark-mi, which is created if missing."""
    python = environment / "bin" / "python"
    if not python.exists():
        venv.create(environment, with_pip=True)
        output_of([str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS])
    return python


def output_of(command: list[str]) -> str:
    """Run a command that has to succeed, and return its output."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def agrees(ours: Suite, position: int, theirs: tuple[int, int, float], sample: Path) -> bool:
    """Compare dimensions, mutual information and samples of a task, and print the result."""
    case = ours.case(position)
    dx, dy, mi = theirs
    with np.load(sample) as file:
        least = least_p_value(np.hstack(ours.sample(position)), np.hstack([file["x"], file["y"]]))
    same = (case.dx, case.dy) == (dx, dy) and abs(case.mi - mi) <= FLOAT32 * mi
    same &= least >= FALSE_ALARM / (TASKS * PROJECTIONS)
    verdict = "agrees" if same else "DIFFERS"
    print(f"{case.name:45} {case.mi:.7f} {mi:.7f} nats   least p {least:.4f}   {verdict}")
    return same


def least_p_value(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """Return the minimum p-value over random projections of two samples, scaled by interquartile ranges."""
    low, high = np.quantile(ours, [0.25, 0.75], axis=0)
    directions = (
        np.random.default_rng(0).standard_normal((ours.shape[1], PROJECTIONS)) / (high - low)[:, None]
    )
    pairs = zip((ours @ directions).T, (theirs @ directions).T, strict=True)
    return float(min(stats.ks_2samp(own, other).pvalue for own, other in pairs))


if __name__ == "__main__":
    main()
