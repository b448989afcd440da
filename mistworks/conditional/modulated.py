"""Laws whose dependence itself changes with Z: correlations that Z moves, regimes, and shares of a sum."""

from collections.abc import Callable

import numpy as np
from scipy.special import betaln, gammaln, ndtr, psi

from mistworks.conditional.confounded import draw_map, draw_pair, tamed
from mistworks.conditional.functions import Condition
from mistworks.conditional.law import Array, Law
from mistworks.conditional.linear import Sizes
from mistworks.distributions.block_maps import haar
from mistworks.distributions.dispersion import cholesky_factor, factor_matrix
from mistworks.distributions.priors import log_uniform
from mistworks.distributions.student import tail_mutual_information

_MOST_CORRELATION = 0.98
# Midpoints of the cells of a grid on which a standard normal variable is integrated: jumps cost up to 10⁻⁴.
_GRID = np.linspace(-8.0, 8.0, 2**15 + 1)
_MIDPOINTS, _SHARES = (_GRID[1:] + _GRID[:-1]) / 2, np.diff(ndtr(_GRID))


def draw_modulated(sizes: Sizes, rng: np.random.Generator) -> Law:
    """Draw pairs of columns of X and Y that are normal, or t, given z with correlations ρ(w) that z moves.

    I(X;Y|Z) is the sum over the pairs of E[−½ log(1 − ρ(w)²)], and of what the tails of a t add to each, see
    `mistworks.distributions.student.tail_mutual_information`. Each w is a projection of a normal Z with
    variance 1, and the expectation a sum over a grid. Further columns are noise. X and Y are turned, and
    moved by functions of Z, which changes nothing.
    """
    condition, project = _draw_projections(sizes.dz, rng)
    count = int(rng.integers(1, min(sizes.dx, sizes.dy), endpoint=True))
    pairs = [(project(), draw_correlation(rng)) for _ in range(count)]
    nu = log_uniform(1.0, 20.0, rng) if rng.random() < 0.2 else None
    turns = [
        haar(d, rng).astype(np.float64) if rng.random() < 0.3 else np.eye(d) for d in (sizes.dx, sizes.dy)
    ]
    x_map, y_map = (draw_map(condition, d, rng) for d in (sizes.dx, sizes.dy))
    cmi = sum(expected_information(correlation) for _, correlation in pairs)
    if nu is not None:
        cmi += count * tail_mutual_information(1, 1, nu)

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        z = condition.sample(n, rng)
        x, y = (rng.standard_normal((n, d)) for d in (sizes.dx, sizes.dy))
        for column, (direction, correlation) in enumerate(pairs):
            rho = correlation(z @ direction)
            y[:, column] = rho * x[:, column] + np.sqrt(1.0 - rho**2) * y[:, column]
            if nu is not None:
                tail = np.sqrt(nu / rng.chisquare(nu, size=n))
                x[:, column] *= tail
                y[:, column] *= tail
        if nu is not None:
            x, y = tamed(x), tamed(y)
        return x_map(x @ turns[0].T, z), y_map(y @ turns[1].T, z), z

    return Law("modulated", cmi, sample)


def draw_regimes(sizes: Sizes, rng: np.random.Generator) -> Law:
    """Draw (X, Y) from one of two to four distributions, by the interval that a projection w of Z lies in.

    I(X;Y|Z) = Σ P(interval) I(interval). X and Y are moved by functions of Z, which changes nothing.
    """
    condition, project = _draw_projections(sizes.dz, rng)
    direction = project()
    cuts = np.sort(rng.normal(size=int(rng.integers(1, 4))))
    shares = np.diff(np.concatenate([[0.0], ndtr(cuts), [1.0]]))
    joints = [draw_pair(sizes.dx, sizes.dy, rng) for _ in shares]
    independent = rng.random(len(shares)) < 0.3
    x_map, y_map = (draw_map(condition, d, rng) for d in (sizes.dx, sizes.dy))
    cmi = sum(
        share * joint.mutual_information
        for share, joint, apart in zip(shares, joints, independent, strict=True)
        if not apart
    )

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        z = condition.sample(n, rng)
        regimes = np.searchsorted(cuts, z @ direction)
        x, y = np.empty((n, sizes.dx)), np.empty((n, sizes.dy))
        for number, joint in enumerate(joints):
            rows = np.flatnonzero(regimes == number)
            if not len(rows):
                continue
            a, b = joint.sample(len(rows), rng)
            if independent[number]:
                b = joint.sample(len(rows), rng)[1]
            x[rows], y[rows] = np.arcsinh(a), np.arcsinh(b)
        return x_map(x, z), y_map(y, z), z

    return Law("modulated", float(cmi), sample)


def draw_correlation(rng: np.random.Generator) -> Callable[[Array], Array]:
    """Draw a function ρ(w) with values between ±0.98: a wave, a slope, a step, a bump or a changing noise."""
    kind = rng.choice(("wave", "slope", "step", "bump", "gain", "square"))
    base = rng.normal(0.0, 0.4) if rng.random() < 0.5 else 0.0
    height, rate = rng.uniform(0.2, 1.0) * rng.choice((-1.0, 1.0)), rng.uniform(0.3, 2.0)
    place = rng.normal() * rng.integers(2)

    def correlation(w: Array) -> Array:
        match kind:
            case "wave":
                values = base + height * np.sin(rate * w + place)
            case "slope":
                values = base + height * np.tanh(rate * w + place)
            case "step":
                values = base + height * (w > place)
            case "bump":
                values = base + height * np.exp(-np.square(rate * (w - place)))
            case "square":
                values = base + height * (np.square(w) - 1.0) / 2.0
            case _:
                # y = g(w) x + noise.
                gain = base + 2.0 * height * (w - place)
                values = gain / np.sqrt(1.0 + np.square(gain))
        return np.asarray(np.clip(values, -_MOST_CORRELATION, _MOST_CORRELATION))

    return correlation


def expected_information(correlation: Callable[[Array], Array]) -> float:
    """E[−½ log(1 − ρ(w)²)] of a standard normal w, in nats."""
    return float(_SHARES @ (-0.5 * np.log1p(-np.square(correlation(_MIDPOINTS)))))


def _draw_projections(dz: int, rng: np.random.Generator) -> tuple[Condition, Callable[[], Array]]:
    """A normal Z, and what draws directions in which it has variance 1."""
    covariance = factor_matrix(dz, log_uniform(0.1, 2.0, rng), rng)
    factor = cholesky_factor(covariance)

    def project() -> Array:
        direction = rng.standard_normal(dz) * (rng.random(dz) < rng.uniform(1.0 / dz, 1.0))
        direction[int(rng.integers(dz))] += 1.0
        return np.asarray(direction / np.sqrt(direction @ covariance @ direction))

    return Condition(lambda n, rng: rng.standard_normal((n, dz)) @ factor.T, (), np.arcsinh), project


def draw_shares(sizes: Sizes, rng: np.random.Generator) -> Law:
    """Draw gamma variables X, Y and E and Z = X + Y + E: I(X;Y|Z) is that of two shares of a whole.

    X/Z and Y/Z are Dirichlet and independent of Z. Further columns are noise.
    """
    a, b, c = (log_uniform(0.5, 4.0, rng) for _ in range(3))

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        x, y, z = (rng.standard_normal((n, d)) for d in (sizes.dx, sizes.dy, sizes.dz))
        x[:, 0], y[:, 0] = rng.gamma(a, size=n), rng.gamma(b, size=n)
        z[:, 0] = x[:, 0] + y[:, 0] + rng.gamma(c, size=n)
        return x, y, z

    return Law("shares", shares_information(a, b, c), sample)


def shares_information(a: float, b: float, c: float) -> float:
    """I of two of three Dirichlet shares: h(Beta(a, b + c)) + h(Beta(b, a + c)) − h(Dir(a, b, c))."""
    total = a + b + c
    joint = gammaln(a) + gammaln(b) + gammaln(c) - gammaln(total) + (total - 3.0) * psi(total)
    joint -= sum((part - 1.0) * psi(part) for part in (a, b, c))
    return max(0.0, float(_beta_entropy(a, b + c) + _beta_entropy(b, a + c) - joint))


def _beta_entropy(a: float, b: float) -> float:
    inner = (a - 1.0) * psi(a) + (b - 1.0) * psi(b) - (a + b - 2.0) * psi(a + b)
    return float(betaln(a, b) - inner)


__all__ = [
    "draw_correlation",
    "draw_modulated",
    "draw_regimes",
    "draw_shares",
    "expected_information",
    "shares_information",
]
