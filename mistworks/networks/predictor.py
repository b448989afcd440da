"""What an estimator asks of a network, in NumPy: the only contract between the two."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from mistworks.dataset import FloatArray, IntArray
from mistworks.errors import MistworksError
from mistworks.preparation.prepare import Prepared
from mistworks.preparation.reading import MAX_COLUMNS, MIN_POINTS

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]

Invariance = Literal["points", "coordinates", "location-scale", "increasing", "reflection", "swap"]
"""What may be done to a sample without changing its mutual information: permuting the points; permuting the
coordinates within X and within Y; shifting and scaling coordinates; increasing maps of coordinates; changing
their signs; swapping X and Y."""


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a network says of B samples.

    Attributes:
        n: number of points, shape (B,).
        d: dx + dy, shape (B,).
        quantiles: in nats at `mistworks.estimation.estimate.LEVELS`, in order, shape (B, len(LEVELS)); None
            for a network that was trained for the mean.
        mean: in nats, shape (B,); None for a network that was trained for quantiles.
        statistics: what it was read from, shape (B, S); None for a network that reads samples.
        strangeness: how far each sample is from those of the training, shape (B,), see
            `mistworks.estimation.calibration.Widening`; None for a network that does not know.
    """

    n: IntArray
    d: IntArray
    quantiles: Array | None = None
    mean: Array | None = None
    statistics: FloatArray | None = None
    strangeness: Array | None = None


class Predictor(ABC):
    """A trained network as an estimator uses it.

    Attributes:
        max_dimension: most coordinates of X and of Y that it reads, after the preparation.
        min_points: fewest points that it reads.
        max_points: most points that it reads; None for any number.
    """

    max_dimension: ClassVar[int] = MAX_COLUMNS
    min_points: ClassVar[int] = MIN_POINTS
    max_points: ClassVar[int | None] = None

    @property
    def invariances(self) -> frozenset[Invariance]:
        """What leaves the estimate as it is by construction, up to rounding."""
        return frozenset({"points", "coordinates"})

    @property
    def parameter_count(self) -> int:
        """How many numbers were trained."""
        return sum(values.size for values in self.tensors().values())

    def ready(self) -> Self:
        """Itself: what trains has another answer, see `mistworks.networks.summary.SummaryNetwork.ready`."""
        return self

    @abstractmethod
    def tensors(self) -> Mapping[str, FloatArray]:
        """Its weights by name."""

    @abstractmethod
    def observe(self, sample: Prepared) -> Any:
        """What it reads of a sample that has columns on both sides; several threads may do so at once."""

    @abstractmethod
    def predict(self, observed: Sequence[Any], *, mean: bool) -> Prediction:
        """Read samples; memory is bounded whatever their number is.

        Args:
            observed: what `observe` gave of each, at least one.
            mean: whether means are asked for, or quantiles.
        """

    def predict_statistics(self, statistics: FloatArray, *, mean: bool) -> Prediction:
        """The same of samples that are known by their statistics, shape (B, S).

        Raises:
            MistworksError: the network reads samples.
        """
        raise MistworksError(
            "Expected a network that reads statistics, got one that reads samples. Pass the samples."
        )

    def strangest(self, statistics: FloatArray) -> str | None:
        """What is least like the training in one sample's statistics, shape (S,), as a part of a sentence."""
        return None

    def smooth_quantiles(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Prediction]":
        """Quantiles of one sample through which gradients pass, shape (1, len(LEVELS)), and what they are of.

        Raises:
            MistworksError: the network has no smooth version.
        """
        raise MistworksError(
            "Expected a network that reads statistics, got one that has no smooth version. Take a network "
            "over statistics, such as the one that comes with the package."
        )
