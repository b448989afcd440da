"""Convert a user's X and Y to arrays for a network over samples."""

from typing import TYPE_CHECKING

from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError
from mistworks.preparation.prepare import fitted
from mistworks.preparation.reading import MAX_COLUMNS, MIN_POINTS, read_pair

if TYPE_CHECKING:
    from torch import Tensor

MAX_DIMENSIONS = MAX_COLUMNS
MAX_SMOOTH_POINTS = 2_000


def check_pair(x: object, y: object) -> tuple[FloatArray, FloatArray]:
    """Return X of shape (n, dx) and Y of shape (n, dy) as float32, each column mapped linearly into [−1, 1].

    Shift and scale are computed in double precision, so that columns far from 0 keep their digits in float32.
    They do not change mutual information. Class labels are numbered.

    Args:
        x: see `mistworks.preparation.reading.read_side`.
        y: likewise.

    Raises:
        MistworksError: the input is not a pair of samples of at least five points.
    """
    x_side, y_side = read_pair(x, y)
    return fitted(x_side), fitted(y_side)


def check_tensors(x: "Tensor", y: "Tensor") -> None:
    """Refuse input without smooth ranks: anything but floating-point tensors of shapes (n, dx) and (n, dy).

    Raises:
        MistworksError: x or y is something else, is not finite, or has fewer than 5 points or more than
            2,000.
    """
    for name, values in (("x", x), ("y", y)):
        if not _is_differentiable(values):
            raise MistworksError(
                f"Expected {name} to be a floating-point tensor of shape (n, d), got {_described(values)}. "
                "Convert it."
            )
        if not bool(values.isfinite().all()):
            raise MistworksError(
                f"Expected finite numbers in {name}, got NaN or infinity. Drop or fill those rows in x and y "
                "alike."
            )
    if len(x) != len(y) or not MIN_POINTS <= len(x) <= MAX_SMOOTH_POINTS:
        raise MistworksError(
            f"Expected x and y with the same number of rows, from {MIN_POINTS} to {MAX_SMOOTH_POINTS:,} for "
            f"smooth ranks, got {len(x):,} and {len(y):,}. Pass a subset of the points."
        )


def _is_differentiable(values: object) -> bool:
    shape: tuple[int, ...] = getattr(values, "shape", ())
    floating = hasattr(values, "is_floating_point") and bool(values.is_floating_point())
    return floating and len(shape) == 2 and shape[1] > 0


def _described(values: object) -> str:
    if hasattr(values, "is_floating_point"):
        return f"one of type {values.dtype} and shape {tuple(values.shape)}"  # type: ignore[attr-defined]
    return f"a {type(values).__name__}"


__all__ = ["MAX_DIMENSIONS", "MIN_POINTS", "check_pair", "check_tensors"]
