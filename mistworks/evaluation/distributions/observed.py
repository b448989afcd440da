"""How quantities are met in tables: rounded, counted, censored, mostly zero. Each with its exact information.

Written for evaluation alone, independently of the families that estimators are trained on.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, gammaln, ndtr, xlogy

from mistworks.dataset import FloatArray
from mistworks.distributions import JointDistribution
from mistworks.evaluation.distributions.exact import ByTable, entropy, nodes, normal_cells, table_information
from mistworks.evaluation.distributions.pointwise import Array, normal_log_density

_MOST_COUNT = 120


@dataclass(frozen=True, eq=False)
class RoundedNormals(ByTable):
    """Standard normals of correlation ρ, rounded to multiples of a step each: heights in cm, weights in kg.

    Attributes:
        correlation: ρ, −1 < ρ < 1.
        x_step: spacing of X in its standard deviations.
        y_step: spacing of Y in its own.
    """

    correlation: float
    x_step: float
    y_step: float

    dx = dy = 1

    def masses(self) -> Array:
        """Probabilities of the cells."""
        return normal_cells(self.correlation, _edges(self.x_step), _edges(self.y_step))

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n points in double precision: integers, shapes (n, 1) and (n, 1)."""
        x, y = _normals(n, self.correlation, rng)
        return np.rint(x / self.x_step), np.rint(y / self.y_step)


@dataclass(frozen=True, eq=False)
class SignificantDigits(ByTable):
    """Log-normals from normals of correlation ρ, written with one significant digit: prices, concentrations.

    Attributes:
        correlation: ρ, −1 < ρ < 1.
        scale: standard deviation of the logarithms.
    """

    correlation: float
    scale: float

    dx = dy = 1

    def masses(self) -> Array:
        """Probabilities of the cells, whose edges are 1.5, 2.5, …, 9.5 times powers of ten."""
        decades = 10.0 ** np.arange(-20, 20)[:, None]
        edges = np.log((decades * (np.arange(1, 10) + 0.5)).ravel()) / self.scale
        bounds = np.concatenate([[-np.inf], edges[np.abs(edges) < 8], [np.inf]])
        return normal_cells(self.correlation, bounds, bounds)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n points in double precision: shapes (n, 1) and (n, 1)."""
        x, y = _normals(n, self.correlation, rng)
        return _significant(np.exp(self.scale * x)), _significant(np.exp(self.scale * y))


@dataclass(frozen=True, eq=False)
class RoundedDelays(ByTable):
    """X an exponential waiting time and Y = X plus another, both rounded down: times on two clocks.

    Attributes:
        x_step: tick of X, where the mean of either waiting time is 1.
        y_step: tick of Y.
    """

    x_step: float
    y_step: float

    dx = dy = 1

    def masses(self) -> Array:
        """Probabilities of the cells up to a time of 25."""
        x_edges, y_edges = np.arange(0, 25, self.x_step), np.arange(0, 25, self.y_step)
        rows = []
        for low in x_edges[:-1]:
            x, weights = nodes(low, low + self.x_step, 4)
            arrived = -np.expm1(-np.maximum(y_edges - x[:, None], 0.0))
            rows.append((weights * np.exp(-x)) @ np.diff(arrived, axis=1))
        return np.stack(rows)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n points in double precision: numbers of ticks, shapes (n, 1) and (n, 1)."""
        x, delay = rng.exponential(size=(2, n, 1))
        return np.floor(x / self.x_step), np.floor((x + delay) / self.y_step)


@dataclass(frozen=True, eq=False)
class CountedDose(ByTable):
    """X ~ U(0, 1), Y given X ~ Poisson(exp(a + bX)): colonies by dose.

    Attributes:
        start: a.
        slope: b.
    """

    start: float
    slope: float

    dx = dy = 1

    def masses(self) -> Array:
        """Over nodes of X and counts."""
        x, weights = nodes(0, 1, 20)
        return weights[:, None] * _poisson(np.exp(self.start + self.slope * x))

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n points in double precision: shapes (n, 1) and (n, 1)."""
        x = rng.random((n, 1))
        return x, rng.poisson(np.exp(self.start + self.slope * x)).astype(np.float64)


@dataclass(frozen=True, eq=False)
class CensoredNormals(ByTable):
    """Standard normals of correlation ρ, each cut off at two limits: sensors with a floor and a ceiling.

    Attributes:
        correlation: ρ, −1 < ρ < 1.
        x_limits: what X is raised and lowered to; −∞ and ∞ leave it.
        y_limits: the same of Y.
    """

    correlation: float
    x_limits: tuple[float, float]
    y_limits: tuple[float, float]

    dx = dy = 1

    def masses(self) -> Array:
        """Over the atoms at the limits and nodes between them."""
        rho = self.correlation
        sigma = np.sqrt(1 - rho**2)
        (x_low, x_high), (y_low, y_high) = (np.clip(each, -9, 9) for each in (self.x_limits, self.y_limits))
        # Nodes over all of X; those beyond a limit are merged into its atom afterwards.
        parts = [(-9.0, x_low), (x_low, x_high), (x_high, 9.0)]
        y, y_weights = nodes(y_low, y_high, 40)
        rows = []
        for low, high in parts:
            x, weights = nodes(low, high, 40) if high > low else (np.empty(0), np.empty(0))
            weights = weights * np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)
            below = ndtr((y_low - rho * x) / sigma)
            above = ndtr((rho * x - y_high) / sigma)
            inside = y_weights * np.exp(normal_log_density(y, rho * x[:, None], sigma))
            rows.append(weights[:, None] * np.column_stack([below, inside, above]))
        return np.vstack([rows[0].sum(axis=0), rows[1], rows[2].sum(axis=0)])

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n points in double precision: shapes (n, 1) and (n, 1)."""
        x, y = _normals(n, self.correlation, rng)
        return np.clip(x, *self.x_limits), np.clip(y, *self.y_limits)


@dataclass(frozen=True, eq=False)
class Survival(ByTable):
    """X standard normal, Y = min(T, c) with T exponential of rate exp(bX): a study that ends.

    Attributes:
        slope: b, the log hazard ratio.
        end: c.
    """

    slope: float
    end: float

    dx = dy = 1

    def masses(self) -> Array:
        """Over nodes of X, and nodes of time and the atom at its end."""
        x, x_weights = nodes(-8, 8, 40)
        # In the square root of time, where early deaths at high rates take room.
        root, root_weights = nodes(0, np.sqrt(self.end), 40)
        time, weights = root**2, 2 * root * root_weights
        rate = np.exp(self.slope * x)[:, None]
        died = weights * rate * np.exp(-rate * time)
        law = np.column_stack([died, np.exp(-rate * self.end)])
        return np.asarray((x_weights * np.exp(-0.5 * x**2))[:, None] * law)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n points in double precision: shapes (n, 1) and (n, 1)."""
        x = rng.standard_normal((n, 1))
        return x, np.minimum(rng.exponential(size=(n, 1)) * np.exp(-self.slope * x), self.end)


@dataclass(frozen=True, eq=False)
class Claims(ByTable):
    """X ~ Poisson(λ) claims of exponential size 1, and Y their sum: 0 where there is none.

    Attributes:
        mean: λ.
    """

    mean: float

    dx = dy = 1

    def masses(self) -> Array:
        """Over counts, and the atom at 0 and nodes of the sum."""
        count = np.arange(1.0, 40.0)
        y, weights = nodes(0, 60, 200)
        chances = np.exp(xlogy(count, self.mean) - self.mean - gammaln(count + 1))
        sums = np.exp((count[:, None] - 1) * np.log(y) - y - gammaln(count)[:, None])
        none = np.zeros(len(y) + 1)
        none[0] = np.exp(-self.mean)
        some = np.column_stack([np.zeros(len(count)), chances[:, None] * weights * sums])
        return np.vstack([none, some])

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n points in double precision: shapes (n, 1) and (n, 1)."""
        count = rng.poisson(self.mean, (n, 1)).astype(np.float64)
        return count, np.where(count > 0, rng.gamma(np.maximum(count, 1.0)), 0.0)


@dataclass(frozen=True, eq=False)
class Hurdle(JointDistribution):
    """Two amounts that are 0 or log-normal; where both are not 0, their logarithms have correlation ρ.

    Whether an amount is 0 is seen in it, and its law does not depend on whether the other is:
    I(X;Y) = I(X > 0; Y > 0) + P(both > 0) · (−½ log(1 − ρ²)), exactly.

    Attributes:
        wet: probabilities of (X > 0, Y > 0) as ((no no, no yes), (yes no, yes yes)).
        correlation: ρ, −1 < ρ < 1.
    """

    wet: tuple[tuple[float, float], tuple[float, float]]
    correlation: float

    dx = dy = 1

    @property
    def mutual_information(self) -> float:
        """I(X;Y) in nats."""
        both = self.wet[1][1]
        return table_information(np.array(self.wet)) - 0.5 * both * float(np.log1p(-(self.correlation**2)))

    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw n points: shapes (n, 1) and (n, 1), float32."""
        state = rng.choice(4, size=(n, 1), p=np.ravel(self.wet))
        x, y = _normals(n, self.correlation, rng)
        amounts = np.where(state >= 2, np.exp(x), 0.0), np.where(state % 2 == 1, np.exp(y), 0.0)
        return amounts[0].astype(np.float32), amounts[1].astype(np.float32)


@dataclass(frozen=True, eq=False)
class ClassesOnALine(ByTable):
    """X = k with probability p_k, and Y given X = k normal around c_k (1, …, 1)/√d with covariance I.

    Only the projection on the line tells about the class, so that one dimension gives the truth.

    Attributes:
        probabilities: p_k with sum 1.
        centres: c_k, in standard deviations.
        dy: dimension d of Y.
    """

    probabilities: tuple[float, ...]
    centres: tuple[float, ...]
    dy: int

    dx = 1

    def masses(self) -> Array:
        """Over classes and nodes of the projection."""
        y, weights = nodes(min(self.centres) - 9, max(self.centres) + 9, 80)
        law = weights * np.exp(normal_log_density(y, np.array(self.centres)[:, None], 1.0))
        return np.array(self.probabilities)[:, None] * law

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n points in double precision: codes of the classes and shape (n, dy)."""
        which = rng.choice(len(self.probabilities), size=n, p=self.probabilities)
        shift = np.array(self.centres)[which] / np.sqrt(self.dy)
        return which[:, None].astype(np.float64), shift[:, None] + rng.standard_normal((n, self.dy))


@dataclass(frozen=True, eq=False)
class GammaClasses(ByTable):
    """X = k with probability p_k, and Y given X = k a gamma variable: durations by kind of job.

    Attributes:
        probabilities: p_k with sum 1.
        shapes: of the gamma variables.
        scales: of the gamma variables.
    """

    probabilities: tuple[float, ...]
    shapes: tuple[float, ...]
    scales: tuple[float, ...]

    dx = dy = 1

    def masses(self) -> Array:
        """Over classes and nodes of log Y."""
        log_y, weights = nodes(-14, 6, 100)
        shape, scale = (np.array(each)[:, None] for each in (self.shapes, self.scales))
        log_law = shape * (log_y - np.log(scale)) - np.exp(log_y) / scale - gammaln(shape)
        return np.asarray(np.array(self.probabilities)[:, None] * weights * np.exp(log_law))

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n points in double precision: codes of the classes and durations, shapes (n, 1) and (n, 1)."""
        which = rng.choice(len(self.probabilities), size=(n, 1), p=self.probabilities)
        return which.astype(np.float64), rng.gamma(np.array(self.shapes)[which], np.array(self.scales)[which])


@dataclass(frozen=True, eq=False)
class IndependentIntegers(JointDistribution):
    """Integers from 1 to a number, all as probable and all independent: ages, percentages, months.

    Attributes:
        x_states: the greatest value of each column of X.
        y_states: the same of Y.
    """

    x_states: tuple[int, ...]
    y_states: tuple[int, ...]

    @property
    def dx(self) -> int:  # type: ignore[override]
        """Number of columns of X."""
        return len(self.x_states)

    @property
    def dy(self) -> int:  # type: ignore[override]
        """Number of columns of Y."""
        return len(self.y_states)

    @property
    def mutual_information(self) -> float:
        """Always 0."""
        return 0.0

    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw n points: shapes (n, dx) and (n, dy), float32."""
        x, y = (
            rng.integers(1, np.array(each) + 1, (n, len(each))) for each in (self.x_states, self.y_states)
        )
        return x.astype(np.float32), y.astype(np.float32)


def score_table(low: int, high: int, questions: int, steepness: float) -> Array:
    """Ages low … high, all as probable, by scores of 0 … questions: binomial, of a logistic chance in age."""
    age = np.arange(low, high + 1)
    chance = expit(steepness * (age - (low + high) / 2))[:, None]
    score = np.arange(questions + 1)
    choose = gammaln(questions + 1) - gammaln(score + 1) - gammaln(questions - score + 1)
    law = np.exp(choose + xlogy(score, chance) + xlogy(questions - score, 1 - chance))
    return law / len(age)


def dice_table(sides: int) -> Array:
    """Probabilities of (A + B, B + C) of three dice, sums counted from 2."""
    table = np.zeros((2 * sides - 1, 2 * sides - 1))
    a, b, c = np.meshgrid(*[np.arange(sides)] * 3)
    np.add.at(table, (a + b, b + c), 1 / sides**3)
    return table


def cycle_table(states: int, spread: int) -> Array:
    """X uniform on a cycle of states, Y within ± spread of it, nearer states linearly more probable."""
    table = np.zeros((states, states))
    for step in range(-spread, spread + 1):
        table[np.arange(states), (np.arange(states) + step) % states] += spread + 1 - abs(step)
    return np.asarray(table / table.sum())


def shared_count_table(own_x: float, own_y: float, shared: float) -> Array:
    """(A + C, B + C) with A, B, C Poisson of these means: trivariate reduction."""
    size = _MOST_COUNT // 2
    a, b, c = (_poisson(np.array([mean]))[0, :size] for mean in (own_x, own_y, shared))
    table = np.zeros((2 * size, 2 * size))
    for common, chance in enumerate(c):
        table[common : common + size, common : common + size] += chance * np.outer(a, b)
    return _within_reach(table)


def thinned_count_table(mean: float, kept: float) -> Array:
    """N ~ Poisson(mean), and those of the N that are kept, each with the same probability."""
    size = _MOST_COUNT // 2
    number, left = np.arange(size)[:, None], np.arange(size)
    log_law = xlogy(left, kept) + xlogy(number - left, 1 - kept)
    choose = gammaln(number + 1) - gammaln(left + 1) - gammaln(np.maximum(number - left, 0) + 1)
    law = np.where(left <= number, np.exp(choose + log_law), 0.0)
    return _within_reach(_poisson(np.array([mean]))[0, :size, None] * law)


def shared_rate_table(shape: float, x_exposure: float, y_exposure: float) -> Array:
    """Two Poisson counts of one gamma rate of mean 1 and a shape, at different exposures."""
    count = np.arange(_MOST_COUNT)
    total = count[:, None] + count + shape
    log_law = gammaln(total) - gammaln(shape) - gammaln(count + 1)[:, None] - gammaln(count + 1)
    log_law += xlogy(count, x_exposure)[:, None] + xlogy(count, y_exposure) + shape * np.log(shape)
    return _within_reach(np.exp(log_law - total * np.log(x_exposure + y_exposure + shape)))


def inflated_count_table(both_zero: float, mean: float, shared: float) -> Array:
    """Counts of a common part, as `shared_count_table`, of which both are 0 with a further probability."""
    table = (1 - both_zero) * shared_count_table(mean, mean, shared)
    table[0, 0] += both_zero
    return table


def zipf(states: int, power: float = 1.0) -> Array:
    """Probabilities in proportion to rank^−power."""
    weights = np.arange(1, states + 1) ** -power
    return np.asarray(weights / weights.sum())


def confusion_table(probabilities: Array, wrong: float) -> Array:
    """A class, and its label by someone who with a probability picks any class but the right one."""
    states = len(probabilities)
    channel = np.full((states, states), wrong / (states - 1))
    np.fill_diagonal(channel, 1 - wrong)
    return np.asarray(probabilities[:, None] * channel)


def bit_table(share: float, missed: float = 0.0, false: float = 0.0) -> Array:
    """A bit that is 1 with a probability, and a reading of it that misses ones and reads zeros as ones."""
    law = np.array([[1 - false, false], [missed, 1 - missed]])
    return np.asarray(np.array([[1 - share], [share]]) * law)


def binary_entropy(p: float) -> float:
    """Entropy of a bit in nats."""
    return entropy([p, 1 - p])


def _edges(step: float) -> Array:
    """Edges of a standard normal rounded to multiples of a step, to seven deviations."""
    reach = np.ceil(7.0 / step)
    return np.concatenate([[-np.inf], step * (np.arange(-reach, reach) + 0.5), [np.inf]])


def _poisson(means: Array) -> Array:
    """Probabilities of counts below ``_MOST_COUNT``, shape (len(means), _MOST_COUNT)."""
    count = np.arange(_MOST_COUNT)
    return np.asarray(np.exp(xlogy(count, means[:, None]) - means[:, None] - gammaln(count + 1)))


def _within_reach(table: Array) -> Array:
    """A table without the states that nothing of 1e-12 reaches."""
    rows, columns = table.sum(axis=1) > 1e-12, table.sum(axis=0) > 1e-12
    return table[: rows.nonzero()[0][-1] + 1, : columns.nonzero()[0][-1] + 1]


def _significant(values: Array) -> Array:
    power = 10.0 ** np.floor(np.log10(values))
    return np.rint(values / power) * power


def _normals(n: int, rho: float, rng: np.random.Generator) -> tuple[Array, Array]:
    x, noise = rng.standard_normal((2, n, 1))
    return x, rho * x + np.sqrt(1 - rho**2) * noise
