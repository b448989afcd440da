"""Residual perceptrons over statistics in torch, for training and for gradients."""

import math
from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from mistworks.dataset import FloatArray
from mistworks.estimation.entropy_cap import cap_columns
from mistworks.estimation.estimate import LEVELS_Z
from mistworks.networks.config import MemberSizes, SummaryNetworkConfig
from mistworks.networks.scale import KNOTS, MOST_NATS, OFFSET, knot_mass
from mistworks.statistics.layout import statistic_names

MOMENTS = ("origin", "whitening")
"""Tensors that differ by estimator: an estimator trained on fewer families is familiar with less."""


class _Linear(nn.Module):
    """A separate linear map per member: from shape (members, B, inputs) to (members, B, outputs)."""

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
        # The scale and shift of a usual layer normalisation would be redundant with the weights that follow.
        change: Tensor = self.outer(functional.silu(self.inner(_normalised(values))))
        return values + change


def _normalised(values: Tensor) -> Tensor:
    return functional.layer_norm(values, values.shape[-1:])


class Members(nn.Module):
    """Perceptrons of one shape with different weights, computed together; see `ResidualNetwork`.

    Attributes:
        count: number of perceptrons.
    """

    def __init__(self, count: int, config: MemberSizes) -> None:
        super().__init__()
        self.count = count
        hidden, self._candidates = config.hidden, len(config.candidates())
        self.embed = _Linear(count, len(config.columns()), hidden)
        self.body = nn.ModuleList(_Residual(count, hidden) for _ in range(config.blocks))
        self.head = _Linear(count, hidden, self._candidates + KNOTS)
        with torch.no_grad():
            # Initially, the output is the mixture of the candidates.
            self.head.weight[..., self._candidates].zero_()

    def forward(self, standardised: Tensor, estimates: Tensor) -> Tensor:
        """Return each member's quantiles at the knots on the scale t, shape (members, B, KNOTS).

        Args:
            standardised: see `ResidualNetwork.standardised`, shape (B, C).
            estimates: see `ResidualNetwork.estimates`, shape (B, K).
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


class ResidualNetwork(nn.Module):
    """Residual perceptrons that correct a mixture of classical estimators, from statistics of a sample.

    A perceptron weighs candidate estimates among the statistics (Gaussian MI under several regularisations, t
    copula, KSG, plug-in), each at most the entropy cap, adds a correction, and spreads quantiles around it.
    It works on the scale t = 2 (√(I + c) − √c), on which the error of an estimate hardly depends on I.
    Quantiles are sums of increments that cannot be negative, so they never cross. They may fall below 0,
    where the estimate is 0: mutual information has an atom there.

    Attributes:
        config: sizes of the network.
        left_out: groups of families, each left out of the training of one witness. The familiarity of
            statistics without each group is stored too.
        own: the members of the estimator.
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

    @classmethod
    def of(cls, config: SummaryNetworkConfig, tensors: Mapping[str, FloatArray]) -> Self:
        """Build the network with the weights of a trained estimator, in evaluation mode."""
        network = cls(config)
        buffers = dict(network.named_buffers())
        state = {
            name if name in buffers else f"own.{name}": torch.from_numpy(values)
            for name, values in tensors.items()
        }
        for name in MOMENTS:
            state[name] = state[name][None]
        network.load_state_dict(state, strict=True)
        return network.eval().requires_grad_(requires_grad=False)

    def standardised(self, table: Tensor) -> Tensor:
        """Standardise the statistics, shape (B, S), that the perceptrons read, shape (B, C)."""
        return torch.asinh((table - self.centre) / self.scale)[:, self.columns]

    def estimates(self, table: Tensor) -> Tensor:
        """Return the candidate estimates in nats, limited by the entropy cap, shape (B, K)."""
        value, _, flag = cap_columns()
        cap = torch.where(table[:, flag, None] > 0, table[:, value, None], MOST_NATS)
        return table[:, self._candidates].clamp(0.0, MOST_NATS).minimum(cap)

    def forward(self, table: Tensor) -> Tensor:
        """Return each of the estimator's members' quantiles at the knots, shape (members, B, KNOTS)."""
        quantiles: Tensor = self.own(self.standardised(table), self.estimates(table))
        return quantiles

    def mixture_quantiles(self, table: Tensor) -> Tensor:
        """Return quantiles of the members' mixture at ``LEVELS``, shape (B, len(LEVELS)), with gradients.

        Equal to `mistworks.networks.scale.mixture_quantiles`, which needs no torch.
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


def square_root_scale(nats: Tensor) -> Tensor:
    """Map I to t = 2 (√(I + c) − √c) with c = 0.05 nats, linearly below 0; see `scale.from_scale`."""
    above = 2.0 * ((nats.clamp_min(0.0) + OFFSET).sqrt() - math.sqrt(OFFSET))
    return above + nats.clamp_max(0.0) / math.sqrt(OFFSET)


def from_scale(values: Tensor, leak: float) -> Tensor:
    """Map t to I. For t below 0, I is 0, or linear with the given share of the slope."""
    positive = values.clamp_min(0.0)
    above = positive * (positive / 4.0 + math.sqrt(OFFSET))
    return above + leak * math.sqrt(OFFSET) * values.clamp_max(0.0)


__all__ = ["MOMENTS", "Members", "ResidualNetwork", "from_scale", "square_root_scale"]
