"""Training on samples, padded to common shapes."""

from collections.abc import Iterator
from typing import cast

import numpy as np
import torch
from torch import Tensor

from mistworks.dataset import Dataset, Source
from mistworks.errors import MistworksError
from mistworks.networks import AnyNetworkConfig, build_network, group_by_shape, pad
from mistworks.networks.base import Network
from mistworks.networks.residual import square_root_scale
from mistworks.randomness import stream
from mistworks.statistics.table import SummaryBlock
from mistworks.training.batching import AnySource, EpochPlan, read_batches
from mistworks.training.config import TrainingConfig
from mistworks.training.losses import pinball, squared_error

_LEAST_LEVEL = 1e-3


class SampleLesson:
    """See `mistworks.training.lessons.Lesson`.

    Attributes:
        network: what is trained.
    """

    def __init__(self, config: AnyNetworkConfig, training: TrainingConfig, source: AnySource) -> None:
        self._config, self._source = training, cast("Source", source)
        self.network = cast("Network", build_network(config))
        if training.leave_out:
            raise MistworksError(
                "Expected a network over statistics to leave families out. Set leave_out to false."
            )

    def begin(self) -> None:
        """There is nothing to set.

        Raises:
            MistworksError: the source holds statistics.
        """
        if isinstance(self._source.partition(0), SummaryBlock):
            raise MistworksError(
                "Expected samples for this network, got statistics of samples. Pass the store itself."
            )

    def batches(self, plan: EpochPlan, first_step: int) -> Iterator[tuple[int, list[Dataset]]]:
        """See `Lesson.batches`."""
        return ((len(batch), batch) for batch in read_batches(self._source, plan, first_step))

    def backward(self, batch: list[Dataset], step: int) -> Tensor:
        """See `Lesson.backward`: computed in parts of like shape, each dataset weighing the same."""
        config = self._config
        tau = stratified_levels(config, step, len(batch))
        target = torch.tensor([dataset.mi for dataset in batch], dtype=torch.float32)
        scale = square_root_scale if config.loss_scale == "square-root" else torch.nn.Identity()
        self.network.train()
        total = torch.zeros(())
        for rows, representation in _represented(self.network, batch, config.micro_batch_cells):
            if config.objective == "pinball":
                quantiles = self.network.decode(representation, tau[rows])
                loss = pinball(scale(quantiles), scale(target[rows]), tau[rows])
            else:
                loss = squared_error(scale(self.network.decode(representation)), scale(target[rows]))
            mean = loss.sum() / len(batch)
            mean.backward()  # type: ignore[no-untyped-call]
            total += mean.detach()
        return total


def stratified_levels(config: TrainingConfig, step: int, count: int) -> Tensor:
    """Levels of a step, shape (count, levels): one uniform in each of ``levels`` equal parts of (0, 1)."""
    uniform = stream(config.seed, "train", "levels", step).random((count, config.levels))
    tau = (np.arange(config.levels) + uniform) / config.levels
    return torch.from_numpy(tau.clip(_LEAST_LEVEL, 1 - _LEAST_LEVEL)).float()


def _represented(network: Network, batch: list[Dataset], max_cells: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Positions of a part of a batch, shape (P,), and its representations, shape (P, h)."""
    pairs = [(item.x, item.y) for item in batch]
    n = np.array([len(x) for x, _ in pairs])
    dx = np.array([x.shape[1] for x, _ in pairs])
    dy = np.array([y.shape[1] for _, y in pairs])
    for group in group_by_shape(n, dx, dy, max_cells, len(batch)):
        yield torch.from_numpy(group), network.encode(pad([pairs[row] for row in group]))
