"""The strong family: sharp pairs of continuous coordinates, up to 10 nats each and 60 in total."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator
from scipy.interpolate import CubicSpline
from scipy.special import lambertw, ndtr
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Array, Family, JointDistribution
from mistworks.distributions.block_maps import haar
from mistworks.distributions.priors import LogUniform, Probability, log_uniform, within
from mistworks.distributions.student import tail_mutual_information

PairKind = Literal["normal", "student", "uniform", "blurred", "banded"]

_KINDS: tuple[PairKind, ...] = ("normal", "normal", "student", "uniform", "blurred")
_MOST_OF_A_PAIR = 10.0
_WEAKEST_BLURRED = 1.2
# −∫ Φ(t) log Φ(t) dt over the real line: the entropy that an edge adds to a blurred uniform distribution.
_EDGE = 0.9031972855686
_MARGINS = 4
_EDGES_APART = 8.0
_GRID = 0.1


@dataclass(frozen=True)
class SharpPair:
    """A pair (U, V) of one coordinate each with strong dependence.

    Attributes:
        kind: ``normal``; ``student``, a bivariate t; ``uniform``, U ~ U(0, 1) and V = U + U(−ε, ε);
            ``blurred``, U ~ U(0, 1) and V = U + σ Z with Z standard normal; ``banded``, U = Z and
            V = Z + U(−ε, ε).
        sharpness: √(1 − ρ²) of a normal or Student pair, ε, or σ < 0.1.
        degrees_of_freedom: ν of a Student pair.
        swapped: swap U and V.
        negative: replace V by −V.
    """

    kind: PairKind
    sharpness: float
    degrees_of_freedom: float = 0.0
    swapped: bool = False
    negative: bool = False

    @property
    def information(self) -> float:
        """I(U;V) in nats.

        By kind: −½ log(1 − ρ²); that plus `tail_mutual_information`; ε − log 2ε, or 1/(4ε) for ε ≥ ½;
        h(V) − h(σZ), where the two edges of the blurred uniform distribution give h(V) = 2 c σ for σ < 0.1,
        with c = −∫ Φ log Φ = 0.903; and `banded_information`.
        """
        s = self.sharpness
        match self.kind:
            case "normal":
                return float(-np.log(s))
            case "student":
                return float(-np.log(s)) + tail_mutual_information(1, 1, self.degrees_of_freedom)
            case "uniform":
                return float(s - np.log(2 * s)) if s <= 0.5 else 1 / (4 * s)
            case "blurred":
                return float(2 * _EDGE * s - np.log(s) - 0.5 * np.log(2 * np.pi * math.e))
            case "banded":
                return banded_information(s)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Draw n points (U, V), approximately standardised, shape (n, 2)."""
        s = self.sharpness
        if self.kind in ("normal", "student"):
            z = rng.standard_normal((n, 2))
            u, v = z[:, 0], np.sqrt(1.0 - s**2) * z[:, 0] + s * z[:, 1]
            if self.kind == "student":
                scale = np.sqrt(self.degrees_of_freedom / rng.chisquare(self.degrees_of_freedom, n))
                u, v = u * scale, v * scale
        elif self.kind == "banded":
            u = rng.standard_normal(n)
            v = (u + rng.uniform(-s, s, n)) / np.sqrt(1.0 + s**2 / 3.0)
        else:
            u = rng.random(n) - 0.5
            noise = s * rng.standard_normal(n) if self.kind == "blurred" else rng.uniform(-s, s, n)
            u, v = np.sqrt(12.0) * u, np.sqrt(12.0) * (u + noise)
        v = -v if self.negative else v
        return np.column_stack([v, u] if self.swapped else [u, v])


def banded_information(width: float) -> float:
    """I(Z; Z + U(−ε, ε)) of a standard normal Z in nats, for ε > 0.

    h(V) − log 2ε, where V has density (Φ(v + ε) − Φ(v − ε)) / 2ε. It is as smooth as the normal density, so
    that a regular grid integrates it to about 1e-10. For ε ≥ 8 the two edges of the uniform distribution are
    separate, and the information is c / ε with c = −∫ Φ log Φ = 0.903.
    """
    if width >= _EDGES_APART:
        return _EDGE / width
    v = np.arange(0.5 * _GRID, _EDGES_APART + width, _GRID)
    # In the left tail of Φ, where differences keep their digits.
    density = np.maximum((ndtr(width - v) - ndtr(-width - v)) / (2.0 * width), 1e-300)
    return float(-2.0 * _GRID * (density * np.log(density)).sum() - np.log(2.0 * width))


@cache
def _banded_widths() -> CubicSpline:
    """log ε as a function of the log information of a banded pair, for ε < 8."""
    logarithms = np.linspace(np.log(_EDGES_APART) - 1e-9, -_MOST_OF_A_PAIR, 600)
    return CubicSpline(np.log([banded_information(float(np.exp(value))) for value in logarithms]), logarithms)


@dataclass(frozen=True, eq=False)
class Strong(JointDistribution):
    """Independent sharp pairs and normal noise: coordinates are mapped, then sides multiplied by a matrix.

    I(X;Y) is the sum over pairs. With a shared scale the coordinates are those of a multivariate t, which
    adds `tail_mutual_information`. Samples are computed in double precision and rounded once to stay sharp.

    Attributes:
        pairs: the first coordinates of both sides before the maps.
        x_margins: number of the map of each coordinate of X (`_margin`), shape (dx,).
        y_margins: the same for Y.
        x_matrix: applied to X as x A, invertible, shape (dx, dx).
        y_matrix: the same for Y.
        shared: ν of a scale shared by all coordinates, for normal pairs without maps; 0 for none.
    """

    pairs: tuple[SharpPair, ...]
    x_margins: NDArray[np.int64]
    y_margins: NDArray[np.int64]
    x_matrix: Array
    y_matrix: Array
    shared: float = 0.0

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return len(self.x_matrix)

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return len(self.y_matrix)

    @property
    @override
    def mutual_information(self) -> float:
        tails = tail_mutual_information(self.dx, self.dy, self.shared) if self.shared else 0.0
        return sum(pair.information for pair in self.pairs) + tails

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        u, v = rng.standard_normal((n, self.dx)), rng.standard_normal((n, self.dy))
        for place, pair in enumerate(self.pairs):
            u[:, place], v[:, place] = pair.sample(n, rng).T
        if self.shared:
            scale = np.sqrt(self.shared / rng.chisquare(self.shared, (n, 1)))
            u, v = u * scale, v * scale
        return (
            np.ascontiguousarray(_margin(u, self.x_margins) @ self.x_matrix, dtype=np.float32),
            np.ascontiguousarray(_margin(v, self.y_margins) @ self.y_matrix, dtype=np.float32),
        )


def _margin(values: Array, margins: NDArray[np.int64]) -> Array:
    """Map each coordinate by its number: v, 3 Φ(v), v + v³/3 or exp(v/2), linear beyond v = 10."""
    mapped = values.copy()
    for column, kind in enumerate(margins):
        v = values[:, column]
        if kind == 1:
            mapped[:, column] = 3.0 * ndtr(v)
        elif kind == 2:
            mapped[:, column] = np.where(
                np.abs(v) < 10.0, v + v**3 / 3.0, 101.0 * v - np.copysign(2000.0 / 3, v)
            )
        elif kind == 3:
            edge = np.exp(5.0)
            mapped[:, column] = np.where(
                v < 10.0, np.exp(0.5 * np.minimum(v, 10.0)), edge + edge / 2 * (v - 10.0)
            )
    return mapped


class StrongFamily(Family):
    """Sharp pairs whose total information is drawn first, so that weak, medium and strong samples all occur.

    The total is up to 10 nats for one pair and 3.5 nats more for each further pair, at most ``most``. It is
    uniform half of the time, otherwise log-uniform from 0.1. No pair has more than 10 nats. With ``each``,
    the information of each pair is drawn instead.

    Attributes:
        most: maximum total in nats.
        shared: probability of a scale shared by all coordinates, that is, of a multivariate Student-t.
        mixed: probability that a side is multiplied by a rotation, or by rotations and scales of up to 3.
        kinds: kinds of pairs. Listing one twice doubles its weight.
        each: prior of the information of each pair in nats; None for the total as above.
        filled: probability that every coordinate of the smaller side belongs to a pair.
    """

    family: Literal["strong"] = "strong"
    most: Annotated[float, Field(gt=0.1, le=100.0)] = 60.0
    shared: Probability = 0.1
    mixed: Probability = 0.5
    # Left out of the JSON at these defaults, so that older content hashes stay valid.
    kinds: Annotated[tuple[PairKind, ...], Field(min_length=1)] = Field(
        default=_KINDS, exclude_if=lambda kinds: kinds == _KINDS
    )
    each: LogUniform | None = Field(default=None, exclude_if=lambda prior: prior is None)
    filled: Probability = Field(default=0.5, exclude_if=lambda probability: probability == 0.5)

    @field_validator("each")
    @classmethod
    def _resolved(cls, prior: LogUniform | None) -> LogUniform | None:
        return prior and within(prior, 1e-3, _MOST_OF_A_PAIR, "each")

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Strong:
        self.require_dimensions(dx, dy)
        small = min(dx, dy)
        count = small if rng.random() < self.filled else int(rng.integers(1, small, endpoint=True))
        information = self._information(count, rng)
        shared = float(rng.uniform(2.0, 10.0)) if rng.random() < self.shared else 0.0
        kind: PairKind | None = "normal" if shared else None
        if kind is None and rng.random() < 0.7:
            kind = self.kinds[int(rng.integers(len(self.kinds)))]
        pairs = tuple(
            draw_pair(kind or self.kinds[int(rng.integers(len(self.kinds)))], nats, rng)
            for nats in information.tolist()
        )
        mixed = (rng.random(2) < self.mixed).tolist()
        x_margins, y_margins = (
            np.zeros(size, dtype=np.int64) if shared else _draw_margins(size, matrix, rng)
            for size, matrix in zip((dx, dy), mixed, strict=True)
        )
        x_matrix, y_matrix = (
            _draw_matrix(size, matrix, rng) for size, matrix in zip((dx, dy), mixed, strict=True)
        )
        return Strong(pairs, x_margins, y_margins, x_matrix, y_matrix, shared)

    def _information(self, count: int, rng: np.random.Generator) -> Array:
        """Draw the information of each pair in nats, shape (count,)."""
        if self.each is not None:
            same = rng.random() < 0.4
            drawn = [self.each.draw(rng) for _ in range(1 if same else count)]
            return np.asarray(np.broadcast_to(drawn, count), dtype=np.float64)
        most = min(self.most, _MOST_OF_A_PAIR + 3.5 * (count - 1))
        total = rng.uniform(0.1, most) if rng.random() < 0.5 else log_uniform(0.1, most, rng)
        shares = rng.gamma(log_uniform(0.3, 10.0, rng), size=count) + 1e-6
        if rng.random() < 0.4:
            shares[:] = 1.0
        return np.asarray(np.minimum(total * shares / shares.sum(), _MOST_OF_A_PAIR))


def draw_pair(kind: PairKind, information: float, rng: np.random.Generator) -> SharpPair:
    """Draw a pair of a kind with the given information in nats, or the minimum that the kind can have."""
    swapped, negative = (rng.random(2) < 0.5).tolist()
    if kind == "student":
        nu = float(rng.uniform(2.0, 12.0))
        gaussian = max(information - tail_mutual_information(1, 1, nu), 1e-3)
        return SharpPair(kind, float(np.exp(-gaussian)), nu, swapped, negative)
    if kind == "blurred" and information > _WEAKEST_BLURRED:
        sigma = np.exp(-information) / np.sqrt(2 * np.pi * math.e)
        # A contraction of factor 2 c σ < 0.2.
        for _ in range(30):
            sigma = np.exp(2 * _EDGE * sigma - information) / np.sqrt(2 * np.pi * math.e)
        return SharpPair(kind, float(sigma), 0.0, swapped, negative)
    if kind in ("uniform", "blurred"):
        width = 1 / (4 * information) if information < 0.5 else -lambertw(-0.5 * np.exp(-information)).real
        return SharpPair("uniform", float(width), 0.0, swapped, negative)
    if kind == "banded":
        if information <= banded_information(_EDGES_APART):
            return SharpPair(kind, _EDGE / information, 0.0, swapped, negative)
        return SharpPair(kind, float(np.exp(_banded_widths()(np.log(information)))), 0.0, swapped, negative)
    return SharpPair("normal", float(np.exp(-information)), 0.0, swapped, negative)


def _draw_margins(size: int, mixed: bool, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw one map for all coordinates, or one for each; only light-tailed ones if they are then mixed.

    Columns mixed with a heavy tail would be lost in the rounding of float32.
    """
    kinds = 2 if mixed else _MARGINS
    if rng.random() < 0.6:
        return np.full(size, rng.integers(kinds))
    return rng.integers(kinds, size=size)


def _draw_matrix(size: int, mixed: bool, rng: np.random.Generator) -> Array:
    """Draw a permutation; or, if mixed, a rotation, or rotations and scales."""
    if not mixed:
        return np.eye(size)[rng.permutation(size)]
    if rng.random() < 0.7:
        return haar(size, rng)
    return (haar(size, rng) * np.exp(rng.uniform(-np.log(3.0), np.log(3.0), size))) @ haar(size, rng)


__all__ = ["PairKind", "SharpPair", "Strong", "StrongFamily", "banded_information", "draw_pair"]
