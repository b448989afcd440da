"""Processes that carry a mark in their environment, found and ended whoever their parent is by now."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

MARK = "MISTWORKS_TOPOLOGY"


def marked(mark: str, name: str | None = None) -> list[psutil.Process]:
    """Every process that runs and carries the mark; with a name, only those of that part of the topology."""
    wanted = mark if name is None else f"{mark}/{name}"
    return [process for process in psutil.process_iter() if _mark_of(process, name is None) == wanted]


def working_in(folder: Path) -> list[psutil.Process]:
    """Every process whose working directory lies in a folder."""
    return [process for process in psutil.process_iter() if _directory(process).is_relative_to(folder)]


def kill(mark: str, name: str | None = None, seconds: float = 10.0) -> None:
    """End marked processes by SIGKILL, and wait until they are gone."""
    deadline = time.monotonic() + seconds
    while left := marked(mark, name):
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if time.monotonic() > deadline:
            raise TimeoutError(f"still running: {left}")
        time.sleep(0.05)


def reaper(mark: str, folder: Path) -> "subprocess.Popen[bytes]":
    """A process that ends all with the mark and removes the folder once this process is gone."""
    environment = {key: value for key, value in os.environ.items() if key != MARK}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.topology.reaper", mark, str(folder)],
        stdin=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )


def _mark_of(process: psutil.Process, whole: bool) -> str | None:
    try:
        value = process.environ().get(MARK)
        if value is None or process.status() == psutil.STATUS_ZOMBIE:
            return None
    except (psutil.Error, OSError):
        return None
    return value.split("/")[0] if whole else value


def _directory(process: psutil.Process) -> Path:
    try:
        return Path(process.cwd())
    except (psutil.Error, OSError):
        return Path("/")
