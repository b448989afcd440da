"""Commands in processes of their own, with all that they start, and what they print."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import psutil

COMMAND = [sys.executable, "-c", "from flows.cli import main; main()"]
WAIT_SECONDS = 300.0
InProcess = Callable[..., tuple[int, str, str]]


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Run:
    """A command in a process of its own, with all that it starts marked in the environment."""

    def __init__(
        self,
        *arguments: str,
        root: Path,
        api: str | None = None,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self.mark = uuid.uuid4().hex
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        inherited |= {"MISTWORKS_ROOT": str(root), "MISTWORKS_TEST_MARK": self.mark, "COLUMNS": "80"}
        if api is not None:
            inherited |= {"PREFECT_API_URL": api, "PREFECT_HOME": str(root / "prefect")}
        self.process = subprocess.Popen(
            [*command, *arguments],
            env={**inherited, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell that starts these tests in the background has them, and all they start, ignore Ctrl-C.
            preexec_fn=_heed_interrupts,
        )

    def end(self, timeout: float = WAIT_SECONDS) -> tuple[int, str, str]:
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return self.process.returncode, out, err

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def left(self) -> list[psutil.Process]:
        """Every process that carries the mark and still runs, whoever its parent is now."""
        found = []
        for process in psutil.process_iter():
            try:
                marked = process.environ().get("MISTWORKS_TEST_MARK") == self.mark
                if marked and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def workers(self) -> list[psutil.Process]:
        own = [p for p in self.left() if "spawn_main" in " ".join(p.cmdline())]
        return sorted(own, key=lambda process: process.pid)


def until(condition: Callable[[], Any], seconds: float = WAIT_SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while not (met := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)
    return met


def answers(url: str) -> bool:
    try:
        urlopen(url, timeout=5).close()
    except (URLError, OSError):
        return False
    return True


def hash_in(out: str) -> str:
    [line] = [line for line in out.splitlines() if "content hash" in line]
    return line.split()[-1]


def one_sentence(err: str) -> str:
    """What a failed command tells: one line, no traceback."""
    [line] = err.strip().splitlines()
    assert line.startswith("error: ")
    return line
