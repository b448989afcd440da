"""What several test files share."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import settings

from flows.cli.commands import main
from flows.services import _free_port
from storage.registry.tracking import local_tracking_uri, open_client
from tests.failures.observations import Observation, Observe, keep
from tests.support.commands import InProcess, answers, until
from tests.support.object_stores import SeaweedFS, seaweedfs

# The same examples every time: what fails here fails everywhere.
settings.register_profile("fixed", derandomize=True)
settings.load_profile("fixed")

# They begin first, so that no core waits for one of them in the end.
LONGEST = ("test_pipeline", "test_registry", "test_dispatch", "test_registry_server", "test_resilience")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--observing", action="store_true", help="only tests that tell what they observe")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--observing"):
        others = [item for item in items if "observe" not in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@pytest.fixture
def observe(request: pytest.FixtureRequest) -> Observe:
    """Keep what a test saw when it provoked a failure, for docs/reliability.md."""

    def observe(failure: str, *, seen: str, afterwards: str) -> None:
        keep(Observation(failure, seen, afterwards, request.node.nodeid))

    return observe


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> InProcess:
    """The command line in this process, for what ends before anything is started: status, output, errors."""

    def run(*arguments: object, **environment: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mistworks", *map(str, arguments)])
        with mock.patch.dict(os.environ, environment):
            try:
                main()
            except SystemExit as end:
                status = int(end.code or 0)
            else:
                status = 0
        return status, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One Prefect server for all tests that do not ask for their own."""
    home, port = tmp_path_factory.mktemp("prefect"), _free_port()
    command = ["-m", "flows.guard", sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={**os.environ, "PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"},
        )
    url = f"http://127.0.0.1:{port}/api"
    try:
        until(lambda: answers(f"{url}/health"))
        yield url
    finally:
        server.communicate()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables and nothing in them, made once: that takes seconds."""
    root = tmp_path_factory.mktemp("mlflow")
    open_client(local_tracking_uri(root), create=True)
    return root / "mlflow.db"


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """An S3 server that is up, for tests that leave it so."""
    with seaweedfs(tmp_path_factory.mktemp("seaweedfs") / "server") as server:
        yield server


@pytest.fixture
def tracking_uri(tmp_path: Path, empty_database: Path) -> str:
    root = tmp_path / "root with a space"
    root.mkdir()
    shutil.copy(empty_database, root / "mlflow.db")
    return local_tracking_uri(root)
