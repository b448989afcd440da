"""Pairs of samples in Parquet files, and their estimates, at paths or URLs.

A source is one file, or a folder of files ``*.parquet``. Each row is a pair: ``x`` and ``y`` are lists of
numbers, or of points that are lists of numbers; a column ``id`` is copied to the estimates. The target is a
folder: ``<model>-<version>/<path of the file>/<part>-<key>-<failures>.parquet`` holds the estimates of some
rows of a file. The key is a hash of everything they depend on. Finished parts are therefore recognised by
name, and parts of an earlier file or of other levels are not mistaken for them.
"""

import hashlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import obstore
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from obstore.exceptions import AlreadyExistsError

from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError
from storage.errors import ACCESS_ERRORS, access_error, reason
from storage.places.location import Location

if TYPE_CHECKING:
    from obstore.store import ObjectStore

# Pairs in memory at once. A killed worker loses fewer than these.
PAIRS_A_PART = 512
_FORMAT = "1"
_SUFFIX = ".parquet"
_NAME = re.compile(r"(?P<part>\d+)-(?P<key>[0-9a-f]+)-(?P<failures>\d+)\.parquet")
_SOURCE_FILE = "_source.json"
_ID = "id"
_ARROW_ERRORS = (pa.ArrowException, ValueError)


@dataclass(frozen=True)
class PairFile:
    """One file of pairs.

    Attributes:
        place: the folder that was searched.
        path: path below that folder.
        size: in bytes.
        tag: identifies its content.
        groups: number of rows of each row group.
        has_id: whether its rows have an identifier.
    """

    place: Location
    path: str
    size: int
    tag: str
    groups: tuple[int, ...]
    has_id: bool

    @cached_property
    def parts(self) -> list[tuple[int, int, int]]:
        """Row group, first row and the row after the last, of each part."""
        return [
            (group, start, min(start + PAIRS_A_PART, rows))
            for group, rows in enumerate(self.groups)
            for start in range(0, rows, PAIRS_A_PART)
        ]

    def read(self, part: int) -> "Pairs":
        """Read the rows of a part.

        Raises:
            StoreUnreachableError: an object store does not answer.
            MistworksError: the file is missing, damaged or replaced by another.
        """
        group, start, stop = self.parts[part]
        columns = ["x", "y", *([_ID] if self.has_id else [])]
        try:
            files = self.place.object_store()
            file = pq.ParquetFile(_RangeReader(files, self.path, self.size))
            batches = file.iter_batches(PAIRS_A_PART, row_groups=[group], columns=columns)
            table = pa.Table.from_batches(_rows(batches, start, stop)).select(columns)
        except ACCESS_ERRORS as error:
            raise _unreachable(self.place, error) from error
        except _ARROW_ERRORS as error:
            raise MistworksError(
                f"Expected a sound Parquet file {self.path} in {self.place}, got: {reason(error)}. Restore "
                "it."
            ) from None
        return Pairs(sum(self.groups[:group]) + start, table)


@dataclass(frozen=True)
class Pairs:
    """Some rows of a file.

    Attributes:
        first: number of the first row in the file.
        table: the rows.
    """

    first: int
    table: Any

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __getitem__(self, row: int) -> tuple[FloatArray, FloatArray]:
        """Return X and Y of one pair, of shapes (n, dx) and (n, dy).

        Raises:
            MistworksError: the row holds no such arrays.
        """
        return _points(self.table.column("x")[row], "x"), _points(self.table.column("y")[row], "y")

    @property
    def identifiers(self) -> Any:
        """The column of identifiers; None if there is none."""
        return self.table.column(_ID) if _ID in self.table.column_names else None


def find_pairs(source: str) -> list[PairFile]:
    """Find the files of pairs at a path or URL, in order of name.

    Raises:
        MistworksError: there are none, they cannot be read, or one has other columns.
    """
    place, name = Location.parse(source.rstrip("/")), ""
    if place.url.endswith(_SUFFIX) and (place.path is None or not place.path.is_dir()):
        place, name = place.parent, place.name
    if place.path is not None and not place.path.is_dir():
        raise _no_pairs(source)
    files = place.object_store()
    try:
        listed = [entry for batch in obstore.list(files) for entry in batch]
    except ACCESS_ERRORS as error:
        raise _unreachable(source, error) from error
    chosen = [
        entry
        for entry in sorted(listed, key=lambda entry: str(entry["path"]))
        if (entry["path"] == name if name else str(entry["path"]).endswith(_SUFFIX))
    ]
    if not chosen:
        raise _no_pairs(source)
    return [_described(place, files, entry) for entry in chosen]


@dataclass(frozen=True)
class EstimateFolder:
    """The folder of one estimator's estimates of the pairs of one file.

    Attributes:
        target: the whole target.
        file: the file of pairs.
        model: name of the estimator, such as ``"mist/3"``.
        version: version of its weights and calibration.
        levels: levels of the intervals.
    """

    target: Location
    file: PairFile
    model: str
    version: str
    levels: tuple[float, ...]

    @property
    def path(self) -> str:
        """The folder below the target."""
        return f"{self.model.replace('/', '-')}-{self.version}/{self.file.path}"

    def done(self) -> dict[int, int]:
        """Return the finished parts, and how many pairs of each failed.

        Raises:
            StoreUnreachableError: an object store does not answer.
        """
        try:
            listed = obstore.list(self._files, prefix=self.path)
            names = [str(entry["path"]).rsplit("/", 1)[-1] for batch in listed for entry in batch]
        except ACCESS_ERRORS as error:
            raise _unreachable(self.target, error) from error
        failures: dict[int, int] = {}
        for name in names:
            part, _, rest = name.partition("-")
            if (
                part.isdecimal()
                and int(part) < len(self.file.parts)
                and rest.startswith(self._key(int(part)))
            ):
                failures[int(part)] = int(rest.removesuffix(_SUFFIX).rsplit("-", 1)[-1])
        return failures

    def missing(self) -> list[int]:
        """List the parts that are not finished."""
        done = self.done()
        return [part for part in range(len(self.file.parts)) if part not in done]

    def write(self, part: int, table: Any, failures: int) -> None:
        """Write the estimates of a part atomically, and remove those of former states of the file.

        Raises:
            StoreUnreachableError: an object store does not answer.
            MistworksError: the target cannot be written.
        """
        content = io.BytesIO()
        pq.write_table(table, content)
        name = f"{self.path}/{part:06d}-{self._key(part)}-{failures}{_SUFFIX}"
        try:
            former = [
                str(entry["path"])
                for batch in obstore.list(self._files, prefix=self.path)
                for entry in batch
                if str(entry["path"]).startswith(f"{self.path}/{part:06d}-")
            ]
            obstore.put(self._files, name, content.getvalue())
            for path in former:
                if path != name:
                    obstore.delete(self._files, path)
        except ACCESS_ERRORS as error:
            raise _unreachable(self.target, error) from error

    @property
    def _files(self) -> "ObjectStore":
        return self.target.object_store()

    def _key(self, part: int) -> str:
        facts = [_FORMAT, self.file.tag, self.file.parts[part], self.version, self.levels]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def claim_target(target: Location, source: str) -> None:
    """Refuse a target that holds estimates of another source, whose files may have the same names.

    Raises:
        MistworksError: it does, or it cannot be written.
    """
    files = target.object_store()
    mine = Location.parse(source.rstrip("/")).url
    try:
        try:
            obstore.put(files, _SOURCE_FILE, json.dumps({"source": mine}).encode(), mode="create")
            return
        except AlreadyExistsError:
            held = json.loads(bytes(obstore.get(files, _SOURCE_FILE).bytes()))["source"]
    except ACCESS_ERRORS as error:
        raise _unreachable(target, error) from error
    if held != mine:
        raise MistworksError(
            f"Expected a target of {mine}, got {target}, which holds estimates of {held}. Choose another."
        )


class _RangeReader(io.RawIOBase):
    """A file of an object store, read by ranges."""

    def __init__(self, files: "ObjectStore", path: str, size: int) -> None:
        super().__init__()
        self._files, self._path, self._size, self._position = files, path, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        stop = self._size if size < 0 else min(self._position + size, self._size)
        if stop <= self._position:
            return b""
        content = bytes(obstore.get_range(self._files, self._path, start=self._position, end=stop))
        self._position += len(content)
        return content


def _rows(batches: "Iterator[Any]", start: int, stop: int) -> "Iterator[Any]":
    """Yield the part of some batches between two rows."""
    position = 0
    for batch in batches:
        low, high = max(start - position, 0), min(stop - position, len(batch))
        if low < high:
            yield batch.slice(low, high - low)
        position += len(batch)
        if position >= stop:
            return


def _points(cell: Any, name: str) -> FloatArray:
    if not cell.is_valid:
        raise MistworksError(f"Expected points in {name}, got none.")
    points = cell.values
    if not _is_list(points.type):
        return _numbers(points, name)[:, None]
    dimensions = _dimensions(points)
    if points.null_count or len(dimensions) > 1:
        raise MistworksError(
            f"Expected points of equal dimension in {name}, got dimensions {sorted(dimensions)}."
        )
    values = _numbers(points.flatten(), name)
    return values.reshape(len(points), -1) if len(points) else values[:, None]


def _numbers(values: Any, name: str) -> FloatArray:
    if values.null_count:
        raise MistworksError(f"Expected numbers in {name}, got {values.null_count} missing ones.")
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def _is_list(kind: Any) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _dimensions(points: Any) -> set[int]:
    if pa.types.is_fixed_size_list(points.type):
        return {int(points.type.list_size)}
    return set(np.diff(points.offsets.to_numpy()).tolist())


def _described(place: Location, files: "ObjectStore", entry: Any) -> PairFile:
    path = str(entry["path"])
    try:
        file = pq.ParquetFile(_RangeReader(files, path, int(entry["size"])))
        schema, metadata = file.schema_arrow, file.metadata
    except ACCESS_ERRORS as error:
        raise _unreachable(place, error) from error
    except _ARROW_ERRORS as error:
        raise MistworksError(
            f"Expected Parquet in {path} of {place}, got: {reason(error)}. Correct or remove it."
        ) from None
    for name in ("x", "y"):
        if name not in schema.names or not _is_list(schema.field(name).type):
            raise MistworksError(
                f"Expected a column {name} of lists in {path} of {place}, got the columns "
                f"{', '.join(schema.names)}. Store the points of each pair as lists."
            )
    return PairFile(
        place,
        path,
        int(entry["size"]),
        f"{entry['size']}-{entry['e_tag']}",
        tuple(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)),
        _ID in schema.names,
    )


def _no_pairs(source: str) -> MistworksError:
    return MistworksError(f"Expected Parquet files at {source}, got none. Correct the path or URL.")


def _unreachable(place: Location | str, error: BaseException) -> MistworksError:
    return access_error(f"use the place {place}", error, "Correct it, then run again.")


__all__ = ["PAIRS_A_PART", "EstimateFolder", "PairFile", "Pairs", "claim_target", "find_pairs"]
