"""The contract of every estimator of mutual information, and of every other measure: (x, y) → estimate."""

from abc import ABC, abstractmethod
from typing import Protocol

from mistworks.config import FrozenConfig
from mistworks.dataset import FloatArray
from mistworks.estimation.estimator import Estimate
from mistworks.units import MeasureUnit


class MutualInformationEstimator(Protocol):
    """An estimator that can be evaluated and compared: a baseline, a bootstrap of one, a trained estimator.

    It may also have ``estimate_many(pairs)``, which returns one estimate per pair (x, y),
    ``reads_classes = True``, with which class labels reach it as strings (the others read their codes), and
    ``unit``, a `MeasureUnit`, without which its estimates are in nats.
    """

    @property
    def name(self) -> str:
        """Name in tables, such as ``"ksg-3"``."""

    @property
    def version(self) -> str:
        """Changes whenever estimates may change. Results of another version are not used."""

    @property
    def slow(self) -> bool:
        """Whether one estimate takes so long that it is evaluated on a stated part of each suite."""

    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """Mutual information in nats of points x of shape (n, dx) and y of shape (n, dy).

        Raises:
            MistworksError: the estimator is not defined for such a sample; it counts as a failure.
        """


class Baseline(FrozenConfig, ABC):
    """An estimator that is not trained beforehand. It depends on its fields alone.

    The same input gives the same estimate: random numbers are drawn from a seed among the fields.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """Name in tables, such as ``"ksg-3"``. Unique for its fields."""

    @property
    def version(self) -> str:
        """Changes whenever estimates may change; ``"1"`` unless overridden."""
        return "1"

    @property
    def slow(self) -> bool:
        """Whether one estimate takes so long that it is evaluated on a stated part of each suite."""
        return False

    @property
    def unit(self) -> MeasureUnit:
        """Unit of its estimates; ``"nats"`` unless it measures something else than mutual information."""
        return "nats"

    @abstractmethod
    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """Estimate, in the unit of the baseline, from points x of shape (n, dx) and y of shape (n, dy).

        Raises:
            MistworksError: the estimator is not defined for such a sample; it counts as a failure.
        """


def unit_of(estimator: MutualInformationEstimator) -> MeasureUnit:
    """Return the unit of an estimator: ``"nats"`` if it states none."""
    unit: MeasureUnit = getattr(estimator, "unit", "nats")
    return unit


__all__ = ["Baseline", "MutualInformationEstimator", "unit_of"]
