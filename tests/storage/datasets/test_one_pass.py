"""Stores that keep statistics and no samples: made in one pass, drawn anew where samples are read."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr

from mistworks.errors import MistworksError
from mistworks.presets import load_preset
from storage.datasets.manifest import WITHOUT_SAMPLES_VERSION, Manifest
from storage.datasets.opening import create_store, open_store
from storage.datasets.partitions import generate_partition
from storage.datasets.statistics import (
    create_summaries,
    generate_and_summarise,
    open_summaries,
    summarise_partition,
)
from storage.datasets.store import Store, StoreDamagedError
from storage.datasets.verification import verify

COUNT, SIZE = 40, 16


def manifest(*, samples: bool) -> Manifest:
    split = load_preset("tiny").split("train", COUNT)
    return Manifest.of("train", split, partition_size=SIZE, root_seed=0, samples=samples)


def filled(path: Path, *, samples: bool) -> str:
    store = create_store(str(path), manifest(samples=samples))
    summaries = None if samples else create_summaries(open_store(str(path)))
    for number in range(store.manifest.partitions):
        if summaries is None:
            generate_partition(store, number)
        else:
            generate_and_summarise(summaries, store, number)
    return str(path)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Store:
    url = filled(tmp_path_factory.mktemp("full") / "train.zarr", samples=True)
    summaries = create_summaries(open_store(url))
    for number in summaries.missing():
        summarise_partition(summaries, number)
    return open_store(url)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(filled(tmp_path_factory.mktemp("bare") / "train.zarr", samples=False))


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "train.zarr"))


def test_it_holds_no_samples_and_has_a_version_of_its_own(made: Path) -> None:
    assert not (made / "values").exists()
    assert open_store(str(made)).manifest.format == WITHOUT_SAMPLES_VERSION


def test_a_store_with_samples_says_nothing_of_it(full: Store) -> None:
    assert "samples" not in full.manifest.model_dump(mode="json")
    assert full.manifest.format == 2


def test_datasets_and_content_hash_are_those_of_the_store_with_samples(full: Store, made: Path) -> None:
    bare = open_store(str(made))
    assert bare.content_hash() == full.content_hash()
    assert verify(bare).faulty == []
    for i in (0, 17, COUNT - 1):
        assert np.array_equal(bare[i].x, full[i].x)
        assert np.array_equal(bare[i].y, full[i].y)
        assert (bare[i].mi, bare[i].family) == (full[i].mi, full[i].family)
    assert [len(block) for block in bare.blocks()] == [16, 16, 8]


def test_statistics_are_those_of_the_store_with_samples(full: Store, made: Path) -> None:
    bare, stored = open_summaries(open_store(str(made))), open_summaries(open_store(full.url))
    assert bare.missing() == []
    for number in range(3):
        assert np.array_equal(bare.partition(number).statistics, stored.partition(number).statistics)


def test_what_was_stopped_between_marker_and_statistics_is_made_from_samples_drawn_anew(
    made: Path, copy: Path
) -> None:
    next(copy.glob("statistics-*/mark/c/1/0")).unlink()
    summaries = create_summaries(open_store(str(copy)))
    assert summaries.missing() == [1]
    summarise_partition(summaries, 1)
    expected = open_summaries(open_store(str(made))).partition(1).statistics
    assert np.array_equal(open_summaries(open_store(str(copy))).partition(1).statistics, expected)


def test_a_partition_that_is_missing_is_made_again_with_its_statistics(made: Path, copy: Path) -> None:
    store = open_store(str(copy), read_only=False)
    before = store.content_hash()
    store.unmark(2)
    assert store.missing() == [2]
    generate_and_summarise(create_summaries(open_store(str(copy))), store, 2)
    assert open_store(str(copy)).content_hash() == before
    assert open_summaries(open_store(str(copy))).missing() == []


@pytest.mark.parametrize(
    ("column", "change", "message"),
    [("mi", 0.5, "dataset 18 fails its checksum"), ("n", 3, "offsets do not fit|not those that were drawn")],
)
def test_a_damaged_index_is_seen(copy: Path, column: str, change: float, message: str) -> None:
    group = zarr.open_group(str(copy), mode="r+")
    array = group[f"index/{column}"]
    array[18] = array[18] + change  # type: ignore[index, operator]
    with pytest.raises(StoreDamagedError, match=message):
        open_store(str(copy)).partition(1)
    assert verify(open_store(str(copy))).faulty == [1]


def test_a_store_is_not_completed_as_one_of_the_other_kind(copy: Path, full: Store) -> None:
    with pytest.raises(MistworksError, match=r"samples False in the store, True requested"):
        create_store(str(copy), manifest(samples=True))
    with pytest.raises(MistworksError, match=r"samples True in the store, False requested"):
        create_store(full.url, manifest(samples=False))


def test_only_its_own_version_goes_without_samples() -> None:
    with pytest.raises(MistworksError, match=r"Expected format 3 for a store without samples, got 2"):
        Manifest.parse({**manifest(samples=True).model_dump(mode="json"), "samples": False})
