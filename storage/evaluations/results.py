"""Results of evaluations as Parquet files, by suite, estimator and both versions, at a path or a URL.

``<suite>/<its version>/<estimator>/<its version>/<first>-<last>-<SHA-256>.parquet``: each file holds the rows
of some datasets of the suite. Estimates are in nats unless ``mistworks.units`` in the metadata of a file,
JSON by estimator, names another unit. A file is named by a hash of its content and never changed, so any
number of workers can write at once and damage shows. Any Parquet reader opens a whole folder as one table.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import obstore
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from mistworks.errors import MistworksError
from mistworks.evaluation.results import COLUMNS, QUANTILE_LEVELS, Results, join
from storage.errors import ACCESS_ERRORS, access_error
from storage.places.location import Location, patiently

if TYPE_CHECKING:
    from obstore.store import ObjectStore

FORMAT_VERSION = "1"

Key = tuple[str, str, str, str]
"""Suite, its version, estimator, its version."""

_KEYS = ("suite", "suite_version", "estimator", "estimator_version")
_TYPES: dict[str, pa.DataType] = {
    **dict.fromkeys(_KEYS, pa.string()),
    **dict.fromkeys(("position", "n", "dx", "dy", "replicate"), pa.int64()),
    **dict.fromkeys(("name", "family", "failure"), pa.string()),
    **dict.fromkeys(("mi", "mi_se", "estimate", "seconds"), pa.float64()),
    "quantiles": pa.list_(pa.float64(), len(QUANTILE_LEVELS)),
}
_SCHEMA = pa.schema(
    [(name, _TYPES[name]) for name in (*_KEYS, *COLUMNS)],
    metadata={"mistworks.format": FORMAT_VERSION, "mistworks.quantile_levels": json.dumps(QUANTILE_LEVELS)},
)
_UNITS = b"mistworks.units"
_HASH_LENGTH = 32

_log = logging.getLogger(__name__)


class ResultStore:
    """The results of evaluations in one place.

    Attributes:
        place: where they are.

    Raises:
        MistworksError: the place cannot exist.
    """

    def __init__(self, place: Location) -> None:
        self.place = place
        if (path := place.path) is not None:
            # Without creating it: reading must not need the right to write.
            there = next(folder for folder in (path, *path.parents) if folder.exists())
            if not there.is_dir():
                raise MistworksError(f"Expected a folder for results at {path}, got a file at {there}.")
        else:
            _ = self._files

    @cached_property
    def _files(self) -> "ObjectStore":
        return self.place.object_store()

    def write(self, results: Results) -> None:
        """Add rows to the results.

        Raises:
            StoreUnreachableError: an object store does not answer.
            StoreRefusedError: an object store refuses.
            MistworksError: the place cannot be written.
        """
        content = to_parquet([results])
        first, last = int(results.position.min()), int(results.position.max())
        folder = _folder(*(getattr(results, key) for key in _KEYS))
        path = f"{folder}/{first:07d}-{last:07d}-{_hash(content)}.parquet"
        try:
            obstore.put(self._files, path, content)
        except ACCESS_ERRORS as error:
            raise self._failed("write", error) from error

    def read(self, suite: str, suite_version: str, estimator: str, estimator_version: str) -> Results | None:
        """Return all rows of one estimator on one suite, perhaps several per dataset; None if there are none.

        A file that is damaged, or of another format, is logged and skipped: its datasets are evaluated again.

        Raises:
            StoreUnreachableError: an object store does not answer.
            StoreRefusedError: an object store refuses.
            MistworksError: the place cannot be read.
        """
        key: Key = (suite, suite_version, estimator, estimator_version)
        if self.place.path is not None and not self.place.path.exists():
            return None
        try:
            listed = patiently(lambda: obstore.list(self._files, _folder(*key)).collect())
            paths = sorted(entry["path"] for entry in listed if entry["path"].endswith(".parquet"))
            parts = [_decode(path, bytes(obstore.get(self._files, path).bytes()), key) for path in paths]
        except ACCESS_ERRORS as error:
            raise self._failed("read", error) from error
        for path, part in zip(paths, parts, strict=True):
            if part is None:
                _log.warning(
                    "%s/%s is damaged and its datasets are evaluated again. Delete it.", self.place, path
                )
        sound = [part for part in parts if part is not None]
        return join(sound) if sound else None

    def _failed(self, what: str, error: BaseException) -> MistworksError:
        advice = "Correct that, or choose another place for results."
        return access_error(f"{what} the results at {self.place}", error, advice)


def to_parquet(parts: Sequence[Results]) -> bytes:
    """Write results as one Parquet file. The first columns name the suite and the estimator."""
    sink = pa.BufferOutputStream()
    table = pa.concat_tables([_table(part) for part in parts])
    if units := {part.estimator: part.unit for part in parts if not part.in_nats}:
        table = table.replace_schema_metadata({**_SCHEMA.metadata, _UNITS: json.dumps(units)})
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def _table(results: Results) -> pa.Table:
    columns: dict[str, pa.Array] = {
        key: pa.array([getattr(results, key)] * len(results), pa.string()) for key in _KEYS
    }
    for name in COLUMNS:
        values = getattr(results, name)
        if name == "quantiles":
            flat = pa.array(values.ravel(), pa.float64())
            columns[name] = pa.FixedSizeListArray.from_arrays(flat, len(QUANTILE_LEVELS))
        else:
            columns[name] = pa.array(values.tolist(), _TYPES[name])
    return pa.table(columns, schema=_SCHEMA)


def _decode(path: str, content: bytes, key: Key) -> Results | None:
    """Read the rows of a file; None if its content does not match its name."""
    if path.rpartition("-")[2] != f"{_hash(content)}.parquet":
        return None
    table = pq.read_table(pa.BufferReader(content))
    metadata = dict(table.schema.metadata or {})
    units = json.loads(metadata.pop(_UNITS, b"{}"))
    if not table.schema.equals(_SCHEMA) or metadata != _SCHEMA.metadata:
        return None
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        column = table.column(name).combine_chunks()
        if name == "quantiles":
            columns[name] = column.flatten().to_numpy().reshape(-1, len(QUANTILE_LEVELS))
        elif _TYPES[name] == pa.string():
            columns[name] = np.array(column.to_pylist(), dtype=np.str_)
        else:
            columns[name] = column.to_numpy()
    return Results(*key, **columns, unit=units.get(key[2], "nats"))


def _folder(*key: str) -> str:
    return "/".join(map(file_name, key))


def file_name(text: str) -> str:
    """Encode a name as one part of a path. Different names give different parts."""
    kept = "-_+.@="
    named = "".join(c if c.isascii() and (c.isalnum() or c in kept) else f"~{ord(c):x}~" for c in text)
    return named if named.strip(".") else f"~{named}"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_HASH_LENGTH]


__all__ = ["FORMAT_VERSION", "Key", "ResultStore", "file_name", "to_parquet"]
