"""The two ideas everything here hangs on.

A joint distribution has a known mutual information; a family is a prior over joint distributions of one kind,
which a meta-distribution draws from.
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
        """Of ``mutual_information``, in nats: 0 where that is exact, positive where it is Monte Carlo."""
        return 0.0

    @abstractmethod
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw n points: x of shape (n, dx) and y of shape (n, dy), float32, C-contiguous and owned."""


class Family(FrozenConfig, ABC):
    """A prior over joint distributions of one kind. Subclasses are listed in ``AnyFamily``."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What the index of a store calls the family, such as ``"student-sparse"``."""

    @abstractmethod
    def require_dimensions(self, dx: int, dy: int) -> None:
        """Refuse dimensions for which the family is not defined.

        Raises:
            MistworksError: the family has no member of dimensions (dx, dy).
        """

    @abstractmethod
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> JointDistribution:
        """Draw one joint distribution of dimensions (dx, dy) from the prior."""

    def draw_unlabelled(self, dx: int, dy: int, rng: np.random.Generator) -> JointDistribution:
        """The same where only samples matter: the mutual information may be NaN where it takes time."""
        return self.draw(dx, dy, rng)


def require_at_least(name: str, value: int, least: int) -> None:
    """Refuse a count that is too small.

    Raises:
        MistworksError: value is less than ``least``.
    """
    if value < least:
        raise MistworksError(f"{name} must be at least {least}, and {value} came; ask for more")
