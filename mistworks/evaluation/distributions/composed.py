"""Joint distributions built from others: mapped, side by side, and with uninformative columns."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions import JointDistribution
from mistworks.distributions.block_maps import BlockMap, identity


@dataclass(frozen=True, eq=False)
class Mapped(JointDistribution):
    """(f(X), g(Y)) with f and g invertible on the supports of X and Y: I(f(X);g(Y)) = I(X;Y).

    Attributes:
        joint: the distribution of (X, Y).
        x: f.
        y: g.
        added_x: dimension of f(X) minus that of X, for an embedding.
    """

    joint: JointDistribution
    x: BlockMap = identity
    y: BlockMap = identity
    added_x: int = 0

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return self.joint.dx + self.added_x

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return self.joint.dy

    @property
    @override
    def mutual_information(self) -> float:
        return self.joint.mutual_information

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        x, y = self.joint.sample(n, rng)
        return _float32(self.x(x)), _float32(self.y(y))


@dataclass(frozen=True, eq=False)
class Product(JointDistribution):
    """Independent pairs of blocks side by side: I(X;Y) is the sum over pairs (chain rule).

    Attributes:
        parts: the distribution of each pair of blocks.
    """

    parts: tuple[JointDistribution, ...]

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return sum(part.dx for part in self.parts)

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return sum(part.dy for part in self.parts)

    @property
    @override
    def mutual_information(self) -> float:
        return sum(part.mutual_information for part in self.parts)

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        x_blocks, y_blocks = zip(*(part.sample(n, rng) for part in self.parts), strict=True)
        return np.hstack(x_blocks), np.hstack(y_blocks)


@dataclass(frozen=True, eq=False)
class Widened(JointDistribution):
    """(X, Y) with further columns without information: copies of columns, exact sums of them, and noise.

    I(X;Y) does not change: added columns are functions of their side, or independent of everything. The
    columns of (X, Y) are first.

    Attributes:
        joint: the distribution of (X, Y).
        x_copies: number of copies of columns of X, in turn, each through the next map of ``COPY_MAPS``.
        y_copies: the same for Y.
        x_sums: number of sums of two different columns of X.
        y_sums: the same for Y.
        x_noise: number of independent standard normal columns beside X.
        y_noise: the same beside Y.
    """

    joint: JointDistribution
    x_copies: int = 0
    y_copies: int = 0
    x_sums: int = 0
    y_sums: int = 0
    x_noise: int = 0
    y_noise: int = 0

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return self.joint.dx + self.x_copies + self.x_sums + self.x_noise

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return self.joint.dy + self.y_copies + self.y_sums + self.y_noise

    @property
    @override
    def mutual_information(self) -> float:
        return self.joint.mutual_information

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        x, y = self.joint.sample(n, rng)
        x_noise, y_noise = (rng.standard_normal((n, size)) for size in (self.x_noise, self.y_noise))
        return (
            _widened(x, self.x_copies, self.x_sums, x_noise),
            _widened(y, self.y_copies, self.y_sums, y_noise),
        )


COPY_MAPS: tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], ...] = (
    np.asarray,
    np.negative,
    lambda v: 10.0 * v + 3.0,
    np.cbrt,
    lambda v: np.exp(-v / np.abs(v).max()),
)
"""Maps of copies of columns, strictly increasing or decreasing."""


def _widened(values: FloatArray, copies: int, sums: int, noise: NDArray[np.float64]) -> FloatArray:
    points = values.astype(np.float64)
    width = points.shape[1]
    own = list(points.T)
    copied = [COPY_MAPS[number % len(COPY_MAPS)](own[number % width]) for number in range(copies)]
    summed = [own[number % width] - (1 + number) * own[(number + 1) % width] for number in range(sums)]
    return _float32(np.stack([*own, *copied, *summed, *noise.T], axis=1))


def _float32(values: FloatArray | NDArray[np.float64]) -> FloatArray:
    return np.ascontiguousarray(values, dtype=np.float32)


__all__ = ["COPY_MAPS", "Mapped", "Product", "Widened"]
