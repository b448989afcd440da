"""Sides of many columns, reduced to fewer before they are estimated."""

import math
from typing import Literal, get_args

import numpy as np

from mistworks.errors import MistworksError
from mistworks.preparation.scores import normal_scores
from mistworks.preparation.table import Side, joined

Reduction = Literal["pca"]

WIDE = 64
"""Sides of more columns than this are reduced: the estimator was trained on no more."""

_MOST_COMPONENTS = 32
_ROWS_PER_COMPONENT = 10
_VARIANCE = 0.99


def reduced(side: Side, name: str, reduction: Reduction) -> Side:
    """Replace the numbers of a side of more than 64 columns by their first principal components.

    Components are those of the normal scores of the columns, so that outliers and units do not matter; as
    many as have 99 % of the variance, at most 32, and at most a tenth of the rows. They are a function of
    this side alone: the other side has no part in choosing them, so that they cannot make independent sides
    look dependent, and by the data processing inequality (Cover and Thomas, "Elements of Information Theory",
    2nd ed., theorem 2.8.1) their mutual information with the other side is at most that of all columns.

    Args:
        side: n points of d columns. Class labels stay as they are, beside the components.
        name: what errors call it.
        reduction: ``"pca"``.

    Raises:
        MistworksError: the reduction is another, or more than 32 columns hold class labels.
    """
    if reduction not in get_args(Reduction):
        raise MistworksError(f"Expected reduce to be 'pca' or None, got {reduction!r}.")
    n, d = side.shape
    if d <= WIDE:
        return side
    labels = side.columns(side.nominal)
    if labels.shape[1] > _MOST_COMPONENTS:
        raise MistworksError(
            f"Expected up to {_MOST_COMPONENTS} columns of class labels in {name} with reduce='pca', got "
            f"{labels.shape[1]}. Choose among them: they have no principal components."
        )
    components = _components(side.columns(~side.nominal).values, max(1, n // _ROWS_PER_COMPONENT))
    names = tuple(f"component {number}" for number in range(1, len(components) + 1))
    numbers = Side(components, np.zeros(len(components), dtype=np.bool_), names)
    both = joined([numbers, labels]) if labels.shape[1] else numbers
    assert isinstance(both, Side)
    return both


def _components(columns: np.ndarray, most: int) -> np.ndarray:
    """Principal components of columns of shape (d, n), as many as are wanted, shape (k, n)."""
    d, n = columns.shape
    scores = normal_scores(columns)
    scores -= scores.mean(axis=1, keepdims=True)
    # The eigenvectors of the smaller of the two products give those of the other.
    product = scores @ scores.T if d <= n else scores.T @ scores
    variances, vectors = np.linalg.eigh(product)
    variances, vectors = variances[::-1].clip(0), vectors[:, ::-1]
    share = np.cumsum(variances) / max(variances.sum(), math.ulp(1.0))
    count = min(int(np.searchsorted(share, _VARIANCE)) + 1, _MOST_COMPONENTS, most, len(variances))
    chosen = vectors[:, :count]
    if d <= n:
        return np.ascontiguousarray(chosen.T @ scores)
    return np.ascontiguousarray(chosen.T * np.sqrt(variances[:count, None]))


__all__ = ["WIDE", "Reduction", "reduced"]
