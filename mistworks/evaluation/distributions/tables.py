"""Tables of joint probabilities: ages and scores, dice, cycles, counts, classes and bits.

Written for evaluation alone, independently of the families that estimators are trained on.
"""

import numpy as np
from scipy.special import expit, gammaln, xlogy

from mistworks.evaluation.distributions.pointwise import Array

_MOST_COUNT = 120


def score_table(low: int, high: int, questions: int, steepness: float) -> Array:
    """Uniform ages low … high, and scores 0 … questions: binomial, with a chance logistic in age."""
    age = np.arange(low, high + 1)
    chance = expit(steepness * (age - (low + high) / 2))[:, None]
    score = np.arange(questions + 1)
    choose = gammaln(questions + 1) - gammaln(score + 1) - gammaln(questions - score + 1)
    law = np.exp(choose + xlogy(score, chance) + xlogy(questions - score, 1 - chance))
    return law / len(age)


def dice_table(sides: int) -> Array:
    """(A + B, B + C) for three dice; sums start at 2."""
    table = np.zeros((2 * sides - 1, 2 * sides - 1))
    a, b, c = np.meshgrid(*[np.arange(sides)] * 3)
    np.add.at(table, (a + b, b + c), 1 / sides**3)
    return table


def cycle_table(states: int, spread: int) -> Array:
    """X uniform on a cycle of states, Y within ± spread of X with linearly decreasing probability."""
    table = np.zeros((states, states))
    for step in range(-spread, spread + 1):
        table[np.arange(states), (np.arange(states) + step) % states] += spread + 1 - abs(step)
    return np.asarray(table / table.sum())


def shared_count_table(own_x: float, own_y: float, shared: float) -> Array:
    """(A + C, B + C) with A, B, C Poisson with these means: trivariate reduction."""
    size = _MOST_COUNT // 2
    a, b, c = (poisson_probabilities(np.array([mean]))[0, :size] for mean in (own_x, own_y, shared))
    table = np.zeros((2 * size, 2 * size))
    for common, chance in enumerate(c):
        table[common : common + size, common : common + size] += chance * np.outer(a, b)
    return _within_reach(table)


def thinned_count_table(mean: float, kept: float) -> Array:
    """N ~ Poisson(mean), and the number kept of the N, each with probability ``kept``."""
    size = _MOST_COUNT // 2
    number, left = np.arange(size)[:, None], np.arange(size)
    log_law = xlogy(left, kept) + xlogy(number - left, 1 - kept)
    choose = gammaln(number + 1) - gammaln(left + 1) - gammaln(np.maximum(number - left, 0) + 1)
    law = np.where(left <= number, np.exp(choose + log_law), 0.0)
    return _within_reach(poisson_probabilities(np.array([mean]))[0, :size, None] * law)


def shared_rate_table(shape: float, x_exposure: float, y_exposure: float) -> Array:
    """Two Poisson counts with a shared gamma rate of mean 1 and given shape, at different exposures."""
    count = np.arange(_MOST_COUNT)
    total = count[:, None] + count + shape
    log_law = gammaln(total) - gammaln(shape) - gammaln(count + 1)[:, None] - gammaln(count + 1)
    log_law += xlogy(count, x_exposure)[:, None] + xlogy(count, y_exposure) + shape * np.log(shape)
    return _within_reach(np.exp(log_law - total * np.log(x_exposure + y_exposure + shape)))


def inflated_count_table(both_zero: float, mean: float, shared: float) -> Array:
    """`shared_count_table` in which both counts are also 0 with probability ``both_zero``."""
    table = (1 - both_zero) * shared_count_table(mean, mean, shared)
    table[0, 0] += both_zero
    return table


def zipf(states: int, power: float = 1.0) -> Array:
    """Probabilities proportional to rank^−power, shape (states,)."""
    weights = np.arange(1, states + 1) ** -power
    return np.asarray(weights / weights.sum())


def confusion_table(probabilities: Array, wrong: float) -> Array:
    """A class and a label that is, with probability ``wrong``, one of the other classes."""
    states = len(probabilities)
    channel = np.full((states, states), wrong / (states - 1))
    np.fill_diagonal(channel, 1 - wrong)
    return np.asarray(probabilities[:, None] * channel)


def bit_table(share: float, missed: float = 0.0, false: float = 0.0) -> Array:
    """A bit that is 1 with probability ``share``, and a reading of it with misses and false positives."""
    law = np.array([[1 - false, false], [missed, 1 - missed]])
    return np.asarray(np.array([[1 - share], [share]]) * law)


def poisson_probabilities(means: Array) -> Array:
    """Probabilities of counts below ``_MOST_COUNT``, shape (len(means), _MOST_COUNT)."""
    count = np.arange(_MOST_COUNT)
    return np.asarray(np.exp(xlogy(count, means[:, None]) - means[:, None] - gammaln(count + 1)))


def _within_reach(table: Array) -> Array:
    """Drop trailing states with a probability below 1e-12."""
    rows, columns = table.sum(axis=1) > 1e-12, table.sum(axis=0) > 1e-12
    return table[: rows.nonzero()[0][-1] + 1, : columns.nonzero()[0][-1] + 1]


__all__ = [
    "bit_table",
    "confusion_table",
    "cycle_table",
    "dice_table",
    "inflated_count_table",
    "poisson_probabilities",
    "score_table",
    "shared_count_table",
    "shared_rate_table",
    "thinned_count_table",
    "zipf",
]
