"""A Dask scheduler and workers as real processes on loopback, to be killed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import distributed

from flows.services import _free_port

REPOSITORY = Path(__file__).parents[2]


class Cluster:
    """Starts what it is told to, and ends all of it with `close`."""

    def __init__(self, environment: Mapping[str, str] | None = None, scheme: str = "tcp") -> None:
        self.address = f"{scheme}://127.0.0.1:{_free_port()}"
        self.environment = dict(os.environ) | dict(environment or {}) | {"OMP_NUM_THREADS": "1"}
        self.processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self.start_scheduler()

    def start_scheduler(self) -> "subprocess.Popen[bytes]":
        host, port = self.address.rpartition("/")[2].split(":")
        scheme = self.address.partition(":")[0]
        options = ["--host", host, "--port", port, "--protocol", scheme, "--no-dashboard", "--no-jupyter"]
        self.scheduler = self._start("dask_scheduler", options, {})
        return self.scheduler

    def add_worker(
        self, *, paths: tuple[Path, ...] = (), nanny: bool = False, prefix: tuple[str, ...] = ()
    ) -> "subprocess.Popen[bytes]":
        """A worker with one thread, whose modules come from these folders first."""
        found = os.pathsep.join(map(str, (*paths, REPOSITORY)))
        options = [self.address, "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1"]
        options += [
            "--nanny" if nanny else "--no-nanny",
            "--local-directory",
            "/tmp",
            "--death-timeout",
            "60",
        ]
        return self._start("dask_worker", options, {"PYTHONPATH": found}, prefix)

    def _start(
        self, module: str, options: list[str], environment: dict[str, str], prefix: tuple[str, ...] = ()
    ) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", f"distributed.cli.{module}", *options],
            env={"PYTHONPATH": str(REPOSITORY)} | self.environment | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Not in the repository, whose modules would then come before those of the paths.
            cwd="/",
        )
        self.processes.append(process)
        return process

    def client(self) -> distributed.Client:
        return distributed.Client(self.address, timeout=60, set_as_default=False)

    def wait_for(self, workers: int) -> None:
        with self.client() as client:
            client.wait_for_workers(workers, timeout=60)

    def is_empty(self) -> bool:
        def tasks(dask_scheduler: Any) -> int:
            return len(dask_scheduler.tasks)

        with self.client() as client:
            return client.run_on_scheduler(tasks) == 0

    def close(self) -> None:
        for process in reversed(self.processes):
            process.kill()
        for process in self.processes:
            process.wait(30)


def copy_with_a_change(folder: Path) -> Path:
    """The packages that workers import, with one line of the generating code changed."""
    for package in ("mistworks", "storage", "tasks", "tests"):
        shutil.copytree(REPOSITORY / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    source = folder / "mistworks/randomness.py"
    text = source.read_text()
    changed = text.replace("\ndef stream(", "\n_CHANGED = 1\n\n\ndef stream(", 1)
    assert changed != text
    source.write_text(changed)
    return folder
