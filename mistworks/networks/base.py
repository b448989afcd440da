"""Networks that read samples: the contract between them and what trains and uses them, in torch."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from mistworks.dataset import FloatArray
from mistworks.estimation.estimate import LEVELS
from mistworks.networks.batch import Batch, group_by_shape, pad
from mistworks.networks.predictor import Array, Invariance, Prediction, Predictor
from mistworks.preparation.prepare import Prepared

_MAX_COUNT = 256

Pair = tuple[FloatArray, FloatArray]

__all__ = ["Invariance", "Network", "quantiles_in_order"]


class Network(nn.Module, Predictor):
    """A function of a sample: a representation of the sample, and a read-out of it in nats.

    Attributes:
        batch_cells: most padded cells, B · N · (DX + DY), that it is given at once: what bounds the memory.
    """

    batch_cells: ClassVar[int] = 2**16

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

    def ready(self) -> Self:
        """Itself, in evaluation mode."""
        return self.eval()

    def tensors(self) -> Mapping[str, FloatArray]:
        """See `Predictor.tensors`."""
        state = self.state_dict()
        return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in state.items()}

    def observe(self, sample: Prepared) -> Pair:
        """See `Predictor.observe`: ranks where maps of columns change nothing, else values."""
        if "increasing" not in self.invariances:
            return sample.raw()
        ranks = sample.ranked.ranks.astype(np.float32)
        dx = sample.ranked.dx
        return ranks[:dx].T, ranks[dx:].T

    def predict(self, observed: Sequence[Pair], *, mean: bool) -> Prediction:
        """See `Predictor.predict`: samples of like shape are padded and computed together."""
        n = np.array([len(x) for x, _ in observed], dtype=np.int64)
        dx = np.array([x.shape[1] for x, _ in observed], dtype=np.int64)
        dy = np.array([y.shape[1] for _, y in observed], dtype=np.int64)
        values = np.empty((len(observed), 1 if mean else len(LEVELS)))
        device = next(self.parameters()).device
        with torch.inference_mode():
            for group in group_by_shape(n, dx, dy, self.batch_cells, _MAX_COUNT):
                representation = self.encode(pad([observed[row] for row in group]).to(device))
                values[group] = self._read_out(representation, mean=mean)
        if mean:
            return Prediction(n, dx + dy, mean=values[:, 0])
        return Prediction(n, dx + dy, quantiles=values)

    def _read_out(self, representation: Tensor, *, mean: bool) -> Array:
        if mean:
            return self.decode(representation)[:, None].double().cpu().numpy()
        return quantiles_in_order(self, representation).double().cpu().numpy()


def quantiles_in_order(network: Network, representation: Tensor) -> Tensor:
    """Quantiles at ``LEVELS`` in order, shape (B, len(LEVELS)), from representations of shape (B, h).

    The network's own quantiles may cross. Sorting them on a fixed grid of levels is never further from the
    true quantiles (Chernozhukov, Fernández-Val, Galichon, "Quantile and probability curves without crossing",
    Econometrica 2010), and it leaves the network free of constraints that would slow its training.
    """
    levels = torch.tensor(LEVELS, dtype=torch.float32, device=representation.device)
    return network.decode(representation, levels.expand(len(representation), -1)).sort(dim=1).values
