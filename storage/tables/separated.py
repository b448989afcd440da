"""Tables as text: below a line with the names of columns, lines of fields with a separator between them."""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from typing_extensions import override

from mistworks.errors import MistworksError
from storage.tables.source import Source

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_BLANKS = r"\s+"
_SEPARATORS = (",", ";", "\t", "|")
_NAMED_SEPARATORS = {"tab": "\t", "\\t": "\t", "space": _BLANKS, " ": _BLANKS}
_OF_EXTENSIONS = {".tsv": "\t", ".tab": "\t"}
_SAMPLE_BYTES = 2**20
_SAMPLE_LINES = 50
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+")
_ROW_NAMES, _BEYOND = "row", "beyond"

_DATE = r"\d{4}-\d{2}-\d{2}"
_TIME = r"[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?"
_ZONE = r"(?:Z|[+-]\d{2}:?\d{2})"
_OPTIONS: Mapping[str, Any] = {"skipinitialspace": True, "low_memory": False}


@dataclass(frozen=True)
class SeparatedTable:
    """A table as text in UTF-8.

    Attributes:
        source: what holds it.
        columns: names of the columns; those that occur several times are numbered.
        separator: of fields; a pattern for runs of blanks.
        decimal: what separates whole numbers from their fractions.
        row_names: whether rows begin with a name that has no column, as R writes them.
        start: at which byte the rows begin.
    """

    source: Source
    columns: tuple[str, ...]
    separator: str
    decimal: str
    row_names: bool
    start: int

    @classmethod
    def of(cls, source: Source, separator: str | None, decimal: str | None) -> "SeparatedTable":
        """Find out what a table in text looks like from its first lines.

        The separator is that of ``, ; | tab`` by which all of the first lines have the same number of fields,
        and most; commas are decimal where another separates fields, and numbers among them have commas and
        none has a point.

        Args:
            source: what holds it.
            separator: see `named_separator`; None to find out.
            decimal: ``"."`` or ``","``; None to find out.

        Raises:
            MistworksError: it cannot be read, or is no such table.
        """
        import pandas as pd

        with source.opened() as file:
            start = file.read(_SAMPLE_BYTES)
        text = _text(source, start)
        separator = _OF_EXTENSIONS.get(source.extension) if separator is None else named_separator(separator)
        separator = separator or _separator_of(text)
        rows = _rows(text, separator)
        if decimal is None:
            decimal = _decimal_of(rows) if separator != "," else "."
        with _parsed(source):
            header = pd.read_csv(io.StringIO(text), sep=separator, nrows=0, index_col=False, **_OPTIONS)
        columns = tuple(map(str, header.columns))
        named = len(rows) > 1 and all(len(row) == len(columns) + 1 and row[-1] for row in rows[1:])
        below = _below_header(text, separator) + (
            len(codecs.BOM_UTF8) if start.startswith(codecs.BOM_UTF8) else 0
        )
        return cls(source, columns, separator, decimal, named, below)

    def read(self, columns: Sequence[str]) -> "DataFrame":
        """Read some columns, in this order.

        Values are missing where pandas says so: empty fields, NA, NaN, null and the like. Columns of which
        every value is a date, or a date and a time, in ISO 8601 become dates.

        Raises:
            MistworksError: it cannot be read, or is no table in UTF-8.
        """
        import pandas as pd

        # With chosen columns pandas does not count the fields of a row: those beyond the last have a column.
        places = {name: str(place) for place, name in enumerate(self.columns)}
        names = [_ROW_NAMES] * self.row_names + [*places.values(), _BEYOND]
        header = (" " if self.separator == _BLANKS else self.separator).join(names)
        with _parsed(self.source), self.source.opened() as file:
            file.read(self.start)
            frame: DataFrame = pd.read_csv(
                _Headed(f"{header}\n".encode(), file),
                sep=self.separator,
                decimal=self.decimal,
                index_col=False,
                usecols=[*(places[name] for name in columns), _BEYOND],
                **_OPTIONS,
            )
        self._require_rows(frame)
        return pd.DataFrame({name: _with_dates(frame[places[name]]) for name in columns})

    def _require_rows(self, frame: "DataFrame") -> None:
        if not len(frame):
            raise MistworksError(
                f"Expected rows below the header of {self.source.name}, got none. Write one row per "
                "observation."
            )
        longer = frame[_BEYOND].notna()
        if longer.any():
            raise MistworksError(
                f"Expected {len(self.columns)} fields in each row of {self.source.name}, got more in row "
                f"{int(longer.argmax()) + 1:,}. Quote fields that hold a separator, or give another "
                "separator."
            )


def named_separator(text: str) -> str:
    """Return the separator that a text stands for: a character, ``tab``, or ``space`` for runs of blanks.

    Raises:
        MistworksError: it is longer than one character.
    """
    separator = _NAMED_SEPARATORS.get(text.lower(), text)
    if len(separator) != 1 and separator not in _NAMED_SEPARATORS.values():
        raise MistworksError(f"Expected one character, tab or space as the separator, got {text!r}.")
    return separator


def _text(source: Source, start: bytes) -> str:
    """The first lines of a table, whole ones."""
    if b"\x00" in start:
        raise MistworksError(
            f"Expected a table as CSV, Parquet or Feather in {source.name}, got binary data. Export the "
            "table as CSV in UTF-8, or as Parquet."
        )
    whole = start if len(start) < _SAMPLE_BYTES else start[: start.rfind(b"\n") + 1]
    try:
        return whole.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _encoding_error(source, error) from None


def _below_header(text: str, separator: str) -> int:
    """How many bytes the header takes, with blank lines above it."""
    lines = io.StringIO(text, newline="")
    next(filter(None, _fields(lines, separator)), None)
    return len(text[: lines.tell()].encode())


def _separator_of(text: str) -> str:
    lengths = {each: [len(row) for row in _rows(text, each)] for each in _SEPARATORS}
    regular = {each: of_rows[0] for each, of_rows in lengths.items() if len(set(of_rows)) == 1}
    # Of R and of lines that end in a separator, rows are longer than the header by one.
    longer = {each: of_rows[0] for each, of_rows in lengths.items() if {*of_rows[1:]} == {of_rows[0] + 1}}
    for candidates in (regular, longer, {each: of_rows[0] for each, of_rows in lengths.items()}):
        best = max(candidates, key=lambda each: candidates[each], default=",")
        if candidates.get(best, 1) > 1:
            return best
    return ","


def _decimal_of(rows: Sequence[Sequence[str]]) -> str:
    fields = [field.strip() for row in rows[1:] for field in row]
    commas = any(_DECIMAL_COMMA.fullmatch(field) for field in fields)
    return "," if commas and not any(_DECIMAL_POINT.fullmatch(field) for field in fields) else "."


def _rows(text: str, separator: str) -> list[list[str]]:
    """Fields of the first lines that are not blank; at least one line."""
    rows = filter(None, _fields(io.StringIO(text, newline=""), separator))
    whole: list[list[str]] = []
    # A field too long, or a quote without end: what was read so far says enough.
    with suppress(csv.Error):
        whole.extend(islice(rows, _SAMPLE_LINES))
    return whole or [[]]


def _fields(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    if separator == _BLANKS:
        return (line.split() for line in lines)
    return csv.reader(lines, delimiter=separator, skipinitialspace=True)


class _Headed(io.RawIOBase):
    """A file below another beginning."""

    def __init__(self, header: bytes, file: BinaryIO) -> None:
        super().__init__()
        self._header, self._file = header, file

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any) -> int:
        part, self._header = self._header[: len(buffer)], self._header[len(buffer) :]
        part = part or self._file.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)


@contextmanager
def _parsed(source: Source) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise _encoding_error(source, error) from None
    except MistworksError:
        raise
    except ValueError as error:
        said = str(error).removeprefix("Error tokenizing data. C error: ").strip().rstrip(".")
        raise MistworksError(
            f"Expected a CSV table with a header in {source.name}, got: {said}. Correct the file."
        ) from None


def _encoding_error(source: Source, error: UnicodeDecodeError) -> MistworksError:
    return MistworksError(
        f"Expected text in UTF-8 in {source.name}, got the byte 0x{error.object[error.start]:02x}. Convert "
        "it, for example with iconv -f latin1 -t utf-8."
    )


def _with_dates(column: "Series[Any]") -> "Series[Any]":
    """Return a column of ISO 8601 dates as dates, any other as it is."""
    import pandas as pd

    known = column.dropna()
    if not pd.api.types.is_string_dtype(column.dtype) or not len(known):
        return column
    for pattern, zoned in ((f"{_DATE}(?:{_TIME})?", False), (f"{_DATE}{_TIME}{_ZONE}", True)):
        # The first value rules out most columns of text.
        if re.fullmatch(pattern, str(known.iloc[0])) and known.str.fullmatch(pattern).all():
            try:
                return pd.to_datetime(column, format="ISO8601", utc=zoned)
            except ValueError:
                # Such as the 30th of February.
                return column
    return column


__all__ = ["SeparatedTable", "named_separator"]
