"""Laws in which Z drives X and Y through random functions, with what it leaves of them known."""

from collections.abc import Callable

import numpy as np

from mistworks.conditional.functions import Condition, draw_condition, draw_function
from mistworks.conditional.law import Array, Law
from mistworks.conditional.linear import Sizes
from mistworks.distributions import (
    AdditiveNoiseFamily,
    CellsFamily,
    CheckerboardFamily,
    Factor,
    Family,
    JointDistribution,
    NormalFamily,
    PairsFamily,
    RandomPairs,
    StrongFamily,
    StudentFamily,
)
from mistworks.distributions.priors import log_uniform

_PAIRS: tuple[Family, ...] = (
    NormalFamily(dispersion=RandomPairs()),
    NormalFamily(dispersion=RandomPairs()),
    NormalFamily(dispersion=Factor()),
    StudentFamily(dispersion=Factor()),
    PairsFamily(),
    CellsFamily(),
)
_SINGLE: tuple[Family, ...] = (*_PAIRS, CheckerboardFamily(), AdditiveNoiseFamily(), StrongFamily())


def draw_pair(dx: int, dy: int, rng: np.random.Generator) -> JointDistribution:
    """Draw a joint distribution of errors (A, B) with exact mutual information."""
    families = _SINGLE if dx == dy == 1 else _PAIRS
    while True:
        joint = families[int(rng.integers(len(families)))].draw(dx, dy, rng)
        if joint.standard_error == 0 and joint.mutual_information < 4.0:
            return joint


def draw_confounded(sizes: Sizes, rng: np.random.Generator) -> Law:
    """Draw X = f(A, Z) and Y = g(B, Z) with (A, B) independent of Z: I(X;Y|Z) = I(A;B).

    f and g are invertible in their first argument for every z: a shift, a scale, a power or a turn that
    depends on z. With probability 0.3, A and B are independent.
    """
    condition = draw_condition(sizes.dz, rng)
    joint = draw_pair(sizes.dx, sizes.dy, rng)
    independent = rng.random() < 0.3
    x_map = draw_map(condition, sizes.dx, rng)
    # Now and then Z drives one side only.
    y_map = draw_map(condition, sizes.dy, rng) if rng.random() < 0.85 else _ignore

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        z = condition.sample(n, rng)
        a, b = (part.astype(np.float64) for part in joint.sample(n, rng))
        if independent:
            b = joint.sample(n, rng)[1].astype(np.float64)
        return x_map(tamed(a), z), y_map(tamed(b), z), z

    cmi = 0.0 if independent else joint.mutual_information
    return Law("confounded", cmi, sample, ((), (), condition.nominal))


def draw_curved_chain(sizes: Sizes, rng: np.random.Generator) -> Law:
    """Draw X → Z → Y with random functions and noise that may depend on what it is added to: I(X;Y|Z) = 0."""
    source = draw_condition(sizes.dx, rng)
    to_z = draw_function(source, sizes.dz, rng)
    strength, share = log_uniform(0.3, 5.0, rng), rng.uniform(0.0, 1.0)

    def middle(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        x = source.sample(n, rng)
        noise = rng.standard_normal((n, sizes.dz))
        noise[:, 1:] = np.sqrt(share) * noise[:, 1:] + np.sqrt(1.0 - share) * noise[:, :1]
        return x, strength * to_z(x) + noise

    condition = Condition(lambda n, rng: middle(n, rng)[1], (), np.arcsinh)
    to_y = draw_map(condition, sizes.dy, rng)

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        x, z = middle(n, rng)
        return x, to_y(rng.standard_normal((n, sizes.dy)), z), z

    return _observed(Law("chain", 0.0, sample, (source.nominal, (), ())), rng)


def draw_curved_fork(sizes: Sizes, rng: np.random.Generator) -> Law:
    """Draw X ← Z → Y with random functions and noise that may depend on Z: I(X;Y|Z) = 0."""
    condition = draw_condition(sizes.dz, rng)
    x_map, y_map = draw_map(condition, sizes.dx, rng), draw_map(condition, sizes.dy, rng)

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        z = condition.sample(n, rng)
        x, y = rng.standard_normal((n, sizes.dx)), rng.standard_normal((n, sizes.dy))
        return x_map(x, z), y_map(y, z), z

    return _observed(Law("fork", 0.0, sample, ((), (), condition.nominal)), rng)


def draw_wrapped_collider(sizes: Sizes, rng: np.random.Generator) -> Law:
    """Draw X, Y uniform on the circle and Z = X + Y + E on it, E uniform of width w: I(X;Y|Z) = −log w.

    X and Y are independent, and X tells nothing of Z alone: I(X;Y|Z) = I(X;Z|Y) = h(Z|Y) − h(E), and Z given
    Y is uniform on the circle, of length 1. Columns beyond the first are noise.
    """
    width = log_uniform(0.1, 1.0, rng)

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        x, y, z = (rng.random((n, d)) for d in (sizes.dx, sizes.dy, sizes.dz))
        z[:, 0] = (x[:, 0] + y[:, 0] + width * rng.random(n)) % 1.0
        return x, y, z

    return Law("collider", -float(np.log(width)), sample)


def draw_sign_collider(sizes: Sizes, rng: np.random.Generator) -> Law:
    """Draw normal X, Y, |Z|, the sign of Z that of X Y but for errors: I(X;Y|Z) = log 2 − H(error).

    Each two of the signs are independent. Columns beyond the first are noise.
    """
    error = rng.uniform(0.0, 0.5) * rng.random()

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        x, y, z = (rng.standard_normal((n, d)) for d in (sizes.dx, sizes.dy, sizes.dz))
        sign = np.sign(x[:, 0] * y[:, 0]) * np.where(rng.random(n) < error, -1.0, 1.0)
        z[:, 0] = np.abs(z[:, 0]) * sign
        return x, y, z

    return Law("collider", binary_information(error), sample)


def binary_information(error: float) -> float:
    """Return log 2 − H(e), the information of a fair bit through a symmetric channel, in nats."""
    entropy = -sum(p * np.log(p) for p in (error, 1.0 - error) if p > 0)
    return max(0.0, float(np.log(2.0) - entropy))


def _observed(law: Law, rng: np.random.Generator) -> Law:
    """Now and then the numbers of X, of Y or of both are rounded: what is 0 stays so."""
    steps = [float(rng.uniform(0.2, 2.0)) if rng.random() < 0.2 else 0.0 for _ in range(2)]
    steps = [0.0 if nominal else step for step, nominal in zip(steps, law.nominal, strict=False)]
    if not any(steps):
        return law

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        x, y, z = law.sampler(n, rng)
        x, y = (
            np.round(values / step) if step else values for values, step in zip((x, y), steps, strict=True)
        )
        return x, y, z

    return Law(law.family, law.cmi, sample, law.nominal)


def draw_map(condition: Condition, d: int, rng: np.random.Generator) -> Callable[[Array, Array], Array]:
    """Draw f(a, z), shape (n, d), invertible in a: strength · h(z) + a · exp(c s(z)), or bent or turned."""
    strength = log_uniform(0.1, 5.0, rng)
    shift = draw_function(condition, d, rng, smooth=bool(rng.random() < 0.4))
    scale = draw_function(condition, d, rng) if rng.random() < 0.4 else None
    spread = rng.uniform(0.2, 1.0)
    power = draw_function(condition, 1, rng) if rng.random() < 0.15 else None
    turn = draw_function(condition, 1, rng) if d > 1 and rng.random() < 0.2 else None
    if rng.random() < 0.1:
        strength = 0.0

    def apply(a: Array, z: Array) -> Array:
        values = a
        if power is not None:
            values = np.sign(values) * np.abs(values) ** np.exp(0.5 * np.tanh(power(z)))
        if turn is not None:
            angle = 1.5 * turn(z)[:, 0]
            first = np.cos(angle) * values[:, 0] - np.sin(angle) * values[:, 1]
            second = np.sin(angle) * values[:, 0] + np.cos(angle) * values[:, 1]
            values = np.column_stack([first, second, values[:, 2:]])
        if scale is not None:
            values = values * np.exp(spread * np.clip(scale(z), -3.0, 3.0))
        return np.asarray(values + strength * shift(z))

    return apply


def _ignore(a: Array, z: Array) -> Array:
    return a


def tamed(values: Array) -> Array:
    """Columns scaled and their tails bent, so that no error drowns what Z adds to it."""
    centred = values - np.median(values, axis=0)
    scale = np.maximum(np.quantile(np.abs(centred), 0.7, axis=0), 1e-12)
    return np.asarray(np.arcsinh(centred / scale))


__all__ = [
    "binary_information",
    "draw_confounded",
    "draw_curved_chain",
    "draw_curved_fork",
    "draw_map",
    "draw_pair",
    "draw_sign_collider",
    "draw_wrapped_collider",
    "tamed",
]
