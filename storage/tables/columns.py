"""Reads columns of tables from files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mistworks.errors import MistworksError

if TYPE_CHECKING:
    from pandas import DataFrame


def read_columns(path: Path, columns: Mapping[str, Sequence[str]]) -> "dict[str, DataFrame]":
    """Named groups of columns of a CSV file with a header.

    Args:
        path: the file.
        columns: for each group the names of its columns.

    Raises:
        MistworksError: the file cannot be read, is not CSV, or lacks a column.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path)
    except OSError as error:
        raise MistworksError(f"{path} cannot be read ({error.strerror}); mend the path") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise MistworksError(f"{path} is not a CSV table with a header ({error}); mend the file") from None
    wanted = [name for group in columns.values() for name in group]
    if missing := [name for name in wanted if name not in table.columns]:
        raise MistworksError(
            f"{path} has no column {', '.join(map(repr, missing))}; "
            f"it has {', '.join(map(str, table.columns))}; choose among these"
        )
    return {group: table[list(names)] for group, names in columns.items()}
