"""The contract between networks and what trains and uses them."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from torch import Tensor, nn

from mistworks.inputs import MAX_DIMENSIONS, MIN_POINTS
from mistworks.networks.batch import Batch

Invariance = Literal["points", "coordinates", "location-scale", "increasing", "reflection", "swap"]
"""What may be done to a sample without changing its mutual information: permuting the points; permuting the
coordinates within X and within Y; shifting and scaling coordinates; increasing maps of coordinates; changing
their signs; swapping X and Y."""


class Network(nn.Module, ABC):
    """A function of a sample: a representation of the sample, and a read-out of it in nats.

    Attributes:
        max_dimension: most coordinates of X and of Y that it reads, constant ones not counted.
        min_points: fewest points that it reads.
        max_points: most points that it reads; None for any number.
        batch_cells: most padded cells, B · N · (DX + DY), that it is given at once: what bounds the memory.
    """

    max_dimension: ClassVar[int] = MAX_DIMENSIONS
    min_points: ClassVar[int] = MIN_POINTS
    max_points: ClassVar[int | None] = None
    batch_cells: ClassVar[int] = 2**16

    @property
    def members(self) -> int:
        """Of an ensemble, each trained on every dataset; 1 for a single network."""
        return 1

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
