"""Laws of classes among numbers."""

import numpy as np

from mistworks.conditional.confounded import draw_pair
from mistworks.conditional.discrete import table_conditional_information
from mistworks.conditional.functions import Condition, draw_condition, draw_function
from mistworks.conditional.law import Array, Law
from mistworks.conditional.linear import Sizes
from mistworks.distributions import LabelsFamily, ObservedFamily
from mistworks.distributions.priors import log_uniform
from mistworks.distributions.tables import draw_table


def draw_switched(sizes: Sizes, rng: np.random.Generator) -> Law:
    """Draw a class Z, and (X, Y) from a distribution of its own for each: I(X;Y|Z) = Σ p(z) I_z.

    In each class X and Y are moved and stretched, which changes nothing in it. Further columns of Z are
    noise.
    """
    count = int(rng.integers(2, 9))
    shares = rng.dirichlet(np.full(count, 3.0))
    alike = rng.random() < 0.4
    one = draw_pair(sizes.dx, sizes.dy, rng)
    joints = [one if alike else draw_pair(sizes.dx, sizes.dy, rng) for _ in range(count)]
    independent = rng.random(count) < (1.0 if rng.random() < 0.25 else 0.2)
    moves = log_uniform(0.1, 4.0, rng) * rng.standard_normal((2, count, max(sizes.dx, sizes.dy)))
    scales = np.exp(rng.uniform(0.0, 0.7) * rng.standard_normal((2, count)))
    cmi = sum(
        share * joint.mutual_information
        for share, joint, apart in zip(shares, joints, independent, strict=True)
        if not apart
    )

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        classes = rng.choice(count, size=n, p=shares)
        x, y = np.empty((n, sizes.dx)), np.empty((n, sizes.dy))
        z = rng.standard_normal((n, sizes.dz))
        z[:, 0] = classes
        for number, joint in enumerate(joints):
            rows = np.flatnonzero(classes == number)
            if not len(rows):
                continue
            a, b = joint.sample(len(rows), rng)
            if independent[number]:
                b = joint.sample(len(rows), rng)[1]
            x[rows] = np.arcsinh(a) * scales[0, number] + moves[0, number, : sizes.dx]
            y[rows] = np.arcsinh(b) * scales[1, number] + moves[1, number, : sizes.dy]
        return x, y, z

    return Law("mixed", float(cmi), sample, ((), (), (0,)))


def draw_turned_classes(sizes: Sizes, rng: np.random.Generator) -> Law:
    """Draw classes X = A + c(Z) and Y = B + d(Z) modulo their numbers: I(X;Y|Z) = I(A;B).

    (A, B) is a table independent of Z, and c and d are random functions of Z with whole values. One column
    each; columns beyond the first are noise.
    """
    rows, columns = (int(rng.integers(2, 7)) for _ in range(2))
    table = draw_table(rows, columns, rng)
    share = 0.0 if rng.random() < 0.3 else rng.random()
    table = share * table + (1.0 - share) * table.sum(axis=1, keepdims=True) * table.sum(axis=0)
    condition = draw_condition(sizes.dz, rng)
    shifts = [draw_function(condition, 1, rng) for _ in range(2)]
    rates = [0.0 if rng.random() < 0.2 else rng.uniform(0.5, 2.0) for _ in range(2)]
    cumulative = np.cumsum(table.ravel())
    cmi = table_conditional_information(table[:, :, None]) if share else 0.0

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        z = condition.sample(n, rng)
        cells = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
        states = np.divmod(np.minimum(cells, table.size - 1), columns)
        sides = []
        for state, number, shift, rate, d in zip(
            states, (rows, columns), shifts, rates, (sizes.dx, sizes.dy), strict=True
        ):
            side = rng.standard_normal((n, d))
            side[:, 0] = (state + np.round(rate * shift(z)[:, 0])) % number
            sides.append(side)
        return sides[0], sides[1], z

    named = rng.random() < 0.6
    return Law("mixed", cmi, sample, ((0,) if named else (), (0,) if named else (), condition.nominal))


def draw_outcomes(sizes: Sizes, rng: np.random.Generator) -> Law:
    """Draw classes or counts X whose chances depend on Z, and Y driven by Z alone: I(X;Y|Z) = 0."""
    condition = draw_condition(sizes.dz, rng)
    number = int(rng.integers(2, 6))
    scores = draw_function(condition, number, rng)
    strength, counted = log_uniform(0.3, 4.0, rng), rng.random() < 0.4
    drive = draw_function(condition, sizes.dy, rng)
    pull, binary = log_uniform(0.2, 4.0, rng), rng.random() < 0.3

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        z = condition.sample(n, rng)
        x, y = rng.standard_normal((n, sizes.dx)), pull * drive(z)
        values = strength * np.clip(scores(z), -4.0, 4.0)
        if counted:
            x[:, 0] = rng.poisson(np.exp(np.clip(values[:, 0], -3.0, 3.0)))
        else:
            x[:, 0] = (values + rng.gumbel(size=values.shape)).argmax(axis=1)
        y = y + rng.logistic(size=y.shape) if binary else y + rng.standard_normal(y.shape)
        return x, (y > 0).astype(np.float64) if binary else y, z

    return Law("mixed", 0.0, sample, (() if counted else (0,), (), condition.nominal))


def draw_readings(sizes: Sizes, rng: np.random.Generator) -> Law:
    """Draw labels or rounded readings (A, B) and a class Z that moves them by a whole number.

    I(X;Y|Z) = I(A;B): a move that Z tells can be undone. Further columns of Z are noise.
    """
    family = LabelsFamily() if rng.random() < 0.5 else ObservedFamily()
    joint = family.draw(sizes.dx, sizes.dy, rng)
    while joint.standard_error > 0:
        joint = family.draw(sizes.dx, sizes.dy, rng)
    condition = _class_condition(sizes.dz, rng)
    moved = rng.random(2) < 0.5
    independent = rng.random() < 0.25
    effects = rng.integers(-2, 3, size=(2, 8))

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        z = condition.sample(n, rng)
        x, y = (part.astype(np.float64) for part in joint.sample(n, rng))
        if independent:
            y = joint.sample(n, rng)[1].astype(np.float64)
        classes = z[:, :1].astype(np.int64)
        x, y = (
            side + effect[classes] if move else side
            for side, effect, move in zip((x, y), effects, moved, strict=True)
        )
        return x, y, z

    cmi = 0.0 if independent else joint.mutual_information
    return Law("mixed", cmi, sample, ((), (), condition.nominal))


def _class_condition(dz: int, rng: np.random.Generator) -> Condition:
    shares = rng.dirichlet(np.full(int(rng.integers(2, 7)), 2.0))

    def sample(n: int, rng: np.random.Generator) -> Array:
        z = rng.standard_normal((n, dz))
        z[:, 0] = rng.choice(len(shares), size=n, p=shares)
        return z

    return Condition(sample, (0,), lambda points: points)


__all__ = ["draw_outcomes", "draw_readings", "draw_switched", "draw_turned_classes"]
