"""Measure how fast meta-datasets are generated and read, with a limit beside each figure.

All rates are measured in this run on this machine: the whole command, the same work in a plain process pool,
and only drawing as many normals and writing as many bytes.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

# Set before NumPy is imported here and in the pool: one thread each, as in a Dask worker.
from flows.services import WORKER_ENVIRONMENT

os.environ.update(WORKER_ENVIRONMENT)

import numpy as np
from rich.console import Console
from rich.table import Table
from watch import PeakMemory

from mistworks.presets import load_preset
from mistworks.training import Progress, plan_epoch, read_batches, train
from storage.datasets.manifest import Manifest
from storage.datasets.opening import create_store, open_store
from storage.datasets.partitions import generate_partition

WORKERS = len(os.sched_getaffinity(0))
TURNS = 2
LEAST_RATE, MOST_MEMORY_GB, MOST_OVERHEAD, MOST_ACCESS_MS = 3_500, 4.0, 0.05, 1.0


@dataclass(frozen=True)
class Run:
    """A run of the command: total time, and time from the start of the store."""

    seconds: float
    wall: float
    peak_gb: float
    content_hash: str


def whole_command(store: Path, count: int, root: Path) -> Run:
    """Run `mistworks generate` in a fresh process, and measure the memory of all its descendants."""
    command = [
        sys.executable,
        "-m",
        "flows.cli",
        "generate",
        "--preset",
        "paper",
        "--split",
        "train",
        "--json",
    ]
    command += ["--count", str(count), "--store", str(store), "--root", str(root)]
    started = time.time()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak = PeakMemory(process.pid)
    printed, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    ended = time.time()
    # As for the plain pool below: from the first file of the store to the end of the last process.
    begun = (store / "zarr.json").stat().st_mtime
    return Run(ended - begun, ended - started, peak.gigabytes, json.loads(printed)["content_hash"])


def plain_pool(store: Path, count: int) -> float:
    """Measure seconds for the same partitions in a pool of processes, without Prefect and Dask."""
    preset = load_preset("paper")
    manifest = Manifest.of(
        "train", preset.split("train", count), partition_size=preset.partition_size, root_seed=0
    )
    started = time.monotonic()
    create_store(str(store), manifest)
    _in_pool(_make_partition, [(str(store), number) for number in range(manifest.partitions)])
    return time.monotonic() - started


def _make_partition(job: tuple[str, int]) -> None:
    generate_partition(open_store(job[0], read_only=False), job[1])


def draw_and_write(folder: Path, values: int) -> tuple[float, float]:
    """Measure seconds to draw this many float32 normals, and to write as many values, on all cores."""
    folder.mkdir()
    share = 1 << 24
    jobs = [(str(folder / str(part)), share) for part in range(values // share)]
    started = time.monotonic()
    _in_pool(_draw, jobs)
    drawn = time.monotonic() - started
    started = time.monotonic()
    _in_pool(_write, jobs)
    written = time.monotonic() - started
    shutil.rmtree(folder)
    return drawn, written


def _draw(job: tuple[str, int]) -> None:
    np.random.Generator(np.random.Philox(1)).standard_normal(job[1], dtype=np.float32)


def _write(job: tuple[str, int]) -> None:
    np.full(job[1], 1.0, dtype=np.float32).tofile(job[0])


def _in_pool(function: Callable[[tuple[str, int]], None], jobs: list[tuple[str, int]]) -> None:
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        for _ in pool.map(function, jobs):
            pass


def read_speed(store: Path) -> tuple[float, float, float]:
    """Measure datasets per second in batches, and milliseconds per random dataset, cold and cached."""
    opened = open_store(str(store))
    training = load_preset("paper").training
    plan = plan_epoch(
        opened.partition_bounds, training.seed, 0, training.batch_size, training.shuffle_partitions
    )
    started, read = time.monotonic(), 0
    for batch in islice(read_batches(opened, plan, 0), 80):
        read += len(batch)
    rate = read / (time.monotonic() - started)
    positions = np.random.default_rng(0).integers(0, len(opened), 1_000).tolist()
    opened[0]
    access = []
    for _ in range(2):
        started = time.monotonic()
        for position in positions:
            opened[position]
        access.append((time.monotonic() - started) / len(positions) * 1e3)
    return rate, *access


class _EnoughError(Exception):
    """Stops a training that is only timed."""


def training_speed(store: Path, folder: Path) -> float:
    """Measure datasets per second of training the quick network, including the optimiser's steps."""
    preset, opened, speeds = load_preset("quick"), open_store(str(store)), []

    def stop_after(progress: Progress) -> None:
        speeds.append(progress.datasets_per_second)
        if progress.step == 40:
            raise _EnoughError

    with suppress(_EnoughError):
        train(opened, opened, preset.network, preset.training, folder, "benchmark", stop_after)
    return speeds[-1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000, 625_000])
    parser.add_argument("--folder", type=Path, help="where to write; needs 25 GB for 625,000")
    arguments = parser.parse_args()
    table = Table("measured", "figure", "limit", title=f"generation on {WORKERS} cores")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as scratch:
        for count in sorted(arguments.counts):
            measure(Path(scratch), count, table, last=count == max(arguments.counts))
    Console(width=100).print(table)


def measure(scratch: Path, count: int, table: Table, *, last: bool) -> None:
    """Add the rows of one count."""
    store = scratch / "store.zarr"
    run = whole_command(store, count, scratch / "root")
    table.add_section()
    table.add_row(f"{count:,} datasets, whole command", f"{run.wall:,.1f} s", "")
    table.add_row("of it, from the store's beginning", f"{run.seconds:,.1f} s, the rest starts Prefect", "")
    table.add_row(
        "datasets a second, whole command", f"{count / run.wall:,.0f}", f"≥ {LEAST_RATE:,} at 625,000"
    )
    table.add_row("peak memory, all processes", f"{run.peak_gb:.2f} GB", f"< {MOST_MEMORY_GB:g} GB")
    if last:
        opened = open_store(str(store))
        values = int(opened.index.sizes.sum())
        rate, first, again = read_speed(store)
        consumed = training_speed(store, scratch / "training")
        table.add_row(
            "training batches, read and verified",
            f"{rate:,.0f} datasets a second",
            f"> {consumed:,.0f}, training's",
        )
        access = f"{again:.2f} ms, {first:.2f} ms the first time from disk"
        table.add_row(r"store\[i] at random, verified", access, f"about {MOST_ACCESS_MS:g} ms")
    shutil.rmtree(store)
    if last:
        compare(scratch, count, run, values, table)


def compare(scratch: Path, count: int, run: Run, values: int, table: Table) -> None:
    """Add rows that compare a run with the same work without services, and with parts of it."""
    store = scratch / "store.zarr"
    runs, pools = [run.seconds], []
    for turn in range(TURNS):
        if turn:
            runs.append(whole_command(store, count, scratch / "root").seconds)
            shutil.rmtree(store)
        pools.append(plain_pool(store, count))
        same = open_store(str(store)).content_hash() == run.content_hash
        shutil.rmtree(store)
    # The minimum of several, in turns: the speed of a virtual machine varies by more than the difference.
    added = f"{min(runs) / min(pools) - 1:+.1%} by the least, {sum(runs) / sum(pools) - 1:+.1%} by the means"
    table.add_row("same, from the store's beginning", _seconds(runs), "")
    table.add_row("same work in a plain process pool", f"{_seconds(pools)}, same content: {same}", "")
    table.add_row("added by Prefect and Dask", added, f"≤ {MOST_OVERHEAD:.0%}")
    drawn, written = draw_and_write(scratch / "floor", values)
    table.add_row(f"only drawing {values:,} normals", f"{drawn:,.1f} s", "")
    table.add_row(f"only writing {values * 4 / 1e9:,.1f} GB", f"{written:,.1f} s", "")


def _seconds(times: list[float]) -> str:
    return ", ".join(f"{seconds:,.1f}" for seconds in times) + " s"


if __name__ == "__main__":
    main()
