"""Laws of class labels and integers, from tables of probabilities."""

import numpy as np
from scipy.special import xlogy

from mistworks.conditional.confounded import binary_information
from mistworks.conditional.law import Array, Law, Nominal
from mistworks.conditional.linear import Sizes
from mistworks.distributions.priors import log_uniform
from mistworks.distributions.tables import draw_table

_MOST_STATES = 64


def table_conditional_information(table: Array) -> float:
    """I(X;Y|Z) = H(X,Z) + H(Y,Z) − H(Z) − H(X,Y,Z) in nats.

    Args:
        table: probabilities with sum 1, shape (states of X, of Y, of Z).
    """
    parts = (
        xlogy(table, table).sum(),
        *(xlogy(part, part).sum() for part in (table.sum(axis=1), table.sum(axis=0), table.sum(axis=(0, 1)))),
    )
    return max(0.0, float(parts[0] - parts[1] - parts[2] + parts[3]))


def draw_discrete(sizes: Sizes, rng: np.random.Generator) -> Law:
    """Draw a table of X, Y and Z, of few or many states, dependent given Z, or not with probability 0.35.

    Each side's state is written in as many columns as it has, as digits of a mixed radix; columns that are
    left over are noise.
    """
    digits = [_radix(d, most, rng) for d, most in ((sizes.dx, 12), (sizes.dy, 12), (sizes.dz, _MOST_STATES))]
    shape = tuple(int(np.prod(radix)) for radix in digits)
    table = _draw_three_way(shape, rng)
    cmi = table_conditional_information(table)
    return _law(table, cmi if cmi > 1e-12 else 0.0, digits, sizes, rng)


def draw_parity(sizes: Sizes, rng: np.random.Generator) -> Law:
    """Draw bits X, Y and Z = X ⊕ Y ⊕ E: I(X;Y|Z) = log 2 − H(E) where X and Y are fair."""
    error = 0.5 * rng.random() ** 3
    bit = np.array([0, 1])
    parity = bit[:, None, None] ^ bit[:, None] ^ bit
    table = np.where(parity == 0, 1.0 - error, error) / 4.0
    digits = [[2], [2], [2]]
    return _law(table, binary_information(error), digits, sizes, rng)


def _draw_three_way(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    nx, ny, nz = shape
    weights = rng.dirichlet(np.full(nz, log_uniform(0.5, 20.0, rng)))
    like = rng.random()
    x_margins = _margins(nx, nz, like, rng)
    y_margins = _margins(ny, nz, like, rng)
    apart = x_margins[:, None] * y_margins[None]
    kind = rng.random()
    if kind < 0.35:
        return np.asarray(apart * weights)
    if kind < 0.65:
        together = rng.dirichlet(np.full(nx * ny, log_uniform(0.05, 5.0, rng)), size=nz).T
    elif kind < 0.85:
        together = np.stack([draw_table(nx, ny, rng).ravel() for _ in range(nz)], axis=1)
    else:
        one = draw_table(nx, ny, rng).ravel()
        shifts = rng.integers(0, nx, size=nz)
        together = np.stack([np.roll(one.reshape(nx, ny), shift, axis=0).ravel() for shift in shifts], axis=1)
    share = 1.0 if rng.random() < 0.3 else rng.random()
    table = (share * together.reshape(nx, ny, nz) + (1.0 - share) * apart) * weights
    return np.asarray(table / table.sum())


def _margins(states: int, nz: int, like: float, rng: np.random.Generator) -> Array:
    """Probabilities of the states given each of Z, between the same for all and unrelated, (states, nz)."""
    common = rng.dirichlet(np.full(states, 2.0))[:, None]
    own = rng.dirichlet(np.full(states, log_uniform(0.1, 5.0, rng)), size=nz).T
    return np.asarray(like * common + (1.0 - like) * own)


def _radix(d: int, most: int, rng: np.random.Generator) -> list[int]:
    """Numbers of values of the columns that hold a side's state, with a product up to ``most``."""
    used = int(rng.integers(1, d, endpoint=True)) if rng.random() < 0.5 else 1
    values: list[int] = []
    for _ in range(used):
        room = most // max(1, int(np.prod(values)))
        if room < 2:
            break
        values.append(int(min(room, max(2, log_uniform(2.0, 9.0, rng)))))
    return values


def _law(table: Array, cmi: float, digits: list[list[int]], sizes: Sizes, rng: np.random.Generator) -> Law:
    widths = sizes.dx, sizes.dy, sizes.dz
    cumulative = np.cumsum(table.ravel())
    named = rng.random() < 0.5
    noise = [int(rng.integers(2, 6)) for _ in range(3)]
    nominal: Nominal = tuple(tuple(range(d)) if named else () for d in widths)  # type: ignore[assignment]

    def side(state: Array, radix: list[int], width: int, levels: int, rng: np.random.Generator) -> Array:
        columns = list(np.unravel_index(state.astype(np.int64), radix))
        added = [rng.integers(0, levels, size=len(state)) for _ in range(width - len(columns))]
        return np.column_stack([*columns, *added]).astype(np.float64)

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        cells = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
        states = np.unravel_index(np.minimum(cells, table.size - 1), table.shape)
        x, y, z = (
            side(state, radix, width, levels, rng)
            for state, radix, width, levels in zip(states, digits, widths, noise, strict=True)
        )
        return x, y, z

    return Law("discrete", cmi, sample, nominal)


__all__ = ["draw_discrete", "draw_parity", "table_conditional_information"]
