"""Training on tables of statistics, as arrays on the device for training."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import cast

import numpy as np
import torch
from torch import Tensor

from mistworks.dataset import FloatArray, IntArray
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import shipped
from mistworks.networks import AnyNetworkConfig, build_network
from mistworks.networks.blocks import statistics_of
from mistworks.networks.residual import Members, from_scale, square_root_scale
from mistworks.networks.scale import knot_mass
from mistworks.networks.summary import LEAK, SummaryNetwork, leaky
from mistworks.simulation.general import FAMILY_GROUPS
from mistworks.statistics.table import SummaryBlock, SummarySource
from mistworks.training.batching import AnySource, EpochPlan
from mistworks.training.config import TrainingConfig
from mistworks.training.groups import groups_of

_DATASETS_FOR_SCALES = 20_000
_ROWS = 512


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """N datasets as input of the network over statistics.

    Attributes:
        inputs: standardised statistics, shape (N, C).
        estimates: candidate estimates in nats, shape (N, K).
        target: true mutual information in nats, shape (N,).
        group: position of the family's group among those left out, −1 for others, shape (N,).
    """

    inputs: Tensor
    estimates: Tensor
    target: Tensor
    group: Tensor

    def __len__(self) -> int:
        return len(self.target)

    def rows(self, rows: Tensor) -> "Table":
        """Return the datasets at these positions."""
        return Table(self.inputs[rows], self.estimates[rows], self.target[rows], self.group[rows])

    def part(self, start: int, stop: int) -> "Table":
        """Return the datasets between two positions, without a copy."""
        return Table(*(getattr(self, field.name)[start:stop] for field in fields(self)))


class TableLesson:
    """The `mistworks.training.lessons.Lesson` of the network over statistics.

    The loss compares the knots of the quantile functions with the truth by the pinball loss at their own
    levels, weighted by their mass: a quadrature of ∫ ρ_τ dτ at the knots.

    Attributes:
        network: the network in training.
    """

    def __init__(self, config: AnyNetworkConfig, training: TrainingConfig, source: AnySource) -> None:
        self._config = training
        self._source = cast("SummarySource", source)
        self._bounds = source.partition_bounds
        self._groups = groups_of(source.index) if training.leave_out else np.zeros(len(source), dtype=np.str_)
        left_out = tuple(group for group in FAMILY_GROUPS if (self._groups == group).any())
        self._device = _device(training.device)
        network = build_network(config, left_out if training.leave_out else ())
        self.network = cast("SummaryNetwork", network).to(self._device)
        if training.initial == "shipped":
            self.network.adapt(_shipped_weights(config))
        self._members = self.network.own.count + len(self.network.left_out)
        mass = knot_mass()
        levels = np.cumsum(mass) - mass / 2
        self._mass = torch.from_numpy(mass).float().to(self._device)
        self._tau = torch.from_numpy(levels).float().to(self._device)
        self._window: tuple[tuple[int, ...], Table] | None = None

    def begin(self) -> None:
        """Set scales, unless they come with initial weights, and the familiar distribution.

        Both are taken from the first datasets of the split.

        Raises:
            MistworksError: the source holds samples.
        """
        table = _first_statistics(self._source)
        if self._config.initial == "shipped":
            self.network.set_familiar(table, self._groups[: len(table)])
        else:
            self.network.set_scaling(table, self._groups[: len(table)])

    def batches(self, plan: EpochPlan, first_step: int) -> Iterator[tuple[int, Table]]:
        """Yield batches. Partitions that are shuffled together are one table in memory."""
        taken, start = first_step * plan.batch_size, 0
        pieces: list[Table] = []
        for window in plan.windows:
            stop = start + sum(np.diff(self._bounds[number])[0] for number in window)
            chosen = plan.order[max(start, taken) : stop]
            start = stop
            if not len(chosen):
                continue
            table, held = self._read(window)
            rows = torch.from_numpy(np.searchsorted(held, chosen)).to(self._device)
            while len(rows):
                room = plan.batch_size - sum(map(len, pieces))
                pieces.append(table.rows(rows[:room]))
                rows = rows[room:]
                if sum(map(len, pieces)) == plan.batch_size:
                    yield plan.batch_size, _joined(pieces)
                    pieces = []
        if pieces:
            yield sum(map(len, pieces)), _joined(pieces)

    def _read(self, window: IntArray) -> tuple[Table, IntArray]:
        """Return the table of some partitions, cached until the next, and the positions of its rows."""
        numbers = tuple(sorted(window.tolist()))
        if self._window is None or self._window[0] != numbers:
            # Freed first, so that only one table is in memory.
            self._window = None
            blocks = (self._source.partition(number) for number in numbers)
            parts = [self._table(block) for block in blocks]
            self._window = numbers, _joined(parts)
        bounds = [self._bounds[number] for number in numbers]
        return self._window[1], np.concatenate([np.arange(*each) for each in bounds])

    @torch.no_grad()
    def _table(self, block: SummaryBlock) -> Table:
        statistics = torch.from_numpy(np.ascontiguousarray(block.statistics)).to(self._device)
        left_out = np.array(self.network.left_out, dtype=np.str_)
        groups = self._groups[block.start : block.start + len(block)]
        matches = groups[:, None] == left_out
        group = np.where(matches.any(axis=1), matches.argmax(axis=1) if len(left_out) else -1, -1)
        return Table(
            self.network.standardised(statistics),
            self.network.estimates(statistics),
            torch.from_numpy(block.index.mi).float().to(self._device),
            torch.from_numpy(group).to(self._device),
        )

    def backward(self, batch: Table, step: int) -> Tensor:
        """Return the mean over datasets and over the estimator's members."""
        network = self.network
        if network.apart is not None:
            count = math.ceil(self._config.left_out_share * len(batch))
            self._learn(network.apart, batch.part(0, count))
        return self._learn(network.own, batch)

    def _learn(self, members: Members, batch: Table) -> Tensor:
        """Add the gradient of the mean over datasets and all members. Return the mean over these members."""
        total = torch.zeros((), device=self._device)
        # On a CPU, in parts whose activations stay in its caches.
        most = len(batch) if self._device.type == "cuda" else _ROWS
        for first in range(0, len(batch), most):
            part = batch if most >= len(batch) else batch.part(first, first + most)
            mean = self._summed_loss(members, part) / (len(batch) * members.count)
            (mean * (members.count / self._members)).backward()  # type: ignore[no-untyped-call]
            total += mean.detach()
        return total

    def _summed_loss(self, members: Members, batch: Table) -> Tensor:
        half = self._config.precision == "bfloat16"
        with torch.autocast(self._device.type, torch.bfloat16, enabled=half):
            knots = members(batch.inputs, batch.estimates)
        loss = self._loss(knots, batch.target)
        if members is self.network.own:
            return loss.sum()
        numbers = torch.arange(members.count, device=self._device)
        return (loss * (batch.group[None] != numbers[:, None])).sum()

    def _loss(self, knots: Tensor, target: Tensor) -> Tensor:
        """Return the loss per member and dataset, shape (members, B), from knots (members, B, KNOTS)."""
        square_root = self._config.loss_scale == "square-root"
        values = leaky(knots) if square_root else from_scale(knots, LEAK)
        truth = square_root_scale(target) if square_root else target
        if self._config.objective == "squared-error":
            return (values @ self._mass - truth).square()
        error = truth[:, None] - values
        return torch.maximum(self._tau * error, (self._tau - 1) * error) @ self._mass


def _shipped_weights(config: AnyNetworkConfig) -> Mapping[str, FloatArray]:
    """Return the weights of the shipped estimator by name.

    Raises:
        MistworksError: its network has another configuration.
    """
    estimator = shipped()
    if estimator.network_config != config:
        raise MistworksError(
            "Expected the configuration of the shipped network to adapt it, got another. Set initial to "
            "random, or take the network of the preset shipped."
        )
    return estimator.network.tensors()


def _joined(parts: list[Table]) -> Table:
    if len(parts) == 1:
        return parts[0]
    return Table(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Table)))


def _first_statistics(source: SummarySource) -> Tensor:
    """Read the statistics of the first datasets of a split, shape (N, S), as many as a good scale needs."""
    blocks: list[Tensor] = []
    for number in range(len(source.partition_bounds)):
        blocks.append(torch.from_numpy(statistics_of(source.partition(number))))
        if sum(map(len, blocks)) >= _DATASETS_FOR_SCALES:
            break
    return torch.cat(blocks)[:_DATASETS_FOR_SCALES]


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise MistworksError("Expected a GPU for training, got none. Set device to auto or cpu.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


__all__ = ["Table", "TableLesson"]
