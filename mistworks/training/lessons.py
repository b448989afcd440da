"""Lessons: the contract between the training loop and the data that a network learns from."""

from collections.abc import Callable, Iterator
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
    """The network in training: a module of torch with ``ready`` and ``witnesses``."""

    def begin(self) -> None:
        """Set everything that is not trained, such as scales, before the first step of a new run.

        Raises:
            MistworksError: the source holds samples and the network reads statistics, or the reverse.
        """

    def batches(self, plan: EpochPlan, first_step: int) -> Iterator[tuple[int, Any]]:
        """Yield the batches of a plan from ``first_step`` on, each with its number of datasets."""

    def backward(self, batch: Any, step: int) -> Tensor:
        """Add the gradient of the mean loss on a batch to the parameters, and return this loss, shape ()."""


_Making = Callable[[AnyNetworkConfig, TrainingConfig, AnySource], Lesson]


def lesson_of(config: AnyNetworkConfig, training: TrainingConfig, source: AnySource) -> Lesson:
    """Return the lesson of a network on a source. The initial weights depend only on the seed.

    Raises:
        MistworksError: families are to be left out, but the network has no members.
    """
    from mistworks.training.samples import SampleLesson
    from mistworks.training.tables import TableLesson

    of_samples: _Making = SampleLesson
    of_statistics: _Making = TableLesson
    lesson = config.choose(samples=of_samples, statistics=of_statistics)
    # The state of torch's own generator is preserved.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(stream(training.seed, "train", "weights", 0).integers(2**63)))
        return lesson(config, training, source)


__all__ = ["Lesson", "lesson_of"]
