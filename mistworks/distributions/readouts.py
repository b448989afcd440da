"""The readouts family: coordinates of a side read the same few of the other, each with its own noise."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator
from scipy.special import entr, ndtri
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Array, Family
from mistworks.distributions.coordinates import Coordinates, draw_coordinates
from mistworks.distributions.monte_carlo import UNKNOWN, Label, Labelled, class_entropy, precise_label
from mistworks.distributions.priors import LogUniform, Probability, log_uniform, within
from mistworks.distributions.scalar_functions import draw_function

_CELLS = 128
_MOST_CLASSES = 24
_MOST_LATENTS = 3
_FIRST_POINTS = 512


@dataclass(frozen=True, eq=False)
class Latent:
    """A coordinate T in cells, and coordinates that read it: given cell k they are N(μₖ, diag σ²).

    Given its cell, T is independent of them, so that their information about T is that about its cell: at
    most the logarithm of the number of cells.

    Attributes:
        probabilities: probabilities of the cells, shape (cells,), positive, with sum 1.
        means: μ, shape (cells, readers).
        scales: σ, shape (readers,).
        atomic: if True, T is the number of its cell; otherwise it is uniform in the cell, an interval of (0,
            1).
    """

    probabilities: Array
    means: Array
    scales: Array
    atomic: bool

    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw T, shape (n,), and the coordinates that read it, shape (n, readers), float32."""
        cell = self._cells(n, rng)
        noise = rng.standard_normal((n, len(self.scales)), dtype=np.float32)
        read = cell.astype(np.float32)
        if not self.atomic:
            read = (read + rng.random(n, dtype=np.float32)) / np.float32(len(self.means))
        return read, self.means.astype(np.float32)[cell] + self.scales.astype(np.float32) * noise

    def information(self, n: int, rng: np.random.Generator) -> Array:
        """H(K) − H(K | y) in nats at n random y, with K the cell, shape (n,). The mean is I(T;Y)."""
        means = (self.means / self.scales).astype(np.float32)
        points = means[self._cells(n, rng)].T + rng.standard_normal((means.shape[1], n), dtype=np.float32)
        constant = np.log(self.probabilities) - 0.5 * np.square(means, dtype=np.float64).sum(axis=1)
        log_joint = means @ points
        log_joint += constant.astype(np.float32)[:, None]
        return np.asarray(entr(self.probabilities).sum() - class_entropy(log_joint))

    def _cells(self, n: int, rng: np.random.Generator) -> NDArray[np.intp]:
        cumulative = self.probabilities.cumsum()
        cell = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
        return np.asarray(np.minimum(cell, len(cumulative) - 1))


@dataclass(frozen=True, eq=False)
class Readouts(Labelled):
    """Coordinates of Y read those of X, or X and Y swapped, among coordinates of noise.

    Latents are independent of each other and read by different coordinates: I(X;Y) = Σᵢ I(Tᵢ;Yᵢ).

    Attributes:
        latents: the coordinates that are read, with their readers.
        read_order: the positions of the latents in the block that is read, then those of the noise.
        reads_order: the positions of the readers, latent by latent, then those of the noise.
        read_noise: the other coordinates of the block that is read.
        reads_noise: the other coordinates of the block that reads.
        swapped: X reads Y.
        label: I(X;Y) by Monte Carlo.
    """

    latents: tuple[Latent, ...]
    read_order: NDArray[np.int64]
    reads_order: NDArray[np.int64]
    read_noise: Coordinates
    reads_noise: Coordinates
    swapped: bool
    label: Label

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return len(self.reads_order if self.swapped else self.read_order)

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return len(self.read_order if self.swapped else self.reads_order)

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        sampled = [latent.sample(n, rng) for latent in self.latents]
        read = np.empty((n, len(self.read_order)), dtype=np.float32)
        reads = np.empty((n, len(self.reads_order)), dtype=np.float32)
        read[:, self.read_order] = np.column_stack(
            [*(latent for latent, _ in sampled), self.read_noise.sample(n, rng)]
        )
        reads[:, self.reads_order] = np.hstack(
            [*(readers for _, readers in sampled), self.reads_noise.sample(n, rng)]
        )
        return (reads, read) if self.swapped else (read, reads)


def readouts_label(latents: tuple[Latent, ...], rng: np.random.Generator) -> Label:
    """Σᵢ I(Tᵢ;Yᵢ) in nats, with its standard error, as the mean of Σᵢ H(Kᵢ) − H(Kᵢ | yᵢ)."""

    def terms(n: int) -> Array:
        return np.asarray(sum(latent.information(n, rng) for latent in latents))

    def label(values: Array) -> Label:
        return Label(max(0.0, float(values.mean())), float(values.std() / np.sqrt(len(values))))

    return precise_label(terms, label, _FIRST_POINTS)


class ReadoutsFamily(Family):
    """One to three latents, read along random curves or, if they are classes, at random centres.

    Attributes:
        noise: σ of the readers, relative to a standard deviation of 1 of what they read.
        weak: probability that σ is multiplied by the square root of the number of readers.
        atomic: probability that a latent is one of 2 to 24 classes.
        wider: probability that the side with more coordinates reads. Sides of equal size read equally often.
    """

    family: Literal["readouts"] = "readouts"
    noise: LogUniform = LogUniform(low=0.05, high=4.0)
    weak: Probability = 0.5
    atomic: Probability = 0.35
    wider: Probability = 0.8

    @field_validator("noise")
    @classmethod
    def _resolved(cls, prior: LogUniform) -> LogUniform:
        # Below, single precision cannot distinguish the likelihoods of neighbouring cells.
        return within(prior, 0.01, 100.0, "noise")

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Readouts:
        drawn = self.draw_unlabelled(dx, dy, rng)
        return replace(drawn, label=readouts_label(drawn.latents, rng))

    @override
    def draw_unlabelled(self, dx: int, dy: int, rng: np.random.Generator) -> Readouts:
        self.require_dimensions(dx, dy)
        swapped = bool(rng.random() < (0.5 if dx == dy else self.wider if dx > dy else 1.0 - self.wider))
        read, reads = (dy, dx) if swapped else (dx, dy)
        count = 1 if rng.random() < 0.6 else int(rng.integers(1, min(read, reads, _MOST_LATENTS) + 1))
        readers = reads if rng.random() < 0.6 else int(rng.integers(count, reads, endpoint=True))
        sizes = 1 + rng.multinomial(readers - count, np.full(count, 1.0 / count))
        latents = tuple(self._latent(size, rng) for size in sizes.tolist())
        return Readouts(
            latents,
            rng.permutation(read),
            rng.permutation(reads),
            draw_coordinates(read - count, rng),
            draw_coordinates(reads - readers, rng),
            swapped,
            UNKNOWN,
        )

    def _latent(self, readers: int, rng: np.random.Generator) -> Latent:
        atomic = bool(rng.random() < self.atomic)
        cells = int(rng.integers(2, _MOST_CLASSES, endpoint=True)) if atomic else _CELLS
        probabilities = rng.gamma(2.0, size=cells) + 0.05 if atomic else np.ones(cells)
        if atomic and rng.random() < 0.7:
            means = rng.standard_normal((cells, readers))
        else:
            means = _curves(cells, readers, rng)
        means -= means.mean(axis=0)
        means /= means.std(axis=0) + 1e-6
        scales = np.full(readers, self.noise.draw(rng))
        if rng.random() < self.weak:
            scales *= np.sqrt(readers)
        if rng.random() < 0.5:
            scales *= np.exp(rng.uniform(0.0, 1.0) * np.abs(rng.standard_normal(readers)))
        return Latent(probabilities / probabilities.sum(), means, scales, atomic)


def _curves(cells: int, readers: int, rng: np.random.Generator) -> Array:
    """Draw functions of T at the cells, shape (cells, readers): one for all, one for each, or spirals."""
    level = (np.arange(cells) + 0.5) / cells
    # Readers see T as uniform or as normal; only the ranks of T itself matter.
    t = ndtri(level) if rng.random() < 0.5 else np.sqrt(12.0) * (level - 0.5)
    kind = rng.random()
    if kind < 0.35:
        return np.repeat(_function(t, rng)[:, None], readers, axis=1)
    if kind < 0.75:
        return np.stack([_function(t, rng) for _ in range(readers)], axis=1)
    return _spirals(t, readers, rng)


def _function(t: Array, rng: np.random.Generator) -> Array:
    """One of the scalar functions, or a wave with up to about six periods over ±√3."""
    if rng.random() < 0.7:
        return draw_function(1, rng)(t[:, None].astype(np.float32)).astype(np.float64)
    return np.asarray(np.sin(log_uniform(1.0, 11.0, rng) * t + rng.uniform(0.0, 2 * np.pi)))


def _spirals(t: Array, readers: int, rng: np.random.Generator) -> Array:
    """Pairs (1 + r t) (cos, sin)(f t + φ), each with its own f, r and φ; the last may lack its sine."""
    pairs = (readers + 1) // 2
    speed = log_uniform(1.0, 11.0, rng) * rng.uniform(0.5, 1.0, pairs)
    growth, phase = rng.uniform(-0.6, 0.6, pairs), rng.uniform(0.0, 2 * np.pi, pairs)
    angle, radius = speed * t[:, None] + phase, 1.0 + growth * t[:, None]
    planes = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=2)
    return np.ascontiguousarray(planes.reshape(len(t), 2 * pairs)[:, :readers])


__all__ = ["Latent", "Readouts", "ReadoutsFamily", "readouts_label"]
