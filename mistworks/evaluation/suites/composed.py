"""Joint distributions made of others: blocks under invertible maps, and independent pairs of blocks."""

from dataclasses import dataclass

import numpy as np

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
        added_x: dimension of f(X) less that of X, for an embedding.
    """

    joint: JointDistribution
    x: BlockMap = identity
    y: BlockMap = identity
    added_x: int = 0

    @property
    def dx(self) -> int:  # type: ignore[override]
        """Dimension of f(X)."""
        return self.joint.dx + self.added_x

    @property
    def dy(self) -> int:  # type: ignore[override]
        """Dimension of g(Y)."""
        return self.joint.dy

    @property
    def mutual_information(self) -> float:
        """I(X;Y) in nats."""
        return self.joint.mutual_information

    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw n points: shapes (n, dx) and (n, dy), float32."""
        x, y = self.joint.sample(n, rng)
        return _float32(self.x(x)), _float32(self.y(y))


@dataclass(frozen=True, eq=False)
class Product(JointDistribution):
    """Independent pairs of blocks side by side: I is the sum of theirs (chain rule).

    Attributes:
        parts: the distribution of each pair of blocks.
    """

    parts: tuple[JointDistribution, ...]

    @property
    def dx(self) -> int:  # type: ignore[override]
        """Dimension of X, the sum of those of its blocks."""
        return sum(part.dx for part in self.parts)

    @property
    def dy(self) -> int:  # type: ignore[override]
        """Dimension of Y, the sum of those of its blocks."""
        return sum(part.dy for part in self.parts)

    @property
    def mutual_information(self) -> float:
        """I(X;Y) in nats."""
        return sum(part.mutual_information for part in self.parts)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw n points: shapes (n, dx) and (n, dy), float32."""
        x_blocks, y_blocks = zip(*(part.sample(n, rng) for part in self.parts), strict=True)
        return np.hstack(x_blocks), np.hstack(y_blocks)


def _float32(values: FloatArray) -> FloatArray:
    return np.ascontiguousarray(values, dtype=np.float32)
