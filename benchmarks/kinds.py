"""Sixteen kinds of ordinary data on which estimators fail, each over sizes, shares, levels and dimensions.

A kind is a function from parameters to a `Trial`: a way to draw a sample, and its mutual information in nats,
exact unless noted. ``KINDS`` has the parameters of each, with a plain one first.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from trial import Parameters, Sample, Trial

from mistworks.evaluation.distributions.exact import entropy, table_information
from mistworks.evaluation.distributions.observed import ClassesOnALine
from mistworks.evaluation.distributions.recorded import RoundedNormals
from mistworks.evaluation.distributions.strong import AdditiveUniform, StrongNormal
from mistworks.evaluation.distributions.tables import zipf
from mistworks.evaluation.suites.strong import least_size

Array = NDArray[np.float64]
LN2 = math.log(2)


def labels(codes: NDArray[Any]) -> NDArray[np.str_]:
    """Return codes as strings, which count as class labels."""
    return np.char.add("class ", codes.astype(np.int64).astype(np.str_))


def classes_independent(n: int, x_states: int, y_states: int, power: float = 0.0) -> Trial:
    """Two independent class columns."""
    chances = zipf(x_states, power), zipf(y_states, power)

    def draw(rng: np.random.Generator) -> Sample:
        x, y = (labels(rng.choice(len(p), n, p=p)) for p in chances)
        return x, y

    return Trial(n, draw, 0.0, 0.0, min(map(entropy, chances)))


def classes_identical(n: int, states: int, power: float = 0.0) -> Trial:
    """A class column and its copy: the truth is its entropy."""
    p = zipf(states, power)
    truth = entropy(p)
    spread = math.sqrt(float(p @ np.log(p) ** 2) - truth**2 + 1e-12) if n >= 5 * states else math.inf

    def draw(rng: np.random.Generator) -> Sample:
        x = labels(rng.choice(states, n, p=p))
        return x, x.copy()

    return Trial(n, draw, truth, spread, truth)


def integers_independent(n: int, x_states: int, y_states: int, d: int = 1) -> Trial:
    """Independent integers, d columns per side."""

    def draw(rng: np.random.Generator) -> Sample:
        return rng.integers(0, x_states, (n, d)) + 18, rng.integers(0, y_states, (n, d))

    return Trial(n, draw, 0.0, 0.0, d * math.log(min(x_states, y_states)))


def rounded_normals(n: int, rho: float, x_step: float, y_step: float) -> Trial:
    """Correlated normals rounded to steps in standard deviations."""
    joint = RoundedNormals(rho, x_step, y_step)

    def draw(rng: np.random.Generator) -> Sample:
        x, y = joint.draw(n, rng)
        return 170 + x, 75 + y

    masses = joint.masses()
    cap = min(entropy(masses.sum(axis=1)), entropy(masses.sum(axis=0)))
    return Trial(n, draw, joint.mutual_information, abs(rho), cap)


def rare_bit(n: int, share: float, missed: float = 0.0) -> Trial:
    """A bit that is 1 in a share of rows, and its copy or a reading that misses some of the ones."""
    table = np.array([[1 - share, 0.0], [share * missed, share * (1 - missed)]])
    positive = table > 0
    ratio = np.log(table[positive] / np.outer(table.sum(axis=1), table.sum(axis=0))[positive])
    truth = table_information(table)
    spread = math.sqrt(max(float(table[positive] @ ratio**2) - truth**2, 0.0))

    def draw(rng: np.random.Generator) -> Sample:
        x = rng.random(n) < share
        y = x & (rng.random(n) >= missed)
        return x.astype(float), y.astype(float)

    cap = min(entropy(table.sum(axis=1)), entropy(table.sum(axis=0)))
    return Trial(n, draw, truth, spread, cap)


def rare_bit_in_blocks(n: int, share: float, d: int) -> Trial:
    """A rare bit on both sides, with d − 1 columns of noise each."""
    alone = rare_bit(n, share)

    def draw(rng: np.random.Generator) -> Sample:
        x, y = alone.draw(rng)
        return np.c_[x, rng.normal(size=(n, d - 1))], np.c_[rng.normal(size=(n, d - 1)), y]

    return Trial(n, draw, alone.truth, alone.spread)


def copied_columns(n: int, rho: float, copies: int, maps: str = "equal") -> Trial:
    """A correlated pair with copies of each column: equal, rescaled and reversed, or under maps."""
    changes: Sequence[Callable[[Array], Array]] = {
        "equal": (np.asarray,),
        "rescaled": (np.asarray, np.negative, lambda v: 3 - 7 * v),
        "monotone": (np.asarray, np.exp, np.cbrt, lambda v: -np.arctan(v)),
    }[maps]

    def draw(rng: np.random.Generator) -> Sample:
        x, y = _correlated(n, rho, rng)
        return tuple(np.column_stack([changes[i % len(changes)](v) for i in range(copies)]) for v in (x, y))  # type: ignore[return-value]

    return Trial(n, draw, _nats(rho), abs(rho))


def bit_among_copies_and_noise(n: int, d: int, pairs: int = 1, nats: float = LN2) -> Trial:
    """Correlated pairs, with each side padded to d columns by copies and as many columns of noise."""
    rho = math.sqrt(-math.expm1(-2 * nats / pairs))
    noise = (d - pairs) // 2

    def draw(rng: np.random.Generator) -> Sample:
        x = rng.normal(size=(n, pairs))
        y = rho * x + math.sqrt(1 - rho**2) * rng.normal(size=(n, pairs))
        copied = np.arange(d - noise) % pairs
        return tuple(np.c_[v[:, copied], rng.normal(size=(n, noise))] for v in (x, y))  # type: ignore[return-value]

    # Noise columns have a cost: a Gaussian estimate without selection has a bias of d² / 2n.
    return Trial(n, draw, nats, math.sqrt(pairs) * rho + math.sqrt(d / 12))


def repeated_rows(n: int, share: float, rho: float = 0.0) -> Trial:
    """A correlated pair in which a share of the rows is repeated instead of drawn."""
    repeated = round(share * n)

    def draw(rng: np.random.Generator) -> Sample:
        x, y = _correlated(n, rho, rng)
        rows = rng.permutation(n)
        x[rows[:repeated]], y[rows[:repeated]] = x[rows[-repeated:]], y[rows[-repeated:]]
        return x, y

    return Trial(n, draw, _nats(rho), abs(rho))


def separable_classes(n: int, states: int, d: int, shift: float) -> Trial:
    """Equally probable classes k that shift all d columns in proportion to k; truth by quadrature."""
    joint = ClassesOnALine((1 / states,) * states, tuple(shift * math.sqrt(d) * k for k in range(states)), d)

    def draw(rng: np.random.Generator) -> Sample:
        codes, y = joint.draw(n, rng)
        return y, codes[:, 0].astype(int)

    truth = joint.mutual_information
    # The posterior is nearly certain or nearly even: in between, the spread is at most half a nat.
    spread = min(0.5, 2 * math.sqrt(max(math.log(states) - truth, 0.0))) + 0.3 * math.sqrt(d / 10)
    return Trial(n, draw, truth, spread if n > 5 * d else math.inf, math.log(states))


def states_tell_a_function(n: int, states: int, values: int) -> Trial:
    """Many states of X, and a function Y of these with few values."""
    shares = np.bincount(np.arange(states) % values) / states

    def draw(rng: np.random.Generator) -> Sample:
        function = rng.permutation(np.arange(states) % values)
        x = rng.integers(0, states, n)
        return x, function[x]

    truth = entropy(shares)
    return Trial(n, draw, truth, 0.3 if n >= 5 * states else math.inf, truth)


def binary_blocks(n: int, bits: int, flipped: float) -> Trial:
    """Fair bits, and the same bits with a share flipped."""
    truth = bits * (LN2 - entropy([flipped, 1 - flipped]))
    spread = math.sqrt(bits * flipped * (1 - flipped)) * math.log((1 - flipped) / flipped)

    def draw(rng: np.random.Generator) -> Sample:
        x = rng.integers(0, 2, (n, bits))
        return x, x ^ (rng.random((n, bits)) < flipped)

    return Trial(n, draw, truth, spread, bits * LN2)


def strong_normal(n: int, d: int, nats: float, margin: str = "normal") -> Trial:
    """Strongly dependent normals in few dimensions, under a margin."""
    joint = StrongNormal(d, d, nats, margin)
    return Trial(n, lambda rng: joint.sample(n, rng), nats, _spread_of_order(n, d, nats))


def sharp_uniform(n: int, d: int, nats: float, margin: str = "uniform") -> Trial:
    """Uniform variables with narrow uniform noise, under a margin."""
    joint = AdditiveUniform(d, d, nats, margin)
    return Trial(n, lambda rng: joint.sample(n, rng), nats, _spread_of_order(n, d, nats))


def strong_in_many_dimensions(n: int, d: int, rho: float) -> Trial:
    """Many pairs with a high correlation, whose information adds up."""

    def draw(rng: np.random.Generator) -> Sample:
        x = rng.normal(size=(n, d))
        return x, rho * x + math.sqrt(1 - rho**2) * rng.normal(size=(n, d))

    return Trial(n, draw, d * _nats(rho), math.sqrt(d) if n > 10 * d else math.inf)


def few_points(n: int, d: int, rho: float) -> Trial:
    """Fewer points than dimensions: only the interval can be right."""
    return Trial(n, strong_in_many_dimensions(n, d, rho).draw, d * _nats(rho), math.inf)


def _spread_of_order(n: int, d: int, nats: float) -> float:
    """Return √d, or infinity if the order of the values does not determine the level (suite `strong`)."""
    return math.sqrt(d) if n >= least_size(nats / d) else math.inf


def _nats(rho: float) -> float:
    return -0.5 * math.log1p(-(rho**2))


def _correlated(n: int, rho: float, rng: np.random.Generator) -> tuple[Array, Array]:
    x, noise = rng.normal(size=(2, n))
    return x, rho * x + math.sqrt(1 - rho**2) * noise


def _grid(**values: Sequence[Any]) -> list[Parameters]:
    return [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())]


KINDS: Mapping[Callable[..., Trial], Sequence[Parameters]] = {
    classes_independent: [
        {"n": 1_000, "x_states": 10, "y_states": 10},
        *_grid(n=[60, 300, 3_000], x_states=[2, 12, 60], y_states=[4, 25], power=[0.7]),
        *_grid(n=[500, 8_000], x_states=[5, 150], y_states=[5, 90]),
    ],
    classes_identical: [
        {"n": 1_000, "states": 20},
        *_grid(n=[100, 600, 5_000], states=[2, 7, 30, 64, 150], power=[0.0, 0.8]),
    ],
    integers_independent: [
        {"n": 1_000, "x_states": 58, "y_states": 101},
        *_grid(n=[60, 400, 2_500, 15_000], x_states=[12, 90], y_states=[40, 300]),
        *_grid(n=[200, 1_500], x_states=[25, 60], y_states=[70], d=[2, 5]),
    ],
    rounded_normals: [
        {"n": 1_000, "rho": 0.2, "x_step": 1 / 7, "y_step": 1 / 12},
        *_grid(n=[100, 700, 6_000], rho=[0.0, -0.4, 0.85], x_step=[0.05, 0.6], y_step=[0.15]),
        *_grid(n=[2_000], rho=[0.3, 0.97], x_step=[0.3, 1.0], y_step=[1.0, 0.02]),
    ],
    rare_bit: [
        {"n": 1_000, "share": 0.01},
        *_grid(n=[500, 4_000, 50_000], share=[0.004, 0.02, 0.08], missed=[0.0, 0.3]),
        {"n": 100_000, "share": 0.001},
        {"n": 20_000, "share": 0.0005},
    ],
    rare_bit_in_blocks: [
        {"n": 1_000, "share": 0.01, "d": 5},
        *_grid(n=[400, 2_000, 8_000], share=[0.01, 0.05], d=[2, 4, 10, 24]),
    ],
    copied_columns: [
        {"n": 1_000, "rho": 0.8, "copies": 8},
        *_grid(
            n=[150, 2_000], rho=[0.0, -0.6, 0.95], copies=[3, 12, 30], maps=["equal", "rescaled", "monotone"]
        )[::2],
    ],
    bit_among_copies_and_noise: [
        {"n": 1_000, "d": 37},
        *_grid(n=[300, 1_500, 5_000], d=[9, 21, 40], pairs=[1, 3, 5]),
    ],
    repeated_rows: [
        {"n": 1_000, "share": 0.09},
        *_grid(n=[200, 1_200, 6_000], share=[0.02, 0.06, 0.15, 0.3], rho=[0.0, 0.7]),
    ],
    separable_classes: [
        {"n": 1_000, "states": 2, "d": 64, "shift": 1.0},
        *_grid(n=[300, 2_500], states=[2, 3, 6], d=[3, 16, 48], shift=[0.4, 1.2]),
    ],
    states_tell_a_function: [
        {"n": 5_000, "states": 500, "values": 2},
        *_grid(n=[400, 3_000, 12_000], states=[20, 80, 300], values=[2, 4, 9]),
    ],
    binary_blocks: [
        {"n": 1_000, "bits": 10, "flipped": 0.05},
        *_grid(n=[200, 800, 4_000], bits=[3, 6, 16], flipped=[0.01, 0.1, 0.3]),
    ],
    strong_normal: [
        {"n": 1_000, "d": 2, "nats": 6.0},
        *_grid(n=[200, 1_000, 6_000], d=[1, 2, 3], nats=[2.5, 5.0, 9.0], margin=["normal", "cubed"]),
    ],
    sharp_uniform: [
        {"n": 1_000, "d": 1, "nats": 0.01 - math.log(0.02)},
        *_grid(n=[200, 1_000, 6_000], d=[1, 2, 3], nats=[1.5, 4.0, 7.0], margin=["uniform", "normal"]),
    ],
    strong_in_many_dimensions: [
        {"n": 1_000, "d": 16, "rho": 0.99},
        *_grid(n=[300, 1_500], d=[5, 12, 32], rho=[0.9, 0.98, 0.998]),
    ],
    few_points: [
        {"n": 30, "d": 64, "rho": 0.5},
        *_grid(n=[12, 25, 50], d=[16, 32, 64], rho=[0.0, 0.4, 0.8]),
    ],
}
"""All kinds with their parameters."""


def trials() -> Iterator[tuple[str, Parameters, Trial]]:
    """Yield name, parameters and trial of each kind for each of its parameters."""
    for kind, points in KINDS.items():
        for parameters in points:
            yield kind.__name__.replace("_", " "), parameters, kind(**parameters)


__all__ = ["KINDS", "trials"]
