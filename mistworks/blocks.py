"""Tables of numbers and class labels, read into blocks of numbers that an estimator takes.

Mutual information does not change when the values of a variable are renamed one to one (Cover and Thomas,
"Elements of Information Theory", 2nd ed., section 2.8: data processing, both ways), so class labels may be
written as any numbers that keep the classes apart: 0 and 1 for two classes, one indicator column a class for
more, which favours no order of them.
"""

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from mistworks.errors import MistworksError
from mistworks.inputs import MAX_DIMENSIONS, read_sample

Block = NDArray[np.float64]


def read_block(values: object, name: str) -> Block:
    """A variable of any number of columns as one block, shape (n, d).

    Args:
        values: an array, tensor, DataFrame, Series or list, of shape (n,) or (n, d). Columns of strings and
            of pandas' type ``category`` hold class labels; all others hold numbers.
        name: what errors call it.

    Raises:
        MistworksError: the values are not a sample of numbers and class labels.
    """
    return np.hstack([block for _, block in read_columns(values, name)])


def read_columns(values: object, name: str) -> list[tuple[Hashable, Block]]:
    """Each column with its label: that of the DataFrame, or its position; blocks are as in `read_block`.

    Raises:
        MistworksError: a column is not a sample of numbers or class labels, or there is none.
    """
    if issparse(values):
        raise MistworksError(
            f"{name} must be a dense table, and a sparse matrix came; pass {name}.toarray(), or choose "
            "columns first if that is too large"
        )
    columns = _split(values)
    if not columns:
        raise MistworksError(f"{name} has no columns; pass at least one")
    if len(columns) == 1:
        label, column = columns[0]
        return [(label, _read(column, name))]
    return [(label, _read(column, f"column {label!r} of {name}")) for label, column in columns]


def _split(values: Any) -> list[tuple[Hashable, Any]]:
    if hasattr(values, "columns") and hasattr(values, "iloc"):
        return [(label, values.iloc[:, position]) for position, label in enumerate(values.columns)]
    if not hasattr(values, "shape"):
        # As objects, so that rows with a label among numbers do not all turn into strings.
        try:
            values = np.asarray(values, dtype=object)
        except ValueError:
            return [(0, values)]
    if len(values.shape) != 2:
        return [(0, values)]
    return [(position, values[:, position]) for position in range(values.shape[1])]


def _read(column: Any, name: str) -> Block:
    dtype = getattr(column, "dtype", None)
    is_category = getattr(dtype, "name", None) == "category"
    if not is_category and getattr(dtype, "kind", None) not in {"O", "S", "T", "U"}:
        return read_sample(column, name)
    values = np.array(column, dtype=object)
    if isinstance(column, np.ma.MaskedArray):
        values[np.ma.getmaskarray(column)] = None
    if values.ndim == 1 and (is_category or any(isinstance(value, str | bytes) for value in values)):
        return _indicators(values.tolist(), name)
    return read_sample(column, name)


def _indicators(labels: list[Hashable], name: str) -> Block:
    if missing := [row for row, label in enumerate(labels) if _is_missing(label)]:
        raise MistworksError(
            f"{name} must hold a class label in every row, and {len(missing)} are missing, the first in row "
            f"{missing[0]}; drop or fill those rows in all columns alike"
        )
    classes = dict.fromkeys(labels)
    if len(classes) > MAX_DIMENSIONS:
        raise MistworksError(
            f"{name} may have up to {MAX_DIMENSIONS} classes, and {len(classes)} came; convert it if these "
            "are numbers, else merge rare classes"
        )
    codes = {label: code for code, label in enumerate(classes)}
    code = np.array([codes[label] for label in labels], dtype=np.int64)
    if len(classes) <= 2:
        return code[:, None].astype(np.float64)
    return np.eye(len(classes))[code]


def _is_missing(label: Any) -> bool:
    return label is None or type(label).__name__ in {"NAType", "NaTType"} or bool(label != label)


__all__ = ["Block", "read_block", "read_columns"]
