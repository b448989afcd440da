"""Pair rows of x and y, if both are pandas objects with labelled rows."""

from typing import Any

from mistworks.errors import MistworksError, warn


def paired(x: Any, y: Any, name: str = "x", other: str = "y") -> Any:
    """Return y with its rows in the order of x, paired by index as in pandas.

    Arrays, tensors, lists and Polars tables have no index: with one of these on either side, rows are paired
    by their position.

    Args:
        x: X as the user passed it.
        y: Y as the user passed it.
        name: name of X in errors.
        other: what errors call Y.

    Raises:
        MistworksError: x and y have the same number of rows, but not the same index.

    Warns:
        MistworksWarning: the indices differ in their order, so that rows of y were moved.
    """
    if not (_has_index(x) and _has_index(y)) or len(x) != len(y) or x.index.equals(y.index):
        return y
    if not (x.index.is_unique and y.index.is_unique):
        raise _different(name, other, "different ones with repeated labels")
    places = y.index.get_indexer(x.index)
    if (places < 0).any():
        missing = x.index[places < 0].tolist()
        raise _different(
            name, other, f"{len(missing):,} labels of {name} that {other} lacks, the first {missing[0]!r}"
        )
    warn(
        f"{name} and {other} have the same index in a different order, and rows were paired by index; pass "
        f"{other}.to_numpy() to pair them by position"
    )
    return y.iloc[places]


def _has_index(values: Any) -> bool:
    return hasattr(values, "iloc") and hasattr(values, "index")


def _different(name: str, other: str, got: str) -> MistworksError:
    return MistworksError(
        f"Expected {name} and {other} with the same index, got {got}. Select the rows that both have, or "
        f"pass {name}.to_numpy() and {other}.to_numpy() to pair rows by position."
    )


__all__ = ["paired"]
