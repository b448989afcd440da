"""Zarr and xarray open a store without a warning, whatever lies in it, and see what Mistworks sees."""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray
import zarr

from storage.datasets.manifest import Manifest
from storage.datasets.opening import create_store, open_store, to_be_completed
from storage.datasets.partitions import generate_partition
from storage.datasets.statistics import create_summaries, summarise_partition
from storage.datasets.store import StoreDamagedError
from storage.places.location import Location
from storage.places.lock import LOCK_NAME, PARTITION_LOCKS_NAME, exclusive
from tests.storage.datasets.test_store import COUNT, filled, manifest

INDEX = {"offset", "n", "dx", "dy", "mi", "mi_se", "family", "transform", "digest"}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """As a run leaves it: with its locks."""
    path = tmp_path / "s.zarr"
    with exclusive(Location.parse(path)):
        filled(path, manifest())
    assert {LOCK_NAME, PARTITION_LOCKS_NAME} <= {entry.name for entry in path.iterdir()}
    return path


@pytest.fixture
def strict() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.usefixtures("strict")
def test_zarr_lists_groups_and_arrays(store: Path) -> None:
    group = zarr.open_group(store, mode="r")
    assert {name for name, _ in group.members()} == {"values", "index", "partition_digest"}
    assert {name for name, _ in group["index"].members()} == INDEX  # type: ignore[union-attr]
    assert "partition_digest" in str(group.tree())


@pytest.mark.usefixtures("strict")
def test_xarray_opens_the_whole_and_the_index(store: Path) -> None:
    with xarray.open_zarr(store, group="index") as index:
        assert set(index) == INDEX
        np.testing.assert_array_equal(index["mi"], open_store(str(store)).index.mi)
    with xarray.open_zarr(store) as root:
        assert set(root) == {"values", "partition_digest"}
    with xarray.open_datatree(store, engine="zarr") as tree:
        assert tree["index"].sizes["dataset"] == COUNT


@pytest.mark.usefixtures("strict")
def test_statistics_are_seen_too_and_as_they_are_now(store: Path) -> None:
    _forget_copy(store)  # As older versions made stores.
    summaries = create_summaries(open_store(str(store)))
    summarise_partition(summaries, 0)
    before = (store / "zarr.json").read_bytes()
    create_summaries(open_store(str(store)))
    assert (store / "zarr.json").read_bytes() == before
    name = next(path.name for path in store.glob("statistics-*"))
    group = zarr.open_group(store / name, mode="r+")
    group["table"].update_attributes({"versions": {"statistics": "0" * 16, "build": "baseline"}})  # type: ignore[union-attr]
    group["mark"][:] = 0  # type: ignore[index]
    group["table"][:] = np.nan  # type: ignore[index]
    create_summaries(open_store(str(store)))  # Nothing is there, so that this code begins anew.
    assert _versions_seen(store, name) == zarr.open_group(store / name)["table"].attrs["versions"]


def test_a_manifest_that_changes_keeps_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = create_store(str(tmp_path / "s.zarr"), manifest())
    monkeypatch.setattr(Manifest, "other_code", ("numpy 1 there, 2 here",))
    assert to_be_completed(store) is not store
    copied = json.loads((tmp_path / "s.zarr" / "zarr.json").read_text())["consolidated_metadata"]["metadata"]
    assert {"values", "index", "index/n", "partition_digest"} <= set(copied)


def test_the_copy_hides_no_damage_and_its_absence_is_none(store: Path) -> None:
    _forget_copy(store)
    generate_partition(open_store(str(store), read_only=False), 0)
    assert open_store(str(store))[11].mi > 0
    again = store.with_name("again.zarr")
    filled(again, manifest())
    (again / "index" / "n" / "zarr.json").write_text("{}")
    with pytest.raises(StoreDamagedError, match="Expected to open the arrays"):
        open_store(str(again))


def _versions_seen(store: Path, name: str) -> object:
    with xarray.open_zarr(store, group=name) as statistics:
        return statistics["table"].attrs["versions"]


def _forget_copy(store: Path) -> None:
    root = json.loads((store / "zarr.json").read_text())
    del root["consolidated_metadata"]
    (store / "zarr.json").write_text(json.dumps(root))
