"""The network over statistics during training: its scales, and the predictor it becomes."""

from collections.abc import Mapping
from typing import Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mistworks.dataset import FloatArray
from mistworks.networks.config import NetworkConfig, SummaryNetworkConfig
from mistworks.networks.perceptrons import NOT_TRAINED, Perceptrons, shapes
from mistworks.networks.residual import MOMENTS, Members, ResidualNetwork

LEAK = 0.05
"""Slope below 0 during training, so that gradients pass where the estimate is 0."""

_LEAST_SCALE = 1e-3
# Minimum of the eigenvalues of the statistics' covariance, relative to their mean. In directions with almost
# no variation in the training data, rounding would count as strangeness.
_RIDGE = 1e-3


class SummaryNetwork(ResidualNetwork):
    """The residual network during training: its scales from the data, and the predictor it becomes.

    Additional members are each trained without a group of families. They are not part of the estimator: its
    calibration learns from them how wrong it is on unseen families.

    Attributes:
        apart: the additional members; None if no group is left out.
    """

    def __init__(self, config: SummaryNetworkConfig, left_out: tuple[str, ...] = ()) -> None:
        super().__init__(config, left_out)
        self.apart = Members(len(left_out), config) if left_out else None

    @classmethod
    def fresh(cls, config: NetworkConfig, left_out: tuple[str, ...] = ()) -> Self:
        """Return a network with fresh weights, see `mistworks.networks.build_network`."""
        return cls(cast("SummaryNetworkConfig", config), left_out)

    def ready(self) -> Perceptrons:
        """Return the estimator's members as a predictor without torch."""
        return self._perceptrons("own", slice(None), 0)

    def witnesses(self) -> Mapping[str, Perceptrons]:
        """Return, by group of families, the member that was trained without it."""
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
        """Set the centre and scale of each statistic, and the familiar distribution, from many samples.

        Args:
            table: shape (N, S), on the CPU.
            groups: group of the family of each sample, shape (N,).
        """
        middle, scale = scaling_of(table)
        self.centre.copy_(middle)
        self.scale.copy_(scale)
        self.set_familiar(table, groups)

    @torch.no_grad()
    def adapt(self, tensors: Mapping[str, FloatArray]) -> None:
        """Take scales and weights of all members from a trained estimator of the same configuration.

        Args:
            tensors: by name, as `mistworks.networks.Predictor.tensors` returns them.
        """
        mine = self.state_dict()
        for name, values in tensors.items():
            if name not in MOMENTS:
                place = name if name in NOT_TRAINED else f"own.{name}"
                mine[place].copy_(torch.from_numpy(values))

    @torch.no_grad()
    def set_familiar(self, table: Tensor, groups: NDArray[np.str_]) -> None:
        """Set the familiar distribution, with the present scales, from many samples; see `set_scaling`."""
        inputs = torch.asinh((table - self.centre.cpu()) / self.scale.cpu())[:, self.columns.cpu()].double()
        known = [inputs, *(inputs[torch.from_numpy(groups != group)] for group in self.left_out)]
        for number, part in enumerate(known):
            origin, whitening = whitening_of(part)
            self.origin[number].copy_(origin)
            self.whitening[number].copy_(whitening)


def scaling_of(table: Tensor) -> tuple[Tensor, Tensor]:
    """Return centre and scale of each of the numbers in a table of shape (N, S)."""
    low, middle, high = torch.quantile(table, torch.tensor([0.1, 0.5, 0.9]), dim=0)
    deviation = table.std(dim=0)
    scale = torch.where(high - low > _LEAST_SCALE, (high - low) / 2.56, deviation).clamp_min(_LEAST_SCALE)
    return middle, scale


def whitening_of(inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean of standardised statistics (N, C), and a map (C, C) to covariance about 1."""
    mean = inputs.mean(dim=0)
    centred = inputs - mean
    values, vectors = torch.linalg.eigh(centred.T @ centred / max(len(inputs) - 1, 1))
    values = values.clamp_min(0.0) + _RIDGE * values.mean().clamp_min(1e-12)
    return mean, vectors / values.sqrt()


def leaky(values: Tensor) -> Tensor:
    """Convert values from the scale t to the scale of the loss, with the slope ``LEAK`` below 0."""
    return functional.leaky_relu(values, LEAK)


__all__ = ["LEAK", "SummaryNetwork", "leaky", "scaling_of", "whitening_of"]
