"""Start the services that a run needs on loopback, and stop them however the run ends.

Prefect and MLflow read their settings from the environment when they are imported, so `configure` must come
first. Both are then used in this process, except Prefect's API server, which is a separate process under a
guard that ends it when this process is gone, even by SIGKILL.
"""

import errno
import fcntl
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from flows.root import local_root
from mistworks.errors import MistworksError

if TYPE_CHECKING:
    from distributed import LocalCluster

PresetName = Literal["tiny", "quick", "shipped", "digits", "paper"]

START_TIMEOUT_SECONDS = 120.0
CONNECT_TIMEOUT_SECONDS = 10.0
# A server whose database cannot grow fails in uninformative ways.
ROOM_FOR_DATABASES = 16 * 2**20
_QUIET = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLI_CHECK_FOR_UPDATES": "false",
    # The command line prints failures itself, in one message; the API keeps the full log.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    # SQLite takes one transaction at a time, so single inserts lag behind many short tasks.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
}
# A server elsewhere outlives runs, and it or its database may be restarted.
_PATIENT = {
    "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500",
    "PREFECT_CLIENT_MAX_RETRIES": "10",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_RUNNER_CRASH_ON_CANCELLATION_FAILURE": "true",
}
# A server that lives for one run schedules nothing: the loops that would cost 3 % of a core stay off.
_SERVER_QUIET = {
    f"PREFECT_SERVER_SERVICES_{service}_ENABLED": "false"
    for service in (
        "CANCELLATION_CLEANUP",
        "FOREMAN",
        "LATE_RUNS",
        "PAUSE_EXPIRATIONS",
        "REPOSSESSOR",
        "SCHEDULER",
        "TRIGGERS",
    )
}


# Run by its path, since PYTHONPATH may lead to another package `flows`.
_GUARD = Path(__file__).with_name("guard.py")
_EMBEDDED = "MISTWORKS_PREFECT_EMBEDDED"


def is_embedded() -> bool:
    """Whether this run started its own Prefect API."""
    return _EMBEDDED in os.environ


def announce(root: Path | None, preset: str | None = None) -> None:
    """Refuse a root that is a URL and an unknown preset, then say that starting takes a moment.

    Raises:
        MistworksError: the root is not a local directory, or the preset does not exist.
    """
    local_root(root)
    if preset is not None and preset not in get_args(PresetName) and not preset.endswith(".json"):
        raise MistworksError(
            f"Expected a preset out of {', '.join(get_args(PresetName))} or the path of a .json file, got "
            f"{preset!r}."
        )
    if "PREFECT_API_URL" not in os.environ:
        sys.stderr.write("starting Prefect…\n")
        sys.stderr.flush()


def configure(root: Path) -> None:
    """Set the environment variables of Prefect and MLflow that the user has not set.

    Raises:
        MistworksError: the root directory cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        if not os.access(root, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if shutil.disk_usage(root).free < ROOM_FOR_DATABASES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise MistworksError(
            f"Expected to write the directory {root}, got: {error.strerror}. Correct that, or choose another "
            "--root."
        ) from None
    quieten()
    if "PREFECT_API_URL" not in os.environ:
        os.environ.setdefault("PREFECT_HOME", str(root / "prefect"))


def quieten() -> None:
    """Set the environment variables of Prefect and MLflow that do not depend on where state is kept."""
    settings = _QUIET | (_PATIENT if "PREFECT_API_URL" in os.environ else {})
    for name, value in settings.items():
        os.environ.setdefault(name, value)


def require_server() -> None:
    """Refuse to continue without a Prefect API that outlives this process.

    Raises:
        MistworksError: the environment names none, or it does not answer.
    """
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        raise MistworksError(
            "Expected PREFECT_API_URL, got none: schedules need a server that stays. Start one with "
            "`prefect server start`, then set PREFECT_API_URL=http://127.0.0.1:4200/api."
        )
    _require_answer(url)


@contextmanager
def services(root: Path | None, cluster: AbstractContextManager[str] | None = None) -> Iterator[str | None]:
    """Provide a Prefect API for a block: the one in ``PREFECT_API_URL`` if set, else a new server.

    Args:
        root: directory for the state of what is started; see `local_root` if None.
        cluster: such as ``dask_cluster(…)``, entered while the server starts and left before it stops.

    Yields:
        The address of the scheduler, which ``cluster`` yields.

    Raises:
        MistworksError: the root directory cannot be written, the server did not start, or the configured one
            does not answer.
    """
    directory = local_root(root)
    configure(directory)
    with _prefect_api(directory) as ready, cluster or nullcontext() as address, ready():
        yield address


@contextmanager
def _prefect_api(root: Path) -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Start a server if none is set, and yield a block that waits for it and may use it."""
    if url := os.environ.get("PREFECT_API_URL"):
        _require_answer(url)
        yield nullcontext
        return
    home = Path(os.environ.get("PREFECT_HOME", root / "prefect"))
    home.mkdir(parents=True, exist_ok=True)
    url, log = f"http://127.0.0.1:{_free_port()}/api", home / "server.log"
    command = [sys.executable, "-P", "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    # Two servers that migrate the same new database at once break it.
    with (
        _environment({"PREFECT_API_URL": url, _EMBEDDED: "true"}),
        _serialised(home / "starting.lock") as migrated,
    ):
        guard = _start_guarded([*command, "--port", str(urlsplit(url).port)], log)
        try:
            yield lambda: _ready(url, guard, log, migrated)
        finally:
            _stop(guard)


@contextmanager
def _ready(
    url: str, guard: "subprocess.Popen[bytes]", log: Path, migrated: Callable[[], None]
) -> Iterator[None]:
    # This takes two seconds, in which the server starts too.
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    import tasks.on_dask  # noqa: F401

    _wait_until_healthy(url, guard, log)
    migrated()
    # Heartbeats are for automations, and this server has none. Stopping them takes up to a second per flow
    # run.
    try:
        with temporary_settings({PREFECT_API_URL: url, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            yield
    finally:
        _drain()


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables that child processes inherit, and restore the former values."""
    former = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in former.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def dask_cluster(address: str | None, workers: int | None, preload: str | None = None) -> Iterator[str]:
    """Provide a Dask scheduler's address: the given one, or of a local cluster of single-threaded processes.

    Args:
        address: of an existing scheduler, such as ``tcp://10.0.0.1:8786``.
        workers: processes of a local cluster; one per core if None.
        preload: module that the workers of a local cluster import before they have work.

    Raises:
        MistworksError: the scheduler does not answer, or does not use TLS although Prefect has a secret.
    """
    if address is not None:
        _require_scheduler(address)
        yield address
        return
    import dask
    from dask.system import CPU_COUNT
    from distributed import LocalCluster

    # The effect of `silence_logs` ends with the cluster, whose shutdown would then be logged beside an error.
    for handler in logging.getLogger("distributed").handlers:
        handler.setLevel(logging.CRITICAL)
    with (
        dask.config.set(
            {f"distributed.nanny.pre-spawn-environ.{k}": v for k, v in WORKER_ENVIRONMENT.items()}
        ),
        # The profiler interrupts a worker's task a hundred times per second.
        dask.config.set({"distributed.worker.profile.enabled": False}),
        dask.config.set({"distributed.worker.preload": [] if preload is None else [preload]}),
        LocalCluster(
            n_workers=workers or CPU_COUNT,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            memory_limit=0,
            silence_logs=50,
        ) as cluster,
    ):
        try:
            yield cluster.scheduler_address
        except BaseException:
            _end_workers(cluster)
            raise


def _end_workers(cluster: "LocalCluster") -> None:
    """End the workers at once. Closing the cluster would give their tasks four more seconds."""
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
        if nanny.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(nanny.pid, signal.SIGKILL)


WORKER_ENVIRONMENT = {
    # One thread per process: there is one process per core.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # The arrays of all partitions have about the same size, so keep their memory. Dask's own settings return
    # it to the kernel each time.
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_MMAP_MAX_": "0",
    # Tasks run beside the main thread. There, glibc gives each thread an arena whose memory it keeps
    # returning.
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_TOP_PAD_": str(2**26),
}


def _require_answer(url: str) -> None:
    try:
        urlopen(f"{url}/health", timeout=CONNECT_TIMEOUT_SECONDS).close()
    except HTTPError:
        return  # It answers. Prefect will say whether it accepts us.
    except (OSError, ValueError) as error:
        raise MistworksError(
            f"Expected the Prefect API {url} to answer, got: {_cause(error)}. Start it, or unset "
            "PREFECT_API_URL to have one started."
        ) from None


def _cause(error: Exception) -> str:
    """Return the message of the system, without the names of libraries' classes."""
    cause = error.reason if isinstance(error, URLError) else error
    return str(getattr(cause, "strerror", None) or cause)


def _require_scheduler(address: str) -> None:
    from tasks.cluster import connected, quiet, require_encryption

    require_encryption(address)
    with quiet(), connected(address):
        pass


@contextmanager
def _serialised(path: Path) -> Iterator[Callable[[], None]]:
    """Hold a lock until the function that this yields is called, or the block ends."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.close


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start_guarded(command: list[str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-P", str(_GUARD), *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=_SERVER_QUIET | dict(os.environ),
            # Ctrl-C at the terminal is meant for us: the server must outlive the last state that we report.
            start_new_session=True,
        )


def _wait_until_healthy(url: str, guard: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if guard.poll() is not None:
            break
        with suppress(URLError, OSError), urlopen(f"{url}/health", timeout=5):
            return
        time.sleep(0.1)
    raise MistworksError(
        f"Expected the Prefect server to start within {START_TIMEOUT_SECONDS:.0f} s. See {log}, or set "
        "PREFECT_API_URL to a running server."
    )


def _drain() -> None:
    """Send the logs and events that Prefect still holds while the server is running."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    APILogWorker.drain_all(timeout=10)
    EventsWorker.drain_all(timeout=10)


def _stop(guard: "subprocess.Popen[bytes]") -> None:
    if guard.stdin is not None:
        guard.stdin.close()
    guard.wait()


__all__ = [
    "CONNECT_TIMEOUT_SECONDS",
    "ROOM_FOR_DATABASES",
    "START_TIMEOUT_SECONDS",
    "WORKER_ENVIRONMENT",
    "PresetName",
    "announce",
    "configure",
    "dask_cluster",
    "is_embedded",
    "quieten",
    "require_server",
    "services",
]
