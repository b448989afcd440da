"""A split as a Zarr v3 store: ragged samples in one flat array, an index beside it, a marker per partition.

FORMAT.md specifies the layout. Every read is checked against the SHA-256 of each dataset.
"""

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any, overload

import numpy as np
import zarr
from numpy.typing import NDArray

from mistworks.dataset import Block, Dataset, FloatArray, Index, IntArray
from mistworks.errors import MistworksError
from mistworks.simulation.generation import digests, generate_block
from mistworks.simulation.meta_distribution import MetaDistribution
from storage.datasets.layout import DIGEST_BYTES, columns_of, open_array
from storage.datasets.manifest import CHUNK_VALUES, Manifest
from storage.datasets.modalities import open_modality
from storage.datasets.subset import Subset
from storage.errors import ACCESS_ERRORS, access_error, from_object_store, reason
from storage.places.location import Location, patiently


class StoreDamagedError(MistworksError):
    """A store does not hold what was written. The message names the partition."""


class Store:
    """A split on disk or in an object store: ``len(store)``, ``store[i]``, ``store[a:b]``, iteration.

    Attributes:
        location: where the store is.
        manifest: description of its content.
    """

    def __init__(self, location: Location, manifest: Manifest, group: zarr.Group) -> None:
        self.location = location
        self.manifest = manifest
        with zarr.config.set(location.codec_pipeline(writable=not group.read_only)):
            if manifest.samples:
                self._values = open_array(group, "values", (manifest.partitions * manifest.capacity,))
            self._columns = {
                name: open_array(group, f"index/{name}", (manifest.count,))
                for name in columns_of(manifest.format)
            }
            self._columns["digest"] = open_array(group, "index/digest", (manifest.count, DIGEST_BYTES))
            self._partition_digest = open_array(
                group, "partition_digest", (manifest.partitions, DIGEST_BYTES)
            )

    @property
    def url(self) -> str:
        """Absolute path or URL of the store."""
        return self.location.url

    def __len__(self) -> int:
        return self.manifest.count

    def __iter__(self) -> Iterator[Dataset]:
        for block in self.blocks():
            yield from block

    @overload
    def __getitem__(self, item: int) -> Dataset: ...
    @overload
    def __getitem__(self, item: slice) -> Subset: ...
    def __getitem__(self, item: int | slice) -> Dataset | Subset:
        if isinstance(item, slice):
            return Subset(self, np.arange(*item.indices(len(self)), dtype=np.int64))
        try:
            position = range(len(self))[item]
        except IndexError:
            raise IndexError(
                f"Expected a position among the {len(self):,} datasets of {self.url}, got {item}."
            ) from None
        index, offsets = self._index_and_offsets
        rows = slice(position, position + 1)
        block = self._read_values(position, index[rows], offsets[rows], self._digest_column[rows])
        return block[0]

    @property
    def partition_bounds(self) -> list[tuple[int, int]]:
        """Start and stop of each partition, in order."""
        return [self.manifest.bounds(partition) for partition in range(self.manifest.partitions)]

    @property
    def index(self) -> Index:
        """The rows of all datasets, read once.

        Raises:
            MistworksError: a partition is missing.
        """
        return self._index_and_offsets[0]

    def blocks(self) -> Iterator[Block]:
        """Yield every partition in order, one in memory at a time."""
        for partition in range(self.manifest.partitions):
            yield self.partition(partition)

    def partition(self, number: int) -> Block:
        """Read one partition and check each of its datasets.

        Raises:
            MistworksError: the partition does not exist, is missing or is damaged.
        """
        start, stop = self.manifest.bounds(number)
        marker = self._read_marker(number)
        if not marker.any():
            raise MistworksError(self._missing_message([number]))
        index, offsets = self._read_index(start, stop)
        hashes = self._read_digests(number)
        self._check_digests(number, hashes, marker.tobytes())
        return self._read_values(start, index, offsets, hashes, whole_chunks=True)

    def where(self, rows: NDArray[np.bool_] | IntArray) -> Subset:
        """Select datasets by a mask over the index, or by positions in it. They are read on access.

        Raises:
            MistworksError: the mask has another length than the store, or a position is outside it.
        """
        chosen, count = np.asarray(rows), len(self)
        if chosen.dtype != np.bool_:
            positions = chosen.astype(np.int64)
            if positions.size and not -count <= positions.min() <= positions.max() < count:
                raise MistworksError(
                    f"Expected positions from {-count} to {count - 1}, got {positions.min()} to "
                    f"{positions.max()}."
                )
            return Subset(self, positions)
        if chosen.shape != (count,):
            raise MistworksError(
                f"Expected a mask with one entry per dataset ({count:,}), got shape {chosen.shape}."
            )
        return Subset(self, np.flatnonzero(chosen))

    def partition_digests(self) -> list[bytes | None]:
        """Return the checksum in each partition's marker; None if it is not done, or unreadable."""
        try:
            rows = self._read(self._partition_digest, slice(None), 0)
        except StoreDamagedError:
            rows = np.concatenate([self._read_marker(number) for number in range(self.manifest.partitions)])
        return [row.tobytes() if row.any() else None for row in rows]

    def partition_digest(self, number: int) -> bytes | None:
        """Return the checksum in one partition's marker, as in `partition_digests`."""
        marker = self._read_marker(number)
        return marker.tobytes() if marker.any() else None

    def is_done(self, number: int) -> bool:
        """Whether a partition is complete. One with an unreadable marker is not."""
        return bool(self._read_marker(number).any())

    def missing(self) -> list[int]:
        """Numbers of the partitions that are not done."""
        return [number for number, digest in enumerate(self.partition_digests()) if digest is None]

    def require_complete(self) -> None:
        """Refuse an incomplete store.

        Raises:
            MistworksError: partitions are missing. The message names them.
        """
        if missing := self.missing():
            raise MistworksError(self._missing_message(missing))

    def content_hash(self) -> str:
        """Return the SHA-256 (hexadecimal) over the digests of all datasets: equal for equal content.

        Raises:
            MistworksError: a partition is missing, or its digests do not match its marker.
        """
        self.require_complete()
        return hashlib.sha256(self._read_all_digests().tobytes()).hexdigest()

    def draw(self, start: int, stop: int) -> Block:
        """Draw datasets start, …, stop − 1 from their random streams, whether the store has them or not.

        Raises:
            MistworksError: the modality that the store refers to is not beside it.
        """
        manifest = self.manifest
        return generate_block(self._meta_distribution, manifest.root_seed, manifest.split, start, stop)

    @cached_property
    def _meta_distribution(self) -> MetaDistribution:
        meta = self.manifest.meta_distribution
        return meta if meta.fit is None else meta.on(open_modality(self.location, meta.fit))

    def write(self, number: int, block: Block) -> None:
        """Write one partition, then mark it done.

        An existing mark stays: a slow writer that is stopped halfway must not undo a faster one, and both
        write the same bytes. To write different bytes, unmark the partition first.

        Raises:
            MistworksError: the block is not that partition.
        """
        start, stop = self.manifest.bounds(number)
        if (block.start, len(block)) != (start, stop - start):
            raise MistworksError(
                f"Expected the block of partition {number}, datasets {start} to {stop - 1}, got another "
                "block."
            )
        hashes = np.frombuffer(b"".join(digests(block)), dtype=np.uint8).reshape(-1, DIGEST_BYTES)
        self._forget()
        base = number * self.manifest.capacity
        if self.manifest.samples:
            self._write_values(base, block.values)
        for name, column in self._encode(block, base).items():
            self._columns[name][start:stop] = column
        self._columns["digest"][start:stop] = hashes
        mark = hashlib.sha256(hashes.tobytes()).digest()
        self._partition_digest[number] = np.frombuffer(mark, dtype=np.uint8)

    def _write_values(self, base: int, values: FloatArray) -> None:
        # Whole chunks, the last filled up with zeros: writing part of a chunk would first read the old one,
        # which fails if it is damaged.
        whole = values.size // CHUNK_VALUES * CHUNK_VALUES
        self._values[base : base + whole] = values[:whole]
        tail = np.zeros(min(CHUNK_VALUES, self.manifest.capacity - whole), dtype=np.float32)
        tail[: values.size - whole] = values[whole:]
        self._values[base + whole : base + whole + tail.size] = tail

    def unmark(self, number: int) -> None:
        """Remove a partition's marker, so that it counts as missing."""
        self._forget()
        self._partition_digest[number] = np.zeros(DIGEST_BYTES, dtype=np.uint8)

    def _forget(self) -> None:
        for cached in ("_index_and_offsets", "_digest_column"):
            self.__dict__.pop(cached, None)

    def _encode(self, block: Block, base: int) -> dict[str, NDArray[Any]]:
        index = block.index
        families, transforms = np.array(self.manifest.families), np.array(self.manifest.transforms)
        columns = {
            "offset": base + block.offsets,
            "n": index.n,
            "dx": index.dx,
            "dy": index.dy,
            "mi": index.mi,
            "mi_se": index.mi_se,
            "family": np.searchsorted(families, index.family),
            "transform": np.searchsorted(transforms, index.transform),
        }
        return {name: columns[name] for name in columns_of(self.manifest.format)}

    @cached_property
    def _index_and_offsets(self) -> tuple[Index, IntArray]:
        self.require_complete()
        try:
            return self._read_index(0, len(self))
        except StoreDamagedError:
            # One of these names the partition; if none does, the damage was repaired in between.
            for start, stop in self.partition_bounds:
                self._read_index(start, stop)
            raise

    @cached_property
    def _digest_column(self) -> NDArray[np.uint8]:
        return self._read_all_digests()

    def _read_all_digests(self) -> NDArray[np.uint8]:
        try:
            hashes = self._read(self._columns["digest"], slice(None), 0)
        except StoreDamagedError:
            hashes = np.concatenate(
                [self._read_digests(number) for number in range(self.manifest.partitions)]
            )
        for number, marker in enumerate(self.partition_digests()):
            self._check_digests(number, hashes[slice(*self.manifest.bounds(number))], marker)
        return hashes

    def _read_marker(self, number: int) -> NDArray[np.uint8]:
        """Read the marker of one partition, shape (1, 32); zero if it cannot be read."""
        try:
            return self._read(self._partition_digest, slice(number, number + 1), number)
        except StoreDamagedError:
            return np.zeros((1, DIGEST_BYTES), dtype=np.uint8)

    def _read_digests(self, number: int) -> NDArray[np.uint8]:
        return self._read(self._columns["digest"], slice(*self.manifest.bounds(number)), number)

    def _check_digests(self, number: int, hashes: NDArray[np.uint8], marker: bytes | None) -> None:
        if hashlib.sha256(hashes.tobytes()).digest() != marker:
            raise StoreDamagedError(self._damage_message(number, "its digests do not match its marker"))

    def _read_index(self, start: int, stop: int) -> tuple[Index, IntArray]:
        number = start // self.manifest.partition_size
        names = columns_of(self.manifest.format)
        columns = {name: self._read(self._columns[name], slice(start, stop), number) for name in names}
        columns.setdefault("mi_se", np.zeros(stop - start))
        families, transforms = np.array(self.manifest.families), np.array(self.manifest.transforms)
        sound = (
            columns["family"].max() < len(families)
            and columns["transform"].max() < len(transforms)
            and all(columns[name].min() > 0 for name in ("n", "dx", "dy"))
            and all(columns[name].min() >= 0 for name in ("offset", "mi_se"))
            and all(np.isfinite(columns[name]).all() for name in ("mi", "mi_se"))
        )
        if not sound:
            # Zarr reads a missing chunk as its fill value, which no dataset has.
            raise StoreDamagedError(
                self._damage_message(number, "part of its index is missing or out of range")
            )
        index = Index(
            n=columns["n"].astype(np.int64),
            dx=columns["dx"].astype(np.int64),
            dy=columns["dy"].astype(np.int64),
            mi=columns["mi"],
            family=families[columns["family"]],
            transform=transforms[columns["transform"]],
            mi_se=columns["mi_se"],
        )
        return index, columns["offset"]

    def _read_values(
        self,
        start: int,
        index: Index,
        offsets: IntArray,
        hashes: NDArray[np.uint8],
        *,
        whole_chunks: bool = False,
    ) -> Block:
        """Read consecutive datasets of one partition, or draw them again, and check each against its digest.

        Reading part of a chunk skips the chunk's own checksum, so damage behind that part goes unseen.
        """
        number = start // self.manifest.partition_size
        sizes = index.sizes
        first, last = int(offsets[0]), int(offsets[-1] + sizes[-1])
        base, shape_ok = number * self.manifest.capacity, bool((sizes > 0).all())
        contiguous = np.array_equal(offsets[1:], offsets[:-1] + sizes[:-1])
        if not (shape_ok and contiguous and base <= first < last <= base + self.manifest.capacity):
            raise StoreDamagedError(self._damage_message(number, "its offsets do not fit its shapes"))
        if self.manifest.samples:
            end = -(-last // CHUNK_VALUES) * CHUNK_VALUES if whole_chunks else last
            values = self._read(self._values, slice(first, end), number)[: last - first]
        else:
            values = self._drawn_anew(start, index, number)
        block = Block(start, values, offsets - first, index)
        for row, digest in enumerate(digests(block)):
            if digest != hashes[row].tobytes():
                fault = f"dataset {start + row} fails its checksum{self._other_code}"
                raise StoreDamagedError(self._damage_message(number, fault))
        return block

    def _drawn_anew(self, start: int, index: Index, number: int) -> FloatArray:
        """Draw samples that the store does not keep. Other shapes in the index mean damage or other code."""
        block = self.draw(start, start + len(index))
        if not np.array_equal(block.index.sizes, index.sizes):
            raise StoreDamagedError(
                self._damage_message(number, f"its shapes are not those that were drawn{self._other_code}")
            )
        return block.values

    @property
    def _other_code(self) -> str:
        """A note for samples that are drawn again and differ."""
        other = () if self.manifest.samples else self.manifest.other_code
        return f"; it was made by other code: {', '.join(other)}" if other else ""

    def _read(self, array: "zarr.Array[Any]", rows: slice, number: int) -> NDArray[Any]:
        try:
            return np.asarray(patiently(lambda: array[rows]))
        except (*ACCESS_ERRORS, ValueError, RuntimeError, IndexError) as error:
            if from_object_store(error):
                raise access_error(f"read the store {self.url}", error, "") from error
            # Each codec raises its own exception for a truncated or edited chunk.
            raise StoreDamagedError(self._damage_message(number, reason(error))) from error

    def _damage_message(self, number: int, reason: str) -> str:
        return (
            f"Expected partition {number} of the store {self.url} undamaged, got: {reason}. Run `mistworks "
            f"regenerate {self.url}` to rebuild it."
        )

    def _missing_message(self, missing: list[int]) -> str:
        named = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
        return (
            f"Expected a complete store at {self.url}, got {len(missing)} of {self.manifest.partitions} "
            f"partitions missing ({named}). Run `mistworks regenerate {self.url}` to generate them."
        )


__all__ = ["Store", "StoreDamagedError"]
