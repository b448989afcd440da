"""Networks that read samples, in torch: padding, and the methods that a network of your own defines."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import override

from mistworks.dataset import FloatArray, IntArray
from mistworks.errors import MistworksError
from mistworks.estimation.estimate import LEVELS
from mistworks.networks.batch import Batch, group_by_shape, pad
from mistworks.networks.config import NetworkConfig
from mistworks.networks.predictor import Array, Invariance, Prediction, Predictor
from mistworks.preparation.prepare import Prepared, half_ranks

_MAX_COUNT = 256

Pair = tuple[FloatArray, FloatArray]

__all__ = ["Invariance", "Network", "quantiles_in_order"]


class Network(nn.Module, Predictor):
    """A network in two steps: `encode` maps samples to vectors, `decode` maps vectors to nats.

    Samples of similar shape are padded and computed together. Training and estimation both use `represent`,
    so a network of your own defines only `encode` and `decode`.

    Attributes:
        batch_cells: maximum number of padded cells per batch, B · N · (DX + DY), which bounds the memory.
    """

    batch_cells: ClassVar[int] = 2**16

    @classmethod
    def fresh(cls, config: NetworkConfig, left_out: tuple[str, ...] = ()) -> Self:
        """Return a network with fresh weights, see `mistworks.networks.build_network`."""
        if left_out:
            raise MistworksError(
                f"Expected a network over statistics to leave families out, got {config.network}. Set "
                "leave_out to false."
            )
        # The constructor of a subclass takes its configuration.
        return cls(config)

    @classmethod
    @override
    def restored(cls, config: NetworkConfig, tensors: Mapping[str, FloatArray]) -> Self:
        network = cls.fresh(config)
        state = {name: torch.from_numpy(np.array(values)) for name, values in tensors.items()}
        try:
            network.load_state_dict(state, strict=True)
        except RuntimeError as error:
            raise MistworksError(str(error).splitlines()[0]) from None
        return network.ready()

    def read(self, x: FloatArray, y: FloatArray) -> Pair:
        """Convert a simulated sample to the network's input, as `observe` does for a prepared one.

        Args:
            x: finite numbers of shape (n, dx).
            y: shape (n, dy).
        """
        if "increasing" not in self.invariances:
            return x, y
        return _half_ranks(x), _half_ranks(y)

    @abstractmethod
    def encode(self, batch: Batch) -> Tensor:
        """Compute a representation of each sample, shape (B, h), for any n, dx and dy.

        The batch holds half ranks, 2 (rank − 1) with ties averaged, if the network is invariant under
        increasing maps of columns (`invariances`), else values.

        Up to rounding, the result must not depend on the order of the points, of the columns of X or of the
        columns of Y, on the values in the padding, or on the other samples of the batch.
        """

    @abstractmethod
    def decode(self, representation: Tensor, tau: Tensor | None = None) -> Tensor:
        """Compute mutual information in nats, at least 0, from representations.

        Args:
            representation: shape (B, h), from `encode`.
            tau: quantile levels strictly between 0 and 1, shape (B, T); None for the mean.

        Returns:
            Quantiles of shape (B, T), or means of shape (B,) if tau is None.
        """

    @override
    def ready(self) -> Self:
        """Return the network itself, in evaluation mode."""
        return self.eval()

    def witnesses(self) -> Mapping[str, Predictor]:
        """Return networks that were each trained without a group of families. There are none here."""
        return {}

    @override
    def tensors(self) -> Mapping[str, FloatArray]:
        state = self.state_dict()
        return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in state.items()}

    @override
    def observe(self, sample: Prepared) -> Pair:
        """Return half ranks if the network is invariant under increasing maps of columns, else values."""
        if "increasing" not in self.invariances:
            return sample.raw()
        ranks = sample.ranked.ranks.astype(np.float32)
        dx = sample.ranked.dx
        return ranks[:dx].T, ranks[dx:].T

    def represent(
        self, observed: Sequence[Pair], max_cells: int, max_count: int = _MAX_COUNT
    ) -> Iterator[tuple[NDArray[np.intp], Tensor]]:
        """Pad and encode samples of similar shape together, group by group.

        Args:
            observed: x of shape (n, dx) and y of shape (n, dy) of each sample.
            max_cells: maximum number of padded cells per group; a larger sample forms its own group.
            max_count: maximum number of samples per group.

        Yields:
            Positions of the samples of a group, shape (P,), and their representations, shape (P, h).
        """
        device = next(self.parameters()).device
        for group in group_by_shape(*_shapes(observed), max_cells, max_count):
            yield group, self.encode(pad([observed[row] for row in group]).to(device))

    @override
    def predict(self, observed: Sequence[Pair], *, mean: bool) -> Prediction:
        n, dx, dy = _shapes(observed)
        values = np.empty((len(observed), 1 if mean else len(LEVELS)))
        with torch.inference_mode():
            for group, representation in self.represent(observed, self.batch_cells):
                values[group] = self._read_out(representation, mean=mean)
        if mean:
            return Prediction(n, dx + dy, mean=values[:, 0])
        return Prediction(n, dx + dy, quantiles=values)

    def _read_out(self, representation: Tensor, *, mean: bool) -> Array:
        if mean:
            return self.decode(representation)[:, None].double().cpu().numpy()
        return quantiles_in_order(self, representation).double().cpu().numpy()


def _half_ranks(values: FloatArray) -> FloatArray:
    """Return half ranks of each column, shape (n, d)."""
    return half_ranks(np.array(values.T, dtype=np.float64, order="C")).T.astype(np.float32)


def _shapes(pairs: Sequence[Pair]) -> tuple[IntArray, IntArray, IntArray]:
    """Return n, dx and dy of samples, each of shape (B,)."""
    shapes = np.array([(*x.shape, y.shape[1]) for x, y in pairs], dtype=np.int64)
    n, dx, dy = shapes.reshape(-1, 3).T
    return n, dx, dy


def quantiles_in_order(network: Network, representation: Tensor) -> Tensor:
    """Compute quantiles at ``LEVELS`` in order, shape (B, len(LEVELS)), from representations (B, h).

    The network's own quantiles may cross. Sorting them on a fixed grid of levels is never further from the
    true quantiles (Chernozhukov, Fernández-Val, Galichon, "Quantile and probability curves without crossing",
    Econometrica 2010), and it spares the network constraints that would slow its training.
    """
    levels = torch.tensor(LEVELS, dtype=torch.float32, device=representation.device)
    return network.decode(representation, levels.expand(len(representation), -1)).sort(dim=1).values
