"""A law: a joint distribution of X, Y and Z whose I(X;Y|Z) is known exactly."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mistworks.preparation.reading import Side

Array = NDArray[np.float64]
Sampler = Callable[[int, np.random.Generator], tuple[Array, Array, Array]]
Nominal = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Law:
    """A joint distribution of X, Y and Z with known I(X;Y|Z).

    Attributes:
        family: name of the family that it belongs to.
        cmi: I(X;Y|Z) in nats, exact, at least 0.
        sampler: draws n points: x of shape (n, dx), y of shape (n, dy) and z of shape (n, dz).
        nominal: positions of the columns of x, of y and of z that hold class labels.
    """

    family: str
    cmi: float
    sampler: Sampler = field(repr=False)
    nominal: Nominal = ((), (), ())

    def sample(self, n: int, rng: np.random.Generator) -> "Triple":
        """Draw n points."""
        x, y, z = (
            _side(values, nominal) for values, nominal in zip(self.sampler(n, rng), self.nominal, strict=True)
        )
        return Triple(x, y, z, self.cmi, self.family)

    def named(self, family: str) -> "Law":
        """The same law as a member of another family."""
        return replace(self, family=family)


@dataclass(frozen=True, eq=False)
class Triple:
    """A sample of X, Y and Z with its known conditional mutual information.

    Attributes:
        x: n points of X.
        y: n points of Y.
        z: n points of Z.
        cmi: I(X;Y|Z) of the law they were drawn from, in nats.
        family: name of the family of that law.
    """

    x: Side
    y: Side
    z: Side
    cmi: float
    family: str

    @property
    def sides(self) -> tuple[Side, Side, Side]:
        """x, y and z."""
        return self.x, self.y, self.z


def _side(values: Array, nominal: tuple[int, ...]) -> Side:
    columns = np.ascontiguousarray(values.T, dtype=np.float64)
    classes = np.zeros(len(columns), dtype=np.bool_)
    classes[list(nominal)] = True
    return Side(columns, classes, tuple(range(len(columns))))


__all__ = ["Array", "Law", "Nominal", "Sampler", "Triple"]
