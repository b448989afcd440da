"""Samplers that tell their label: rows of a modality, cells of its flow, quantised and censored blocks.

Each is an `mistworks.distributions.labels.Encoder`: it draws points given labels, and points of different
labels differ.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy.special import ndtr, ndtri
from typing_extensions import override

from mistworks.config import FrozenConfig
from mistworks.dataset import FloatArray
from mistworks.distributions.base import Array
from mistworks.distributions.block_maps import haar
from mistworks.distributions.coarsening import Coarsening, draw_coarsening
from mistworks.distributions.labels import Codes, Encoder
from mistworks.distributions.priors import Probability
from mistworks.errors import MistworksError
from mistworks.modality.flow import SplineFlow
from mistworks.modality.modality import HalfOfRows

# Narrower intervals would be lost in the rounding of float32.
_LEAST_SHARE = 0.002
_MOST_LABELS = 64


@dataclass(frozen=True, eq=False)
class RowsOfLabels:
    """Rows of real data with the label: dealt from a shuffled deck, so that rows repeat only if it runs out.

    Over the pool of rows, each of which has one label, a row determines its label.

    Attributes:
        rows: the pool, shape (N, size).
        decks: positions in the pool of the rows of each label.
    """

    rows: FloatArray
    decks: tuple[Codes, ...]

    @property
    def size(self) -> int:
        """Number of columns."""
        return int(self.rows.shape[1])

    def __call__(self, label: Codes, rng: np.random.Generator) -> FloatArray:
        """Rows of points with these labels, shape (n, size), float32."""
        chosen = np.empty(len(label), dtype=np.int64)
        for number, deck in enumerate(self.decks):
            points = np.flatnonzero(label == number)
            for start in range(0, len(points), len(deck)):
                dealt = points[start : start + len(deck)]
                chosen[dealt] = rng.permutation(deck)[: len(dealt)]
        return np.ascontiguousarray(self.rows[chosen])


def truncated_normal(cuts: Array, label: Codes, rng: np.random.Generator) -> Array:
    """Draw standard normals given the number of their interval, by inversion, shape (n,).

    Args:
        cuts: inner ends of the intervals, increasing, shape (intervals − 1,).
        label: numbers of intervals, shape (n,).
        rng: draws the points.
    """
    below = np.r_[0.0, ndtr(cuts), 1.0]
    rank = below[label] + (below[label + 1] - below[label]) * rng.random(len(label))
    lower, upper = np.r_[-np.inf, cuts][label], np.r_[cuts, np.inf][label]
    # Strictly inside, also after rounding to float32.
    inside = np.clip(
        ndtri(np.clip(rank, 1e-12, 1 - 1e-12)).astype(np.float32),
        np.nextafter(lower.astype(np.float32), np.float32(np.inf)),
        np.nextafter(upper.astype(np.float32), np.float32(-np.inf)),
    )
    return np.asarray(inside, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class CellsOfFlow:
    """Latents carried by a flow; the label is the interval of the first latent before a rotation.

    Rotation and flow are bijections, so that a point determines its label.

    Attributes:
        cuts: inner ends of the intervals, increasing, shape (labels − 1,).
        rotation: orthogonal matrix of shape (size, size).
        flow: the flow.
    """

    cuts: Array
    rotation: Array
    flow: SplineFlow

    @property
    def size(self) -> int:
        """Number of columns."""
        return self.flow.size

    def __call__(self, label: Codes, rng: np.random.Generator) -> FloatArray:
        """Points with these labels, shape (n, size), float32."""
        latents = rng.standard_normal((len(label), self.size))
        latents[:, 0] = truncated_normal(self.cuts, label, rng)
        return np.ascontiguousarray(self.flow.carry(latents @ self.rotation), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class RecordedBlock:
    """A block of correlated normals as recorded; the label is the interval of the first.

    The first column holds a quantised or censored value from which the interval can be read: the codes of
    atoms are distinct, and lie in no interval that is recorded exactly.

    Attributes:
        first: recording of the first quantity, with one interval per label.
        loadings: correlation of each other quantity with the first, shape (size − 1,).
        others: recordings of the other quantities.
    """

    first: Coarsening
    loadings: Array
    others: tuple[Coarsening, ...]

    @property
    def size(self) -> int:
        """Number of columns."""
        return 1 + len(self.others)

    def __call__(self, label: Codes, rng: np.random.Generator) -> FloatArray:
        """Columns of points with these labels, shape (n, size), float32."""
        z = truncated_normal(self.first.cuts, label, rng)
        columns = [np.where(self.first.atoms[label], self.first.codes[label], z)]
        for loading, recording in zip(self.loadings, self.others, strict=True):
            other = loading * z + np.sqrt(1 - loading**2) * rng.standard_normal(len(z))
            columns.append(recording(other.astype(np.float32)))
        return np.stack(columns, axis=1).astype(np.float32)


class LabelSampler(FrozenConfig):
    """A prior over samplers that tell their label."""

    sampler: str

    def most(self, half: HalfOfRows | None) -> int:
        """Maximum number of labels."""
        return _MOST_LABELS

    def draw(self, shares: Array, d: int, half: HalfOfRows | None, rng: np.random.Generator) -> Encoder:
        """Draw a sampler.

        Args:
            shares: probabilities of the labels, shape (labels,).
            d: number of columns.
            half: the half of the modality that is drawn from; None without one.
            rng: draws the sampler.
        """
        raise NotImplementedError


class RecordedSampler(LabelSampler):
    """Quantised and censored blocks, see `RecordedBlock`.

    Attributes:
        censored: probability that at least one interval is recorded exactly, as in censored data. Otherwise
            each is recorded as one value.
    """

    sampler: Literal["recorded"] = "recorded"
    censored: Probability = 0.4

    @override
    def draw(self, shares: Array, d: int, half: HalfOfRows | None, rng: np.random.Generator) -> RecordedBlock:
        cuts, labels = _cuts(shares), len(shares)
        inside = np.r_[cuts[:1] - 1.0, 0.5 * (cuts[:-1] + cuts[1:]), cuts[-1:] + 1.0]
        if rng.random() < self.censored:
            atoms = rng.random(labels) < 0.5
            atoms[int(rng.integers(labels))] = False
            codes = inside
        else:
            atoms, codes = np.ones(labels, dtype=np.bool_), np.arange(labels, dtype=np.float64)
            if rng.random() < 0.3:
                codes = rng.permutation(codes)
        loadings = rng.uniform(-0.95, 0.95, d - 1) * (rng.random(d - 1) < 0.7)
        others = tuple(draw_coarsening(rng) for _ in range(d - 1))
        return RecordedBlock(Coarsening(cuts, atoms, codes.astype(np.float32)), loadings, others)


class RowsSampler(LabelSampler):
    """Rows of a modality; labels are its own labels, or groups of them.

    Attributes:
        grouped: probability that all labels are put into groups, if there are fewer in the table. Otherwise
            some are left out.
    """

    sampler: Literal["rows"] = "rows"
    grouped: Probability = 0.5

    @override
    def most(self, half: HalfOfRows | None) -> int:
        assert half is not None
        if not len(half.labels):
            raise MistworksError(
                "Expected rows with labels for pairs by label, got a modality without. Add them."
            )
        return int(half.labels.max()) + 1

    @override
    def draw(self, shares: Array, d: int, half: HalfOfRows | None, rng: np.random.Generator) -> RowsOfLabels:
        assert half is not None
        order, count = rng.permutation(self.most(half)), len(shares)
        group = np.full(len(order), -1)
        group[order[:count]] = np.arange(count)
        if rng.random() < self.grouped:
            group[order[count:]] = rng.integers(count, size=len(order) - count)
        decks = tuple(np.flatnonzero(group[half.labels] == number) for number in range(count))
        return RowsOfLabels(half.features.astype(np.float32), decks)


class FlowSampler(LabelSampler):
    """Cells of the flow of a modality, see `CellsOfFlow`."""

    sampler: Literal["flow"] = "flow"

    @override
    def draw(self, shares: Array, d: int, half: HalfOfRows | None, rng: np.random.Generator) -> CellsOfFlow:
        assert half is not None
        return CellsOfFlow(_cuts(shares), haar(d, rng), half.flow)


def _cuts(shares: Array) -> Array:
    """Inner ends of intervals of a standard normal with these masses, raised where they are too narrow."""
    masses = np.maximum(shares, _LEAST_SHARE)
    return np.asarray(ndtri(np.cumsum(masses)[:-1] / masses.sum()))


AnySampler = Annotated[RecordedSampler | RowsSampler | FlowSampler, Field(discriminator="sampler")]
"""All samplers that the family of pairs by label can draw from. Add a sampler here."""

__all__ = [
    "AnySampler",
    "CellsOfFlow",
    "FlowSampler",
    "LabelSampler",
    "RecordedBlock",
    "RecordedSampler",
    "RowsOfLabels",
    "RowsSampler",
    "truncated_normal",
]
