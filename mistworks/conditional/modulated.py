"""Laws whose dependence itself changes with Z: correlations that Z moves, and shares of a sum that Z is."""

import numpy as np
from scipy.special import betaln, gammaln, psi

from mistworks.conditional.functions import Condition, draw_function
from mistworks.conditional.law import Array, Law
from mistworks.conditional.linear import Sizes
from mistworks.distributions.dispersion import cholesky_factor, factor_matrix
from mistworks.distributions.priors import log_uniform

_NODES = 200


def draw_modulated(sizes: Sizes, rng: np.random.Generator) -> Law:
    """Draw (X, Y) normal given z with correlation ρ(w): I(X;Y|Z) = E[−½ log(1 − ρ(w)²)].

    w is a projection of a normal Z with variance 1, and ρ(w) = r sin(f w + p) or r tanh(f w + p). X and Y are
    moved by functions of Z, which changes nothing. The expectation is a Gauss–Hermite sum. The first columns
    of X and Y are dependent; further ones are noise.
    """
    covariance = factor_matrix(sizes.dz, log_uniform(0.1, 2.0, rng), rng)
    factor = cholesky_factor(covariance)
    direction = rng.standard_normal(sizes.dz) * (rng.random(sizes.dz) < rng.uniform(1.0 / sizes.dz, 1.0))
    direction[int(rng.integers(sizes.dz))] += 1.0
    direction /= np.sqrt(direction @ covariance @ direction)
    strength, rate, phase = rng.uniform(0.2, 0.97), rng.uniform(0.3, 1.8), rng.normal() * rng.integers(2)
    bend = np.sin if rng.random() < 0.5 else np.tanh
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    values = -0.5 * np.log1p(-np.square(strength * bend(rate * nodes + phase)))
    condition = Condition(lambda n, rng: rng.standard_normal((n, sizes.dz)) @ factor.T, (), np.arcsinh)
    shifts = [draw_function(condition, d, rng) for d in (sizes.dx, sizes.dy)]
    pulls = [log_uniform(0.1, 3.0, rng) if rng.random() < 0.8 else 0.0 for _ in range(2)]

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        z = condition.sample(n, rng)
        correlation = strength * bend(rate * (z @ direction) + phase)
        x, y = (rng.standard_normal((n, d)) for d in (sizes.dx, sizes.dy))
        y[:, 0] = correlation * x[:, 0] + np.sqrt(1.0 - correlation**2) * y[:, 0]
        return x + pulls[0] * shifts[0](z), y + pulls[1] * shifts[1](z), z

    return Law("modulated", float(values @ weights / weights.sum()), sample)


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


__all__ = ["draw_modulated", "draw_shares", "shares_information"]
