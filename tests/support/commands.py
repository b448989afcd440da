"""Commands in processes of their own, with all that they start, and what they print."""

import json
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

COMMAND = [sys.executable, "-c", "from flows.cli.commands import main; main()"]
# What takes a minute on a quiet machine; pytest ends a test after ten.
WAIT_SECONDS = 500.0
InProcess = Callable[..., tuple[int, str, str]]


SEVERAL = """
import contextlib, io, json, sys
from flows.cli.commands import main

ended = []
for command in json.loads(sys.argv[1]):
    sys.argv = ["mistworks", *command]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code
    ended.append((code, out.getvalue(), err.getvalue()))
print(json.dumps(ended))
"""
Command = tuple[object, ...]


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


def run_all(*commands: Command, root: Path, api: str) -> list[tuple[int, str, str]]:
    """Status, output and errors of commands that a fresh process runs one after the other on a server."""
    texts = [[*map(str, command), "--json", "--root", str(root)] for command in commands]
    run = Run(json.dumps(texts), root=root, api=api, command=[sys.executable, "-c", SEVERAL])
    code, out, err = run.end()
    assert code == 0, err[-3000:]
    return [(code, out, err) for code, out, err in json.loads(out)]


def outputs(*commands: Command, root: Path, api: str) -> list[Any]:
    """What such commands answer."""
    ended = run_all(*commands, root=root, api=api)
    assert [code for code, _, _ in ended] == [0] * len(commands), ended
    return [json.loads(out) for _, out, _ in ended]


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
