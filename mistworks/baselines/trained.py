"""A trained estimator under the same contract as the baselines."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from mistworks.dataset import FloatArray
from mistworks.errors import MistworksWarning
from mistworks.estimation.estimator import Estimate, Estimator


@dataclass(frozen=True)
class Trained:
    """A trained estimator with its name.

    It does not warn about samples outside its training range: its accuracy there is what is measured.

    Attributes:
        name: name in tables, such as ``"mist/3"``.
        estimator: the trained estimator.
    """

    name: str
    estimator: Estimator

    @cached_property
    def version(self) -> str:
        """The first 16 digits of the SHA-256 of weights and calibration."""
        return self.estimator.sha256[:16]

    @property
    def slow(self) -> bool:
        """Always False: an estimate takes milliseconds."""
        return False

    @property
    def reads_classes(self) -> bool:
        """Always True: class labels reach it as strings."""
        return True

    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """Estimate the mutual information in nats of x of shape (n, dx) and y of shape (n, dy).

        Raises:
            MistworksError: x and y are not a sample the network can read; see `mistworks.estimation.inputs`.
        """
        return self.estimate_many([(x, y)])[0]

    def estimate_many(self, pairs: Iterable[tuple[FloatArray, FloatArray]]) -> list[Estimate]:
        """Return the estimates of many pairs, in their order, computed in batches.

        Raises:
            MistworksError: one of the pairs is not a sample the network can read.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MistworksWarning)
            return self.estimator.estimate_many(pairs)


__all__ = ["Trained"]
