"""A trained estimator under the same contract as the baselines."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from mistworks.dataset import FloatArray
from mistworks.estimation import Estimate, Estimator


@dataclass(frozen=True)
class Trained:
    """A trained estimator with its name.

    Attributes:
        name: such as ``"mist/3"``.
        estimator: the trained estimator.
    """

    name: str
    estimator: Estimator

    @cached_property
    def version(self) -> str:
        """The first 16 digits of the SHA-256 of the weights."""
        return self.estimator.weights_sha256[:16]

    @property
    def slow(self) -> bool:
        """Milliseconds an estimate."""
        return False

    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """Mutual information in nats of points x of shape (n, dx) and y of shape (n, dy).

        Raises:
            MistworksError: x and y are not a sample the network can read; see `mistworks.inputs`.
        """
        return self.estimator.estimate(x, y)

    def estimate_many(self, pairs: Iterable[tuple[FloatArray, FloatArray]]) -> list[Estimate]:
        """Estimates of many pairs, in their order, computed in batches.

        Raises:
            MistworksError: one of the pairs is not a sample the network can read.
        """
        return self.estimator.estimate_many(pairs)
