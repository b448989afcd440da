"""Access to MLflow's runs and models that leaves no global state behind.

A tracking URI names a database or a server: ``sqlite:////root/mlflow.db`` (artifacts are in the folder
``artifacts`` beside the file), ``postgresql://…`` or ``http://…``. Every function takes it as an argument;
only the command line reads ``MLFLOW_TRACKING_URI``.
"""

import fcntl
import hashlib
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from mistworks.errors import MistworksError
from storage.registry.moved import rebase
from storage.registry.outage import require_server, set_patience, translated, translating
from storage.registry.outage import shown as shown

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sqlalchemy import Connection

EXPERIMENT = "mistworks"

_SQLITE = "sqlite:///"
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
# Any number works that never changes and that nobody else uses.
_ADVISORY_KEY = int.from_bytes(hashlib.sha256(b"mistworks.registry").digest()[:8], signed=True)
_fluent_lock = threading.RLock()


def local_tracking_uri(root: str | Path) -> str:
    """Return the tracking URI of the SQLite database ``mlflow.db`` in a local folder."""
    return f"{_SQLITE}{Path(root).expanduser().absolute() / 'mlflow.db'}"


def default_tracking_uri() -> str:
    """``MLFLOW_TRACKING_URI`` if set, else the database in ``MISTWORKS_ROOT`` or ``mistworks-data``."""
    return os.environ.get("MLFLOW_TRACKING_URI") or local_tracking_uri(
        os.environ.get("MISTWORKS_ROOT", "mistworks-data")
    )


def database_path(tracking_uri: str) -> Path | None:
    """Return the database file of an SQLite tracking URI; None if the URI names a server."""
    if not tracking_uri.startswith(_SQLITE):
        return None
    return Path(tracking_uri.removeprefix(_SQLITE)).absolute()


def is_server(tracking_uri: str) -> bool:
    """Whether a tracking URI names an MLflow server, which offers no lock."""
    return tracking_uri.startswith(("http://", "https://"))


def require_tracking(tracking_uri: str) -> None:
    """Check before work starts that the tracking store answers. A local file is created if needed.

    Raises:
        MistworksError: a server or database does not answer, or refuses.
    """
    if database_path(tracking_uri) is None:
        open_client(tracking_uri)


def open_client(tracking_uri: str, *, create: bool = False) -> "MlflowClient":
    """Return a client of the tracking store and model registry at one URI.

    Args:
        tracking_uri: where runs and models are kept.
        create: create the SQLite database, its folder and its tables if they do not exist.

    Raises:
        MistworksError: the URI names neither a database nor a server, nothing is there and ``create`` is not
            set, the folder cannot be written, or the server does not answer or refuses.
    """
    if "://" not in tracking_uri or tracking_uri.startswith("file:"):
        raise MistworksError(
            "Expected a tracking URI such as sqlite:////folder/mlflow.db, postgresql://… or http://…, got "
            f"{tracking_uri!r}."
        )
    path = database_path(tracking_uri)
    if path is not None and not path.is_file():
        if not create:
            raise MistworksError(
                f"Expected an MLflow database at {path}, got none. Run the pipeline first, or give the "
                "tracking URI of another database."
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MistworksError(
                f"Expected to create the folder {path.parent} of the MLflow database, got: {error.strerror}. "
                "Choose a writable folder."
            ) from None
    _quieten()
    if is_server(tracking_uri):
        require_server(tracking_uri)
    from mlflow import MlflowClient

    # Concurrent migrations are not safe, so one process creates the tables while the other waits. Reading a
    # complete database needs neither the lock nor the right to write.
    with nullcontext() if _is_whole(tracking_uri) else exclusive(tracking_uri):
        client = translating(MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri), tracking_uri)
    if path is not None:
        rebase(path, lambda: exclusive(tracking_uri))
    return client


def experiment_id(client: "MlflowClient", tracking_uri: str, name: str = EXPERIMENT) -> str:
    """Return the identifier of an experiment, which is created if it does not exist.

    With SQLite the artifacts go beside the database, not into the working directory as is MLflow's default.

    Raises:
        MlflowException: the experiment cannot be created, for example because it was deleted but not removed.
    """
    from mlflow.exceptions import MlflowException

    with exclusive(tracking_uri):
        experiment = client.get_experiment_by_name(name)
        if experiment is not None:
            return str(experiment.experiment_id)
        path = database_path(tracking_uri)
        location = None if path is None else (path.parent / "artifacts").as_uri()
        try:
            return str(client.create_experiment(name, artifact_location=location))
        except MlflowException:
            # Another machine may have created it in the meantime.
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
            return str(experiment.experiment_id)


@contextmanager
def exclusive(tracking_uri: str) -> Iterator[None]:
    """Hold the registry exclusively: read, decide and write as one step, across processes and threads.

    With SQLite this is a file lock beside the database; with PostgreSQL an advisory lock of the database,
    which spans machines. Both are released when their holder dies. An MLflow server offers no lock: there a
    file lock in the temporary folder binds this machine, and `tasks.registration` adds a limit of Prefect's.
    Writers to a server must therefore be correct without a lock. Not reentrant.

    Raises:
        MistworksError: the lock file cannot be written, or the database does not answer.
    """
    if tracking_uri.startswith("postgresql"):
        with _connection(tracking_uri) as connection:
            from sqlalchemy import text

            # Released with the connection.
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _ADVISORY_KEY})
            yield
        return
    path = database_path(tracking_uri)
    if path is None:
        digest = hashlib.sha256(tracking_uri.encode()).hexdigest()[:16]
        lock = Path(tempfile.gettempdir()) / f"mistworks-{os.getuid()}-{digest}.lock"
    else:
        lock = path.with_name(path.name + ".lock")
    try:
        handle = lock.open("a")
    except OSError as error:
        raise MistworksError(
            f"Expected to write the lock file {lock}, got: {error.strerror}. Give the tracking URI of a "
            "database in a writable folder."
        ) from None
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def fluent(tracking_uri: str) -> Iterator[None]:
    """Point MLflow's global state at a tracking URI for the duration of a block, then restore it.

    Logging a model and resolving ``models:/`` addresses need this. One thread at a time.
    """
    _quieten()
    import mlflow

    with _fluent_lock:
        # MLflow mirrors both settings in the environment and falls back to it. The environment is restored,
        # so that both read as before and later changes of the environment take effect.
        former = {name: os.environ.get(name) for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")}
        # Loading a model puts its copy of the package first on the path, and later processes would import
        # that.
        path = list(sys.path)
        mlflow.set_tracking_uri(tracking_uri)
        mlflow.set_registry_uri(tracking_uri)
        try:
            with translated(tracking_uri):
                yield
        finally:
            sys.path[:] = path
            mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
            mlflow.set_registry_uri(None)  # type: ignore[arg-type]
            for name, value in former.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


def _is_whole(tracking_uri: str) -> bool:
    """Whether opening the database would create or migrate nothing."""
    if is_server(tracking_uri):
        return True
    from mlflow.store.db.utils import _get_latest_schema_revision
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    with suppress(SQLAlchemyError), _connection(tracking_uri) as connection:
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        # Created last.
        experiment = connection.execute(text("SELECT 1 FROM experiments LIMIT 1")).scalar()
        return experiment is not None and revision == _get_latest_schema_revision()  # type: ignore[no-untyped-call]
    return False


@contextmanager
def _connection(tracking_uri: str) -> Iterator["Connection"]:
    """Open a separate connection to the database that creates no SQLite file.

    Raises:
        MistworksError: the database does not answer.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    path = database_path(tracking_uri)
    url = tracking_uri if path is None else f"{_SQLITE}file:{quote(str(path))}?mode=ro&uri=true"
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        connection = engine.connect()
    except DBAPIError as error:
        if path is not None:
            raise
        raise MistworksError(
            f"Expected the database {shown(tracking_uri)} to answer, got: {_first_line(error.orig)}. Start "
            "it, or correct the tracking URI."
        ) from None
    with connection:
        yield connection


def _first_line(error: BaseException | None) -> str:
    return next(iter(str(error).splitlines()), "no message")


def _quieten() -> None:
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    set_patience()
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


__all__ = [
    "EXPERIMENT",
    "database_path",
    "default_tracking_uri",
    "exclusive",
    "experiment_id",
    "fluent",
    "is_server",
    "local_tracking_uri",
    "open_client",
    "require_tracking",
    "shown",
]
