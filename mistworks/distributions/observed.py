"""The observed family: normal quantities as recorded in tables: rounded, counted, classed, rare, censored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from pydantic import Field, field_validator
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Array, Family, JointDistribution
from mistworks.distributions.coarsening import (
    EXACT,
    Coarsening,
    coarse_information,
    draw_coarsening,
    draw_discrete,
    joint,
)
from mistworks.distributions.dispersion import Matrix, cholesky_factor, factor_matrix
from mistworks.distributions.priors import LogUniform, Probability, log_uniform, within

_MOST_KINDS = 4
_MISSING = np.float32(-99.0)
_STRONGEST = 6.0
_SHARED = 0.4
_MOST_INFORMATION = 60.0


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a side: the recording of one latent quantity.

    Attributes:
        latent: number of the quantity within the side.
        coarsening: how the quantity is recorded.
        kept: probability that it is recorded. Otherwise, completely at random, the column holds −99, which is
            no recorded value.
    """

    latent: int
    coarsening: Coarsening
    kept: float = 1.0


@dataclass(frozen=True, eq=False)
class Side:
    """The columns of X, or of Y.

    Attributes:
        columns: each reads one latent quantity; the first quantities are those of the pairs.
        noise: correlation matrix of the latent quantities beyond the pairs, shape (m, m).
    """

    columns: tuple[Column, ...]
    noise: Matrix

    def sample(self, pairs: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Record all columns, shape (n, d), float32, given the latents of the pairs, shape (n, k)."""
        n, k = pairs.shape
        noise = rng.standard_normal((n, len(self.noise)), dtype=np.float32)
        if len(self.noise):
            noise = noise @ cholesky_factor(self.noise).astype(np.float32).T
        values = np.empty((n, len(self.columns)), dtype=np.float32)
        for place, column in enumerate(self.columns):
            own = column.latent
            recorded = column.coarsening(pairs[:, own] if own < k else noise[:, own - k])
            if column.kept < 1.0:
                recorded = np.where(rng.random(n) < column.kept, recorded, _MISSING)
            values[:, place] = recorded
        return values


@dataclass(frozen=True, eq=False)
class Observed(JointDistribution):
    """Columns that record standard normal quantities, of which Uᵢ in X and Vᵢ in Y have correlation ρᵢ.

    Pairs (Uᵢ, Vᵢ) are independent of each other and of the quantities that only one side reads. With xᵢ the
    joint coarsening of all columns of X that read Uᵢ, I(X;Y) = Σᵢ I(xᵢ(Uᵢ); yᵢ(Vᵢ)) (`coarse_information`);
    a term is multiplied by the probability that both are recorded if columns may be missing.

    Attributes:
        correlations: ρ, shape (k,).
        x: the columns of X.
        y: the columns of Y.
        information: I(X;Y) in nats, as `observed_information` computes it.
    """

    correlations: Array
    x: Side
    y: Side
    information: float

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return len(self.x.columns)

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return len(self.y.columns)

    @property
    @override
    def mutual_information(self) -> float:
        return self.information

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        u = rng.standard_normal((n, len(self.correlations)), dtype=np.float32)
        rho = self.correlations
        v = u * rho.astype(np.float32)
        v += np.sqrt(1.0 - rho**2).astype(np.float32) * rng.standard_normal(u.shape, dtype=np.float32)
        return self.x.sample(u, rng), self.y.sample(v, rng)


def observed_information(correlations: Array, x: Side, y: Side) -> float:
    """I(X;Y) of `Observed` in nats. Quantities that may be missing must be read by one column only."""
    known: dict[tuple[object, ...], float] = {}
    total = 0.0
    for pair, rho in enumerate(correlations.tolist()):
        views = [[column for column in side.columns if column.latent == pair] for side in (x, y)]
        key = (rho, *(tuple(id(column.coarsening) for column in side) for side in views))
        if key not in known:
            both = (joint([column.coarsening for column in side]) for side in views)
            known[key] = coarse_information(rho, *both)
        total += known[key] * float(np.prod([column.kept for side in views for column in side]))
    return total


class ObservedFamily(Family):
    """Pairs of normal quantities and noise, each recorded with a random coarsening (`draw_coarsening`).

    Attributes:
        independent: probability that there are no pairs: all columns are noise, correlated within their side
            half of the time.
        identical: probability that the quantities of pairs are identical on both sides, up to sign.
        information: prior of the information of a pair in nats before coarsening.
        missing: probability that columns have missing values.
        repeated: probability that pairs are read by a second column of their side with another coarsening.
        lone: probability that one or two pairs differ in kind from the noise: discrete pairs among continuous
            columns, or continuous pairs among discrete ones. Then nothing is missing or repeated.
    """

    family: Literal["observed"] = "observed"
    independent: Probability = 0.3
    identical: Probability = 0.12
    information: LogUniform = LogUniform(low=0.02, high=3.0)
    missing: Probability = 0.1
    repeated: Probability = 0.12
    lone: Probability = Field(default=0.0, exclude_if=lambda probability: probability == 0.0)

    @field_validator("information")
    @classmethod
    def _resolved(cls, prior: LogUniform) -> LogUniform:
        return within(prior, 0.0, _STRONGEST, "information")

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Observed:
        """Draw until the information is at most 60 nats."""
        while True:
            drawn = self.draw_unlabelled(dx, dy, rng)
            information = observed_information(drawn.correlations, drawn.x, drawn.y)
            if information <= _MOST_INFORMATION:
                return replace(drawn, information=information)

    @override
    def draw_unlabelled(self, dx: int, dy: int, rng: np.random.Generator) -> Observed:
        self.require_dimensions(dx, dy)
        if self.lone > 0.0 and rng.random() < self.lone:
            return self._draw_lone(dx, dy, rng)
        pairs = 0 if rng.random() < self.independent else _draw_pairs(min(dx, dy), rng)
        # A few kinds shared by all columns, as in real tables; it also saves integrals for the label.
        kinds = int(rng.integers(1, min(_MOST_KINDS, max(pairs, 2)), endpoint=True))
        kind = np.sort(rng.integers(kinds, size=pairs))
        x_kinds, y_kinds = ([draw_coarsening(rng) for _ in range(kinds)] for _ in range(2))
        correlations = np.array([self._correlation(x_kinds[i], y_kinds[i], rng) for i in range(kinds)])[kind]
        kept = rng.uniform(0.2, 0.98, 2) if rng.random() < self.missing else np.ones(2)
        x = self._side(dx, [x_kinds[i] for i in kind], x_kinds, float(kept[0]), rng)
        y = self._side(dy, [y_kinds[i] for i in kind], y_kinds, float(kept[1]), rng)
        return Observed(correlations, x, y, float("nan"))

    def _draw_lone(self, dx: int, dy: int, rng: np.random.Generator) -> Observed:
        pairs = 0 if rng.random() < self.independent else min(int(rng.integers(1, 3)), dx, dy)
        if rng.random() < 0.7:
            x_kind = draw_discrete(rng)
            y_kind = x_kind if rng.random() < 0.6 else draw_discrete(rng)
            noise = [EXACT]
        else:
            x_kind = y_kind = EXACT
            noise = [draw_discrete(rng) for _ in range(int(rng.integers(1, _MOST_KINDS)))]
        if x_kind is not EXACT and rng.random() < _SHARED:
            correlation = 1.0
        else:
            # Mostly positive: two rare events that exclude each other carry little information.
            sign = 1.0 if rng.random() < 0.75 else -1.0
            correlation = float(sign * np.sqrt(-np.expm1(-2.0 * self.information.draw(rng))))
        x = self._lone_side(dx, pairs, x_kind, noise, rng)
        y = self._lone_side(dy, pairs, y_kind, noise, rng)
        return Observed(np.full(pairs, correlation), x, y, float("nan"))

    @staticmethod
    def _lone_side(
        size: int,
        pairs: int,
        paired: Coarsening,
        noise: Sequence[Coarsening],
        rng: np.random.Generator,
    ) -> Side:
        columns = [Column(pair, paired) for pair in range(pairs)]
        columns += [Column(latent, noise[int(rng.integers(len(noise)))]) for latent in range(pairs, size)]
        return Side(tuple(columns[place] for place in rng.permutation(size)), _draw_noise(size - pairs, rng))

    def _correlation(self, x: Coarsening, y: Coarsening, rng: np.random.Generator) -> float:
        sign = 1.0 if rng.random() < 0.5 else -1.0
        if rng.random() < self.identical:
            if x.atoms.all() or y.atoms.all():
                return sign
            return float(sign * np.sqrt(-np.expm1(-2.0 * rng.uniform(1.0, _STRONGEST))))
        return float(sign * np.sqrt(-np.expm1(-2.0 * self.information.draw(rng))))

    def _side(
        self,
        size: int,
        paired: Sequence[Coarsening],
        kinds: Sequence[Coarsening],
        kept: float,
        rng: np.random.Generator,
    ) -> Side:
        pairs, spare = len(paired), size - len(paired)
        columns = [Column(pair, coarsening, kept) for pair, coarsening in enumerate(paired)]
        if kept == 1.0 and pairs and rng.random() < self.repeated:
            second = draw_coarsening(rng)
            # An exact second column would give an identical pair infinite information.
            if second.atoms.all():
                columns += [Column(pair, second) for pair in range(min(pairs, spare))]
        spare = size - len(columns)
        # Half of the time, noise columns have kinds of their own.
        if rng.random() < 0.5:
            kinds = [draw_coarsening(rng) for _ in range(int(rng.integers(1, _MOST_KINDS)))]
        for latent in range(pairs, pairs + spare):
            columns.append(Column(latent, kinds[int(rng.integers(len(kinds)))], kept))
        noise = _draw_noise(spare, rng)
        return Side(tuple(columns[place] for place in rng.permutation(size)), noise)


def _draw_noise(size: int, rng: np.random.Generator) -> Matrix:
    """Draw correlations of the noise of one side; none half of the time."""
    if size > 1 and rng.random() < 0.5:
        return factor_matrix(size, log_uniform(0.1, 3.0, rng), rng)
    return np.eye(size)


def _draw_pairs(most: int, rng: np.random.Generator) -> int:
    """Draw a number of pairs: 1, ``most``, or between."""
    kind = rng.random()
    if kind < 0.3:
        return 1
    return most if kind < 0.55 else int(log_uniform(1.0, most + 1.0, rng))


__all__ = ["Column", "Observed", "ObservedFamily", "Side", "observed_information"]
