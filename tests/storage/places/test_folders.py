"""Folders that are worked on locally and kept at a URL."""

from pathlib import Path

import obstore
import pytest
from obstore.store import MemoryStore, ObjectStore

import mistworks
from mistworks.errors import MistworksError
from storage.evaluations.estimators import find_estimators, open_estimator
from storage.places import folders
from storage.places.folders import fetch_folder, working_folder
from storage.places.location import Location
from storage.registry.models import load_model

URL = "s3://bucket/training/key"


class Recording:
    """Puts and deletes in their order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        put, delete = obstore.put, obstore.delete
        monkeypatch.setattr(
            folders.obstore, "put", lambda f, name, c: (self.done.append(name), put(f, name, c))
        )
        monkeypatch.setattr(
            folders.obstore, "delete", lambda f, name: (self.done.append(f"-{name}"), delete(f, name))
        )


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    store = MemoryStore()
    monkeypatch.setattr(Location, "object_store", lambda self: store)
    return store


def test_what_is_saved_is_there_for_the_next_machine(bucket: ObjectStore) -> None:
    with working_folder(Location.parse(URL)) as folder:
        (folder.path / "checkpoint").mkdir()
        (folder.path / "checkpoint" / "checkpoint.json").write_text("{}")
        (folder.path / "checkpoint" / ".half.tmp").write_text("half")
        folder.save()
        first = folder.path
    assert not first.exists()
    with working_folder(Location.parse(URL)) as folder:
        assert (folder.path / "checkpoint" / "checkpoint.json").read_text() == "{}"
        assert not (folder.path / "checkpoint" / ".half.tmp").exists()


def test_json_goes_last_and_only_what_changed_goes(
    bucket: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = Recording(monkeypatch)
    with working_folder(Location.parse(URL)) as folder:
        (folder.path / "checkpoint.json").write_text("1")
        (folder.path / "step-1.safetensors").write_text("1")
        folder.save()
        assert recording.done == ["step-1.safetensors", "checkpoint.json"]
        folder.save()
        assert len(recording.done) == 2
        (folder.path / "step-2.safetensors").write_text("2")
        (folder.path / "checkpoint.json").write_text("22")
        (folder.path / "step-1.safetensors").unlink()
        folder.save()
        assert recording.done[2:] == ["step-2.safetensors", "checkpoint.json"]
        folder.save()
        assert recording.done[4:] == ["-step-1.safetensors"]


def test_a_local_folder_is_the_place_itself(tmp_path: Path) -> None:
    with working_folder(Location.parse(tmp_path / "new")) as folder:
        assert folder.path == tmp_path / "new"
        assert not folder.path.exists()
        folder.save()


def test_an_estimator_at_a_url_is_loaded_evaluated_and_missed_by_name(bucket: ObjectStore) -> None:
    estimator = mistworks.load(Path(mistworks.__file__).parent / "weights")
    with working_folder(Location.parse(URL)) as folder:
        estimator.save(folder.path)
        folder.save()
    assert load_model(URL, "").weights_sha256 == estimator.weights_sha256
    [reference] = find_estimators([URL], "")
    assert reference.text == URL
    assert open_estimator(reference).version == reference.version
    with fetch_folder(Location.parse(URL)) as local:
        assert (local / "config.json").exists()


def test_a_url_without_an_estimator_is_named(bucket: ObjectStore) -> None:
    with pytest.raises(MistworksError, match=r"Expected an estimator in s3://bucket/.*, got no config\.json"):
        load_model(URL, "")
