"""The labels family: a label on each side, and columns from which it can be read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import ndtr
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Array, Family, JointDistribution
from mistworks.distributions.coordinates import Coordinates, draw_coordinates, place
from mistworks.distributions.dispersion import cholesky_factor, factor_matrix
from mistworks.distributions.priors import Probability, log_uniform
from mistworks.distributions.tables import draw_cells, draw_table, table_information

Codes = NDArray[np.int64]

_MOST_STATES = 500
_MOST_PATTERNED = 64
_MOST_CLUSTERS = 32


class Encoder(Protocol):
    """Columns from which a label can be read: the supports of different labels are disjoint."""

    @property
    def size(self) -> int:
        """Number of columns."""

    def __call__(self, label: Codes, rng: np.random.Generator) -> FloatArray:
        """Columns of points with these labels, shape (n, size), float32."""


@dataclass(frozen=True, eq=False)
class Template:
    """Each label has a level in each column, to which noise is added or not.

    Column j is T[label, j] plus noise in [0, w), w < 1, so that its floor is the level.

    Attributes:
        levels: T, with distinct rows, shape (labels, size).
        width: w; 0 for columns without noise.
        steps: number of evenly spaced values of the noise; 0 for continuous noise.
        sparse: columns with level 0 are exactly 0, without noise.
        factor: Cholesky factor of the correlation of the normal scores of the noise, shape (size, size).
    """

    levels: Codes
    width: float = 0.0
    steps: int = 0
    sparse: bool = False
    factor: Array | None = None

    @property
    def size(self) -> int:
        """Number of columns."""
        return int(self.levels.shape[1])

    def __call__(self, label: Codes, rng: np.random.Generator) -> FloatArray:
        """Columns of points with these labels, shape (n, size), float32."""
        values: FloatArray = self.levels.astype(np.float32)[label]
        if self.width == 0.0:
            return values
        if self.factor is None:
            noise: FloatArray = rng.random(values.shape, dtype=np.float32)
        else:
            noise = ndtr(
                rng.standard_normal(values.shape, dtype=np.float32) @ self.factor.T.astype(np.float32)
            )
        # Φ is 1 in float32 from z = 5.4, and w may be close to 1.
        noise = np.minimum(noise, np.float32(0.999))
        if self.steps:
            noise = np.floor(noise * np.float32(self.steps)) / np.float32(self.steps)
        scattered = values + np.float32(self.width) * noise
        return np.where(values == 0.0, values, scattered) if self.sparse else scattered


@dataclass(frozen=True, eq=False)
class Clusters:
    """Each label has a ball, and points are spread around its centre; balls are disjoint.

    Attributes:
        centres: centres of the balls, shape (labels, size).
        radius: radius of each ball, less than half of the distance between any two centres.
        concentration: points lie at radius · U^concentration from their centre, U uniform; 1/size fills the
            ball uniformly.
    """

    centres: FloatArray
    radius: float
    concentration: float

    @property
    def size(self) -> int:
        """Number of columns."""
        return int(self.centres.shape[1])

    def __call__(self, label: Codes, rng: np.random.Generator) -> FloatArray:
        """Columns of points with these labels, shape (n, size), float32."""
        direction = rng.standard_normal((len(label), self.size), dtype=np.float32)
        length = np.sqrt(np.square(direction).sum(axis=1, keepdims=True)) + np.float32(1e-12)
        distance = self.radius * rng.random((len(label), 1)) ** self.concentration
        return np.asarray(self.centres[label] + direction * (distance / length).astype(np.float32))


@dataclass(frozen=True, eq=False)
class Labels(JointDistribution):
    """(L, L′) is drawn from a table p. Columns of X encode L, columns of Y encode L′, the others are noise.

    Each side determines its label, and given its label it is independent of the other side:
    I(X;Y) = I(L;L′) = Σ p log(p / (p_row p_column)), whatever the columns look like.

    Attributes:
        table: p, shape (labels of X, labels of Y), with sum 1.
        x: the columns that encode L.
        y: the columns that encode L′.
        x_order: the positions in X of the columns that encode L, then those of the noise, shape (dx,).
        y_order: the same for Y.
        x_noise: the other columns of X.
        y_noise: the other columns of Y.
    """

    table: Array
    x: Encoder
    y: Encoder
    x_order: Codes
    y_order: Codes
    x_noise: Coordinates
    y_noise: Coordinates
    cumulative: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cumulative", np.cumsum(self.table))

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return len(self.x_order)

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return len(self.y_order)

    @property
    @override
    def mutual_information(self) -> float:
        return table_information(self.table)

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        row, column = draw_cells(self.cumulative, self.table.shape, n, rng)
        return (
            place(self.x(row, rng), self.x_order, self.x_noise, rng),
            place(self.y(column, rng), self.y_order, self.y_noise, rng),
        )


class LabelsFamily(Family):
    """Random tables of 2 to 500 labels per side, and random columns that encode them.

    A table pairs a label with itself, a function of it, a noisy copy, an independent label, or follows a
    random pattern (`draw_table`). Label probabilities are equal, random, a power law, or dominated by one
    label.

    Attributes:
        independent: probability that the labels are independent.
        most: maximum number of labels of a side.
    """

    family: Literal["labels"] = "labels"
    independent: Probability = 0.3
    most: Annotated[int, Field(ge=2, le=_MOST_STATES)] = _MOST_STATES

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Labels:
        self.require_dimensions(dx, dy)
        table = self._table(rng)
        x, y = draw_encoder(table.shape[0], dx, rng), draw_encoder(table.shape[1], dy, rng)
        return Labels(
            table,
            x,
            y,
            rng.permutation(dx),
            rng.permutation(dy),
            draw_coordinates(dx - x.size, rng),
            draw_coordinates(dy - y.size, rng),
        )

    def _table(self, rng: np.random.Generator) -> Array:
        count = int(log_uniform(2.0, self.most + 1.0, rng))
        other = int(log_uniform(2.0, self.most + 1.0, rng))
        shares = draw_shares(count, rng)
        if rng.random() < self.independent:
            return np.outer(shares, draw_shares(other, rng))
        kind = rng.random()
        if kind < 0.25:
            table = np.diag(shares)
        elif kind < 0.5:
            table = merged(shares, min(other, count), rng)
        elif kind < 0.75:
            table = noisy_copy(shares, rng)
        else:
            table = draw_table(min(count, 64), min(other, 64), rng)
        return np.ascontiguousarray(table if rng.random() < 0.5 else table.T)


def draw_shares(count: int, rng: np.random.Generator) -> Array:
    """Draw probabilities of labels, with sum 1."""
    kind = rng.random()
    if kind < 0.3:
        weights = np.ones(count)
    elif kind < 0.6:
        weights = rng.gamma(log_uniform(0.3, 5.0, rng), size=count) + 1e-3
    elif kind < 0.8:
        weights = rng.permutation(np.arange(1.0, count + 1.0) ** -rng.uniform(0.5, 2.0))
    else:
        # One dominant label; all others together have a probability down to 0.001.
        weights = rng.gamma(2.0, size=count) + 0.01
        rare = log_uniform(0.001, 0.5, rng)
        usual = int(rng.integers(count))
        weights *= rare / (weights.sum() - weights[usual])
        weights[usual] = 1.0 - rare
    return np.asarray(weights / weights.sum())


def merged(shares: Array, values: int, rng: np.random.Generator) -> Array:
    """Draw a table in which each row has one column: at random, or in order."""
    count = len(shares)
    choice = rng.permutation(count) % values if rng.random() < 0.7 else np.arange(count) * values // count
    table = np.zeros((count, values))
    table[np.arange(count), choice] = shares
    return table


def noisy_copy(shares: Array, rng: np.random.Generator) -> Array:
    """Draw a table of a label and its copy with errors: by share, uniform, or to the next label."""
    count, error = len(shares), log_uniform(0.005, 1.0, rng)
    kind = int(rng.integers(3))
    if kind == 0:
        wrong = np.outer(shares, shares)
    elif kind == 1:
        wrong = np.outer(shares, np.full(count, 1.0 / count))
    else:
        wrong = np.zeros((count, count))
        wrong[np.arange(count), (np.arange(count) + 1) % count] = shares
    table = error * wrong
    table.flat[:: count + 1] += (1.0 - error) * shares
    return table


def draw_encoder(labels: int, room: int, rng: np.random.Generator) -> Encoder:
    """Draw columns that encode a label, at most ``room`` of them."""
    kinds: list[Callable[[int, int, np.random.Generator], Encoder]] = [_code, _code, _code]
    if room > 1:
        kinds += [_digits, _digits]
        if labels <= _MOST_PATTERNED:
            kinds += [_pattern, _pattern, _pattern]
    if labels <= _MOST_CLUSTERS:
        kinds += [_clusters] * (1 if room == 1 else 2)
    return kinds[int(rng.integers(len(kinds)))](labels, room, rng)


def _code(labels: int, _room: int, rng: np.random.Generator) -> Encoder:
    """One column: codes in random order or ordered integers, with noise within the bin or without."""
    code = rng.permutation(labels) if rng.random() < 0.5 else np.arange(labels)
    return Template(code[:, None], *_scatter(rng, 0.6))


def _digits(labels: int, room: int, rng: np.random.Generator) -> Encoder:
    """The digits of the code in the smallest base that fits a random number of columns, permuted or not."""
    columns = int(log_uniform(2.0, min(room, 12) + 1.0, rng))
    base = max(2, int(np.ceil(labels ** (1.0 / columns) - 1e-9)))
    code = rng.permutation(base**columns)[:labels] if base**columns < 100_000 else np.arange(labels)
    digits = (code[:, None] // base ** np.arange(columns)) % base
    if rng.random() < 0.5:
        digits = np.stack([rng.permutation(base)[column] for column in digits.T], axis=1)
    return Template(digits, *_scatter(rng, 0.7))


def _pattern(labels: int, room: int, rng: np.random.Generator) -> Encoder:
    """Pixels: a level per label and column, many of them 0, with noise that may be correlated."""
    columns = int(log_uniform(2.0, room + 1.0, rng))
    depth, present = int(log_uniform(2.0, 9.0, rng)), rng.uniform(0.2, 1.0)
    levels = rng.integers(0, depth, (labels, columns)) * (rng.random((labels, columns)) < present)
    if len(np.unique(levels, axis=0)) < labels:
        levels[:, int(rng.integers(columns))] = rng.permutation(labels)
    width, steps = _scatter(rng, 0.2)
    factor = None
    if width > 0 and rng.random() < 0.5:
        factor = cholesky_factor(factor_matrix(columns, log_uniform(0.2, 3.0, rng), rng))
    return Template(levels, width, steps, bool(rng.random() < 0.5), factor)


def _clusters(labels: int, room: int, rng: np.random.Generator) -> Encoder:
    """Balls around random centres, from far apart to nearly touching."""
    columns = int(log_uniform(1.0, room + 1.0, rng))
    centres = rng.standard_normal((labels, columns))
    if columns == 1:
        centres = rng.permutation(np.cumsum(rng.uniform(0.3, 1.0, labels)))[:, None]
    distance = np.sqrt(np.square(centres[:, None] - centres[None]).sum(axis=2))
    distance[np.diag_indices(labels)] = np.inf
    radius = 0.49 * float(distance.min()) * log_uniform(0.05, 1.0, rng)
    # In a smaller ball float32 would round points to its centre.
    if radius < 1e-3:
        return _code(labels, room, rng)
    return Clusters(centres.astype(np.float32), radius, float(rng.choice([1.0 / columns, 0.5, 1.0])))


def _scatter(rng: np.random.Generator, constant: float) -> tuple[float, int]:
    """Draw the width and the steps of the noise of a template."""
    if rng.random() < constant:
        return 0.0, 0
    steps = 0 if rng.random() < 0.6 else int(log_uniform(2.0, 32.0, rng))
    return float(rng.uniform(0.05, 0.99)), steps


__all__ = [
    "Clusters",
    "Codes",
    "Encoder",
    "Labels",
    "LabelsFamily",
    "Template",
    "draw_encoder",
    "draw_shares",
    "merged",
    "noisy_copy",
]
