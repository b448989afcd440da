"""The contract between an estimator and its network, in NumPy."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from mistworks.dataset import FloatArray, IntArray
from mistworks.errors import MistworksError
from mistworks.networks.blocks import AnyBlock
from mistworks.networks.config import NetworkConfig
from mistworks.preparation.prepare import Prepared, prepare
from mistworks.preparation.reading import MAX_COLUMNS, MIN_POINTS
from mistworks.statistics.table import SummaryBlock

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]

Invariance = Literal["points", "coordinates", "location-scale", "increasing", "reflection", "swap"]
"""Changes of a sample that preserve its mutual information: permuting the points; permuting the coordinates
within X and within Y; shifting and scaling coordinates; increasing maps of coordinates; changing their signs;
swapping X and Y.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The predictions of a network for B samples.

    Attributes:
        n: number of points, shape (B,).
        d: dx + dy, shape (B,).
        quantiles: in nats at `mistworks.estimation.estimate.LEVELS`, in order, shape (B, len(LEVELS)); None
            for a network that was trained for the mean.
        mean: in nats, shape (B,); None for a network that was trained for quantiles.
        statistics: statistics that were read, shape (B, S); None for a network that reads samples.
        strangeness: how far each sample is from the training data, shape (B,), see
            `mistworks.estimation.widening.Widening`; None for a network that cannot measure it.
    """

    n: IntArray
    d: IntArray
    quantiles: Array | None = None
    mean: Array | None = None
    statistics: FloatArray | None = None
    strangeness: Array | None = None


class Predictor(ABC):
    """A trained network as an estimator uses it.

    A sample is prepared once: read, reduced to the rows and columns that carry information, and ranked.
    `observe` converts a prepared sample to the network's input, and `predict` reads many inputs together.

    Attributes:
        max_dimension: maximum number of columns of X, and of Y, after preparation.
        min_points: minimum number of points.
        max_points: maximum number of points; None for any number.
    """

    max_dimension: ClassVar[int] = MAX_COLUMNS
    min_points: ClassVar[int] = MIN_POINTS
    max_points: ClassVar[int | None] = None

    @property
    def invariances(self) -> frozenset[Invariance]:
        """Changes of a sample that preserve the estimate by construction, up to rounding."""
        return frozenset({"points", "coordinates"})

    @property
    def parameter_count(self) -> int:
        """Number of trained parameters."""
        return sum(values.size for values in self.tensors().values())

    def ready(self) -> Self:
        """Return the predictor itself; a network in training returns its predictor."""
        return self

    @classmethod
    @abstractmethod
    def restored(cls, config: NetworkConfig, tensors: Mapping[str, FloatArray]) -> Self:
        """Restore a predictor from its weights by name, as returned by `tensors`.

        Raises:
            MistworksError: the weights do not fit the configuration.
        """

    @abstractmethod
    def tensors(self) -> Mapping[str, FloatArray]:
        """Return the weights by name."""

    def require_readable(self, n: int, dx: int, dy: int, name: str) -> None:
        """Refuse a sample of a size that the network does not read.

        Args:
            n: number of points.
            dx: number of columns of X, after preparation.
            dy: number of columns of Y.
            name: name of the network, for the message.

        Raises:
            MistworksError: the sample has too few or too many points, or too many columns.
        """
        for side, columns in (("x", dx), ("y", dy)):
            if columns > self.max_dimension:
                raise MistworksError(
                    f"Expected up to {self.max_dimension} columns that are not constant for the network "
                    f"{name}, got {columns} in {side}. Reduce the dimension first, for instance by principal "
                    "components."
                )
        if n < self.min_points:
            raise MistworksError(
                f"Expected {self.min_points} points or more for the network {name}, got {n}. Pass more."
            )
        if self.max_points is not None and n > self.max_points:
            raise MistworksError(
                f"Expected up to {self.max_points:,} points for the network {name}, got {n:,}. Pass a "
                "random part of them."
            )

    @abstractmethod
    def observe(self, sample: Prepared) -> Any:
        """Convert a sample to the network's input. Several threads call this at once.

        Args:
            sample: a prepared sample with columns on both sides.
        """

    @abstractmethod
    def predict(self, observed: Sequence[Any], *, mean: bool) -> Prediction:
        """Predict from one or more samples, in bounded memory.

        Args:
            observed: the output of `observe` for each sample.
            mean: predict means instead of quantiles.
        """

    def predict_block(self, block: AnyBlock, *, mean: bool) -> Prediction:
        """Predict from the datasets of a partition, whether it holds samples or statistics.

        Raises:
            MistworksError: the partition holds statistics, and the network reads samples.
        """
        if isinstance(block, SummaryBlock):
            return self.predict_statistics(block.statistics, mean=mean)
        return self.predict([self.observe(prepare(dataset.x, dataset.y)) for dataset in block], mean=mean)

    def predict_statistics(self, statistics: FloatArray, *, mean: bool) -> Prediction:
        """Predict from statistics of samples, shape (B, S).

        Raises:
            MistworksError: the network reads samples.
        """
        raise MistworksError(
            "Expected a network that reads statistics, got one that reads samples. Pass the samples."
        )

    def strangest(self, statistics: FloatArray) -> str | None:
        """Describe how a sample with statistics of shape (S,) is least like the training data."""
        return None

    def smooth_quantiles(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Prediction]":
        """Return quantiles of one sample with gradients, shape (1, len(LEVELS)), and the prediction.

        Raises:
            MistworksError: the network has no smooth version.
        """
        raise MistworksError(
            "Expected a network that reads statistics, got one without a smooth version. Use a network over "
            "statistics, such as the one that comes with the package."
        )


__all__ = ["Array", "Invariance", "Prediction", "Predictor"]
