"""Files that are whole or absent, also on a disk that is full."""

import errno
import os
from pathlib import Path

import pytest

from mistworks.errors import MistworksError
from mistworks.files import write_whole
from mistworks.training.checkpoint import write_checkpoint
from tests.mistworks.estimation.test_estimator import ESTIMATOR


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)


def test_the_new_file_or_the_old(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"first")
    write_whole(tmp_path / "file", b"second")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"second")]


def test_a_full_disk_is_told_with_the_path_and_leaves_the_old_file(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "file"
    write_whole(path, b"first")
    request.getfixturevalue("full_disk")
    message = (
        rf"^Expected to write {path}, got: No space left on device\. Free space or correct permissions there"
    )
    with pytest.raises(MistworksError, match=message):
        write_whole(path, b"second")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"first")]


@pytest.mark.usefixtures("full_disk")
def test_a_model_that_finds_no_room_names_its_folder(tmp_path: Path) -> None:
    with pytest.raises(MistworksError, match=rf"Expected to write {tmp_path}/.*model.*, got: No space left"):
        ESTIMATOR.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        MistworksError, match=rf"Expected to write {tmp_path}/file/below.*, got: Not a directory"
    ):
        write_checkpoint(tmp_path / "file" / "below", None, {})  # type: ignore[arg-type]
    with pytest.raises(
        MistworksError, match=rf"Expected to write {tmp_path}/file/model.*, got: Not a directory"
    ):
        ESTIMATOR.save(tmp_path / "file" / "model")
