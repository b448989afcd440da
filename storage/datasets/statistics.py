"""Statistics of the datasets of a store, computed once and kept in it, partition by partition.

FORMAT.md specifies the layout. Each partition's mark is a hash of its statistics and of its data, so
statistics of data that was generated again count as missing.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.store import Store as ZarrStore

from mistworks.dataset import Block, FloatArray, Index
from mistworks.errors import MistworksError
from mistworks.statistics import VERSION, statistic_names
from mistworks.statistics.table import SummaryBlock, summarise_block
from storage.datasets.layout import DIGEST_BYTES, consolidate, make_array, open_array
from storage.datasets.partitions import generate_partition, writing
from storage.datasets.store import Store
from storage.errors import ACCESS_ERRORS, access_error, from_object_store
from storage.fingerprint import SUMMARISING, Fingerprint, fingerprint
from storage.places.location import patiently
from storage.places.lock import partition_lock

_GROUP = f"statistics-{VERSION}"
_VERSIONS = "versions"


class SummaryStore:
    """The statistics of a store's datasets, partitioned like the datasets.

    Attributes:
        store: the datasets.
    """

    def __init__(self, store: Store, group: zarr.Group) -> None:
        self.store = store
        manifest = store.manifest
        with zarr.config.set(store.location.codec_pipeline(writable=False)):
            self._table = open_array(group, "table", (manifest.count, len(statistic_names())))
            self._marks = open_array(group, "mark", (manifest.partitions, DIGEST_BYTES))

    @property
    def other_code(self) -> tuple[str, ...]:
        """How the code that began the statistics differs from the running code, if recorded."""
        match self._table.attrs.get(_VERSIONS):
            case {"statistics": str(code)}:
                return tuple(
                    Fingerprint.of_versions({"statistics": code}).differences(fingerprint(), SUMMARISING)
                )
            case _:
                return ()

    def require_same_code(self) -> None:
        """Refuse to complete statistics that other code began, or take over if it completed none.

        Raises:
            MistworksError: other code computed the statistics of some partitions, and others have none.
        """
        missing = self.missing() if self.other_code else []
        if len(missing) == self.store.manifest.partitions:
            self._table.update_attributes({_VERSIONS: _versions()})
        elif missing:
            raise MistworksError(
                f"Expected the code that made the first statistics of {self.store.url}, got another: "
                f"{'; '.join(self.other_code)}. Run that code, or delete {_GROUP} in the store and run again."
            )

    def is_consolidated(self, target: ZarrStore) -> bool:
        """Whether the root has a copy of the metadata of the statistics, as they are now."""
        copied = zarr.open_group(target, mode="r", zarr_format=3).metadata.consolidated_metadata
        table = None if copied is None else copied.flattened_metadata.get(f"{_GROUP}/table")
        return table is not None and table.attributes == self._table.metadata.attributes

    @property
    def index(self) -> Index:
        """The rows of all datasets."""
        return self.store.index

    @property
    def partition_bounds(self) -> list[tuple[int, int]]:
        """Start and stop of each partition, in order."""
        return self.store.partition_bounds

    def __len__(self) -> int:
        return len(self.store)

    def partition(self, number: int) -> SummaryBlock:
        """Read the statistics of one partition.

        Raises:
            MistworksError: they are missing or damaged.
        """
        start, stop = self.store.manifest.bounds(number)
        values = self._read_table(number)
        if values is None or not self._holds(number, values):
            raise MistworksError(
                f"Expected statistics of partition {number} of the store {self.store.url}, got missing or "
                f"damaged ones. Run `mistworks summarise {self.store.url}`."
            )
        return SummaryBlock(start, values, self.index[slice(start, stop)])

    def write(self, number: int, values: FloatArray) -> None:
        """Write the statistics of one partition, then mark them done."""
        start, stop = self.store.manifest.bounds(number)
        self._table[start:stop] = values
        mark = _mark(self.store.partition_digest(number), values)
        self._marks[number] = np.frombuffer(mark, dtype=np.uint8)

    def is_done(self, number: int) -> bool:
        """Whether a partition has statistics that match its present data."""
        values = self._read_table(number)
        return values is not None and self._holds(number, values)

    def is_marked(self, number: int) -> bool:
        """Whether a partition has a mark: a quick check, for progress."""
        mark = self._read(self._marks, slice(number, number + 1))
        return mark is not None and bool(mark.any())

    def missing(self) -> list[int]:
        """Numbers of the partitions whose statistics are not done."""
        return [number for number in range(self.store.manifest.partitions) if not self.is_done(number)]

    def _read_table(self, number: int) -> FloatArray | None:
        return self._read(self._table, slice(*self.store.manifest.bounds(number)))

    def _read(self, array: "zarr.Array[Any]", rows: slice) -> NDArray[Any] | None:
        """Read some rows of an array; None if they are damaged."""
        try:
            return np.asarray(patiently(lambda: array[rows]))
        except (*ACCESS_ERRORS, ValueError, RuntimeError) as error:
            if from_object_store(error):
                raise access_error(f"read the store {self.store.url}", error, "") from error
            return None

    def _holds(self, number: int, values: FloatArray) -> bool:
        mark = self._read(self._marks, slice(number, number + 1))
        return mark is not None and mark.tobytes() == _mark(self._partition_digests[number], values)

    @cached_property
    def _partition_digests(self) -> list[bytes | None]:
        return self.store.partition_digests()


def _mark(partition_digest: bytes | None, values: FloatArray) -> bytes:
    digest = hashlib.sha256(partition_digest or b"")
    digest.update(np.ascontiguousarray(values, dtype="<f4").data)
    return digest.digest()


def open_summaries(store: Store) -> SummaryStore:
    """Open the statistics of a store for reading. No right to write is needed.

    Raises:
        MistworksError: the store is incomplete, or has no statistics.
    """
    store.require_complete()
    with _access(store.url, "read", "Correct the path."):
        summaries = _open(store, read_only=True)
    if summaries is None:
        raise MistworksError(
            f"Expected statistics in the store {store.url}, got none. Run `mistworks summarise {store.url}`."
        )
    return summaries


def create_summaries(store: Store) -> SummaryStore:
    """Open the statistics of a store for writing. Their group is created if needed.

    A store without samples gets statistics while it is generated, so it need not be complete.

    Raises:
        MistworksError: the store is incomplete or not writable, or other code computed some but not all of
            its statistics.
    """
    url = store.url
    if store.manifest.samples:
        store.require_complete()
    with _access(url, "write", "Choose a writable store."):
        target = store.location.zarr_store(read_only=False)
        summaries = _open(store, read_only=False)
        if summaries is not None:
            summaries.require_same_code()
        else:
            _create(zarr.open_group(target, mode="r+", zarr_format=3, use_consolidated=False), store)
            summaries = _open(store, read_only=False)
        if summaries is not None and not summaries.is_consolidated(target):
            consolidate(target)
    if summaries is None:
        raise MistworksError(f"Expected {_GROUP} in the store {url} to be a group. Remove it and run again.")
    return summaries


def has_statistics(store: Store) -> bool:
    """Whether a store has the statistics of all its datasets.

    Raises:
        MistworksError: the store is incomplete.
    """
    store.require_complete()
    with _access(store.url, "read", "Correct the path."):
        summaries = _open(store, read_only=True)
    return summaries is not None and not summaries.missing()


def _open(store: Store, *, read_only: bool) -> SummaryStore | None:
    """Open the statistics of a store; None if there are none. The array of marks is created last."""
    target = store.location.zarr_store(read_only=read_only)

    def open_group() -> SummaryStore | None:
        group = zarr.open_group(
            target, mode="r" if read_only else "r+", zarr_format=3, use_consolidated=False
        ).get(_GROUP)
        return SummaryStore(store, group) if isinstance(group, zarr.Group) and "mark" in group else None

    return patiently(open_group)


@contextmanager
def _access(url: str, how: str, advice: str) -> Iterator[None]:
    try:
        yield
    except ACCESS_ERRORS as error:
        raise access_error(f"{how} the store {url}", error, advice) from None


def summarise_partition(summaries: SummaryStore, number: int) -> None:
    """Compute the statistics of one partition, write them and mark them done, unless they are done already.

    Raises:
        TransientPartitionError: writing failed for a reason that may pass.
        MistworksError: the partition is missing or damaged, or there is no room or no right to write.
    """
    if not summaries.is_done(number):
        _summarise(summaries, number, summaries.store.partition(number))


def _summarise(summaries: SummaryStore, number: int, block: Block) -> None:
    values, store = summarise_block(block), summaries.store
    what = f"the statistics of partition {number} of the store {store.url}"
    with writing(what), partition_lock(store.location, number):
        summaries.write(number, values)


def generate_and_summarise(
    summaries: SummaryStore, target: Store, number: int, expected: Fingerprint | None = None
) -> None:
    """Generate one partition and its statistics in one pass, unless both are done.

    If it is stopped between the two, the statistics count as missing and are computed from a partition that
    is drawn again.

    Args:
        summaries: the statistics, open for writing.
        target: the same store, open for writing.
        number: number of the partition.
        expected: fingerprint of the run that asks for it; not checked if None.

    Raises:
        TransientPartitionError: writing failed for a reason that may pass.
        MistworksError: see `storage.datasets.partitions.generate_partition`.
    """
    generate_partition(target, number, expected, then=partial(_summarise, summaries, number))


def _versions() -> dict[str, str]:
    """Return the code and build that compute statistics here. Other machines may have other builds."""
    here = fingerprint()
    return {"statistics": here.statistics, "build": here.build}


def _create(root: zarr.Group, store: Store) -> None:
    manifest, names = store.manifest, statistic_names()
    group = root.require_group(_GROUP)
    make_array(
        group,
        "table",
        shape=(manifest.count, len(names)),
        chunks=(min(manifest.partition_size, manifest.count), len(names)),
        dtype="float32",
        fill_value=float("nan"),
        dimension_names=("dataset", "statistic"),
        attributes={"statistics": list(names), _VERSIONS: _versions()},
    )
    make_array(
        group,
        "mark",
        shape=(manifest.partitions, DIGEST_BYTES),
        chunks=(1, DIGEST_BYTES),
        dtype="uint8",
        fill_value=0,
        dimension_names=("partition", "byte"),
    )


__all__ = [
    "SummaryStore",
    "create_summaries",
    "generate_and_summarise",
    "has_statistics",
    "open_summaries",
    "summarise_partition",
]
