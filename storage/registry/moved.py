"""Repair a data root that was moved: MLflow's SQLite database records absolute addresses of artifacts.

The artifacts are in the folder ``artifacts`` beside the database. If the database records another place, and
that is not the same folder under another name, its addresses are rewritten.
"""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mistworks.errors import MistworksError

ARTIFACTS = "artifacts"

# Every column of MLflow's tables that holds the address of an artifact.
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def rebase(database: Path, alone: Callable[[], AbstractContextManager[None]]) -> None:
    """Rewrite the addresses of artifacts in a database that was moved together with its artifacts.

    A process without the right to write leaves it as it is, and has to use `current_location`.

    Args:
        database: MLflow's SQLite database.
        alone: holds the registry exclusively.
    """
    if not _former_roots(database):
        return
    with suppress(sqlite3.OperationalError, MistworksError), alone():
        here = _root(database)
        with closing(sqlite3.connect(database)) as connection, connection:
            for former in _former_roots(database):
                for table, column in _COLUMNS:
                    connection.execute(
                        # Names of tables and columns cannot be parameters, and these are ours.
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                        f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                        (here, len(former) + 1, former, len(former) + 1, f"{former}/"),
                    )


def current_location(uri: str, database: Path) -> str:
    """Return the present address of an artifact that was recorded before the database was moved."""
    for former in _former_roots(database):
        if uri == former or uri.startswith(f"{former}/"):
            return _root(database) + uri.removeprefix(former)
    return uri


def _root(database: Path) -> str:
    return (database.parent / ARTIFACTS).as_uri()


def _former_roots(database: Path) -> list[str]:
    """List the recorded folders of artifacts that have moved and are now beside the database."""
    here = database.parent / ARTIFACTS
    if not here.is_dir():
        return []
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
    return [location for (location,) in rows if location and _moved(location, here)]


def _moved(location: str, here: Path) -> bool:
    parts = urlsplit(location)
    if parts.scheme != "file" or not location.endswith(f"/{ARTIFACTS}") or location == here.as_uri():
        return False
    try:
        return not Path(unquote(parts.path)).samefile(here)
    except OSError:
        return True


__all__ = ["ARTIFACTS", "current_location", "rebase"]
