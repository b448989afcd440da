"""The copies family: columns that repeat other columns of their side, with a little noise."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Array, Family, JointDistribution
from mistworks.distributions.cells import CellsFamily
from mistworks.distributions.coordinates import Coordinates, draw_coordinates
from mistworks.distributions.dispersion import Factor, RandomPairs
from mistworks.distributions.normal import NormalFamily
from mistworks.distributions.observed import ObservedFamily
from mistworks.distributions.pairs import PairsFamily
from mistworks.distributions.priors import LogUniform, log_uniform, within
from mistworks.distributions.strong import StrongFamily
from mistworks.distributions.student import StudentFamily

CopiedFamily = Annotated[
    NormalFamily | StudentFamily | CellsFamily | ObservedFamily | PairsFamily | StrongFamily,
    Field(discriminator="family"),
]


@dataclass(frozen=True, eq=False)
class Repeats:
    """Columns added to a side: noise, and noisy copies of combinations of columns.

    Attributes:
        noise: columns that are independent of everything else.
        weights: weights of the columns of the base and of the noise in each copy, shape (columns, copies).
        scales: standard deviation of the noise of each copy, shape (copies,).
        order: the positions of base, noise and copies, shape (d,).
    """

    noise: Coordinates
    weights: Array
    scales: Array
    order: NDArray[np.int64]

    def __call__(self, base: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return the whole side, shape (n, d), float32."""
        columns = np.hstack([base, self.noise.sample(len(base), rng)])
        copies = columns @ self.weights + self.scales * rng.standard_normal((len(base), len(self.scales)))
        values = np.empty((len(base), len(self.order)), dtype=np.float32)
        values[:, self.order] = np.hstack([columns, copies])
        return values


@dataclass(frozen=True, eq=False)
class Copies(JointDistribution):
    """(X′, Y′) of a base, with columns of noise and noisy copies of columns added to both.

    The columns added to X′ are functions of X′ and of noise that is independent of everything else, and X′
    stays among the columns: I(X;Y) = I(X′;Y′).

    Attributes:
        base: the distribution of (X′, Y′).
        x: what is added to X′.
        y: what is added to Y′.
    """

    base: JointDistribution
    x: Repeats
    y: Repeats

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return len(self.x.order)

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return len(self.y.order)

    @property
    @override
    def mutual_information(self) -> float:
        return self.base.mutual_information

    @property
    @override
    def standard_error(self) -> float:
        return self.base.standard_error

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        x, y = self.base.sample(n, rng)
        return self.x(x, rng), self.y(y, rng)


class CopiesFamily(Family):
    """A base of few columns, filled up with noise and near-copies. Copies are never exact: those get dropped.

    Attributes:
        kinds: families of the base, equally likely. Each must be defined for all dimensions.
        noise: prior of the standard deviation of the noise of copies.
    """

    family: Literal["copies"] = "copies"
    kinds: Annotated[tuple[CopiedFamily, ...], Field(min_length=1)] = (
        NormalFamily(dispersion=Factor()),
        NormalFamily(dispersion=RandomPairs()),
        NormalFamily(dispersion=RandomPairs()),
        StudentFamily(dispersion=Factor()),
        CellsFamily(),
        ObservedFamily(),
        PairsFamily(),
        StrongFamily(),
    )
    noise: LogUniform = LogUniform(low=3e-4, high=0.1)

    @field_validator("noise")
    @classmethod
    def _distinguishable(cls, prior: LogUniform) -> LogUniform:
        # Below, float32 would make copies of coordinates up to 100 exact.
        return within(prior, 1e-4, 100.0, "noise")

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Copies:
        self.require_dimensions(dx, dy)
        kind = self.kinds[int(rng.integers(len(self.kinds)))]
        same = int(log_uniform(1.0, max(2.0, min(dx, dy) / 2 + 1.0), rng))
        base = kind.draw(min(same, dx), min(same, dy), rng)
        return Copies(base, self._repeats(base.dx, dx, rng), self._repeats(base.dy, dy, rng))

    def _repeats(self, base: int, size: int, rng: np.random.Generator) -> Repeats:
        noise = int(rng.integers(0, size - base, endpoint=True)) if rng.random() < 0.6 else 0
        columns, copies = base + noise, size - base - noise
        weights = np.zeros((columns, copies))
        combined = rng.random() < 0.3
        for copy in range(copies):
            read = rng.permutation(columns)[: int(rng.integers(1, 4)) if combined else 1]
            weights[read, copy] = np.where(rng.random(len(read)) < 0.5, -1.0, 1.0)
        scale = self.noise.draw(rng)
        return Repeats(draw_coordinates(noise, rng), weights, np.full(copies, scale), rng.permutation(size))


__all__ = ["CopiedFamily", "Copies", "CopiesFamily", "Repeats"]
