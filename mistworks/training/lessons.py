"""What a network is trained on, step by step: the one thing in which networks differ to the training loop."""

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

from mistworks.networks import AnyNetworkConfig
from mistworks.randomness import stream
from mistworks.training.batching import AnySource, EpochPlan
from mistworks.training.config import TrainingConfig


class Lesson(Protocol):
    """Batches of one source for one network, and the gradient of the loss on each."""

    network: Any
    """What is trained: a module with ``ready`` and, where groups are left out, ``witnesses``."""

    def begin(self) -> None:
        """Set what is not trained, such as scales, before the first step of a new run."""

    def batches(self, plan: EpochPlan, first_step: int) -> Iterator[tuple[int, Any]]:
        """The batches of a plan from ``first_step`` on, each with its number of datasets."""

    def backward(self, batch: Any, step: int) -> Tensor:
        """Add the gradient of the mean loss on a batch to the parameters; the mean loss, shape ()."""


def lesson_of(config: AnyNetworkConfig, training: TrainingConfig, source: AnySource) -> Lesson:
    """The lesson of a network on a source, the network with weights that follow from the seed.

    Raises:
        MistworksError: the source holds samples and the network reads statistics, or the reverse.
    """
    from mistworks.training.samples import SampleLesson
    from mistworks.training.tables import TableLesson

    lesson = TableLesson if config.reads == "statistics" else SampleLesson
    # Torch's own generator is left as it was.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(stream(training.seed, "train", "weights", 0).integers(2**63)))
        return lesson(config, training, source)
