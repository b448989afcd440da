"""Tables of Arrow's formats: Parquet, Feather (Arrow IPC files) and Arrow IPC streams."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from mistworks.errors import MistworksError
from storage.tables.source import Source

if TYPE_CHECKING:
    from pandas import DataFrame

# What pandas names an index that has no name.
_UNNAMED_INDEX = "__index_level_"


@dataclass(frozen=True)
class ArrowTable:
    """A table in Parquet, Feather or as an Arrow stream.

    Attributes:
        source: what holds it.
        columns: names of the columns.
    """

    source: Source
    columns: tuple[str, ...]

    @classmethod
    def of(cls, source: Source) -> "ArrowTable":
        """Read the names of its columns.

        Raises:
            MistworksError: it cannot be read or is damaged.
        """
        with _readable(source) as file:
            names = _schema(source, file).names
        return cls(source, tuple(name for name in names if not name.startswith(_UNNAMED_INDEX)))

    def read(self, columns: Sequence[str]) -> "DataFrame":
        """Read some columns, in this order, and no others where the format allows it.

        Raises:
            MistworksError: it cannot be read, is damaged or has no rows.
        """
        with _readable(self.source) as file:
            table = _read(self.source, file, list(columns))
            if not table.num_rows:
                raise MistworksError(
                    f"Expected rows in {self.source.name}, got none. Write one row per observation."
                )
            # Rows are paired by position: an index that pandas stored is a column like others.
            frame: DataFrame = table.to_pandas(ignore_metadata=True, date_as_object=False)
        return frame[list(columns)]


def _schema(source: Source, file: BinaryIO) -> Any:
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    if source.kind == "Parquet":
        return pq.read_schema(file)
    return (pa.ipc.open_file if source.kind == "Feather" else pa.ipc.open_stream)(file).schema


def _read(source: Source, file: BinaryIO, columns: list[str]) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if source.kind == "Parquet":
        return pq.read_table(file, columns=columns)
    if source.kind == "Feather":
        places = [pa.ipc.open_file(file).schema.get_field_index(name) for name in columns]
        file.seek(0)
        return pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(included_fields=places)).read_all()
    return pa.ipc.open_stream(file).read_all().select(columns)


@contextmanager
def _readable(source: Source) -> Iterator[BinaryIO]:
    import pyarrow as pa

    try:
        with source.opened() as file:
            yield file
    except MistworksError:
        raise
    except (pa.ArrowException, ValueError) as error:
        said = str(error).partition("\n")[0].rstrip(".")
        raise MistworksError(
            f"Expected a whole table in {source.kind} in {source.name}, got: {said}. Write the file again."
        ) from None


__all__ = ["ArrowTable"]
