"""Where the bytes of a table come from: a file or standard input, compressed or not."""

import bz2
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, TypeVar, cast

from mistworks.errors import MistworksError

STANDARD_INPUT = Path("-")

Kind = Literal["text", "Parquet", "Feather", "Arrow stream"]

_T = TypeVar("_T")

_LONGEST_MAGIC = 8
_COMPRESSIONS = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_KINDS: dict[bytes, Kind] = {
    b"PAR1": "Parquet",
    b"ARROW1": "Feather",
    b"\xff\xff\xff\xff": "Arrow stream",
}
_NO_TABLES = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"%PDF": "a PDF document",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "an array of NumPy",
    b"SQLite": "an SQLite database",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
    b"{": "JSON",
    b"[{": "JSON",
    b"<!": "HTML or XML",
    b"<?xml": "HTML or XML",
    b"<html": "HTML or XML",
    b"FEA1": "a file of Feather version 1",
}
_NAMED: dict[str, tuple[Kind, ...]] = {
    ".parquet": ("Parquet",),
    ".pq": ("Parquet",),
    ".feather": ("Feather",),
    ".arrow": ("Feather", "Arrow stream"),
    ".arrows": ("Arrow stream",),
    ".ipc": ("Feather", "Arrow stream"),
}


@dataclass(frozen=True)
class Source:
    """The content of one table, which can be read several times.

    Attributes:
        name: what errors call it.
        kind: what its first bytes say it is, whatever its name is.
    """

    name: str
    kind: Kind
    _raw: Callable[[], BinaryIO]
    _compression: str | None

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Open it from its beginning, decompressed.

        Raises:
            MistworksError: it cannot be read, or ends within compressed data.
        """
        with _opened(self.name, self._raw, self._compression) as file:
            yield file

    @property
    def extension(self) -> str:
        """What its name ends in, without the ending of a compressed file, in lower case."""
        return _extension(self.name)


def open_source(path: Path) -> Source:
    """Find out what a file is.

    Args:
        path: of the file; ``-`` for standard input, which is read whole.

    Raises:
        MistworksError: it cannot be read, is empty, or its first bytes are those of no table.
    """
    name, raw = str(path), _reader(path)
    if path == STANDARD_INPUT:
        content = sys.stdin.buffer.read()
        name, raw = "standard input", lambda: io.BytesIO(content)
    with _opened(name, raw, None) as file:
        compression = _first(_COMPRESSIONS, file.read(_LONGEST_MAGIC))
    with _opened(name, raw, compression) as file:
        kind = _kind(name, file.read(_LONGEST_MAGIC))
    return Source(name, kind, raw, compression)


def _reader(path: Path) -> Callable[[], BinaryIO]:
    return lambda: path.open("rb")


@contextmanager
def _opened(name: str, raw: Callable[[], BinaryIO], compression: str | None) -> Iterator[BinaryIO]:
    try:
        with raw() as file:
            if compression is None:
                yield file
                return
            with _decompressed(file, compression) as content:
                yield content
    except (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile) as error:
        raise MistworksError(
            f"Expected whole data of {compression} in {name}, got: {str(error).rstrip('.')}. Get the file "
            "again."
        ) from None
    except OSError as error:
        raise MistworksError(
            f"Expected a readable table at {name}, got: {error.strerror or error}. Correct the path."
        ) from None


def _decompressed(file: BinaryIO, compression: str) -> BinaryIO:
    if compression == "gzip":
        return cast("BinaryIO", gzip.open(file))
    if compression == "bzip2":
        return cast("BinaryIO", bz2.open(file))
    if compression == "xz":
        return cast("BinaryIO", lzma.open(file))
    # Python itself has it from 3.14 on.
    import pyarrow as pa  # type: ignore[import-untyped]

    return cast("BinaryIO", pa.CompressedInputStream(file, "zstd"))


def _kind(name: str, start: bytes) -> Kind:
    if not start.strip():
        raise MistworksError(f"Expected a table in {name}, got an empty file. Write a header and rows.")
    kind = _first(_KINDS, start) or "text"
    no_table = _first(_NO_TABLES, start)
    expected = _NAMED.get(_extension(name), (kind,))
    if kind not in expected or no_table is not None:
        wanted = "CSV, Parquet or Feather" if _extension(name) not in _NAMED else expected[0]
        got = no_table or ("text" if kind == "text" else kind)
        raise MistworksError(
            f"Expected a table as {wanted} in {name}, got {got}. Export the table as CSV in UTF-8, or as "
            "Parquet."
        )
    return kind


def _extension(name: str) -> str:
    path = Path(name)
    compressed = path.suffix.lower() in {".gz", ".bz2", ".xz", ".zst"}
    return Path(path.stem).suffix.lower() if compressed else path.suffix.lower()


def _first(known: dict[bytes, _T], start: bytes) -> _T | None:
    return next((value for magic, value in known.items() if start.startswith(magic)), None)


__all__ = ["STANDARD_INPUT", "Kind", "Source", "open_source"]
