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
from mistworks.statistics import GROUPS, VERSION, Ranked, statistic_names, summarise_many

_KNOTS = 25
_OUTERMOST = 3.25
_OFFSET = 0.05
_LEAK = 0.05
_MEAN_LEVELS = 64
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
        statistics: version of the statistics that it reads; weights are of use for theirs only.
        groups: statistics that it reads, see `mistworks.statistics.GROUPS`.
        members: perceptrons that differ in their first weights; what they disagree on widens the quantiles.
        hidden: width of the residual blocks of a member.
        blocks: how many a member has.
    """

    network: Literal["summary"] = "summary"
    statistics: Literal["3"] = VERSION
    groups: tuple[str, ...] = tuple(GROUPS)
    members: Annotated[int, Field(ge=1, le=64)] = 4
    hidden: Annotated[int, Field(ge=1, le=4096)] = 192
    blocks: Annotated[int, Field(ge=1, le=32)] = 3

    @field_validator("groups")
    @classmethod
    def _groups(cls, groups: tuple[str, ...]) -> tuple[str, ...]:
        return _known(groups)


class _Linear(nn.Module):
    """A linear map of each member's own: from shape (members, B, inputs) to (members, B, outputs)."""

    def __init__(self, members: int, inputs: int, outputs: int, *, zero: bool = False) -> None:
        super().__init__()
        bound = 0.0 if zero else inputs**-0.5
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(self, values: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, values, self.weight)


class _Norm(nn.Module):
    """Layer normalisation with each member's own scale and shift."""

    def __init__(self, members: int, hidden: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(members, 1, hidden))
        self.shift = nn.Parameter(torch.zeros(members, 1, hidden))

    def forward(self, values: Tensor) -> Tensor:
        return functional.layer_norm(values, values.shape[-1:]) * self.scale + self.shift


class _Residual(nn.Module):
    def __init__(self, members: int, hidden: int) -> None:
        super().__init__()
        self.norm = _Norm(members, hidden)
        self.inner = _Linear(members, hidden, hidden)
        self.outer = _Linear(members, hidden, hidden, zero=True)

    def forward(self, values: Tensor) -> Tensor:
        change: Tensor = self.outer(functional.gelu(self.inner(self.norm(values))))
        return values + change


class SummaryNetwork(Network):
    """Statistics of the sample, then residual perceptrons that correct a mixture of classical estimators.

    A perceptron weighs candidate estimates among the statistics (Gaussian MI under several regularisations,
    t copula, KSG), adds a correction, and spreads quantiles around it. It works on the scale
    t = 2 (√(I + c) − √c), on which the error of an estimate hardly depends on I; quantiles are increments
    between knots at evenly spaced Φ⁻¹(τ), so that they never cross, and whatever falls below 0 is 0: an exact
    statement of independence.

    Members are trained side by side on the same batches. Estimates are of the equal mixture of their
    distributions (a deep ensemble: Lakshminarayanan, Pritzel, Blundell, NeurIPS 2017).
    """

    max_dimension: ClassVar[int] = 64
    max_points: ClassVar[int | None] = 100_000
    batch_cells: ClassVar[int] = 2**22

    def __init__(self, config: SummaryNetworkConfig) -> None:
        super().__init__()
        self.config = config
        names, members, hidden = statistic_names(), config.members, config.hidden
        self.columns = [row for row, name in enumerate(names) if name.split(".")[0] in config.groups]
        self.candidates = [row for row in self.columns if names[row].startswith(_CANDIDATES)]
        self.centre: Tensor
        self.scale: Tensor
        self.register_buffer("centre", torch.zeros(len(names)))
        self.register_buffer("scale", torch.ones(len(names)))
        self.embed = _Linear(members, len(self.columns), hidden)
        self.body = nn.ModuleList(_Residual(members, hidden) for _ in range(config.blocks))
        self.norm = _Norm(members, hidden)
        self.weigh = _Linear(members, hidden, len(self.candidates))
        self.place = _Linear(members, hidden, 1, zero=True)
        self.spread = _Linear(members, hidden, _KNOTS - 1)

    @property
    def members(self) -> int:
        """See `Network.members`."""
        return self.config.members

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
        """The statistics of each sample, shape (B, S), on as many threads as torch may use."""
        sizes = zip(batch.n.tolist(), batch.dx.tolist(), batch.dy.tolist(), strict=True)
        x, y = batch.x.cpu(), batch.y.cpu()
        samples = [Ranked.of(x[b, :n, :dx], y[b, :n, :dy]) for b, (n, dx, dy) in enumerate(sizes)]
        table = summarise_many(samples, torch.get_num_threads())
        return torch.from_numpy(table).to(self.centre.device)

    def encode_statistics(self, table: Tensor) -> Tensor:
        """Quantile functions from statistics of shape (B, S).

        Returns:
            Points of quantile functions on the scale t and their Φ⁻¹(τ), side by side: in training those of
            each member in turn, shape (members · B, h), else of their mixture, shape (B, h).
        """
        values = self._knots(table)
        members, batch = values.shape[:2]
        mass = _knot_mass().to(values)
        if self.training:
            return torch.cat([values.flatten(0, 1), _middles(mass).expand(members * batch, -1)], dim=1)
        pooled, order = values.transpose(0, 1).flatten(1).sort(dim=1)
        levels = _middles(mass.repeat(members)[order] / members)
        return torch.cat([pooled, levels], dim=1)

    def _knots(self, table: Tensor) -> Tensor:
        """Each member's quantiles at the knots on the scale t, shape (members, B, knots)."""
        standardised = torch.asinh((table - self.centre) / self.scale)[:, self.columns]
        hidden = self.embed(standardised.expand(self.config.members, -1, -1))
        for block in self.body:
            hidden = block(hidden)
        hidden = self.norm(hidden)
        weights = torch.softmax(self.weigh(hidden), dim=-1)
        candidates = table[:, self.candidates].clamp(0.0, _MOST_NATS)
        middle = square_root_scale((weights * candidates).sum(dim=-1, keepdim=True)) + self.place(hidden)
        steps = functional.softplus(self.spread(hidden) - 2.0)
        half = (_KNOTS - 1) // 2
        above = middle + steps[..., half:].cumsum(dim=-1)
        below = middle - steps[..., :half].cumsum(dim=-1).flip(-1)
        return torch.cat([below, middle, above], dim=-1)

    def decode(self, representation: Tensor, tau: Tensor | None = None) -> Tensor:
        """See `Network.decode`. Below 0 a slight slope is left in training, so that gradients pass."""
        if tau is None:
            levels = (torch.arange(_MEAN_LEVELS, device=representation.device) + 0.5) / _MEAN_LEVELS
            return self.decode(representation, levels.expand(len(representation), -1)).mean(dim=1)
        values, levels = representation.chunk(2, dim=1)
        wanted = torch.special.ndtri(tau)
        above = torch.searchsorted(levels.contiguous(), wanted.contiguous()).clamp(1, levels.shape[1] - 1)
        left, right = levels.gather(1, above - 1), levels.gather(1, above)
        share = (wanted - left) / (right - left).clamp_min(1e-6)
        start, end = values.gather(1, above - 1), values.gather(1, above)
        return from_scale(start + share * (end - start), _LEAK if self.training else 0.0)


def _knot_mass() -> Tensor:
    """The share of a distribution that each of the knots stands for, shape (knots,), float64."""
    knots = torch.linspace(-_OUTERMOST, _OUTERMOST, _KNOTS, dtype=torch.float64)
    edges = torch.special.ndtr((knots[1:] + knots[:-1]) / 2)
    zero, one = edges.new_zeros(1), edges.new_ones(1)
    return torch.cat([edges, one]) - torch.cat([zero, edges])


def _middles(mass: Tensor) -> Tensor:
    """Φ⁻¹ of the levels in the middle of consecutive shares, along the last axis."""
    levels = (mass.double().cumsum(dim=-1) - mass / 2).clamp(1e-6, 1 - 1e-6)
    middles: Tensor = torch.special.ndtri(levels)
    return middles.to(mass.dtype)


def square_root_scale(nats: Tensor) -> Tensor:
    """t = 2 (√(I + c) − √c) with c = 0.05 nats, continued linearly below 0.

    The variance of an estimate of weak dependence is proportional to I, so that on this scale it is about
    constant.
    """
    above = 2.0 * ((nats.clamp_min(0.0) + _OFFSET).sqrt() - math.sqrt(_OFFSET))
    return above + nats.clamp_max(0.0) / math.sqrt(_OFFSET)


def from_scale(values: Tensor, leak: float) -> Tensor:
    """I of t; below 0 it is 0, or of the given share of the slope."""
    positive = values.clamp_min(0.0)
    # (t/2 + √c)² − c multiplied out, which rounding cannot bring below 0.
    above = positive * (positive / 4.0 + math.sqrt(_OFFSET))
    return above + leak * math.sqrt(_OFFSET) * values.clamp_max(0.0)
