"""Statistics kept in a store: made once, resumed, tied to the data they are of."""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import mistworks
from mistworks.errors import MistworksError
from mistworks.presets import load_preset
from mistworks.statistics import statistic_names, summarise
from storage.datasets.manifest import Manifest
from storage.datasets.opening import create_store, open_store
from storage.datasets.partitions import generate_partition
from storage.datasets.statistics import create_summaries, has_statistics, open_summaries, summarise_partition
from storage.datasets.verification import verify
from storage.fingerprint import fingerprint
from tests.support.commands import outputs

REPOSITORY = Path(__file__).resolve().parents[3]


def filled(path: Path, count: int = 40, seed: int = 0) -> str:
    split = load_preset("tiny").split("train", count)
    store = create_store(str(path), Manifest.of("train", split, partition_size=16, root_seed=seed))
    for number in range(store.manifest.partitions):
        generate_partition(store, number)
    return str(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    url = filled(tmp_path_factory.mktemp("summaries") / "train.zarr")
    summaries = create_summaries(open_store(url))
    for number in summaries.missing():
        summarise_partition(summaries, number)
    return Path(url)


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "train.zarr"))


def test_statistics_are_those_of_the_datasets(whole: Path) -> None:
    store, summaries = open_store(str(whole)), open_summaries(open_store(str(whole)))
    assert summaries.missing() == []
    assert len(summaries) == len(store) == 40
    block = summaries.partition(2)
    assert (block.start, len(block)) == (32, 8)
    for row in range(len(block)):
        dataset = store[32 + row]
        expected = summarise(dataset.x, dataset.y)
        assert np.array_equal(block[row].statistics, expected)
        assert (block[row].mi, block[row].n) == (dataset.mi, len(dataset.x))


def test_the_store_itself_stays_as_it_was(whole: Path, tmp_path: Path) -> None:
    plain = open_store(filled(tmp_path / "plain.zarr"))
    assert open_store(str(whole)).content_hash() == plain.content_hash()


def test_names_are_kept_beside_the_table(whole: Path) -> None:
    attributes = json.loads(next(whole.glob("statistics-*/table/zarr.json")).read_text())["attributes"]
    assert tuple(attributes["statistics"]) == statistic_names()


def by_code(path: Path, code: str | None) -> None:
    """Let other code have begun the statistics of a store; None where that is not recorded."""
    described = next(path.glob("statistics-*/table/zarr.json"))
    content = json.loads(described.read_text())
    versions = content["attributes"].pop("versions")
    assert versions == {"statistics": fingerprint().statistics, "build": fingerprint().build}
    if code is not None:
        content["attributes"]["versions"] = {"statistics": code, "build": "other"}
    described.write_text(json.dumps(content))


def remove(path: Path, *numbers: int) -> None:
    for number in numbers:
        next(path.glob(f"statistics-*/table/c/{number}/0")).unlink()


def test_what_other_code_began_is_not_completed(copy: Path) -> None:
    by_code(copy, "abc")
    assert create_summaries(open_store(str(copy))).missing() == []
    remove(copy, 1)
    with pytest.raises(
        MistworksError,
        match=r"the code that made the first statistics of .*statistics abc expected, .* found\.",
    ):
        create_summaries(open_store(str(copy)))
    assert open_summaries(open_store(str(copy))).missing() == [1]


def test_code_that_made_none_is_no_hindrance(copy: Path) -> None:
    by_code(copy, "abc")
    remove(copy, 0, 1, 2)
    create_summaries(open_store(str(copy)))
    by_code(copy, None)
    summarise_partition(create_summaries(open_store(str(copy))), 0)


@pytest.mark.parametrize("code", ["the same", None])
def test_another_build_of_the_same_code_completes_them(copy: Path, code: str | None) -> None:
    by_code(copy, code and fingerprint().statistics)
    remove(copy, 1)
    summarise_partition(create_summaries(open_store(str(copy))), 1)
    assert open_summaries(open_store(str(copy))).missing() == []


def test_what_is_missing_is_told_and_made_again(copy: Path) -> None:
    chunk = next(copy.glob("statistics-*/table/c/1/0"))
    chunk.unlink()
    summaries = create_summaries(open_store(str(copy)))
    assert summaries.missing() == [1]
    with pytest.raises(
        MistworksError, match=r"statistics of partition 1 .*, got missing or damaged ones\. Run `mistworks"
    ):
        summaries.partition(1)
    summarise_partition(summaries, 1)
    assert open_summaries(open_store(str(copy))).missing() == []


def test_a_damaged_chunk_is_missing(copy: Path) -> None:
    chunk = next(copy.glob("statistics-*/table/c/0/0"))
    content = bytearray(chunk.read_bytes())
    content[100] ^= 1
    chunk.write_bytes(bytes(content))
    assert open_summaries(open_store(str(copy))).missing() == [0]


def test_a_damaged_mark_is_missing(copy: Path) -> None:
    chunk = next(copy.glob("statistics-*/mark/c/2/0"))
    content = bytearray(chunk.read_bytes())
    content[3] ^= 1
    chunk.write_bytes(bytes(content))
    summaries = create_summaries(open_store(str(copy)))
    assert not summaries.is_marked(2)
    assert summaries.missing() == [2]
    summarise_partition(summaries, 2)
    assert open_summaries(open_store(str(copy))).missing() == []


def test_a_place_that_was_only_begun_is_made_anew(copy: Path) -> None:
    shutil.rmtree(next(copy.glob("statistics-*/mark")))
    assert not has_statistics(open_store(str(copy)))
    assert create_summaries(open_store(str(copy))).missing() == [0, 1, 2]


def test_statistics_of_data_made_anew_are_missing(copy: Path, tmp_path: Path) -> None:
    other = open_store(filled(tmp_path / "other.zarr", seed=1))
    store = open_store(str(copy), read_only=False)
    store.write(1, other.partition(1))
    assert open_summaries(open_store(str(copy))).missing() == [1]


def test_a_full_disk_is_told_in_one_sentence(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(next(copy.glob("statistics-*")))
    summaries = create_summaries(open_store(str(copy)))

    def full(number: int, values: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(summaries, "write", full)
    message = r"Expected to write the statistics of partition 1 of the store .* on .*No space left .*\. Free"
    with pytest.raises(MistworksError, match=message):
        summarise_partition(summaries, 1)


def test_reading_makes_nothing(tmp_path: Path) -> None:
    url = filled(tmp_path / "s.zarr")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(
        MistworksError, match=rf"Expected statistics in the store {url}, got none. Run `mistworks summarise"
    ):
        open_summaries(open_store(url))
    assert not has_statistics(open_store(url))
    assert sorted(tmp_path.rglob("*")) == before


def test_all_or_not_all_statistics(copy: Path) -> None:
    assert has_statistics(open_store(str(copy)))
    next(copy.glob("statistics-*/mark/c/1/0")).unlink()
    assert not has_statistics(open_store(str(copy)))


@pytest.mark.usefixtures("no_right_to_write")
def test_reading_takes_no_right_to_write(readable_copy: Path) -> None:
    url = str(readable_copy)
    assert verify(open_store(url)).faulty == []
    assert has_statistics(open_store(url))
    assert len(open_summaries(open_store(url)).partition(2)) == 8
    with pytest.raises(MistworksError, match="Expected to write"):
        create_store(url + "-other", open_store(url).manifest)


@pytest.fixture
def readable_copy(whole: Path) -> Iterator[Path]:
    """A copy that other users can read, outside the folder of pytest, which they cannot enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(shutil.copytree(whole, Path(folder) / "train.zarr"))


@pytest.fixture
def no_right_to_write(readable_copy: Path) -> Iterator[None]:
    """Reading as a user who may write nothing there."""
    for path in (*readable_copy.rglob("*"), readable_copy, readable_copy.parent):
        path.chmod(0o555 if path.is_dir() else 0o444)
    user = os.geteuid()
    if user == 0:  # Who may do anything.
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        for path in (readable_copy.parent, readable_copy, *readable_copy.rglob("*")):
            path.chmod(0o755)


def test_an_incomplete_store_is_refused(tmp_path: Path) -> None:
    split = load_preset("tiny").split("train", 40)
    create_store(str(tmp_path / "s.zarr"), Manifest.of("train", split, partition_size=16, root_seed=0))
    with pytest.raises(MistworksError, match="3 of 3 partitions missing"):
        open_summaries(open_store(str(tmp_path / "s.zarr")))


def test_a_network_over_statistics_goes_through_the_whole_pipeline(tmp_path: Path, api: str) -> None:
    preset = load_preset("tiny").model_dump(mode="json")
    preset["network"] = {"network": "summary", "members": 2, "hidden": 16, "blocks": 1}
    preset["training"] |= {"loss_scale": "square-root", "leave_out": True}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(preset))
    train = tmp_path / "stores" / "mine.json-seed-0" / "train.zarr"
    registered, summarised = outputs(
        ("pipeline", "--preset", path), ("summarise", train), root=tmp_path, api=api
    )
    assert registered["version"] == 1
    (folder,) = tmp_path.glob("training/*/calibrated-*")
    estimator = mistworks.load(folder)
    assert (estimator.network_config.network, estimator.calibration is not None) == ("summary", True)
    assert estimator.calibration is not None
    assert estimator.calibration.widening is not None
    assert not estimator.witnesses
    assert sorted(file.name for file in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert "witnesses.safetensors" in {file.name for file in (folder.parent / "model").iterdir()}
    assert "## Where not to trust it" in (folder / "README.md").read_text()
    # All of it was there: nothing is computed twice.
    assert summarised["made"] == 0
