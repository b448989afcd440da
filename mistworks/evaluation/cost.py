"""Time and memory of one estimate, measured in a fresh process on one thread."""

import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError
from mistworks.randomness import stream

if TYPE_CHECKING:  # baselines import torch, which would count in what is measured
    from mistworks.baselines import MutualInformationEstimator

REPEATS = 5
"""Number of timed estimates after the warm-up, if the time budget allows."""

_WARM_UP_POINTS = 50
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one estimate costs on one core.

    Attributes:
        estimator: name of the estimator.
        estimator_version: version of the estimator.
        n: number of points.
        dx: dimension of X.
        dy: dimension of Y.
        seconds: minimum of the repeated times; None after a failure.
        memory: peak growth of resident memory during an estimate in bytes; None after a failure.
        repeats: number of timed estimates.
        failure: reason of the failure, empty without one.
    """

    estimator: str
    estimator_version: str
    n: int
    dx: int
    dy: int
    seconds: float | None
    memory: int | None
    repeats: int
    failure: str = ""


def measure_cost(
    estimator: "MutualInformationEstimator", n: int, dx: int, dy: int, *, budget_seconds: float = 60.0
) -> Cost:
    """Measure the time and peak memory of one estimate of n correlated normal points.

    A fresh process with one thread imports and warms up on a few points of the same dimension, watches the
    resident memory during a first full estimate, and then times repeats of it. For comparable numbers, run
    nothing else on the machine.

    Args:
        estimator: the estimator to measure; it is pickled to the process.
        n: number of points.
        dx: dimension of X.
        dy: dimension of Y.
        budget_seconds: no repeat starts after half of it. The process is stopped after all of it, which
            counts as a failure.
    """
    failed = Cost(estimator.name, estimator.version, n, dx, dy, None, None, 0)
    request = pickle.dumps((estimator, n, dx, dy, budget_seconds / 2))
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", "from mistworks.evaluation import cost; cost.main()"],
            input=request,
            capture_output=True,
            timeout=budget_seconds,
            env={
                **os.environ,
                **_ONE_THREAD,
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            },
            check=False,
        )
    except subprocess.TimeoutExpired:
        return replace(failed, failure=f"took longer than {budget_seconds:g} s")
    try:
        return replace(failed, **json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError):
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else "no message"
        return replace(failed, failure=f"the process ended with status {done.returncode}: {reason}")


def measure_costs(
    estimators: "Sequence[MutualInformationEstimator]",
    shapes: Sequence[tuple[int, int, int]],
    *,
    budget_seconds: float = 60.0,
    on_progress: Callable[[Cost], None] | None = None,
) -> tuple[Cost, ...]:
    """Measure the costs of every estimator at every (n, dx, dy), one after another."""
    costs = []
    for estimator in estimators:
        for n, dx, dy in shapes:
            costs.append(measure_cost(estimator, n, dx, dy, budget_seconds=budget_seconds))
            if on_progress is not None:
                on_progress(costs[-1])
    return tuple(costs)


def main() -> None:
    """Read a request from standard input and print its cost as JSON. `measure_cost` runs it in a process."""
    estimator, n, dx, dy, seconds = pickle.load(sys.stdin.buffer)
    with suppress(ImportError):
        import torch

        torch.set_num_threads(1)
    try:
        measured = _measure(estimator, *_sample(n, dx, dy), seconds)
    except MistworksError as error:
        measured = {"failure": str(error)}
    sys.stdout.write("\n" + json.dumps(measured) + "\n")


def _measure(
    estimator: "MutualInformationEstimator", x: FloatArray, y: FloatArray, seconds: float
) -> dict[str, Any]:
    with suppress(MistworksError):
        estimator.estimate(x[:_WARM_UP_POINTS], y[:_WARM_UP_POINTS])
    begun = time.perf_counter()
    before = _start_watching_memory()
    estimator.estimate(x, y)
    memory = max(_peak_memory() - before, 0)
    times: list[float] = []
    while not times or (len(times) < REPEATS and time.perf_counter() - begun < seconds):
        start = time.perf_counter()
        estimator.estimate(x, y)
        times.append(time.perf_counter() - start)
    return {"seconds": min(times), "memory": memory, "repeats": len(times)}


def _sample(n: int, dx: int, dy: int) -> tuple[FloatArray, FloatArray]:
    """Normal points with correlation ½ between all coordinates."""
    rng = stream(0, "cost", f"n={n} dx={dx} dy={dy}", 0)
    points = rng.standard_normal((n, dx + dy)) + rng.standard_normal((n, 1))
    return points[:, :dx].astype(np.float32), points[:, dx:].astype(np.float32)


def _start_watching_memory() -> int:
    """Return the resident memory in bytes and, on Linux, restart `_peak_memory` from it."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS") or _peak_memory()


def _peak_memory() -> int:
    """Peak resident memory in bytes."""
    if (peak := _status("VmHWM")) is not None:
        return peak
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(key: str) -> int | None:
    """Read a size in bytes from /proc/self/status; None on other systems than Linux."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:")), None)


__all__ = ["REPEATS", "Cost", "main", "measure_cost", "measure_costs"]
