"""The file of a modality beside its stores: written once, checked at every use, moved with them."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from mistworks.errors import MistworksError
from mistworks.modality import Modality
from mistworks.modality.fitting import fit_modality
from mistworks.modality.rows import resolved
from mistworks.simulation.modality import modality_splits
from storage.datasets.manifest import Manifest
from storage.datasets.modalities import find_modality, keep_modality, remove_modalities
from storage.datasets.opening import create_at, create_store, open_store
from storage.datasets.partitions import generate_partition
from storage.datasets.statistics import create_summaries, generate_and_summarise
from storage.datasets.store import Store
from storage.places.location import Location
from tests.mistworks.modality.test_modality import config_of, write_rows
from tests.support.object_stores import BUCKET, SeaweedFS, s3_environment


@pytest.fixture(scope="module")
def modality(tmp_path_factory: pytest.TempPathFactory) -> Modality:
    return fit_modality(config_of(write_rows(tmp_path_factory.mktemp("rows") / "trees.npz")))


def make_store(folder: Path, modality: Modality, *, samples: bool = True) -> Store:
    """A store of two partitions, with the file beside it."""
    split = modality_splits(modality.config, 6, 1, 1, 1)["train"]
    manifest = Manifest.of("train", split, partition_size=3, root_seed=5, samples=samples)
    url = str(folder / "train.zarr")
    keep_modality(Location.parse(url), modality)
    store = create_store(url, manifest.fitted(modality.fit))
    for number in range(2):
        if samples:
            generate_partition(store, number)
        else:
            generate_and_summarise(create_summaries(store), store, number)
    return open_store(url)


def test_it_is_found_beside_any_store_of_the_folder(tmp_path: Path, modality: Modality) -> None:
    config = resolved(modality.config)
    assert find_modality(Location.parse(tmp_path / "new" / "train.zarr"), config) is None
    assert not (tmp_path / "new").exists()
    keep_modality(Location.parse(tmp_path / "train.zarr"), modality)
    found = find_modality(Location.parse(tmp_path / "validation.zarr"), config)
    assert found is not None
    assert found.content == modality.content
    # A second writer leaves what is there.
    path = tmp_path / modality.fit.file
    before = path.stat().st_mtime_ns
    assert keep_modality(Location.parse(tmp_path / "train.zarr"), modality).fit == modality.fit
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("samples", [True, False])
def test_a_store_moved_with_its_modality_reads_the_same(
    tmp_path: Path, modality: Modality, samples: bool
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    store = make_store(folder, modality, samples=samples)
    before = [(dataset.x.tobytes(), dataset.mi) for dataset in store]
    assert set(store.index.family.tolist()) <= {"carried", "labelled"}
    shutil.move(folder, tmp_path / "there")
    moved = open_store(str(tmp_path / "there" / "train.zarr"))
    assert moved.manifest == store.manifest
    assert [(dataset.x.tobytes(), dataset.mi) for dataset in moved] == before
    drawn = moved.draw(0, 6)
    assert [dataset.x.tobytes() for dataset in drawn] == [x for x, _ in before]


def test_without_its_modality_a_store_draws_nothing(tmp_path: Path, modality: Modality) -> None:
    make_store(tmp_path, modality, samples=False)
    path = tmp_path / modality.fit.file
    content = path.read_bytes()
    path.unlink()
    store = open_store(str(tmp_path / "train.zarr"))
    assert np.isfinite(store.index.mi).all()
    with pytest.raises(MistworksError, match=r"Expected the modality \w{12}… .*, got no file. Keep it"):
        store.partition(0)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(MistworksError, match=r"got another, \w{12}…. Keep it beside the store"):
        open_store(str(tmp_path / "train.zarr")).partition(0)


def test_it_lies_beside_stores_in_a_bucket_too(
    object_store: SeaweedFS, monkeypatch: pytest.MonkeyPatch, modality: Modality
) -> None:
    for name, value in s3_environment(object_store.endpoint).items():
        monkeypatch.setenv(name, value)
    place = Location.parse(f"s3://{BUCKET}/trees/validation.zarr")
    config = resolved(modality.config)
    assert find_modality(place, config) is None
    keep_modality(place, modality)
    keep_modality(place, modality)
    found = find_modality(place, config)
    assert found is not None
    assert found.content == modality.content
    split = modality_splits(modality.config, 1, 3, 1, 1)["validation"]
    manifest = Manifest.of("validation", split, partition_size=3, root_seed=0).fitted(modality.fit)
    store = create_at(place, manifest)
    generate_partition(store, 0)
    assert open_store(place.url).draw(0, 3)[1].x.tobytes() == store[1].x.tobytes()
    remove_modalities(place.parent)
    with pytest.raises(MistworksError, match=r"got no file. Keep it beside the store"):
        open_store(place.url).draw(0, 3)


def test_a_store_of_another_fit_is_not_completed(tmp_path: Path, modality: Modality) -> None:
    store = make_store(tmp_path, modality)
    other = fit_modality(config_of(write_rows(tmp_path / "a.npz"), seed=9))
    split = modality_splits(modality.config, 6, 1, 1, 1)["train"]
    manifest = Manifest.of("train", split, partition_size=3, root_seed=5).fitted(other.fit)
    with pytest.raises(MistworksError, match=r"Expected the store .* to have the requested configuration"):
        store.manifest.require_same(manifest, store.url)
