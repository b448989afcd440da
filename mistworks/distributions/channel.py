"""The channel family: one coordinate of a side is a noisy function of a few coordinates of the other."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Family
from mistworks.distributions.coordinates import Coordinates, draw_coordinates
from mistworks.distributions.monte_carlo import UNKNOWN, Label, Labelled, precise_label
from mistworks.distributions.priors import LogUniform, Probability, within
from mistworks.distributions.scalar_channels import LARGEST_INPUT, ScalarChannel, draw_channel
from mistworks.distributions.scalar_functions import ScalarFunction, draw_function

_MOST_READ = 4
_PILOT_POINTS = 2_048


@dataclass(frozen=True, eq=False)
class Readout:
    """g = 4 tanh((f(x) − centre) / (4 scale)): a function of some coordinates, standardised, within ±4.

    Attributes:
        function: f.
        columns: the coordinates that f reads.
        centre: mean of f(X) in a pilot sample.
        scale: standard deviation of f(X) in the same sample.
    """

    function: ScalarFunction
    columns: NDArray[np.int64]
    centre: float
    scale: float

    def __call__(self, values: FloatArray) -> FloatArray:
        """Compute g at points of the whole block, shape (n,), float32."""
        return self.of_columns(values[:, self.columns])

    def of_columns(self, values: FloatArray) -> FloatArray:
        """Compute g from the columns that f reads, shape (n, len(columns))."""
        limit = np.float32(LARGEST_INPUT)
        standard = (self.function(values) - np.float32(self.centre)) / np.float32(self.scale)
        return np.asarray(limit * np.tanh(standard / limit))


@dataclass(frozen=True, eq=False)
class Channel(Labelled):
    """One coordinate of Y follows p(y | g(X)), the others are noise: I(X;Y) = I(g(X);Y). Or X and Y swapped.

    Attributes:
        source: distribution of the block that is read.
        readout: g.
        channel: p(y | g).
        noise: the other coordinates of the block that reads.
        place: position of the coordinate that reads, within its block.
        swapped: X reads Y.
        label: I(X;Y) by Monte Carlo over g.
    """

    source: Coordinates
    readout: Readout
    channel: ScalarChannel
    noise: Coordinates
    place: int
    swapped: bool
    label: Label

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return self._sizes[0]

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return self._sizes[1]

    @property
    def _sizes(self) -> tuple[int, int]:
        sizes = len(self.source.margins), 1 + len(self.noise.margins)
        return sizes[::-1] if self.swapped else sizes

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        read = self.source.sample(n, rng)
        reads = np.empty((n, 1 + len(self.noise.margins)), dtype=np.float32)
        reads[:, self.place] = self.channel.sample(self.readout(read), rng)
        reads[:, np.arange(reads.shape[1]) != self.place] = self.noise.sample(n, rng)
        return (reads, read) if self.swapped else (read, reads)


class ChannelFamily(Family):
    """Random channels from 1 to min(dx, 4) coordinates of X to one of Y, or the other way round.

    Attributes:
        noise: σ of normal noise at g = 0; g has a standard deviation of about 1.
        swapped: probability that X reads Y.
    """

    family: Literal["channel"] = "channel"
    noise: LogUniform = LogUniform(low=0.03, high=5.0)
    swapped: Probability = 0.5

    @field_validator("noise")
    @classmethod
    def _resolved(cls, prior: LogUniform) -> LogUniform:
        # Below, the noise of neighbouring points would not overlap, and the label would be biased.
        return within(prior, 0.02, 100.0, "noise")

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Channel:
        drawn = self.draw_unlabelled(dx, dy, rng)
        readout, channel = drawn.readout, drawn.channel
        inputs = drawn.source.restricted(readout.columns)

        def outputs(n: int) -> FloatArray:
            return readout.of_columns(inputs.sample(n, rng))

        return replace(drawn, label=precise_label(outputs, channel.label, channel.first_points))

    @override
    def draw_unlabelled(self, dx: int, dy: int, rng: np.random.Generator) -> Channel:
        self.require_dimensions(dx, dy)
        swapped = bool(rng.random() < self.swapped)
        read, reads = (dy, dx) if swapped else (dx, dy)
        source = draw_coordinates(read, rng)
        columns = rng.permutation(read)[: int(rng.integers(1, min(read, _MOST_READ), endpoint=True))]
        readout, channel = _draw_readout(source, columns, rng), draw_channel(self.noise, rng)
        noise, place = draw_coordinates(reads - 1, rng), int(rng.integers(reads))
        return Channel(source, readout, channel, noise, place, swapped, UNKNOWN)


def _draw_readout(source: Coordinates, columns: NDArray[np.int64], rng: np.random.Generator) -> Readout:
    """Draw a readout of some columns."""
    inputs, function = source.restricted(columns), draw_function(len(columns), rng)
    values = function(inputs.sample(_PILOT_POINTS, rng)).astype(np.float64)
    return Readout(function, columns, float(values.mean()), float(values.std()) or 1.0)


__all__ = ["Channel", "ChannelFamily", "Readout"]
