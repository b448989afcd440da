"""The store: what goes in comes out, however it is cut up; what is damaged is found, named and mended."""

import hashlib
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

import storage
from mistworks.dataset import Block, Dataset
from mistworks.errors import MistworksError
from mistworks.presets import load_preset
from mistworks.randomness import stream
from mistworks.simulation.generation import generate_block
from mistworks.simulation.splits import SplitConfig, SplitName
from storage.datasets.manifest import CHUNK_VALUES, Manifest
from storage.datasets.opening import create_store, find_manifest, open_store, to_be_completed
from storage.datasets.partitions import TransientPartitionError, generate_partition
from storage.datasets.store import Store, StoreDamagedError
from storage.datasets.verification import Verification, verify
from storage.fingerprint import fingerprint
from storage.places.location import Location
from storage.places.lock import exclusive, partition_lock
from tests.support.writers import slow_writer

COUNT, SIZE, SEED = 21, 8, 7
FORMAT_DOCUMENT = Path(storage.__file__).with_name("FORMAT.md")


def manifest(
    count: int = COUNT, partition_size: int = SIZE, seed: int = SEED, split: SplitName = "train"
) -> Manifest:
    config = SplitConfig(meta_distribution=load_preset("tiny").splits["train"].meta_distribution, count=count)
    return Manifest.of(split, config, partition_size=partition_size, root_seed=seed)


def filled(url: str | Path, described: Manifest) -> Store:
    store = create_store(str(url), described)
    for number in store.missing():
        generate_partition(store, number)
    return open_store(str(url))


def mend(url: str | Path, numbers: list[int]) -> Store:
    store = open_store(str(url), read_only=False)
    for number in numbers:
        store.unmark(number)
        generate_partition(store, number)
    return open_store(str(url))


def same(one: Dataset, other: Dataset) -> bool:
    labels = [(d.mi, d.mi_se, d.family, d.transform, d.x.shape, d.y.shape) for d in (one, other)]
    arrays = [(d.x.tobytes(), d.y.tobytes()) for d in (one, other)]
    return labels[0] == labels[1] and arrays[0] == arrays[1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "train.zarr"
    filled(path, manifest())
    return path


@pytest.fixture(scope="module")
def whole_hash(whole: Path) -> str:
    return open_store(str(whole)).content_hash()


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """A whole store of three partitions, to be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "train.zarr"))


class TestReading:
    def test_length_is_the_number_of_datasets(self, whole: Path) -> None:
        store = open_store(str(whole))
        assert len(store) == len(store.index) == COUNT
        assert store.partition_bounds == [(0, 8), (8, 16), (16, 21)]

    @pytest.mark.parametrize("partition_size", [1, 5, COUNT, 1000])
    def test_datasets_are_those_of_the_meta_distribution(self, tmp_path: Path, partition_size: int) -> None:
        described = manifest(partition_size=partition_size)
        store = filled(tmp_path / "s.zarr", described)
        direct = [described.meta_distribution.dataset(SEED, "train", i) for i in range(COUNT)]
        assert all(same(store[i], direct[i]) for i in range(COUNT))
        assert all(same(one, other) for one, other in zip(store, direct, strict=True))

    def test_arrays_are_float32_and_contiguous(self, whole: Path) -> None:
        dataset = open_store(str(whole))[3]
        assert dataset.x.dtype == dataset.y.dtype == np.float32
        assert dataset.x.flags.c_contiguous
        assert dataset.x.shape[0] == dataset.y.shape[0]
        assert isinstance(dataset.mi, float)

    def test_positions_count_from_the_end_too(self, whole: Path) -> None:
        store = open_store(str(whole))
        assert same(store[-1], store[COUNT - 1])
        assert same(store[-COUNT], store[0])

    @pytest.mark.parametrize("position", [COUNT, -COUNT - 1, 10**12])
    def test_positions_out_of_range_are_refused(self, whole: Path, position: int) -> None:
        with pytest.raises(IndexError, match=rf"among the 21 datasets of .*, got {position}"):
            open_store(str(whole))[position]

    @pytest.mark.parametrize(
        "cut", [slice(3, 19), slice(None), slice(-4, None), slice(None, None, -5), slice(9, 2)]
    )
    def test_slices_are_lazy_views_in_order(self, whole: Path, cut: slice) -> None:
        store = open_store(str(whole))
        positions = range(COUNT)[cut]
        view = store[cut]
        assert len(view) == len(positions)
        assert all(same(dataset, store[i]) for dataset, i in zip(view, positions, strict=True))
        assert np.array_equal(view.index.n, store.index.n[cut])

    def test_slices_of_slices(self, whole: Path) -> None:
        store = open_store(str(whole))
        assert same(store[4:20][2:9][-1], store[12])
        with pytest.raises(IndexError):
            store[4:20][16]

    def test_where_takes_a_mask_or_positions(self, whole: Path) -> None:
        store = open_store(str(whole))
        mask = (store.index.family == "normal-dense") | (store.index.n > 30)
        chosen = store.where(mask)
        assert 0 < len(chosen) == mask.sum() < COUNT
        assert all(d.family == "normal-dense" or len(d.x) > 30 for d in chosen)
        assert [len(d.x) for d in store.where(np.array([20, 0, -1]))] == store.index.n[[20, 0, 20]].tolist()
        assert len(store.where(np.zeros(COUNT, dtype=bool))) == 0
        assert len(store.where(np.array([], dtype=np.int64))) == 0

    def test_where_refuses_what_does_not_fit(self, whole: Path) -> None:
        store = open_store(str(whole))
        with pytest.raises(MistworksError, match=r"one entry per dataset \(21\), got shape \(20,\)"):
            store.where(np.ones(COUNT - 1, dtype=bool))
        with pytest.raises(MistworksError, match="Expected positions from -21 to 20, got 21 to 21"):
            store.where(np.array([COUNT]))

    def test_partitions_come_in_order_as_blocks(self, whole: Path) -> None:
        store = open_store(str(whole))
        blocks = list(store.blocks())
        assert [(block.start, len(block)) for block in blocks] == [(0, 8), (8, 8), (16, 5)]
        assert same(blocks[2][4], store[20])
        with pytest.raises(MistworksError, match="Expected a partition from 0 to 2, got 3"):
            store.partition(3)

    def test_random_access_reads_no_more_than_the_dataset_needs(self, whole: Path, tmp_path: Path) -> None:
        copy = Path(shutil.copytree(whole, tmp_path / "s.zarr"))
        values_chunk(copy, 2).unlink()
        store = open_store(str(copy))
        assert same(store[0], open_store(str(whole))[0])

    def test_plain_zarr_reads_the_samples(self, whole: Path) -> None:
        group = zarr.open_group(str(whole), mode="r")
        store = open_store(str(whole))
        row = {name: array[11] for name, array in group["index"].arrays()}  # type: ignore[union-attr]
        values = group["values"][row["offset"] : row["offset"] + row["n"] * (row["dx"] + row["dy"])]  # type: ignore[index]
        dataset = store[11]
        assert values.tobytes() == dataset.x.tobytes() + dataset.y.tobytes()
        assert row["mi"] == dataset.mi

    def test_xarray_opens_the_index(self, whole: Path) -> None:
        index = open_store(str(whole)).index
        with xarray.open_zarr(whole, group="index") as opened:
            assert opened.sizes["dataset"] == COUNT
            assert np.array_equal(opened["mi"].values, index.mi)
            assert opened["mi"].attrs["units"] == "nat"
            meanings = np.array(opened["family"].attrs["flag_meanings"].split())
            assert np.array_equal(meanings[opened["family"].values.astype(int)], index.family)
            assert opened["family"].attrs["flag_values"] == list(range(len(meanings)))


class TestIdentity:
    @settings(max_examples=12, deadline=None)
    @given(partition_size=st.integers(1, COUNT + 3), order=st.randoms(use_true_random=False))
    def test_content_hash_does_not_depend_on_partitions_or_their_order(
        self, tmp_path_factory: pytest.TempPathFactory, whole_hash: str, partition_size: int, order: Any
    ) -> None:
        path = tmp_path_factory.mktemp("cut") / "s.zarr"
        store = create_store(str(path), manifest(partition_size=partition_size))
        numbers = store.missing()
        order.shuffle(numbers)
        for number in numbers:
            generate_partition(store, number)
        assert verify(store).content_hash == whole_hash
        shutil.rmtree(path)

    @pytest.mark.parametrize(
        "other", [manifest(seed=8), manifest(split="validation"), manifest(count=COUNT - 1)]
    )
    def test_content_hash_depends_on_seed_split_and_count(
        self, tmp_path: Path, whole_hash: str, other: Manifest
    ) -> None:
        assert filled(tmp_path / "s.zarr", other).content_hash() != whole_hash

    @pytest.mark.parametrize(
        "what", ["sample", "sign of zero", "n", "mi", "mi_se", "family", "transform", "order"]
    )
    def test_content_hash_depends_on_all_that_is_held(
        self, tmp_path: Path, whole_hash: str, what: str
    ) -> None:
        store = create_store(str(tmp_path / "s.zarr"), manifest())
        for number in (0, 2):
            generate_partition(store, number)
        store.write(1, altered(generate_block(store.manifest.meta_distribution, SEED, "train", 8, 16), what))
        verified = verify(store)
        assert not verified.faulty
        assert verified.content_hash != whole_hash

    def test_root_attributes_are_enough_to_make_it_again(
        self, whole: Path, whole_hash: str, tmp_path: Path
    ) -> None:
        attributes = json.loads((whole / "zarr.json").read_text())["attributes"]["mistworks"]
        again = filled(tmp_path / "again.zarr", Manifest.parse(attributes))
        assert verify(again).content_hash == whole_hash

    def test_attributes_name_the_libraries(self, whole: Path) -> None:
        versions = open_store(str(whole)).manifest.versions
        assert {"mistworks", "numpy", "scipy", "zarr", "python", "machine"} <= versions.keys()
        assert versions["numpy"] == np.__version__

    def test_other_library_versions_are_not_another_configuration(self, copy: Path) -> None:
        older = manifest().model_copy(update={"versions": {"numpy": "1.0"}})
        assert create_store(str(copy), older).missing() == []

    def test_attributes_hold_the_fingerprint(self, whole: Path) -> None:
        assert open_store(str(whole)).manifest.fingerprint == fingerprint()
        assert verify(open_store(str(whole))).made_by_other_code == ()

    @pytest.mark.parametrize("name", ["code", "numpy", "scipy"])
    def test_the_check_names_other_code_and_the_store_stays_sound(
        self, copy: Path, whole_hash: str, name: str
    ) -> None:
        edit_attributes(copy, lambda attributes: attributes["versions"].update({name: "1.0"}))
        found = verify(open_store(str(copy)))
        assert (found.faulty, found.content_hash) == ([], whole_hash)
        assert found.made_by_other_code == (f"{name} 1.0 expected, {getattr(fingerprint(), name)} found",)

    def test_a_store_that_does_not_record_its_code_still_opens(self, copy: Path, whole_hash: str) -> None:
        edit_attributes(copy, lambda attributes: attributes.update(versions={}))
        assert create_store(str(copy), manifest()).content_hash() == whole_hash
        assert verify(open_store(str(copy))).made_by_other_code == ()

    @pytest.mark.parametrize("name", ["code", "numpy", "scipy"])
    def test_partitions_of_two_codes_are_not_mixed(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / "s.zarr"
        generate_partition(create_store(str(path), manifest()), 1)
        edit_attributes(path, lambda attributes: attributes["versions"].update({name: "1.0"}))
        before = contents(path)
        with pytest.raises(
            MistworksError, match=rf"Expected the code that made .*s.zarr, got another: {name} 1.0 expected"
        ):
            create_store(str(path), manifest())
        with pytest.raises(MistworksError, match=r"got another.* Run that code, or delete"):
            to_be_completed(open_store(str(path), read_only=False))
        assert contents(path) == before

    def test_other_code_opens_a_whole_store_and_fills_an_empty_one(
        self, copy: Path, tmp_path: Path, whole_hash: str
    ) -> None:
        empty = tmp_path / "empty.zarr"
        create_store(str(empty), manifest())
        for path in (copy, empty):
            edit_attributes(path, lambda attributes: attributes["versions"].update(code="1.0"))
            assert filled(path, manifest()).content_hash() == whole_hash
        assert open_store(str(copy)).manifest.versions["code"] == "1.0"
        assert open_store(str(empty)).manifest.fingerprint == fingerprint()

    @pytest.mark.parametrize("name", ["mistworks", "code", "numpy", "scipy"])
    def test_a_worker_of_other_code_is_named_and_writes_nothing(self, tmp_path: Path, name: str) -> None:
        store = create_store(str(tmp_path / "s.zarr"), manifest())
        before = contents(tmp_path / "s.zarr")
        told = rf"on every machine, got another on {socket.gethostname()} .*{name} 9.9 expected, .* Install"
        with pytest.raises(MistworksError, match=told):
            generate_partition(store, 0, fingerprint().model_copy(update={name: "9.9"}))
        assert contents(tmp_path / "s.zarr") == before
        generate_partition(store, 0, fingerprint().model_copy(update={"torch": "9.9", "python": "9.9"}))
        assert store.missing() == [1, 2]

    def test_files_are_equal_to_the_byte(self, whole: Path, tmp_path: Path) -> None:
        filled(tmp_path / "s.zarr", manifest())
        mend(tmp_path / "s.zarr", [1])
        assert contents(tmp_path / "s.zarr") == contents(whole)

    def test_writers_in_several_processes_without_a_lock(self, whole: Path, tmp_path: Path) -> None:
        path = tmp_path / "s.zarr"
        create_store(str(path), manifest())
        # Each partition by every worker: they race for the same ones.
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            for done in [pool.submit(_generate, str(path), number) for number in [2, 1, 0, 0, 1, 2, 1, 2, 0]]:
                done.result()
        assert contents(path) == contents(whole)

    def test_a_dataset_spans_chunks(self, tmp_path: Path) -> None:
        meta = manifest().meta_distribution.model_dump(mode="json")
        meta["design"]["n"] = {"low": 60_000, "high": 60_000}
        described = Manifest.parse(
            manifest(count=5, partition_size=2).model_dump() | {"meta_distribution": meta}
        )
        store = filled(tmp_path / "s.zarr", described)
        assert int(store.index.sizes.max()) > CHUNK_VALUES
        assert all(same(store[i], described.meta_distribution.dataset(SEED, "train", i)) for i in range(5))
        assert verify(store).faulty == []


def altered(block: Block, what: str) -> Block:
    index, values = block.index, block.values.copy()
    match what:
        case "sample":
            values[-1] = np.nextafter(values[-1], np.float32(9))
        case "sign of zero":
            values[0] = np.float32(-0.0)
        case "n":
            # The same values in another shape: two points become one of twice the dimensions.
            row = int(np.flatnonzero(index.n % 2 == 0)[0])
            n, dx, dy = index.n.copy(), index.dx.copy(), index.dy.copy()
            n[row], dx[row], dy[row] = n[row] // 2, 2 * dx[row], 2 * dy[row]
            index = replace(index, n=n, dx=dx, dy=dy)
        case "mi":
            index = replace(index, mi=np.nextafter(index.mi, 9.0))
        case "mi_se":
            index = replace(index, mi_se=np.arange(len(block)) / 1024)
        case "family" | "transform":
            names = getattr(index, what)
            first, *_, last = sorted(set(names))
            other = np.where(names == last, first, last)
            index = replace(index, **{what: other})
        case "order":
            order = np.array([1, 0, *range(2, len(block))])
            values = np.concatenate([values[block.offsets[j] :][: index.sizes[j]] for j in order])
            index = index[order]
            return Block(block.start, values, np.cumsum(index.sizes) - index.sizes, index)
    return Block(block.start, values, block.offsets, index)


def contents(path: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file() and ".partition-locks" not in file.parts
    }


def _generate(url: str, number: int) -> None:
    generate_partition(open_store(url, read_only=False), number)


class TestStandardErrors:
    def test_they_are_kept_beside_the_labels(self, copy: Path) -> None:
        store = open_store(str(copy), read_only=False)
        block = altered(store.partition(1), "mi_se")
        store.write(1, block)
        again = open_store(str(copy))
        expected = np.r_[np.zeros(8), np.arange(8) / 1024, np.zeros(5)]
        assert np.array_equal(again.index.mi_se, expected)
        assert np.array_equal(again[8:16].index.mi_se, expected[8:16])
        assert (again[7].mi_se, again[9].mi_se) == (0.0, 1 / 1024)
        assert all(same(one, other) for one, other in zip(again.partition(1), block, strict=True))
        with xarray.open_zarr(copy, group="index") as opened:
            assert opened["mi_se"].attrs["units"] == "nat"
        assert not verify(again).faulty

    def test_a_store_of_version_1_has_exact_labels(self, copy: Path, whole_hash: str) -> None:
        before = open_store(str(copy)).index
        shutil.rmtree(copy / "index" / "mi_se")
        edit_attributes(copy, lambda attributes: attributes.update(format=1))
        store = create_store(str(copy), manifest())
        assert store.manifest.format == 1
        assert store.index.mi_se.tolist() == [0.0] * COUNT
        assert np.array_equal(store.index.mi, before.mi)
        assert verify(store).content_hash == whole_hash
        assert mend(copy, [1]).content_hash() == whole_hash
        assert not (copy / "index" / "mi_se").exists()

    def test_version_2_without_them_is_damaged(self, copy: Path) -> None:
        shutil.rmtree(copy / "index" / "mi_se")
        with pytest.raises(StoreDamagedError, match=r"Expected to open the arrays of .*, got: .+\. Restore"):
            open_store(str(copy))


class TestMemory:
    def test_reading_holds_one_partition(self, tmp_path: Path) -> None:
        """Peak memory of a pass over all grows with the partition, not with the number of partitions."""
        meta = manifest().meta_distribution.model_dump(mode="json")
        meta["design"]["n"] = {"low": 20_000, "high": 20_000}
        described = Manifest.parse(
            manifest(count=48, partition_size=4).model_dump() | {"meta_distribution": meta}
        )
        url = tmp_path / "s.zarr"
        store = filled(url, described)
        partition, total = 4 * store.index.sizes[:4].sum(), 4 * store.index.sizes.sum()
        code = (
            "import sys, tracemalloc\n"
            "from storage.datasets.opening import open_store\n"
            "from storage.datasets.verification import verify\n"
            "store = open_store(sys.argv[1]); store[0]; tracemalloc.start()\n"
            "sum(d.mi for d in store); one = tracemalloc.get_traced_memory()[1]\n"
            "tracemalloc.reset_peak(); verify(store, threads=2)\n"
            "print(one, tracemalloc.get_traced_memory()[1])"
        )
        out = subprocess.run(
            [sys.executable, "-c", code, str(url)], capture_output=True, text=True, check=True
        )
        read, verified = map(int, out.stdout.split())
        assert read < 4 * partition + 2**21 < total
        assert verified < 6 * partition + 2**21 < total


def chunk_of(partition: int) -> int:
    return partition * manifest().capacity // CHUNK_VALUES


def values_chunk(path: Path, partition: int) -> Path:
    return path / "values" / "c" / str(chunk_of(partition))


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-9])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[5] ^= 0x10
    file.write_bytes(content)


def delete(file: Path) -> None:
    file.unlink()


def garbage(file: Path) -> None:
    file.write_bytes(np.random.default_rng(0).bytes(77))


INDEX_COLUMNS = ["offset", "n", "dx", "dy", "mi", "mi_se", "family", "transform"]
FILES = {
    "values": values_chunk(Path(), 1),
    **{name: Path("index") / name / "c" / "1" for name in INDEX_COLUMNS},
    "digest": Path("index/digest/c/1/0"),
}
EDITS: dict[str, Callable[[zarr.Group], None]] = {
    "a sample": lambda group: _add(group, "values", manifest().capacity + 3, 1e-3),
    "an offset": lambda group: _add(group, "index/offset", 9, 1),
    "all offsets": lambda group: _add(group, "index/offset", slice(8, 16), 1),
    "offsets into the next partition": lambda group: _add(
        group, "index/offset", slice(8, 16), manifest().capacity
    ),
    "n": lambda group: _add(group, "index/n", 15, -1),
    "a shape": lambda group: (_add(group, "index/dx", 15, 1), _add(group, "index/dy", 15, -1))[0],
    "a label": lambda group: _add(group, "index/mi", 9, 1e-12),
    "a label that is no number": lambda group: _set(group, "index/mi", 9, np.nan),
    "a standard error": lambda group: _set(group, "index/mi_se", 9, 1e-3),
    "a negative standard error": lambda group: _set(group, "index/mi_se", 9, -1e-3),
    "a family": lambda group: _set(group, "index/family", slice(8, 16), 0),
    "a family that does not exist": lambda group: _set(group, "index/family", 9, 77),
    "a transform": lambda group: _set(group, "index/transform", slice(8, 16), 0),
    "a digest": lambda group: _add(group, "index/digest", (9, 4), 1),
    "the marker": lambda group: _add(group, "partition_digest", (1, 4), 1),
}


def _add(group: zarr.Group, path: str, where: Any, what: float) -> None:
    array: Any = group[path]
    array[where] = array[where] + np.asarray(what).astype(array.dtype)


def _set(group: zarr.Group, path: str, where: Any, what: float) -> None:
    array: Any = group[path]
    array[where] = what


def read_everything(store: Store) -> None:
    for dataset in store:
        assert len(dataset.x)


class TestDamage:
    """Each damage is to partition 1 of three: that is what every message must name."""

    @pytest.mark.parametrize("how", [truncate, empty, flip, delete, garbage])
    @pytest.mark.parametrize("part", FILES)
    def test_files(self, copy: Path, whole_hash: str, part: str, how: Callable[[Path], None]) -> None:
        how(copy / FILES[part])
        self.is_found_and_mended(copy, whole_hash)

    @pytest.mark.parametrize("edit", EDITS)
    def test_edits_with_sound_checksums_of_chunks(self, copy: Path, whole_hash: str, edit: str) -> None:
        EDITS[edit](zarr.open_group(str(copy), mode="r+"))
        self.is_found_and_mended(copy, whole_hash)

    def is_found_and_mended(self, path: Path, whole_hash: str) -> None:
        found = verify(open_store(str(path)))
        assert (found.faulty, found.missing, found.content_hash) == ([1], (), None)
        assert re.search(
            rf"^Expected partition 1 of the store {path} undamaged, got: .+\. Run `mistworks",
            found.damaged[1],
        )
        assert "\n" not in found.damaged[1]
        with pytest.raises(
            MistworksError,
            match=(r"Expected 3 sound partitions in .*, got 1 damaged \(1\)\. Run `mistworks reg"),
        ):
            found.require_sound()
        with pytest.raises(StoreDamagedError, match="partition 1 of the store"):
            read_everything(open_store(str(path)))
        # One dataset at a time: never wrong without a word, and the sound partitions stay readable.
        store, sound, told = open_store(str(path)), manifest().meta_distribution, []
        for position in (0, 9, 15, 20):
            try:
                read = store[position]
            except StoreDamagedError as error:
                told.append(str(error))
            else:
                assert same(read, sound.dataset(SEED, "train", position))
        assert all("partition 1 of the store" in message for message in told)
        mended = verify(mend(path, found.faulty))
        assert (mended.faulty, mended.content_hash) == ([], whole_hash)

    @pytest.mark.parametrize("how", [truncate, empty, flip, delete, garbage])
    def test_marker(self, copy: Path, whole_hash: str, how: Callable[[Path], None]) -> None:
        how(copy / "partition_digest/c/1/0")
        store = open_store(str(copy))
        assert store.missing() == [1]
        assert not store.is_done(1)
        assert verify(store).missing == (1,)
        with pytest.raises(
            MistworksError, match=(r"1 of 3 partitions missing \(1\)\. Run `mistworks regenerate")
        ):
            store.partition(1)
        with pytest.raises(MistworksError, match="1 of 3 partitions missing"):
            store.content_hash()
        assert verify(filled(copy, manifest())).content_hash == whole_hash

    def test_content_hash_is_not_taken_over_damaged_digests(self, copy: Path) -> None:
        delete(copy / FILES["digest"])
        with pytest.raises(StoreDamagedError, match=r"partition 1 of the store .* undamaged, got"):
            open_store(str(copy)).content_hash()

    def test_index_is_not_given_with_a_lost_column(self, copy: Path) -> None:
        delete(copy / FILES["mi"])
        with pytest.raises(
            StoreDamagedError, match=r"partition 1 of the store .*part of its index is missing"
        ):
            _ = open_store(str(copy)).index

    def test_missing_partitions(self, tmp_path: Path, whole_hash: str) -> None:
        store = create_store(str(tmp_path / "s.zarr"), manifest())
        assert store.missing() == [0, 1, 2]
        generate_partition(store, 1)
        assert store.missing() == [0, 2]
        assert same(store.partition(1)[0], manifest().meta_distribution.dataset(SEED, "train", 8))
        told = r"2 of 3 partitions missing \(0, 2\)\. Run `mistworks regenerate .*` to generate them"
        for attempt in (store.require_complete, store.content_hash, lambda: store[9], lambda: store.index):
            with pytest.raises(MistworksError, match=told):
                attempt()
        with pytest.raises(MistworksError, match=r"1 of 3 partitions missing \(2\)"):
            store.partition(2)
        found = verify(store)
        with pytest.raises(MistworksError, match=r"2 missing \(0, 2\)\. Run"):
            found.require_sound()
        assert verify(mend(store.url, found.faulty)).content_hash == whole_hash

    def test_many_faults_are_told_in_short(self) -> None:
        found = Verification("s", 100, 50, tuple(range(30)), {40: "", 41: ""}, None)
        with pytest.raises(MistworksError, match=r"30 missing \(0, 1, .*, 9, …\) and 2 damaged \(40, 41\)"):
            found.require_sound()

    def test_interrupted_writing_leaves_no_mark(self, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store = open_store(str(copy), read_only=False)
        block = store.partition(1)
        monkeypatch.setattr(store, "_columns", {"n": store._columns["n"]})
        store.unmark(1)
        with pytest.raises(KeyError):
            store.write(1, block)
        assert open_store(str(copy)).missing() == [1]

    def test_a_slow_writer_who_is_killed_leaves_what_another_finished(
        self, copy: Path, whole_hash: str
    ) -> None:
        with slow_writer(str(copy), 1) as writer:
            writer.kill()
        found = verify(open_store(str(copy)))
        assert (found.faulty, found.content_hash) == ([], whole_hash)

    def test_a_block_of_another_partition_is_refused(self, copy: Path) -> None:
        store = open_store(str(copy), read_only=False)
        with pytest.raises(MistworksError, match="block of partition 1, datasets 8 to 15, got another block"):
            store.write(1, store.partition(0))
        assert verify(store).faulty == []

    def test_what_was_read_before_is_read_anew_after_writing(self, copy: Path) -> None:
        store = open_store(str(copy), read_only=False)
        before = store[9].mi, store.content_hash()
        block = store.partition(1)
        store.write(1, altered(block, "mi"))
        assert store[9].mi != before[0]
        assert store.content_hash() != before[1]


class TestPlaces:
    def test_another_configuration_is_named_by_its_keys(self, copy: Path) -> None:
        before = contents(copy)
        told = (
            r"got another \(count 21 in the store, 22 requested; partition_size 8 in the store, 4 requested; "
            r"root_seed 7 in the store, 1 requested\)\. Choose another --store"
        )
        with pytest.raises(MistworksError, match=told):
            create_store(str(copy), manifest(count=22, partition_size=4, seed=1))
        with pytest.raises(MistworksError, match="split 'train' in the store, 'test-imd' requested"):
            create_store(str(copy), manifest(split="test-imd"))
        paper = Manifest.of("train", load_preset("paper").split("train", 21), partition_size=8, root_seed=7)
        with pytest.raises(MistworksError, match=r"meta_distribution other content in the store"):
            create_store(str(copy), paper)
        assert contents(copy) == before

    @pytest.mark.parametrize("version", [0, 4, "1", None])
    def test_another_format_version(self, copy: Path, version: Any) -> None:
        edit_attributes(copy, lambda attributes: attributes.update(format=version))
        for attempt in (lambda: open_store(str(copy)), lambda: create_store(str(copy), manifest())):
            with pytest.raises(
                MistworksError,
                match=(rf"Expected a store of format 1, 2 or 3 at .*, got format {version}\. Use"),
            ):
                attempt()

    def test_attributes_that_make_no_sense(self, copy: Path) -> None:
        edit_attributes(copy, lambda attributes: attributes.update(count=-1, colour="red"))
        told = (
            r"attributes of the store .*count of Manifest .*, got -1\. .*known keys.*colour.*\. Restore its"
        )
        with pytest.raises(MistworksError, match=told):
            open_store(str(copy))

    def test_attributes_that_do_not_fit_the_arrays(self, copy: Path) -> None:
        edit_attributes(copy, lambda attributes: attributes.update(count=20))
        with pytest.raises(StoreDamagedError, match=r"Expected index/offset to be an array of shape \(20,\)"):
            open_store(str(copy))

    @pytest.mark.parametrize("how", [truncate, empty, garbage])
    def test_unreadable_metadata_of_the_root(self, copy: Path, how: Callable[[Path], None]) -> None:
        how(copy / "zarr.json")
        for attempt in (lambda: open_store(str(copy)), lambda: create_store(str(copy), manifest())):
            with pytest.raises(MistworksError, match=r"zarr.json of .*, got: .+\. Restore"):
                attempt()

    @pytest.mark.parametrize("how", [truncate, empty, garbage, delete])
    @pytest.mark.parametrize("part", ["values", "index/mi", "partition_digest"])
    def test_unreadable_metadata_of_an_array(
        self, copy: Path, part: str, how: Callable[[Path], None]
    ) -> None:
        how(copy / part / "zarr.json")
        with pytest.raises(MistworksError, match=r"Expected to open the arrays of .*, got: .+\. Restore"):
            open_store(str(copy))

    def test_no_store(self, tmp_path: Path) -> None:
        nothing = tmp_path / "nothing.zarr"
        for _ in range(2):
            with pytest.raises(
                MistworksError, match=f"Expected a store at {nothing}, got none. Make one with `mistworks gen"
            ):
                open_store(str(nothing))
        assert not nothing.exists()

    def test_a_directory_that_holds_something_else(self, tmp_path: Path) -> None:
        place = tmp_path / "photos"
        (place / "values").mkdir(parents=True)
        (place / "values" / "me.jpg").write_bytes(b"me")
        before = contents(place)
        for attempt in (lambda: open_store(str(place)), lambda: create_store(str(place), manifest())):
            with pytest.raises(MistworksError, match=r"a store or an empty place at .*, got values"):
                attempt()
        assert contents(place) == before

    def test_a_zarr_group_of_somebody_else(self, tmp_path: Path) -> None:
        place = tmp_path / "other.zarr"
        zarr.create_group(str(place)).create_array("values", shape=(3,), dtype="f4")[:] = 1  # type: ignore[index]
        before = contents(place)
        with pytest.raises(MistworksError, match="Expected a store or an empty place"):
            create_store(str(place), manifest())
        assert contents(place) == before

    def test_a_path_below_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        for place in (tmp_path / "file", tmp_path / "file" / "below.zarr"):
            with pytest.raises(
                MistworksError, match=r"Expected to (write|read) the store .*, got: .+\. (Choose|Correct)"
            ):
                create_store(str(place), manifest())
            with (
                pytest.raises(MistworksError, match=r"Expected to write the store .*, got: .+\. Choose"),
                exclusive(Location.parse(place)),
            ):
                pass

    def test_a_place_that_cannot_be_written(self) -> None:
        with pytest.raises(
            MistworksError, match=r"Expected to write the store /proc/no/s.zarr, got: .+\. Choose"
        ):
            create_store("/proc/no/s.zarr", manifest())

    @pytest.mark.parametrize("url", ["nope://bucket/s.zarr", "s3://", "s4:///x"])
    def test_a_url_that_is_none(self, url: str) -> None:
        for attempt in (lambda: open_store(url), lambda: create_store(url, manifest())):
            with pytest.raises(
                MistworksError, match="Expected a path or a URL such as s3://bucket/name"
            ) as caught:
                attempt()
            assert "\n" not in str(caught.value)

    def test_a_store_only_begun_is_made_anew(self, tmp_path: Path, whole: Path) -> None:
        for leave in ("", "zarr.0a.partial", "values", "index/mi"):
            path = tmp_path / (leave.replace("/", "-") or "root")
            create_store(str(path), manifest())
            edit_attributes(
                path, lambda attributes: [attributes.pop(k) for k in list(attributes) if k != "format"]
            )
            if leave.endswith(".partial"):
                (path / "zarr.json").rename(path / leave)
                shutil.rmtree(path / "values")
                shutil.rmtree(path / "index")
                shutil.rmtree(path / "partition_digest")
            elif leave:
                shutil.rmtree(path / leave)
            assert find_manifest(Location.parse(path)) is None
            with pytest.raises(MistworksError, match="Expected a store at"):
                open_store(str(path))
            made = filled(path, manifest())
            assert made.content_hash() == open_store(str(whole)).content_hash()

    def test_a_local_folder_is_asked_for(self, tmp_path: Path) -> None:
        assert Location.require_local(str(tmp_path), "runs") == tmp_path
        with pytest.raises(MistworksError, match="Expected a local folder for runs, got s3://bucket/root"):
            Location.require_local("s3://bucket/root", "runs")

    def test_file_urls_and_odd_names(self, tmp_path: Path, whole_hash: str) -> None:
        path = tmp_path / "über #1 100%" / "s?.zarr"
        assert filled(path, manifest()).content_hash() == whole_hash
        url = path.as_uri()
        assert open_store(url).content_hash() == whole_hash
        assert Location.parse(url).path == path


def edit_attributes(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    root = json.loads((path / "zarr.json").read_text())
    edit(root["attributes"]["mistworks"])
    (path / "zarr.json").write_text(json.dumps(root))


class TestWriting:
    def test_a_done_partition_is_left_alone(self, copy: Path) -> None:
        before = {file: file.stat().st_mtime_ns for file in copy.rglob("c/*") if file.is_file()}
        generate_partition(open_store(str(copy), read_only=False), 1)
        assert {file: file.stat().st_mtime_ns for file in before} == before

    def test_a_failure_names_the_partition(self, tmp_path: Path) -> None:
        store = create_store(str(tmp_path / "s.zarr"), manifest())
        values_chunk(tmp_path / "s.zarr", 1).mkdir(parents=True)
        with pytest.raises(
            MistworksError, match=r"Expected to write partition 1 of the store .* on .*, got: .+"
        ):
            generate_partition(store, 1)
        assert store.missing() == [0, 1, 2]

    def test_no_room_is_told_as_such_and_not_tried_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = create_store(str(tmp_path / "s.zarr"), manifest())

        def full(*_args: object) -> None:
            raise RuntimeError("No space left on device (os error 28)\nbacktrace")

        monkeypatch.setattr(store, "write", full)
        told = r"^Expected to write partition 1 of the store .* on .*, got: No space left .*28\)\. Free space"
        with pytest.raises(MistworksError, match=told) as caught:
            generate_partition(store, 1)
        assert not isinstance(caught.value, TransientPartitionError)


class TestLock:
    def test_a_second_writer_is_refused_and_told_who_writes(self, tmp_path: Path) -> None:
        url = str(tmp_path / "s.zarr")
        code = (
            "import sys; from storage.places.location import Location\n"
            "from storage.places.lock import exclusive\n"
            "with exclusive(Location.parse(sys.argv[1])): print('held', flush=True); input()"
        )
        holder = subprocess.Popen([sys.executable, "-c", code, url], stdin=-1, stdout=-1, text=True)
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            told = rf"Expected no other run to write .*, got process {holder.pid}\. Wait for it to end"
            with pytest.raises(MistworksError, match=told), exclusive(Location.parse(url)):
                pass
        finally:
            holder.kill()
            holder.wait()
        with exclusive(Location.parse(url)):
            pass

    def test_one_worker_a_partition(self, tmp_path: Path) -> None:
        store = create_store(str(tmp_path / "s.zarr"), manifest())
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            with partition_lock(store.location, 1):
                other, same_one = pool.submit(_generate, store.url, 0), None
                other.result(timeout=60)
                same_one = pool.submit(_generate, store.url, 1)
                with pytest.raises(TimeoutError):
                    same_one.result(timeout=1)
            same_one.result(timeout=60)
        assert store.missing() == [2]


class TestFormatDocument:
    def test_the_reading_example_runs(self, whole: Path) -> None:
        """The first Python block of the document, run on a real store, reads what the library reads."""
        text = FORMAT_DOCUMENT.read_text(encoding="utf-8")
        [code] = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
        assert len(code.strip().splitlines()) <= 10
        names: dict[str, Any] = {"path": str(whole), "i": 11}
        exec(code, names)
        expected = open_store(str(whole))[11]
        read = Dataset(names["x"], names["y"], names["mi"], names["family"], names["transform"])
        assert same(read, expected)

    def test_digests_are_what_the_document_says(self, whole: Path, whole_hash: str) -> None:
        group: Any = zarr.open_group(str(whole), mode="r")
        columns = {name: array[:] for name, array in group["index"].arrays()}
        names = {
            name: np.array(group[f"index/{name}"].attrs["flag_meanings"].split())[columns[name]]
            for name in ("family", "transform")
        }
        total, partitions = hashlib.sha256(), [hashlib.sha256() for _ in range(3)]
        for i in range(COUNT):
            shape = [int(columns[name][i]) for name in ("n", "dx", "dy")]
            first = int(columns["offset"][i])
            size = shape[0] * (shape[1] + shape[2])
            content = b"".join(number.to_bytes(8, "little") for number in shape)
            content += columns["mi"][i].astype("<f8").tobytes()
            content += columns["mi_se"][i].astype("<f8").tobytes() if columns["mi_se"][i] > 0 else b""
            content += f"{names['family'][i]}\n{names['transform'][i]}\n".encode()
            content += group["values"][first : first + size].astype("<f4").tobytes()
            digest = hashlib.sha256(content).digest()
            assert digest == columns["digest"][i].tobytes()
            total.update(digest)
            partitions[i // SIZE].update(digest)
        assert total.hexdigest() == whole_hash
        assert [row.tobytes() for row in group["partition_digest"][:]] == [p.digest() for p in partitions]

    def test_streams_are_what_the_document_says(self) -> None:
        key = hashlib.sha256(b"mistworks/7/train/sample").digest()[:16]
        words = [int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")]
        counter = np.array([0, 0, 11, 0], dtype=np.uint64)
        expected = np.random.Philox(key=np.array(words, dtype=np.uint64), counter=counter).random_raw(4)
        assert np.array_equal(stream(7, "train", "sample", 11).bit_generator.random_raw(4), expected)  # type: ignore[attr-defined]

    def test_only_used_chunks_are_written(self, whole: Path) -> None:
        described, index = manifest(), open_store(str(whole)).index
        assert described.capacity % CHUNK_VALUES == 0
        used = set()
        for number in range(3):
            start, stop = described.bounds(number)
            chunks = -(-int(index.sizes[start:stop].sum()) // CHUNK_VALUES)
            used |= {str(chunk_of(number) + chunk) for chunk in range(chunks)}
        assert {file.name for file in (whole / "values" / "c").iterdir()} == used

    def test_the_version_is_that_of_the_code(self) -> None:
        from storage.datasets.manifest import FORMAT_VERSION, WITHOUT_SAMPLES_VERSION

        title = FORMAT_DOCUMENT.read_text(encoding="utf-8").splitlines()[0]
        assert f"version {FORMAT_VERSION}" in title
        assert f"version {WITHOUT_SAMPLES_VERSION} without samples" in title
