"""Training on samples, padded to common shapes."""

from collections.abc import Iterator
from typing import cast

import numpy as np
import torch
from torch import Tensor

from mistworks.dataset import Dataset, Source
from mistworks.errors import MistworksError
from mistworks.networks import AnyNetworkConfig, build_network
from mistworks.networks.base import Network
from mistworks.networks.blocks import samples_of
from mistworks.networks.residual import square_root_scale
from mistworks.randomness import stream
from mistworks.simulation.general import FAMILY_GROUPS
from mistworks.training.batching import AnySource, EpochPlan, read_batches
from mistworks.training.config import TrainingConfig
from mistworks.training.losses import pinball, squared_error

_LEAST_LEVEL = 1e-3


class SampleLesson:
    """The `mistworks.training.lessons.Lesson` of a network that reads samples.

    Attributes:
        network: the network in training.
    """

    def __init__(self, config: AnyNetworkConfig, training: TrainingConfig, source: AnySource) -> None:
        if training.initial == "shipped":
            raise MistworksError(
                "Expected a network over statistics to adapt the shipped estimator, got one that reads "
                "samples. Set initial to random, or take the network of the preset shipped."
            )
        self._config, self._source = training, cast("Source", source)
        left_out = FAMILY_GROUPS if training.leave_out else ()
        self.network = cast("Network", build_network(config, left_out))

    def begin(self) -> None:
        """Refuse statistics. There is nothing to set."""
        samples_of(self._source.partition(0))

    def batches(self, plan: EpochPlan, first_step: int) -> Iterator[tuple[int, list[Dataset]]]:
        """Yield batches of samples."""
        return ((len(batch), batch) for batch in read_batches(self._source, plan, first_step))

    def backward(self, batch: list[Dataset], step: int) -> Tensor:
        """Compute in parts of similar shape, with equal weight for each dataset."""
        config = self._config
        tau = stratified_levels(config, step, len(batch))
        target = torch.tensor([dataset.mi for dataset in batch], dtype=torch.float32)
        scale = square_root_scale if config.loss_scale == "square-root" else torch.nn.Identity()
        self.network.train()
        total = torch.zeros(())
        pairs = [self.network.read(dataset.x, dataset.y) for dataset in batch]
        for group, representation in self.network.represent(pairs, config.micro_batch_cells, len(batch)):
            rows = torch.from_numpy(group)
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
    """Draw the levels of a step, shape (count, levels), one in each of ``levels`` equal parts of (0, 1)."""
    uniform = stream(config.seed, "train", "levels", step).random((count, config.levels))
    tau = (np.arange(config.levels) + uniform) / config.levels
    return torch.from_numpy(tau.clip(_LEAST_LEVEL, 1 - _LEAST_LEVEL)).float()


__all__ = ["SampleLesson", "stratified_levels"]
