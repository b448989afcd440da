"""A small autoencoder: columns of one side to a few codes from which they can be reproduced. Needs torch."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from mistworks.baselines.critics import linear
from mistworks.baselines.preparation import Points

_HIDDEN = 64
_LEARNING_RATE = 1e-3
_BATCH = 128
_STEPS = 2_000


def encoded(columns: Points, components: int, seed: int) -> Points:
    """Codes of standardised columns of shape (n, d), shape (n, k).

    The encoder and the decoder are perceptrons with one hidden layer of 64 units (ELU). They are fitted
    together to the mean squared error of reproduction, by 2,000 steps of Adam on batches of 128 rows, with a
    learning rate that falls to 0 along a cosine.

    Args:
        columns: mean 0 and variance 1 each.
        components: k.
        seed: seed of the initial weights and the batches.
    """
    generator = torch.Generator().manual_seed(seed % 2**63)
    rows = torch.from_numpy(columns.astype(np.float32))
    encoder = _perceptron(columns.shape[1], components, generator)
    decoder = _perceptron(components, columns.shape[1], generator)
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=_LEARNING_RATE)
    for step in range(_STEPS):
        optimiser.param_groups[0]["lr"] = _LEARNING_RATE * (1 + math.cos(math.pi * step / _STEPS)) / 2
        batch = rows[torch.randint(len(rows), (min(_BATCH, len(rows)),), generator=generator)]
        optimiser.zero_grad()
        loss: Tensor = (decoder(encoder(batch)) - batch).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.inference_mode():
        return np.asarray(encoder(rows).numpy().astype(np.float64))


def _perceptron(inputs: int, outputs: int, generator: torch.Generator) -> nn.Sequential:
    return nn.Sequential(linear(inputs, _HIDDEN, generator), nn.ELU(), linear(_HIDDEN, outputs, generator))


__all__ = ["encoded"]
