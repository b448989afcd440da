"""What several test files share."""

import shutil
from pathlib import Path

import pytest

from storage.tracking import local_tracking_uri, open_client


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables and nothing in them, made once: that takes seconds."""
    root = tmp_path_factory.mktemp("mlflow")
    open_client(local_tracking_uri(root), create=True)
    return root / "mlflow.db"


@pytest.fixture
def tracking_uri(tmp_path: Path, empty_database: Path) -> str:
    root = tmp_path / "root with a space"
    root.mkdir()
    shutil.copy(empty_database, root / "mlflow.db")
    return local_tracking_uri(root)
