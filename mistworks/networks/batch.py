"""Padded batches of datasets. The sizes say what is padding, never a value."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mistworks.dataset import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """B samples padded to common sizes. Values beyond a sample's own sizes are arbitrary.

    Attributes:
        x: shape (B, N, DX), float32; the sample of dataset b is ``x[b, :n[b], :dx[b]]``.
        y: shape (B, N, DY), float32; likewise ``y[b, :n[b], :dy[b]]``.
        n: number of points, shape (B,), int64.
        dx: dimension of X, shape (B,), int64.
        dy: dimension of Y, shape (B,), int64.
    """

    x: Tensor
    y: Tensor
    n: Tensor
    dx: Tensor
    dy: Tensor

    def __len__(self) -> int:
        return len(self.n)

    @property
    def point_mask(self) -> Tensor:
        """Mask of the rows that are points, shape (B, N)."""
        return _mask(self.n, self.x.shape[1])

    @property
    def x_mask(self) -> Tensor:
        """Mask of the columns that are coordinates of X, shape (B, DX)."""
        return _mask(self.dx, self.x.shape[2])

    @property
    def y_mask(self) -> Tensor:
        """Mask of the columns that are coordinates of Y, shape (B, DY)."""
        return _mask(self.dy, self.y.shape[2])

    def to(self, device: torch.device | str) -> "Batch":
        """Return the same batch on another device."""
        return Batch(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def pad(pairs: Sequence[tuple[FloatArray, FloatArray]]) -> Batch:
    """Collect pairs, x of shape (n, dx) and y of shape (n, dy), into one padded batch."""
    n = [len(x) for x, _ in pairs]
    dx = [x.shape[1] for x, _ in pairs]
    dy = [y.shape[1] for _, y in pairs]
    padded_x = np.zeros((len(pairs), max(n), max(dx)), np.float32)
    padded_y = np.zeros((len(pairs), max(n), max(dy)), np.float32)
    for row, (x, y) in enumerate(pairs):
        padded_x[row, : n[row], : dx[row]] = x
        padded_y[row, : n[row], : dy[row]] = y
    return Batch(
        torch.from_numpy(padded_x),
        torch.from_numpy(padded_y),
        torch.tensor(n),
        torch.tensor(dx),
        torch.tensor(dy),
    )


def group_by_shape(
    n: IntArray, dx: IntArray, dy: IntArray, max_cells: int, max_count: int
) -> Iterator[NDArray[np.intp]]:
    """Split datasets into groups of similar shape, each small enough for one padded batch.

    Datasets are ordered by dimension and cut into strips of similar dimension; each strip is ordered by n,
    and groups are filled greedily. Every dataset is in exactly one group, however large it is.

    Args:
        n: number of points, shape (N,).
        dx: dimension of X, shape (N,).
        dy: dimension of Y, shape (N,).
        max_cells: maximum number of padded cells B · N · (DX + DY) of a group. A larger dataset forms its own
            group.
        max_count: maximum number of datasets in a group.

    Yields:
        Positions of a group's datasets, deterministic in the arguments.
    """
    order = np.lexsort((n, dy, dx + dy))
    cells = int((n * (dx + dy)).sum())
    strips = max(1, round(np.sqrt(max(cells / max_cells, len(n) / max_count))))
    for strip in np.array_split(order, strips):
        yield from _fill(strip[np.argsort(n[strip], kind="stable")], n, dx, dy, max_cells, max_count)


def _fill(
    order: NDArray[np.intp], n: IntArray, dx: IntArray, dy: IntArray, max_cells: int, max_count: int
) -> Iterator[NDArray[np.intp]]:
    first, width_x, width_y = 0, 0, 0
    for last, row in enumerate(order):
        width_x, width_y = max(width_x, int(dx[row])), max(width_y, int(dy[row]))
        count = last - first + 1
        if count > 1 and (count > max_count or count * int(n[row]) * (width_x + width_y) > max_cells):
            yield order[first:last]
            first, width_x, width_y = last, int(dx[row]), int(dy[row])
    if first < len(order):
        yield order[first:]


def _mask(sizes: Tensor, width: int) -> Tensor:
    return torch.arange(width, device=sizes.device) < sizes[:, None]


__all__ = ["Batch", "group_by_shape", "pad"]
