"""Stores are found by what they hold, wherever they were moved to."""

import re
import shutil
import socket
from pathlib import Path

import pytest

from mistworks.errors import MistworksError
from mistworks.presets import load_preset
from mistworks.simulation.splits import SplitName
from storage.datasets.catalogue import find_by_content, stores_below
from storage.datasets.manifest import Manifest
from storage.datasets.opening import create_store, open_store
from storage.datasets.partitions import generate_partition
from storage.errors import StoreUnreachableError
from storage.places.location import PATIENCE_VARIABLE, Location
from tests.support.object_stores import BUCKET, SeaweedFS, free_ports, s3_environment


def filled(url: str | Path, split: SplitName = "validation", seed: int = 0) -> str:
    described = Manifest.of(split, load_preset("tiny").split(split, 4), partition_size=4, root_seed=seed)
    generate_partition(create_store(str(url), described), 0)
    return open_store(str(url)).content_hash()


def places(*texts: str | Path) -> list[Location]:
    return [Location.parse(text) for text in texts]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("stores")
    for seed in (0, 1):
        for split in ("train", "validation"):
            filled(root / f"tiny-seed-{seed}" / f"{split}.zarr", split, seed)  # type: ignore[arg-type]
    (root / "notes.txt").write_text("not a store")
    return root


@pytest.fixture(scope="module")
def wanted(made: Path) -> str:
    return open_store(str(made / "tiny-seed-1" / "validation.zarr")).content_hash()


@pytest.fixture
def environment(object_store: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_environment(object_store.endpoint).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(PATIENCE_VARIABLE, "0.3")


def test_where_it_was(made: Path, wanted: str) -> None:
    place = str(made / "tiny-seed-1" / "validation.zarr")
    assert find_by_content("validation", wanted, places(place)).url == place


def test_where_it_was_moved_to(made: Path, wanted: str, tmp_path: Path) -> None:
    root = Path(shutil.copytree(made, tmp_path / "moved"))
    found = find_by_content("validation", wanted, places(made / "gone" / "validation.zarr", root))
    assert found.url == str(root / "tiny-seed-1" / "validation.zarr")
    assert found.content_hash() == wanted


def test_all_stores_below_a_place(made: Path) -> None:
    expected = [
        made / f"tiny-seed-{seed}" / f"{split}.zarr" for seed in (0, 1) for split in ("train", "validation")
    ]
    assert list(stores_below(Location.parse(made))) == places(*expected)
    assert list(stores_below(Location.parse(made / "nowhere"))) == []


def test_where_it_was_looked_for_is_told(made: Path, tmp_path: Path) -> None:
    told = (
        rf"Expected a store of the validation split with content {'0' * 12}…, got none on "
        rf"{re.escape(socket.gethostname())} \({tmp_path}: no store; .*train.zarr: the train split; "
        rf".*validation.zarr: content .{{12}}….*\)\. Give the place"
    )
    with pytest.raises(MistworksError, match=told) as caught:
        find_by_content("validation", "0" * 64, places(tmp_path, made))
    assert not isinstance(caught.value, StoreUnreachableError)


def test_a_damaged_store_is_passed_over(made: Path, wanted: str, tmp_path: Path) -> None:
    root = Path(shutil.copytree(made, tmp_path / "damaged"))
    next((root / "tiny-seed-1" / "validation.zarr" / "index" / "digest").rglob("c/0/0")).unlink()
    with pytest.raises(MistworksError, match=r"partition 0 of the store .* undamaged, got"):
        find_by_content("validation", wanted, places(root))
    assert find_by_content("validation", wanted, places(root, made)).content_hash() == wanted


@pytest.mark.usefixtures("environment")
def test_in_a_bucket(made: Path, wanted: str) -> None:
    root = f"s3://{BUCKET}/catalogue/stores"
    assert filled(f"{root}/tiny-seed-1/validation.zarr", "validation", 1) == wanted
    found = find_by_content("validation", wanted, places(made / "gone", root))
    assert found.url == f"{root}/tiny-seed-1/validation.zarr"
    assert find_by_content("validation", wanted, places(found.url)).url == found.url


@pytest.mark.usefixtures("environment")
def test_a_bucket_that_does_not_answer_is_passed_over(
    made: Path, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_ports(1)[0]}")
    searched = places(f"s3://{BUCKET}/stores/validation.zarr", made)
    assert find_by_content("validation", wanted, searched).content_hash() == wanted
    with pytest.raises(
        StoreUnreachableError, match=r"validation.zarr: Expected to list the stores at .* from"
    ):
        find_by_content("validation", "0" * 64, searched)
