"""A Prefect server of its own for tests, quick to schedule, and workers of it; all processes are ended."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

_FOREIGN = ("PREFECT_", "MLFLOW_", "MISTWORKS_")
_ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes:
        url: of its API.
        folder: where processes of the test work.
        environment: of such processes.
    """

    url: str
    folder: Path
    environment: Mapping[str, str]

    def post(self, path: str, **content: Any) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", json=content, timeout=30)

    def deployment(self, name: str) -> dict[str, Any]:
        answer = httpx.get(f"{self.url}/deployments/name/{name}", timeout=30)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def start_run(self, name: str, parameters: Mapping[str, Any], **content: Any) -> str:
        path = f"/deployments/{self.deployment(name)['id']}/create_flow_run"
        answer = self.post(path, parameters=dict(parameters), **content)
        # What a server says while its SQLite database is busy.
        while answer.status_code == 503:
            time.sleep(1)
            answer = self.post(path, parameters=dict(parameters), **content)
        answer.raise_for_status()
        return str(answer.json()["id"])

    def runs(self, **filters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.post("/flow_runs/filter", **filters).json()
        return found

    def run(self, identifier: str) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.url}/flow_runs/{identifier}", timeout=30).json()
        return found

    def await_run(self, identifier: str, seconds: float, states: set[str] = _ENDED) -> dict[str, Any]:
        """The run once it is in one of some states.

        Raises:
            TimeoutError: it is not in time.
        """
        deadline = time.monotonic() + seconds
        while (found := self.run(identifier))["state_type"] not in states:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{found['name']} is {found['state_type']} after {seconds:.0f} s")
            time.sleep(1.0)
        return found

    def artifacts(self) -> dict[str, dict[str, Any]]:
        """What the Artifacts page lists, by key."""
        return {found["key"]: found for found in self.post("/artifacts/latest/filter").json()}

    def command(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments],
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{arguments} exited with {done.returncode}: {done.stderr[-3000:]}")
        return done

    @contextmanager
    def process(self, name: str, *command: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Another process of this environment, ended by SIGTERM and at last by SIGKILL."""
        with (self.folder / f"{name}.log").open("ab") as log:
            running = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=self.folder,
                env=dict(self.environment),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield running
        finally:
            _end(running)

    def worker(self) -> Any:
        """A process worker of the pool."""
        return self.process(
            "worker", "prefect", "worker", "start", "--pool", "mistworks", "--type", "process"
        )


@contextmanager
def prefect_server(folder: Path, **settings: str) -> Iterator[Server]:
    """A server with its state in a folder.

    Raises:
        TimeoutError: it does not start.
    """
    port = _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    environment |= {
        "DO_NOT_TRACK": "true",
        "OMP_NUM_THREADS": "1",
        "MISTWORKS_ROOT": str(folder / "root"),
        "MISTWORKS_WORKERS": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_LOCAL_STORAGE_PATH": str(folder / "results"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
        "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "1",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        **settings,
    }
    server = Server(environment["PREFECT_API_URL"], folder, environment)
    start = ("prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port))
    with server.process("server", *start) as running:
        deadline = time.monotonic() + 120
        while not _answers(server.url):
            if running.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError((folder / "server.log").read_text()[-2000:])
            time.sleep(0.2)
        yield server


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end(running: "subprocess.Popen[bytes]") -> None:
    if running.poll() is None:
        running.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            running.wait(20)
    with suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
