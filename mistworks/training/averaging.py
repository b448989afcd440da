"""The moving average of a network's weights, which estimates better than the weights of any one step."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """An exponential average of parameters over steps, kept on their device.

    Args:
        network: whose parameters are averaged.
        half_life: of a step's part in the average, as a share of all steps; 0 keeps no average.
        steps: of the whole training.
    """

    def __init__(self, network: nn.Module, half_life: float, steps: int) -> None:
        self._parameters = dict(network.named_parameters())
        self._rate = 1 - 0.5 ** (1 / max(half_life * steps, 1)) if half_life else 0.0
        self._average: dict[str, Tensor] = {}
        self.reset()

    def reset(self) -> None:
        """Begin with the parameters as they are."""
        if self._rate:
            self._average = {name: value.detach().clone() for name, value in self._parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take the parameters of one more step into account."""
        if self._rate:
            torch._foreach_lerp_(list(self._average.values()), list(self._parameters.values()), self._rate)

    def tensors(self) -> dict[str, Tensor]:
        """The average by name; empty without one."""
        return self._average

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        for name, value in tensors.items():
            self._average[name].copy_(value)

    @contextmanager
    @torch.no_grad()
    def in_place(self) -> Iterator[None]:
        """The network has its average for parameters within."""
        before = {name: value.detach().clone() for name, value in self._parameters.items() if self._rate}
        for name, value in self._average.items():
            self._parameters[name].copy_(value)
        try:
            yield
        finally:
            for name, value in before.items():
                self._parameters[name].copy_(value)
