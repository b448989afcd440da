"""The bits family: bits of X, and bits of Y that are noisy copies of them or of their parities."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Array, Family, JointDistribution
from mistworks.distributions.coordinates import Coordinates, draw_coordinates, place
from mistworks.distributions.priors import Probability, log_uniform
from mistworks.distributions.tables import table_information
from mistworks.errors import MistworksError

_MOST_BITS = 16
_MOST_READ = 5


@dataclass(frozen=True, eq=False)
class Bits(JointDistribution):
    """X has bits B, and Y has bits Cⱼ, each a noisy copy of the parity Pⱼ = Σᵢ Aⱼᵢ Bᵢ mod 2 of some of them.

    The parities are independent of each other: either each reads one bit that no other reads, or the bits are
    fair and A has full row rank over GF(2), which makes the parities fair and independent. Then
    I(X;Y) = Σⱼ I(Pⱼ;Cⱼ).

    Attributes:
        parities: A, lower triangular with ones on its diagonal, hence of full rank, shape (k, k), 0 or 1.
        tables: P(Pⱼ, Cⱼ), shape (k, 2, 2), each with sum 1.
        widths: w < 1 of X and of Y, shape (2,): a bit b is recorded as b + w U with U uniform on (0, 1).
        x_order: the positions in X of its bits, then those of the noise, shape (dx,).
        y_order: the same for Y.
        x_noise: the other columns of X.
        y_noise: the other columns of Y.

    Raises:
        MistworksError: A is not unitriangular, or a parity of several bits is not fair.
    """

    parities: NDArray[np.int64]
    tables: Array
    widths: Array
    x_order: NDArray[np.int64]
    y_order: NDArray[np.int64]
    x_noise: Coordinates
    y_noise: Coordinates

    def __post_init__(self) -> None:
        a = self.parities
        triangular = np.array_equal(a, np.tril(a)) and bool((a.diagonal() == 1).all())
        copies = np.array_equal(a, np.eye(len(a)))
        if not triangular or not (copies or np.allclose(self.tables.sum(axis=2), 0.5, atol=1e-12)):
            raise MistworksError(
                "Expected unitriangular parities, and fair bits if a parity reads several. Change either."
            )

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return len(self.x_order)

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return len(self.y_order)

    @property
    @override
    def mutual_information(self) -> float:
        return sum(table_information(table) for table in self.tables)

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        one = self.tables[:, 1].sum(axis=1)
        bits = (rng.random((n, len(one))) < one).astype(np.int64)
        parity = bits @ self.parities.T % 2
        given = self.tables[:, :, 1] / np.maximum(self.tables.sum(axis=2), 1e-300)
        copy = rng.random(parity.shape) < given[np.arange(len(one)), parity]
        return (
            self._side(bits, self.widths[0], self.x_order, self.x_noise, rng),
            self._side(copy, self.widths[1], self.y_order, self.y_noise, rng),
        )

    @staticmethod
    def _side(
        bits: NDArray[np.generic],
        width: float,
        order: NDArray[np.int64],
        noise: Coordinates,
        rng: np.random.Generator,
    ) -> FloatArray:
        recorded = bits.astype(np.float32)
        if width > 0.0:
            recorded = recorded + np.float32(width) * rng.random(recorded.shape, dtype=np.float32)
        return place(recorded, order, noise, rng)


class BitsFamily(Family):
    """1 to min(dx, dy, 16) bits and their copies, flipped with random probabilities, among noise.

    Attributes:
        independent: probability that the copies are independent of the bits.
        parity: probability that some copies are parities of up to 5 bits.
        noisy: probability that the other columns are of any kind; otherwise they are fair bits.
    """

    family: Literal["bits"] = "bits"
    independent: Probability = 0.15
    parity: Probability = 0.15
    noisy: Probability = 0.5

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Bits:
        self.require_dimensions(dx, dy)
        most = min(dx, dy, _MOST_BITS)
        count = most if rng.random() < 0.4 else int(rng.integers(1, most, endpoint=True))
        parities = np.eye(count, dtype=np.int64)
        if count > 1 and rng.random() < self.parity:
            for row in range(1, count):
                if rng.random() < 0.7:
                    read = int(rng.integers(1, min(row, _MOST_READ - 1), endpoint=True))
                    parities[row, rng.permutation(row)[:read]] = 1
        return Bits(
            parities,
            self._tables(count, bool(parities.sum() == count), rng),
            np.where(rng.random(2) < 0.2, rng.uniform(0.05, 0.99, 2), 0.0),
            rng.permutation(dx),
            rng.permutation(dy),
            self._noise(dx - count, rng),
            self._noise(dy - count, rng),
        )

    def _tables(self, count: int, copies: bool, rng: np.random.Generator) -> Array:
        """Draw P(parity, copy) of each, shape (count, 2, 2); parities are fair unless all are copies."""
        one = np.full(count, 0.5)
        if copies and rng.random() < 0.5:
            one = np.array([log_uniform(0.002, 0.5, rng) for _ in range(count)])
        if rng.random() < self.independent:
            other = rng.uniform(0.05, 0.95, count)
            return np.asarray(
                np.stack([1 - one, one], 1)[:, :, None] * np.stack([1 - other, other], 1)[:, None]
            )
        same = rng.random() < 0.6
        flips = np.array([log_uniform(0.001, 0.5, rng) for _ in range(1 if same else count)])
        if rng.random() < 0.15:
            flips[:] = 0.0
        flips = np.broadcast_to(flips, (count,))
        # A rare one may be missed more often than a zero is mistaken for it.
        false = flips * (one if rng.random() < 0.5 else 1.0)
        zero = np.stack([(1 - one) * (1 - false), (1 - one) * false], axis=1)
        return np.asarray(np.stack([zero, np.stack([one * flips, one * (1 - flips)], axis=1)], axis=1))

    def _noise(self, size: int, rng: np.random.Generator) -> Coordinates:
        if rng.random() < self.noisy:
            return draw_coordinates(size, rng)
        return Coordinates(np.full(size, _SIGN))


_SIGN = 4
"""The position of ±1 in `mistworks.distributions.coordinates.MARGINS`."""


__all__ = ["Bits", "BitsFamily"]
