"""Channels from a real number g in [−4, 4] to one coordinate: p(y | g) and its mutual information."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammaln, softmax, xlogy
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Array
from mistworks.distributions.monte_carlo import Label
from mistworks.distributions.priors import LogUniform, log_uniform

LARGEST_INPUT = 4.0

_NODES = 512
_CELLS_PER_SCALE = 6
_LARGEST_CELL = 0.1
_TAIL = 6.0
_BAND_WIDTH = 0.75
_LARGEST_RATE = 40.0
_MOST_COUNTS = 90


class ScalarChannel(ABC):
    """A conditional distribution of one coordinate given g."""

    @property
    def first_points(self) -> int:
        """Number of values of g that a label begins with: enough for a bias below 0.002 nats."""
        return 4_096

    @abstractmethod
    def sample(self, g: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Draw one y for each g, shape (n,), float32."""

    @abstractmethod
    def label(self, g: FloatArray) -> Label:
        """I(g;Y) in nats for the empirical distribution of g, shape (n,).

        It is the mean over that sample of D(p(y | g) ‖ p(y)), whose spread gives the standard error.
        """


@dataclass(frozen=True, eq=False)
class NormalChannel(ScalarChannel):
    """Y = g + σ(g) Z with Z standard normal; σ is constant on bands of |g|, each 0.75 wide.

    Attributes:
        scales: σ on each band, from |g| = 0 outwards; the last band has no end.
    """

    scales: Array

    @property
    @override
    def first_points(self) -> int:
        """Enough for the bias of a histogram with about 3/σ cells, which is cells / 2n."""
        return int(np.clip(750.0 / float(self.scales.min()), 2_048, 16_384))

    @override
    def sample(self, g: FloatArray, rng: np.random.Generator) -> FloatArray:
        noise = rng.standard_normal(len(g), dtype=np.float32)
        return g + self.scales.astype(np.float32)[self._band(g)] * noise

    @override
    def label(self, g: FloatArray) -> Label:
        """I(g;Y) in nats: p(y) on a grid by convolving the histogram of each band with its noise.

        A grid of σ/6 or finer integrates a normal density to all digits. Splitting a point between the two
        neighbouring cells adds cell²/6 to its variance on average, which is subtracted from that of the
        noise.
        """
        cell = min(float(self.scales.min()) / _CELLS_PER_SCALE, _LARGEST_CELL)
        margin = LARGEST_INPUT + _TAIL * float(self.scales.max())
        size = 1 << int(np.ceil(np.log2(2.0 * margin / cell)))
        histogram = _histogram((g.astype(np.float64) + margin) / cell, size, self._band(g), len(self.scales))
        kernel = _normal_kernels(np.sqrt(self.scales**2 - cell**2 / 6.0) / cell, size)
        spectrum = np.fft.rfft(kernel, axis=1)
        density = np.fft.irfft((np.fft.rfft(histogram, axis=1) * spectrum).sum(axis=0), size)
        log_density = np.log(np.maximum(density, 1e-30))
        cross_entropy = -np.fft.irfft(np.fft.rfft(log_density) * spectrum, size, axis=1)
        own_entropy = 0.5 * np.log(2.0 * np.pi * np.e * (self.scales / cell) ** 2)
        return _mean_label(histogram, cross_entropy - own_entropy[:, None], len(g))

    def _band(self, g: FloatArray) -> NDArray[np.int64]:
        return np.minimum((np.abs(g) / _BAND_WIDTH).astype(np.int64), len(self.scales) - 1)


@dataclass(frozen=True, eq=False)
class DiscreteChannel(ScalarChannel):
    """Y in 0, 1, …, with P(Y = y | g) a smooth function of g.

    Attributes:
        probabilities: maps g of shape (n,) to P(Y = y | g) of shape (n, values); rows sum to 1.
    """

    probabilities: Callable[[Array], Array]

    @override
    def sample(self, g: FloatArray, rng: np.random.Generator) -> FloatArray:
        cumulative = self.probabilities(g.astype(np.float64)).cumsum(axis=1)
        beyond = rng.random((len(g), 1)) > cumulative[:, :-1]
        return np.asarray(beyond.sum(axis=1), dtype=np.float32)

    @override
    def label(self, g: FloatArray) -> Label:
        """I(g;Y) in nats, exact except that the distribution of g is put on 512 nodes."""
        nodes = np.linspace(-LARGEST_INPUT, LARGEST_INPUT, _NODES)
        position = (g.astype(np.float64) + LARGEST_INPUT) * ((_NODES - 1) / (2.0 * LARGEST_INPUT))
        histogram = _histogram(position, _NODES, np.zeros(len(g), dtype=np.int64), 1)
        given = self.probabilities(nodes)
        margin = (histogram[0][:, None] * given).sum(axis=0)
        divergence = (xlogy(given, given) - xlogy(given, np.maximum(margin, 1e-300))).sum(axis=1)
        return _mean_label(histogram, divergence[None], len(g))


def draw_channel(noise: LogUniform, rng: np.random.Generator) -> ScalarChannel:
    """Draw a channel: normal noise half of the time, or a decision, (un)ordered classes or counts.

    Args:
        noise: prior of σ of normal noise near g = 0.
        rng: draws the channel.
    """
    if rng.random() < 0.5:
        growth = rng.uniform(1.1, 1.8) ** np.arange(6) if rng.random() < 0.4 else np.ones(1)
        return NormalChannel(np.asarray(noise.draw(rng) * growth, dtype=np.float64))
    kinds = (_decision, _ordered, _unordered, _counts)
    return DiscreteChannel(kinds[int(rng.integers(4))](rng))


def _decision(rng: np.random.Generator) -> Callable[[Array], Array]:
    """P(Y = 1 | g) = 1 / (1 + exp(−s (g − t)))."""
    return _cumulative_logits(rng.standard_normal(1), log_uniform(0.3, 20.0, rng))


def _ordered(rng: np.random.Generator) -> Callable[[Array], Array]:
    """P(Y ≥ k | g) = 1 / (1 + exp(−s (g − tₖ))), 3 to 8 values."""
    cuts = np.sort(1.2 * rng.standard_normal(int(rng.integers(2, 8))))
    return _cumulative_logits(cuts, log_uniform(0.3, 20.0, rng))


def _cumulative_logits(cuts: Array, slope: float) -> Callable[[Array], Array]:
    def probabilities(g: Array) -> Array:
        at_least = expit(slope * (g[:, None] - cuts))
        return -np.diff(at_least, axis=1, prepend=1.0, append=0.0)

    return probabilities


def _unordered(rng: np.random.Generator) -> Callable[[Array], Array]:
    """P(Y = k | g) ∝ exp(s (aₖ + bₖ g + cos(fₖ g + φₖ))), 3 to 8 values."""
    size = int(rng.integers(3, 9))
    sharpness = log_uniform(0.3, 5.0, rng)
    constant, slope = rng.standard_normal((2, size))
    frequency, phase = rng.uniform(0.5, 3.0, size), rng.uniform(0.0, 2 * np.pi, size)

    def probabilities(g: Array) -> Array:
        g = g[:, None]
        return np.asarray(softmax(sharpness * (constant + slope * g + np.cos(frequency * g + phase)), axis=1))

    return probabilities


def _counts(rng: np.random.Generator) -> Callable[[Array], Array]:
    """Y ~ Poisson(min(exp(a + s g), 40)), given that it is below 90."""
    rate, slope = log_uniform(0.2, 10.0, rng), log_uniform(0.1, 1.5, rng)
    counts = np.arange(_MOST_COUNTS)
    log_factorial = gammaln(counts + 1.0)

    def probabilities(g: Array) -> Array:
        rates = np.minimum(rate * np.exp(slope * g), _LARGEST_RATE)[:, None]
        return np.asarray(softmax(counts * np.log(rates) - log_factorial, axis=1))

    return probabilities


def _histogram(position: Array, size: int, band: NDArray[np.int64], bands: int) -> Array:
    """Shares of real positions on 0, …, size − 1, each split linearly, shape (bands, size)."""
    cell = np.minimum(position.astype(np.int64), size - 2)
    right = position - cell
    flat = band * size + cell
    total = bands * size
    counts = np.bincount(flat, 1.0 - right, total) + np.bincount(flat + 1, right, total)
    return np.asarray(counts.reshape(bands, size) / len(position))


def _normal_kernels(scales: Array, size: int) -> Array:
    """Normal densities with scales given in cells, on a circle of ``size`` cells around 0."""
    distance = np.minimum(np.arange(size), size - np.arange(size)) / scales[:, None]
    return np.asarray(np.exp(-0.5 * np.square(distance)) / (scales[:, None] * np.sqrt(2.0 * np.pi)))


def _mean_label(weights: Array, divergence: Array, points: int) -> Label:
    mean = float((weights * divergence).sum())
    variance = float((weights * np.square(divergence - mean)).sum())
    return Label(max(0.0, mean), float(np.sqrt(variance / points)))


__all__ = ["LARGEST_INPUT", "DiscreteChannel", "NormalChannel", "ScalarChannel", "draw_channel"]
