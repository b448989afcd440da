"""The two base classes: joint distributions and families.

A joint distribution has a known mutual information. A family is a prior over joint distributions of one kind;
a meta-distribution is a mixture of families.
"""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from mistworks.config import FrozenConfig
from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError

Array = NDArray[np.float64]


class JointDistribution(ABC):
    """A joint distribution of X and Y whose mutual information is known.

    Attributes:
        dx: dimension of X.
        dy: dimension of Y.
    """

    dx: int
    dy: int

    @property
    @abstractmethod
    def mutual_information(self) -> float:
        """I(X;Y) in nats, at least 0."""

    @property
    def standard_error(self) -> float:
        """Standard error of ``mutual_information`` in nats: 0 if exact, positive if Monte Carlo."""
        return 0.0

    @abstractmethod
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw n points: x of shape (n, dx) and y of shape (n, dy), float32, C-contiguous and owned."""


class Family(FrozenConfig, ABC):
    """A prior over joint distributions of one kind. ``AnyFamily`` lists the subclasses."""

    family: str

    @property
    def name(self) -> str:
        """Name of the family in the index of a store, such as ``"cells"`` or ``"student-sparse"``."""
        return self.family

    def require_dimensions(self, dx: int, dy: int) -> None:
        """Raise an error for dimensions without a member. Most families have members of all dimensions.

        Raises:
            MistworksError: the family has no member of dimensions (dx, dy).
        """
        require_at_least(f"dimension of {self.name}", min(dx, dy), 1)

    @abstractmethod
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> JointDistribution:
        """Draw one joint distribution of dimensions (dx, dy) from the prior."""

    def draw_unlabelled(self, dx: int, dy: int, rng: np.random.Generator) -> JointDistribution:
        """Like ``draw``, but the mutual information may be NaN if it takes long to compute."""
        return self.draw(dx, dy, rng)


def require_at_least(name: str, value: int, least: int) -> None:
    """Raise an error for a count that is too small.

    Raises:
        MistworksError: value is less than ``least``.
    """
    if value < least:
        raise MistworksError(f"Expected {name} ≥ {least}, got {value}. Raise it.")


__all__ = ["Array", "Family", "JointDistribution", "require_at_least"]
