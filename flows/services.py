"""Starts what a run needs on loopback, and stops it at the end however the run ends.

Prefect and MLflow read their settings from the environment when they are imported, so that `configure`
comes before either. Both are then used in process, but for Prefect's API server, which is a process of its
own under a guard that ends it when this process is gone, even by SIGKILL.
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

PresetName = Literal["tiny", "quick", "shipped", "paper"]

START_TIMEOUT_SECONDS = 120.0
CONNECT_TIMEOUT_SECONDS = 10.0
# A server whose database cannot grow fails in ways that tell nothing.
ROOM_FOR_DATABASES = 16 * 2**20
_QUIET = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLI_CHECK_FOR_UPDATES": "false",
    # The command line prints a failure itself, in one sentence; the API keeps the full log.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    # SQLite takes one transaction at a time, so that single inserts lag behind many short tasks.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
}
# A server elsewhere outlives runs, restarts, and has its database restarted.
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
    """Whether the Prefect API is one that this run started for itself."""
    return _EMBEDDED in os.environ


def announce(root: Path | None, preset: str | None = None) -> None:
    """Refuse a root that is a URL and a preset of no known name, then say that starting takes a moment.

    Raises:
        MistworksError: the root is not a local directory, or there is no preset of that name.
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
    """Set what Prefect and MLflow read from the environment, leaving what the user has set.

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
            f"the directory {root} cannot be written ({error.strerror}); mend that, or choose another --root"
        ) from None
    quieten()
    if "PREFECT_API_URL" not in os.environ:
        os.environ.setdefault("PREFECT_HOME", str(root / "prefect"))


def quieten() -> None:
    """Set what Prefect and MLflow read from the environment wherever their state is kept."""
    settings = _QUIET | (_PATIENT if "PREFECT_API_URL" in os.environ else {})
    for name, value in settings.items():
        os.environ.setdefault(name, value)


def require_server() -> None:
    """Refuse to go on without a Prefect API that outlives this process.

    Raises:
        MistworksError: the environment names none, or the one that it names does not answer.
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
    """A Prefect API for a block: the one in ``PREFECT_API_URL`` where it is set, else a server of its own.

    Args:
        root: directory that whatever is started keeps its state in; see `local_root` if None.
        cluster: such as ``dask_cluster(…)``, entered while the server starts and left before it stops.

    Yields:
        What ``cluster`` yields, the address of its scheduler.

    Raises:
        MistworksError: the root directory cannot be written, the server did not start, or the one that is
            set does not answer.
    """
    directory = local_root(root)
    configure(directory)
    with _prefect_api(directory) as ready, cluster or nullcontext() as address, ready():
        yield address


@contextmanager
def _prefect_api(root: Path) -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Start a server where none is set; what this yields waits for it, and is a block that may use it."""
    if url := os.environ.get("PREFECT_API_URL"):
        _require_answer(url)
        yield nullcontext
        return
    home = Path(os.environ.get("PREFECT_HOME", root / "prefect"))
    home.mkdir(parents=True, exist_ok=True)
    url, log = f"http://127.0.0.1:{_free_port()}/api", home / "server.log"
    command = [sys.executable, "-P", "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    # Two servers that migrate one new database at once break it.
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
    # Takes two seconds, in which the server starts too.
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    import tasks.on_dask  # noqa: F401

    _wait_until_healthy(url, guard, log)
    migrated()
    # Heartbeats are for automations, of which this server has none; stopping them takes each flow run up to
    # a second.
    try:
        with temporary_settings({PREFECT_API_URL: url, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            yield
    finally:
        _drain()


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables that child processes inherit, and put back what was there."""
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
    """The address of a Dask scheduler: the one given, else a local cluster of single-threaded processes.

    Args:
        address: of an existing scheduler, such as ``tcp://10.0.0.1:8786``.
        workers: processes of a local cluster; one a core if None.
        preload: module that the workers of a local cluster import before they have work.

    Raises:
        MistworksError: the scheduler does not answer, or is reached without TLS though Prefect has a secret.
    """
    if address is not None:
        _require_scheduler(address)
        yield address
        return
    import dask
    from dask.system import CPU_COUNT
    from distributed import LocalCluster

    # What `silence_logs` does ends with the cluster, whose own end would then be told beside an error.
    for handler in logging.getLogger("distributed").handlers:
        handler.setLevel(logging.CRITICAL)
    with (
        dask.config.set(
            {f"distributed.nanny.pre-spawn-environ.{k}": v for k, v in WORKER_ENVIRONMENT.items()}
        ),
        # The profiler takes the interpreter from a worker's task a hundred times a second.
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
    """End the workers at once: closing the cluster would give their tasks four seconds more."""
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
        if nanny.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(nanny.pid, signal.SIGKILL)


WORKER_ENVIRONMENT = {
    # One thread a process: there is a process for every core.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # The arrays of one partition are as large as those of the next: keep their memory, which Dask's own
    # settings give back to the kernel each time.
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_MMAP_MAX_": "0",
    # Tasks run beside the main thread, where glibc gives each thread an arena that it keeps giving back.
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_TOP_PAD_": str(2**26),
}


def _require_answer(url: str) -> None:
    try:
        urlopen(f"{url}/health", timeout=CONNECT_TIMEOUT_SECONDS).close()
    except HTTPError:
        return  # It answers; whether it lets us in is for Prefect to say.
    except (OSError, ValueError) as error:
        raise MistworksError(
            f"Expected the Prefect API {url} to answer, got: {_cause(error)}. Start it, or unset "
            "PREFECT_API_URL to have one started."
        ) from None


def _cause(error: Exception) -> str:
    """What the system said, without the names of libraries' classes."""
    told = error.reason if isinstance(error, URLError) else error
    return str(getattr(told, "strerror", None) or told)


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
            # A Ctrl-C at the terminal is for us: the server must outlive the last state that we report.
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
        f"the Prefect server did not start within {START_TIMEOUT_SECONDS:.0f} s; see {log}, or set "
        "PREFECT_API_URL to a server that runs"
    )


def _drain() -> None:
    """Send what Prefect still holds of logs and events while there is a server to take them."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    APILogWorker.drain_all(timeout=10)
    EventsWorker.drain_all(timeout=10)


def _stop(guard: "subprocess.Popen[bytes]") -> None:
    if guard.stdin is not None:
        guard.stdin.close()
    guard.wait()
