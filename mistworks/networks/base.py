"""The contract between networks and what trains and uses them."""

from abc import ABC, abstractmethod
from typing import Literal

from torch import Tensor, nn

from mistworks.networks.batch import Batch

Invariance = Literal["points", "coordinates", "location-scale", "increasing", "reflection", "swap"]
"""What may be done to a sample without changing its mutual information: permuting the points; permuting the
coordinates within X and within Y; shifting and scaling coordinates; increasing maps of coordinates; changing
their signs; swapping X and Y."""


class Network(nn.Module, ABC):
    """A function of a sample: a representation of the sample, and a read-out of it in nats."""

    @property
    def invariances(self) -> frozenset[Invariance]:
        """What leaves the estimate as it is by construction, up to rounding: what `encode` promises."""
        return frozenset({"points", "coordinates"})

    @abstractmethod
    def encode(self, batch: Batch) -> Tensor:
        """Representation of each sample, shape (B, h), whatever n, dx and dy are.

        It does not depend on the order of the points, of the coordinates of X or of the coordinates of Y,
        nor on the values in the padding or on the other samples of the batch, up to rounding.
        """

    @abstractmethod
    def decode(self, representation: Tensor, tau: Tensor | None = None) -> Tensor:
        """Mutual information in nats, at least 0.

        Args:
            representation: shape (B, h), from `encode`.
            tau: quantile levels strictly between 0 and 1, shape (B, T); None asks for the mean.

        Returns:
            Quantiles of shape (B, T), or means of shape (B,) when tau is None.
        """
