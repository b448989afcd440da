"""The network over statistics as it is trained: what it takes from its data, and what becomes of it."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mistworks.dataset import FloatArray
from mistworks.networks.perceptrons import NOT_TRAINED, Perceptrons, shapes
from mistworks.networks.residual import MOMENTS, ResidualNetwork

LEAK = 0.05
"""The slope below 0 that is left in training, where the estimate is 0, so that gradients pass."""

_LEAST_SCALE = 1e-3
# Of the eigenvalues of the statistics' covariance, relative to their mean: directions in which training data
# hardly vary would turn rounding into strangeness.
_RIDGE = 1e-3


class SummaryNetwork(ResidualNetwork):
    """The residual network with what training needs: scaling from the data, and the estimators it becomes."""

    def ready(self) -> Perceptrons:
        """The estimator's members, to be used without torch."""
        return self._perceptrons("own", slice(None), 0)

    def witnesses(self) -> Mapping[str, Perceptrons]:
        """By group of families the member that was trained without it."""
        return {
            group: self._perceptrons("apart", slice(number, number + 1), 1 + number)
            for number, group in enumerate(self.left_out)
        }

    def _perceptrons(self, part: str, members: slice, moments: int) -> Perceptrons:
        state = {name: tensor.detach().float().cpu().numpy() for name, tensor in self.state_dict().items()}
        chosen = state[f"{part}.head.bias"][members]
        config = self.config.model_copy(update={"members": len(chosen)})
        tensors: dict[str, FloatArray] = {}
        for name in shapes(config):
            if name in NOT_TRAINED:
                values = state[name][moments] if name in MOMENTS else state[name]
            else:
                values = state[f"{part}.{name}"][members]
            tensors[name] = np.ascontiguousarray(values).copy()
        return Perceptrons(config, tensors)

    @torch.no_grad()
    def set_scaling(self, table: Tensor, groups: NDArray[np.str_]) -> None:
        """Take centre and scale of each statistic, and what is familiar, from a table of many samples.

        Args:
            table: shape (N, S), on the CPU.
            groups: the group of the family of each, shape (N,).
        """
        low, middle, high = torch.quantile(table, torch.tensor([0.1, 0.5, 0.9]), dim=0)
        deviation = table.std(dim=0)
        scale = torch.where(high - low > _LEAST_SCALE, (high - low) / 2.56, deviation).clamp_min(_LEAST_SCALE)
        self.centre.copy_(middle)
        self.scale.copy_(scale)
        inputs = torch.asinh((table - middle) / scale)[:, self.columns.cpu()].double()
        known = [inputs, *(inputs[torch.from_numpy(groups != group)] for group in self.left_out)]
        for number, part in enumerate(known):
            origin, whitening = _whitening(part)
            self.origin[number].copy_(origin)
            self.whitening[number].copy_(whitening)


def _whitening(inputs: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of standardised statistics (N, C), and a map (C, C) that makes their covariance about 1."""
    mean = inputs.mean(dim=0)
    centred = inputs - mean
    values, vectors = torch.linalg.eigh(centred.T @ centred / max(len(inputs) - 1, 1))
    values = values.clamp_min(0.0) + _RIDGE * values.mean().clamp_min(1e-12)
    return mean, vectors / values.sqrt()


def leaky(values: Tensor) -> Tensor:
    """Values on the scale t as the loss compares them: with the slope ``LEAK`` below 0."""
    return functional.leaky_relu(values, LEAK)
