"""What laws are built of: what is conditioned on, and random functions of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mistworks.conditional.law import Array
from mistworks.distributions.dispersion import cholesky_factor, factor_matrix
from mistworks.distributions.priors import log_uniform

_REFERENCE = 512
_KINDS = ("linear", "linear", "tanh", "sine", "square", "modulus", "product", "step")


@dataclass(frozen=True, eq=False)
class Condition:
    """A distribution of Z.

    Attributes:
        sample: draws n points, shape (n, dz).
        nominal: positions of columns that hold class labels.
        scores: turns points into numbers that functions read, shape (n, dz): of each class its own.
    """

    sample: Callable[[int, np.random.Generator], Array]
    nominal: tuple[int, ...]
    scores: Callable[[Array], Array]


def draw_condition(dz: int, rng: np.random.Generator) -> Condition:
    """Draw a distribution of Z: normal, uniform, heavy-tailed, clustered, integers, or with classes."""
    kind = rng.choice(("normal", "normal", "uniform", "heavy", "clusters", "integers", "classes"))
    factor = cholesky_factor(factor_matrix(dz, log_uniform(0.1, 2.0, rng), rng))
    if kind == "classes":
        return _classes(dz, factor, rng)
    heavy, levels = rng.uniform(1.5, 5.0), int(rng.integers(2, 20))
    centres = 3.0 * rng.standard_normal((int(rng.integers(2, 6)), dz))

    def sample(n: int, rng: np.random.Generator) -> Array:
        points = rng.standard_normal((n, dz)) @ factor.T
        if kind == "uniform":
            return np.asarray(rng.uniform(-1.7, 1.7, (n, dz)) @ factor.T)
        if kind == "heavy":
            return np.asarray(points * np.sqrt(heavy / rng.chisquare(heavy, size=(n, 1))))
        if kind == "clusters":
            return np.asarray(points + centres[rng.integers(len(centres), size=n)])
        return np.round(points * levels / 4.0) if kind == "integers" else points

    return Condition(sample, (), np.arcsinh)


def _classes(dz: int, factor: Array, rng: np.random.Generator) -> Condition:
    nominal = tuple(np.flatnonzero(rng.random(dz) < (1.0 if dz == 1 else 0.4)).tolist())
    shares = {column: rng.dirichlet(np.full(int(rng.integers(2, 7)), 2.0)) for column in nominal}
    effects = {column: rng.standard_normal(len(share)) for column, share in shares.items()}

    def sample(n: int, rng: np.random.Generator) -> Array:
        points = rng.standard_normal((n, dz)) @ factor.T
        for column, share in shares.items():
            points[:, column] = rng.choice(len(share), size=n, p=share)
        return points

    def scores(points: Array) -> Array:
        values = points.copy()
        for column, effect in effects.items():
            values[:, column] = effect[points[:, column].astype(np.int64)]
        return values

    return Condition(sample, nominal, scores)


def draw_function(
    condition: Condition, outputs: int, rng: np.random.Generator, *, smooth: bool = False
) -> Callable[[Array], Array]:
    """Draw a function of Z with outputs of mean 0 and variance about 1, shape (n, outputs).

    Each output is a sum of one to three terms, each of a random projection of a random part of the columns.

    Args:
        condition: the distribution of Z.
        outputs: number of columns of the result.
        rng: draws the terms.
        smooth: linear and tanh only.
    """
    reference = condition.scores(condition.sample(_REFERENCE, rng))
    dz = reference.shape[1]
    spread = np.maximum(reference.std(axis=0), 1e-9)
    active = rng.permutation(dz)[: int(log_uniform(1.0, dz + 1.0, rng))]
    terms = int(rng.integers(1, 4))
    kinds = rng.choice(_KINDS[:3] if smooth else _KINDS, size=terms)
    weights = rng.standard_normal((2, terms, len(active), outputs)) / np.sqrt(len(active))
    shifts, rates = rng.uniform(-1.0, 1.0, (terms, outputs)), np.exp(rng.uniform(-0.5, 1.2, terms))

    def terms_of(scores: Array) -> Array:
        values = (scores / spread)[:, active]
        total = np.zeros((len(values), outputs))
        for term, kind in enumerate(kinds):
            total += _term(str(kind), values, weights[:, term], shifts[term], rates[term])
        return total

    first = terms_of(reference)
    centre, scale = first.mean(axis=0), np.maximum(first.std(axis=0), 1e-3)
    return lambda points: np.asarray((terms_of(condition.scores(points)) - centre) / scale)


def _term(kind: str, values: Array, weights: Array, shift: Array, rate: float) -> Array:
    plain = values @ weights[0]
    match kind:
        case "linear":
            return np.asarray(plain)
        case "tanh":
            return np.asarray(np.tanh(2.0 * rate * (plain + shift)))
        case "sine":
            return np.asarray(np.sin(1.5 * rate * plain + np.pi * shift))
        case "square":
            return np.asarray((plain + shift) ** 2)
        case "modulus":
            return np.asarray(np.abs(plain + shift))
        case "product":
            return np.asarray(plain * (values @ weights[1]))
        case _:
            return np.asarray(np.sign(plain + shift))


__all__ = ["Condition", "draw_condition", "draw_function"]
