"""The services of docker-compose.yml, started, stopped, killed and restarted as native processes."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.topology import processes
from tests.topology.compose import COMPOSE_FILE, REPOSITORY, Process, parse, random_secrets, translate
from tests.topology.ports import SECOND_PORT
from tests.topology.postgres import binaries, initialise

START_SECONDS = 240.0
STOP_SECONDS = 30.0
# At the end, when the data is deleted anyway.
CLOSE_SECONDS = 5.0
CHECK_SECONDS = 0.5
LOG_LINES = 40


class TopologyError(Exception):
    """A service did not start; the message ends with what it logged last."""


class Topology:
    """The services of the compose file on loopback.

    Used as a context manager: all that was started is ended on the way out, and its folder removed. When this
    process dies, another one does that.

    Args:
        files: compose files, later ones override.
        values: of variables that the files ask for; secrets are random where they are not given.
        services: those to start, with what they need; all if None.
        environment: further variables for every service.
    """

    def __init__(
        self,
        files: Sequence[Path] = (COMPOSE_FILE,),
        values: Mapping[str, str] | None = None,
        services: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.mark = uuid.uuid4().hex
        self.folder = Path(tempfile.mkdtemp(prefix="mistworks-topology-"))
        # PostgreSQL runs as another user.
        self.folder.chmod(0o755)
        self.values = {**random_secrets(), **(values or {})}
        described = parse(files, self.values)
        self.processes = {process.name: process for process in translate(described, self.folder)}
        self._extra = dict(environment or {})
        self._chosen = _with_needs(self.processes, services)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._reaper = processes.reaper(self.mark, self.folder)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start every service as soon as what it needs is healthy.

        Raises:
            TopologyError: a service ended, or is not healthy in time.
        """
        names = list(self._chosen)
        started: dict[str, Future[None]] = {name: Future() for name in names}

        def begin(name: str) -> None:
            try:
                for service in self.processes[name].needs:
                    for other in self._named(service):
                        started[other].result(START_SECONDS)
                self.start_service(name)
            except BaseException as error:
                started[name].set_exception(error)
                raise
            started[name].set_result(None)

        with ThreadPoolExecutor(len(names)) as pool:
            outcomes = [pool.submit(begin, name) for name in names]
        errors = [error for outcome in outcomes if (error := outcome.exception())]
        if errors:
            raise errors[0]

    def close(self) -> None:
        """Stop every service, last started first, and remove the folder."""
        for name in reversed(list(self._running)):
            self._signal(name, self.processes[name].stop_signal)
        deadline = time.monotonic() + CLOSE_SECONDS
        for name in list(self._running):
            self._end(name, max(0.0, deadline - time.monotonic()))
        processes.kill(self.mark)
        self._reaper.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)
        for socket in self._sockets():
            socket.unlink(missing_ok=True)

    def start_service(self, name: str) -> None:
        """Start one service, or one replica such as ``dask-worker-1``, and wait until it is healthy.

        Raises:
            TopologyError: it ended, or is not healthy in time.
        """
        process = self.processes[name]
        for folder in process.folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        for file, text in process.files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        command = list(process.command)
        environment = self._environment_of(process)
        if process.service == "postgres":
            command = initialise(process, command, environment)
        with self._log(name).open("ab") as log:
            running = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        with self._lock:
            self._running[name] = running
        self._wait(name)

    def stop(self, name: str) -> None:
        """Stop one service the way its compose file asks for, or by force after a while."""
        self._signal(name, self.processes[name].stop_signal)
        self._end(name)

    def kill(self, name: str) -> None:
        """End all processes of one service by SIGKILL."""
        processes.kill(self.mark, name)
        self._end(name)

    def restart(self, name: str) -> None:
        """Stop one service and start it again, on the same ports and folders."""
        self.stop(name)
        self.start_service(name)

    def healthy(self, name: str) -> bool:
        """Whether one service passes its own health check now."""
        process = self.processes[name]
        if process.check is None:
            return self._running[name].poll() == 0
        done = subprocess.run(
            process.check,
            env=self._environment_of(process),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=30,
        )
        return done.returncode == 0

    def url(self, service: str, port: int) -> str:
        """Where a port of the compose file is here, such as ``http://127.0.0.1:12345``."""
        return f"http://127.0.0.1:{self.processes[service].ports[port]}"

    @property
    def environment(self) -> dict[str, str]:
        """What a client of all services needs, credentials of the object store among it."""
        root = self.folder / "client"
        (root / "prefect").mkdir(parents=True, exist_ok=True)
        return self._environment_of(self.processes["prefect-worker"]) | {
            "MISTWORKS_ROOT": str(root),
            "PREFECT_HOME": str(root / "prefect"),
            "HOME": str(self.folder),
            processes.MARK: f"{self.mark}/client",
        }

    @property
    def registry_environment(self) -> dict[str, str]:
        """What a client of the registry needs: no credentials of the object store, nor its address."""
        return {
            name: value
            for name, value in self.environment.items()
            if not name.startswith(("AWS_", "PREFECT_", "MISTWORKS_STORES", "MISTWORKS_DASK"))
        }

    def logs(self, name: str, lines: int = LOG_LINES) -> str:
        """The last lines that one service wrote."""
        path = self._log(name)
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    def left(self) -> list[psutil.Process]:
        """Every process of this topology that runs, clients with its environment among them."""
        marked = processes.marked(self.mark)
        # PostgreSQL's children overwrite their environment, and work in the data folder.
        inside = processes.working_in(self.folder)
        return marked + [process for process in inside if process not in marked]

    def pids(self, name: str) -> list[int]:
        """The processes of one service."""
        return [process.pid for process in processes.marked(self.mark, name)]

    def _named(self, service: str) -> list[str]:
        return [name for name in self._chosen if self.processes[name].service == service]

    def _sockets(self) -> list[Path]:
        """What SeaweedFS leaves in /tmp when it is killed."""
        ports = [port for process in self.processes.values() for port in process.ports.values()]
        both = [*ports, *(port + SECOND_PORT for port in ports)]
        return [path for port in both for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")]

    def _log(self, name: str) -> Path:
        (self.folder / "logs").mkdir(exist_ok=True)
        return self.folder / "logs" / f"{name}.log"

    def _environment_of(self, process: Process) -> dict[str, str]:
        """Nothing of ours, but for what a container's image has: a search path and a language."""
        path = os.pathsep.join([str(Path(sys.executable).parent), binaries(), "/usr/bin", "/bin"])
        return {
            "PATH": path,
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
            **process.environment,
            **self._extra,
            processes.MARK: f"{self.mark}/{process.name}",
        }

    def _wait(self, name: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        running, once = self._running[name], self.processes[name].runs_once
        while time.monotonic() < deadline:
            code = running.poll()
            if code is not None and not (once and code == 0):
                raise TopologyError(f"{name} ended with {code}:\n{self.logs(name)}")
            if self.healthy(name):
                return
            time.sleep(CHECK_SECONDS)
        raise TopologyError(f"{name} is not healthy after {START_SECONDS:.0f} s:\n{self.logs(name)}")

    def _signal(self, name: str, name_of_signal: str) -> None:
        running = self._running[name]
        if running.poll() is None:
            running.send_signal(signal.Signals[name_of_signal])

    def _end(self, name: str, seconds: float = STOP_SECONDS) -> None:
        running = self._running.pop(name)
        with suppress(subprocess.TimeoutExpired):
            running.wait(seconds)
        processes.kill(self.mark, name)
        running.wait()


def _with_needs(known: Mapping[str, Process], services: Sequence[str] | None) -> list[str]:
    """The processes of some services and of all that those need, in the order of the compose file."""
    if services is None:
        return list(known)
    wanted, added = set(services), True
    while added:
        needed = {need for process in known.values() if process.service in wanted for need in process.needs}
        added = not needed <= wanted
        wanted |= needed
    return [name for name, process in known.items() if process.service in wanted]
