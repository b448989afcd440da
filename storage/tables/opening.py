"""Open a table in a file, whatever its format."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mistworks.errors import MistworksError, warn
from storage.tables.source import Source, open_source

if TYPE_CHECKING:
    from pandas import DataFrame

_MOSTLY = 0.5


class TableFile(Protocol):
    """A table in a file: names of columns are known, their values are read when they are asked for."""

    @property
    def source(self) -> Source:
        """What holds it."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its columns."""

    def read(self, columns: Sequence[str]) -> "DataFrame":
        """Read some columns, in this order; rows are numbered from 0.

        Raises:
            MistworksError: the file cannot be read, or is damaged.
        """


def open_table(path: Path, *, separator: str | None = None, decimal: str | None = None) -> TableFile:
    """Open a table in CSV or another separated text, Parquet, Feather or as an Arrow stream.

    Its content says what it is, not its name, also whether it is compressed by gzip, bzip2, xz or zstd.

    Args:
        path: of the file; ``-`` for standard input.
        separator: of the fields of a text: a character, ``tab`` or ``space``; None to find out.
        decimal: ``"."`` or ``","``, what separates whole numbers from fractions in a text; None to find out.

    Raises:
        MistworksError: the file cannot be read, or holds no table.
    """
    if decimal not in (None, ".", ","):
        raise MistworksError(f"Expected . or , as the decimal separator, got {decimal!r}.")
    source = open_source(path)
    if source.kind == "text":
        from storage.tables.separated import SeparatedTable

        return SeparatedTable.of(source, separator, decimal)
    from storage.tables.arrow import ArrowTable

    return ArrowTable.of(source)


def warn_of_numbers_among_labels(frame: "DataFrame", classes: Collection[str]) -> None:
    """Warn of columns that are class labels only because some of their values are no numbers.

    Args:
        frame: as it was read.
        classes: names of columns that are class labels by intention.

    Warns:
        MistworksWarning: in a column of text, more than half of the values are numbers.
    """
    import pandas as pd

    for name in frame.columns:
        column = frame[name]
        if name in classes or not pd.api.types.is_string_dtype(column.dtype):
            continue
        known = column.dropna()
        numeric = pd.to_numeric(known, errors="coerce").notna()
        if _MOSTLY < numeric.mean() < 1:
            first = known.index[~numeric].tolist()[0]
            warn(
                f"Column {name!r} is read as class labels: {numeric.sum():,} of its {len(known):,} values "
                f"are numbers, but row {first + 1:,} holds {known.loc[first]!r}. Correct such values, or "
                "name the column as classes."
            )


__all__ = ["TableFile", "open_table", "warn_of_numbers_among_labels"]
