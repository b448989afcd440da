"""A network over summary statistics of a sample, with every invariance of the statistics."""

import math
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional

from mistworks.config import FrozenConfig
from mistworks.networks.base import Invariance, Network
from mistworks.networks.batch import Batch
from mistworks.statistics import GROUPS, statistic_names, summarise

_KNOTS = 25
_OUTERMOST = 3.25
_OFFSET = 0.05
_LEAK = 0.05
_MOST_NATS = 300.0
_LEAST_SCALE = 1e-3
_CANDIDATES = (
    "gaussian.shrunk",
    "gaussian.unbiased",
    "sparse.mi",
    "factors.mi",
    "tails.average.1",
    "tails.average.3",
    "neighbours.ksg",
    "neighbours.rectangles",
    "metric.ksg",
    "polynomials.matched.0",
)


def _known(groups: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in groups if name not in GROUPS]
    if unknown or not groups or len(set(groups)) < len(groups):
        raise ValueError(
            f"groups are different names among {', '.join(GROUPS)}, and {groups} came; mend them"
        )
    return groups


class SummaryNetworkConfig(FrozenConfig):
    """Sizes of the network over statistics.

    Attributes:
        groups: statistics that it reads, see `mistworks.statistics.GROUPS`.
        hidden: width of the residual blocks.
        blocks: how many there are.
        dropout: share of the units of a block that are dropped in training.
    """

    network: Literal["summary"] = "summary"
    groups: tuple[str, ...] = tuple(GROUPS)
    hidden: Annotated[int, Field(ge=1, le=4096)] = 384
    blocks: Annotated[int, Field(ge=1, le=32)] = 3
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @field_validator("groups")
    @classmethod
    def _groups(cls, groups: tuple[str, ...]) -> tuple[str, ...]:
        return _known(groups)


class _Residual(nn.Module):
    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden)
        self.inner = nn.Linear(hidden, hidden)
        self.outer = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.outer.weight)

    def forward(self, values: Tensor) -> Tensor:
        change: Tensor = self.outer(self.dropout(functional.gelu(self.inner(self.norm(values)))))
        return values + change


class SummaryNetwork(Network):
    """Statistics of the sample, then a residual perceptron that corrects a mixture of classical estimators.

    The perceptron weighs candidate estimates among the statistics (Gaussian MI under several regularisations,
    t copula, KSG), adds a correction, and spreads quantiles around it. It works on the scale
    t = 2 (√(I + c) − √c), on which the error of an estimate hardly depends on I; quantiles are increments
    between knots at evenly spaced Φ⁻¹(τ), so that they never cross, and whatever falls below 0 is 0: an exact
    statement of independence.
    """

    max_dimension: ClassVar[int] = 64

    def __init__(self, config: SummaryNetworkConfig) -> None:
        super().__init__()
        self.config = config
        names = statistic_names()
        self.columns = [row for row, name in enumerate(names) if name.split(".")[0] in config.groups]
        self.candidates = [row for row in self.columns if names[row].startswith(_CANDIDATES)]
        self.centre: Tensor
        self.scale: Tensor
        self.register_buffer("centre", torch.zeros(len(names)))
        self.register_buffer("scale", torch.ones(len(names)))
        self.embed = nn.Linear(len(self.columns), config.hidden)
        self.body = nn.ModuleList(_Residual(config.hidden, config.dropout) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(config.hidden)
        self.weigh = nn.Linear(config.hidden, len(self.candidates))
        self.place = nn.Linear(config.hidden, 1)
        self.spread = nn.Linear(config.hidden, _KNOTS - 1)
        nn.init.zeros_(self.place.weight)
        nn.init.zeros_(self.place.bias)

    @property
    def invariances(self) -> frozenset[Invariance]:
        """All of them: the statistics know no more of a sample than what they leave."""
        return super().invariances | {"location-scale", "increasing", "reflection", "swap"}

    def set_scaling(self, table: Tensor) -> None:
        """Take centre and scale of each statistic from a table of many samples, shape (N, S)."""
        low, middle, high = torch.quantile(table, torch.tensor([0.1, 0.5, 0.9]), dim=0)
        deviation = table.std(dim=0)
        scale = torch.where(high - low > _LEAST_SCALE, (high - low) / 2.56, deviation)
        self.centre.copy_(middle)
        self.scale.copy_(scale.clamp_min(_LEAST_SCALE))

    def encode(self, batch: Batch) -> Tensor:
        """See `Network.encode`: the knots of the quantile function, shape (B, knots)."""
        return self.encode_statistics(self.summarise(batch))

    def summarise(self, batch: Batch) -> Tensor:
        """The statistics of each sample, shape (B, S)."""
        rows = [
            summarise(batch.x[b, :n, :dx], batch.y[b, :n, :dy])
            for b, (n, dx, dy) in enumerate(
                zip(batch.n.tolist(), batch.dx.tolist(), batch.dy.tolist(), strict=True)
            )
        ]
        return torch.stack(rows).to(self.centre.device)

    def encode_statistics(self, table: Tensor) -> Tensor:
        """The knots of the quantile function on the scale t, from statistics of shape (B, S)."""
        standardised = torch.asinh((table - self.centre) / self.scale)
        hidden = self.embed(standardised[:, self.columns])
        for block in self.body:
            hidden = block(hidden)
        hidden = self.norm(hidden)
        weights = torch.softmax(self.weigh(hidden), dim=1)
        candidates = table[:, self.candidates].clamp(0.0, _MOST_NATS)
        middle = to_scale((weights * candidates).sum(dim=1, keepdim=True)) + self.place(hidden)
        steps = functional.softplus(self.spread(hidden) - 2.0)
        half = (_KNOTS - 1) // 2
        above = middle + steps[:, half:].cumsum(dim=1)
        below = middle - steps[:, :half].cumsum(dim=1).flip(1)
        return torch.cat([below, middle, above], dim=1)

    def decode(self, representation: Tensor, tau: Tensor | None = None) -> Tensor:
        """See `Network.decode`. Below 0 a slight slope is left in training, so that gradients pass."""
        if tau is None:
            levels = (torch.arange(64, device=representation.device) + 0.5) / 64
            return self.decode(representation, levels.expand(len(representation), -1)).mean(dim=1)
        position = (torch.special.ndtri(tau) / _OUTERMOST + 1.0) * (_KNOTS - 1) / 2
        below = position.floor().long().clamp(0, _KNOTS - 2)
        start, end = representation.gather(1, below), representation.gather(1, below + 1)
        values = start + (position - below) * (end - start)
        return from_scale(values, _LEAK if self.training else 0.0)


def to_scale(nats: Tensor) -> Tensor:
    """t = 2 (√(I + c) − √c) with c = 0.05, continued linearly below 0."""
    above = 2.0 * ((nats.clamp_min(0.0) + _OFFSET).sqrt() - math.sqrt(_OFFSET))
    return above + nats.clamp_max(0.0) / math.sqrt(_OFFSET)


def from_scale(values: Tensor, leak: float) -> Tensor:
    """I of t; below 0 it is 0, or of the given share of the slope."""
    positive = values.clamp_min(0.0)
    # (t/2 + √c)² − c multiplied out, which rounding cannot bring below 0.
    above = positive * (positive / 4.0 + math.sqrt(_OFFSET))
    return above + leak * math.sqrt(_OFFSET) * values.clamp_max(0.0)
