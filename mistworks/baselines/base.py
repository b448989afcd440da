"""The contract of everything that estimates mutual information: (x, y) → estimate."""

from abc import ABC, abstractmethod
from typing import Protocol

from mistworks.config import FrozenConfig
from mistworks.dataset import FloatArray
from mistworks.estimation.estimator import Estimate


class MutualInformationEstimator(Protocol):
    """What can be evaluated and compared: a baseline, a bootstrap of one, a trained estimator."""

    @property
    def name(self) -> str:
        """What tables call it, such as ``"ksg-3"``."""

    @property
    def version(self) -> str:
        """Changes whenever estimates may change; results under another version are not used."""

    @property
    def slow(self) -> bool:
        """Whether one estimate takes so long that it is evaluated on a stated part of each suite."""

    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """Mutual information in nats of points x of shape (n, dx) and y of shape (n, dy).

        Raises:
            MistworksError: the estimator is not defined for such a sample; it counts as a failure.
        """


class Baseline(FrozenConfig, ABC):
    """An estimator that is not trained beforehand; its fields are all that it depends on.

    Same input, same estimate: a baseline that draws random numbers draws them from a seed among its fields.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """What tables call it, such as ``"ksg-3"``: unique for its fields."""

    @property
    @abstractmethod
    def version(self) -> str:
        """Changes whenever estimates may change, such as ``"1"``."""

    @property
    def slow(self) -> bool:
        """Whether one estimate takes so long that it is evaluated on a stated part of each suite."""
        return False

    @abstractmethod
    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """Mutual information in nats of points x of shape (n, dx) and y of shape (n, dy).

        Raises:
            MistworksError: the estimator is not defined for such a sample; it counts as a failure.
        """
