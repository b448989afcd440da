"""The network over statistics as it is trained, and as gradients pass through it: in torch."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from mistworks.dataset import FloatArray
from mistworks.entropy_cap import cap_columns
from mistworks.networks.config import SummaryNetworkConfig
from mistworks.networks.perceptrons import NOT_TRAINED, Perceptrons, shapes
from mistworks.networks.scale import KNOTS, MOST_NATS, OFFSET, knot_mass
from mistworks.quantiles import LEVELS_Z
from mistworks.statistics.layout import statistic_names

LEAK = 0.05
"""The slope below 0 that is left in training, where the estimate is 0, so that gradients pass."""

_LEAST_SCALE = 1e-3
# What each estimator has of its own: those apart know fewer families.
_MOMENTS = ("origin", "whitening")
# Of the eigenvalues of the statistics' covariance, relative to their mean: directions in which training data
# hardly vary would turn rounding into strangeness.
_RIDGE = 1e-3


class _Linear(nn.Module):
    """A linear map of each member's own: from shape (members, B, inputs) to (members, B, outputs)."""

    def __init__(self, members: int, inputs: int, outputs: int, *, zero: bool = False) -> None:
        super().__init__()
        bound = 0.0 if zero else inputs**-0.5
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(self, values: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, values, self.weight)


class _Residual(nn.Module):
    def __init__(self, members: int, hidden: int) -> None:
        super().__init__()
        self.inner = _Linear(members, hidden, hidden)
        self.outer = _Linear(members, hidden, hidden, zero=True)

    def forward(self, values: Tensor) -> Tensor:
        # Scale and shift of a usual layer normalisation would be one with the weights that follow.
        change: Tensor = self.outer(functional.silu(self.inner(_normalised(values))))
        return values + change


def _normalised(values: Tensor) -> Tensor:
    return functional.layer_norm(values, values.shape[-1:])


class Members(nn.Module):
    """Perceptrons of one shape and different weights, computed together; see `SummaryNetwork`.

    Attributes:
        count: how many they are.
    """

    def __init__(self, count: int, config: SummaryNetworkConfig) -> None:
        super().__init__()
        self.count = count
        hidden, self._candidates = config.hidden, len(config.candidates())
        self.embed = _Linear(count, len(config.columns()), hidden)
        self.body = nn.ModuleList(_Residual(count, hidden) for _ in range(config.blocks))
        self.head = _Linear(count, hidden, self._candidates + KNOTS)
        with torch.no_grad():
            # At first the candidates' mixture alone decides.
            self.head.weight[..., self._candidates].zero_()

    def forward(self, standardised: Tensor, estimates: Tensor) -> Tensor:
        """Each member's quantiles at the knots on the scale t, shape (members, B, KNOTS).

        Args:
            standardised: see `SummaryNetwork.standardised`, shape (B, C).
            estimates: see `SummaryNetwork.estimates`, shape (B, K).
        """
        hidden = self.embed(standardised.expand(self.count, -1, -1))
        for block in self.body:
            hidden = block(hidden)
        head = self.head(_normalised(hidden)).float()
        count = self._candidates
        mixture = (torch.softmax(head[..., :count], dim=-1) * estimates).sum(dim=-1, keepdim=True)
        middle = square_root_scale(mixture) + head[..., count : count + 1]
        steps = functional.softplus(head[..., count + 1 :] - 2.0)
        half = (KNOTS - 1) // 2
        above = middle + steps[..., half:].cumsum(dim=-1)
        below = middle - steps[..., :half].cumsum(dim=-1).flip(-1)
        return torch.cat([below, middle, above], dim=-1)


class SummaryNetwork(nn.Module):
    """Statistics of the sample, then residual perceptrons that correct a mixture of classical estimators.

    A perceptron weighs candidate estimates among the statistics (Gaussian MI under several regularisations,
    t copula, KSG, plug-in), each at most the entropy cap, adds a correction, and spreads quantiles around it.
    It works on the scale t = 2 (√(I + c) − √c), on which the error of an estimate hardly depends on I;
    quantiles are increments that cannot be negative, so they never cross, and may reach below 0, where the
    estimate is 0: mutual information has an atom there.

    Further members are trained without a group of families each. They are no part of the estimator: its
    calibration learns from them how wrong it is on what it has not seen.

    Attributes:
        config: sizes of the network.
        left_out: the groups of families that further members do without, one each.
        own: the members of the estimator.
        apart: those further members; None where no group is left out.
    """

    def __init__(self, config: SummaryNetworkConfig, left_out: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.config, self.left_out = config, left_out
        count, columns = len(statistic_names()), config.columns()
        self._candidates = config.candidates()
        self.columns: Tensor
        self.centre: Tensor
        self.scale: Tensor
        self.origin: Tensor
        self.whitening: Tensor
        self.register_buffer("columns", torch.tensor(columns), persistent=False)
        self.register_buffer("centre", torch.zeros(count))
        self.register_buffer("scale", torch.ones(count))
        self.register_buffer("origin", torch.zeros(1 + len(left_out), len(columns)))
        self.register_buffer("whitening", torch.eye(len(columns)).repeat(1 + len(left_out), 1, 1))
        self.own = Members(config.members, config)
        self.apart = Members(len(left_out), config) if left_out else None

    @classmethod
    def of(cls, perceptrons: Perceptrons) -> "SummaryNetwork":
        """The network that estimates as trained perceptrons do, in evaluation mode."""
        network = cls(perceptrons.config)
        tensors = {
            name if name in NOT_TRAINED else f"own.{name}": torch.from_numpy(values)
            for name, values in perceptrons.tensors().items()
        }
        for name in _MOMENTS:
            tensors[name] = tensors[name][None]
        network.load_state_dict(tensors, strict=True)
        return network.eval().requires_grad_(requires_grad=False)

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
                values = state[name][moments] if name in _MOMENTS else state[name]
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

    def standardised(self, table: Tensor) -> Tensor:
        """What the perceptrons see of statistics of shape (B, S), shape (B, C)."""
        return torch.asinh((table - self.centre) / self.scale)[:, self.columns]

    def estimates(self, table: Tensor) -> Tensor:
        """The candidate estimates in nats, each at most the entropy cap, shape (B, K)."""
        value, _, flag = cap_columns()
        cap = torch.where(table[:, flag, None] > 0, table[:, value, None], MOST_NATS)
        return table[:, self._candidates].clamp(0.0, MOST_NATS).minimum(cap)

    def forward(self, table: Tensor) -> Tensor:
        """Quantiles of the estimator's members at the knots, shape (members, B, KNOTS), from (B, S)."""
        quantiles: Tensor = self.own(self.standardised(table), self.estimates(table))
        return quantiles

    def mixture_quantiles(self, table: Tensor) -> Tensor:
        """Quantiles of the members' mixture at ``LEVELS`` in nats, with gradients, shape (B, len(LEVELS)).

        See `mistworks.networks.scale.mixture_quantiles`, which this agrees with.
        """
        pooled, order = self(table).transpose(0, 1).flatten(1).sort(dim=1)
        mass = torch.from_numpy(knot_mass()).repeat(self.own.count)[order] / self.own.count
        levels = torch.special.ndtri((mass.cumsum(dim=1) - mass / 2).clamp(1e-6, 1 - 1e-6))
        wanted = torch.from_numpy(LEVELS_Z).expand(len(table), -1).contiguous()
        above = torch.searchsorted(levels, wanted).clamp(1, levels.shape[1] - 1)
        left, right = levels.gather(1, above - 1), levels.gather(1, above)
        share = ((wanted - left) / (right - left).clamp_min(1e-9)).clamp(0.0, 1.0)
        pooled = pooled.double()
        return from_scale(torch.lerp(pooled.gather(1, above - 1), pooled.gather(1, above), share), 0.0)


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


def square_root_scale(nats: Tensor) -> Tensor:
    """t = 2 (√(I + c) − √c) with c = 0.05 nats, continued linearly below 0; see `scale.from_scale`."""
    above = 2.0 * ((nats.clamp_min(0.0) + OFFSET).sqrt() - math.sqrt(OFFSET))
    return above + nats.clamp_max(0.0) / math.sqrt(OFFSET)


def from_scale(values: Tensor, leak: float) -> Tensor:
    """I of t; below 0 it is 0, or of the given share of the slope."""
    positive = values.clamp_min(0.0)
    above = positive * (positive / 4.0 + math.sqrt(OFFSET))
    return above + leak * math.sqrt(OFFSET) * values.clamp_max(0.0)
