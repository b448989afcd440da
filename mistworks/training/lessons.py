"""What a network learns from, step by step: all that the training loop knows of it."""

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
    """What is trained: a module of torch with ``ready`` and ``witnesses``."""

    def begin(self) -> None:
        """Set what is not trained, such as scales, before the first step of a new run.

        Raises:
            MistworksError: the source holds samples and the network reads statistics, or the reverse.
        """

    def batches(self, plan: EpochPlan, first_step: int) -> Iterator[tuple[int, Any]]:
        """Yield the batches of a plan from ``first_step`` on, each with its number of datasets."""

    def backward(self, batch: Any, step: int) -> Tensor:
        """Add the gradient of the mean loss on a batch to the parameters; return that loss, shape ()."""


_Making = Callable[[AnyNetworkConfig, TrainingConfig, AnySource], Lesson]


def lesson_of(config: AnyNetworkConfig, training: TrainingConfig, source: AnySource) -> Lesson:
    """Return the lesson of a network on a source; the network's first weights follow from the seed.

    Raises:
        MistworksError: families are to be left out, and the network has no members for that.
    """
    from mistworks.training.samples import SampleLesson
    from mistworks.training.tables import TableLesson

    of_samples: _Making = SampleLesson
    of_statistics: _Making = TableLesson
    lesson = config.choose(samples=of_samples, statistics=of_statistics)
    # Torch's own generator is left as it was.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(stream(training.seed, "train", "weights", 0).integers(2**63)))
        return lesson(config, training, source)
