"""A real MLflow server on PostgreSQL, and machines that share nothing but its address."""

import os
import pwd
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from flows.services import _free_port as free_port

REPOSITORY = Path(__file__).resolve().parents[2]
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
WAIT_SECONDS = 180.0


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL server with an empty database; its URL."""
    if not BINARIES:
        pytest.skip("PostgreSQL is not installed here")
    bin_, data, port = BINARIES[-1], folder / "data", free_port()
    folder.mkdir()
    # PostgreSQL refuses to run as root.
    user = pwd.getpwnam("postgres").pw_uid if os.getuid() == 0 else None
    if user is not None:
        os.chown(folder, user, -1)
        for parent in folder.parents[:-2]:
            parent.chmod(parent.stat().st_mode | 0o011)

    def run(*command: str) -> None:
        subprocess.run(
            command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=WAIT_SECONDS
        )

    run(str(bin_ / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    run(str(bin_ / "pg_ctl"), "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        run(str(bin_ / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop")


@contextmanager
def mlflow_server(database: str, artifacts: Path, *options: str, port: int | None = None) -> Iterator[str]:
    """An MLflow server; its address."""
    port = port or free_port()
    command = ["-m", "flows.guard", sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1", "--backend-store-uri", database]
    command += ["--serve-artifacts", "--artifacts-destination", str(artifacts), *options]
    log = artifacts.with_suffix(".log")
    with log.open("ab") as output:
        guard = subprocess.Popen(
            [sys.executable, *command],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "OMP_NUM_THREADS": "1"},
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        while not answers(f"{url}/health"):
            assert guard.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield url
    finally:
        guard.communicate()


def answers(url: str) -> bool:
    try:
        urlopen(url, timeout=5).close()
    except (URLError, OSError):
        return False
    return True


class Machine:
    """Processes that share no folder and no setting with those of another machine."""

    def __init__(self, folder: Path, tracking_uri: str) -> None:
        self.folder = folder
        self.tracking_uri = tracking_uri
        for name in ("home", "tmp", "root"):
            (folder / name).mkdir(parents=True)
        kept = ("LANG", "COVERAGE_PROCESS_START")
        self.environment: Mapping[str, str] = {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "MISTWORKS_ROOT": str(folder / "root"),
            "MLFLOW_TRACKING_URI": tracking_uri,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(REPOSITORY),
        }

    def start(self, code: str, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """A process that runs some Python code."""
        return subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # What it starts ends with its group.
            start_new_session=True,
        )


def at_once(*processes: "subprocess.Popen[str]") -> list[tuple[int, str, str]]:
    """Let processes go on together that each print "ready" and wait for a line; code, output, errors."""
    for process in processes:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == "ready\n", line + process.communicate()[1]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = []
    for process in processes:
        out, err = process.communicate(timeout=WAIT_SECONDS)
        ended.append((process.returncode, out, err))
    return ended
