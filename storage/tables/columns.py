"""Read columns of tables from files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mistworks.errors import MistworksError

if TYPE_CHECKING:
    from pandas import DataFrame


def read_columns(path: Path, columns: Mapping[str, Sequence[str]]) -> "dict[str, DataFrame]":
    """Read named groups of columns of a CSV file with a header.

    Args:
        path: the file.
        columns: the names of the columns of each group.

    Raises:
        MistworksError: the file cannot be read, is not CSV, or lacks a column.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path)
    except OSError as error:
        raise MistworksError(
            f"Expected a readable table at {path}, got: {error.strerror}. Correct the path."
        ) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise MistworksError(
            f"Expected a CSV table with a header in {path}, got: {str(error).rstrip('.')}. Correct the file."
        ) from None
    wanted = [name for group in columns.values() for name in group]
    if missing := [name for name in wanted if name not in table.columns]:
        raise MistworksError(
            f"Expected columns of {path} ({', '.join(map(str, table.columns))}), got "
            f"{', '.join(map(repr, missing))}. Choose among them."
        )
    return {group: table[list(names)] for group, names in columns.items()}
