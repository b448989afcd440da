"""Recordings of a standard normal (rounded, counted, classed, censored) and the information they keep.

A coarsening cuts the real line into intervals, each recorded as one value (an atom) or exactly. Any
continuous margin is a monotone map of a standard normal, so that coarsenings represent recordings of every
margin.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, pdtr, xlogy

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Array
from mistworks.distributions.priors import log_uniform

_LIMIT = 8.3
_REACH = 7.0
_WIDEST = 0.5
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)
# Nodes around a cut seen through noise of scale 1, where the normal distribution function bends.
_TURNS = np.array([-6.0, -4.0, -2.5, -1.2, 0.0, 1.2, 2.5, 4.0, 6.0])
_MOST_LEVELS = 300


@dataclass(frozen=True, eq=False)
class Coarsening:
    """A function of a standard normal z that is constant on some intervals and the identity on the others.

    Attributes:
        cuts: inner ends of the intervals, increasing, shape (intervals − 1,).
        atoms: whether an interval is recorded as one value, shape (intervals,).
        codes: distinct values recorded for the atoms, shape (intervals,); unused for exact intervals.
    """

    cuts: Array
    atoms: NDArray[np.bool_]
    codes: FloatArray

    def __call__(self, z: FloatArray) -> FloatArray:
        """Record each z, same shape, float32."""
        if not len(self.cuts):
            return np.full_like(z, self.codes[0]) if self.atoms[0] else z
        interval = np.searchsorted(self.cuts, z)
        if self.atoms.all():
            return self.codes[interval]
        return np.where(self.atoms[interval], self.codes[interval], z)

    @cached_property
    def masses(self) -> Array:
        """Probability of each interval, shape (intervals,)."""
        lower, upper = np.r_[-np.inf, self.cuts], np.r_[self.cuts, np.inf]
        # In the right half from the right tail, to keep digits.
        flip = lower > 0
        return np.asarray(np.where(flip, ndtr(-lower) - ndtr(-upper), ndtr(upper) - ndtr(lower)))

    @property
    def reversed(self) -> "Coarsening":
        """The coarsening of −z with the same cuts of z."""
        return Coarsening(-self.cuts[::-1], self.atoms[::-1], self.codes[::-1])


EXACT = Coarsening(np.empty(0), np.zeros(1, dtype=np.bool_), np.zeros(1, dtype=np.float32))
"""z itself."""


def joint(views: Sequence[Coarsening]) -> Coarsening:
    """Combine several coarsenings of one z: an interval is an atom if it is one in all of them."""
    cuts = np.unique(np.concatenate([view.cuts for view in views]))
    inside = _midpoints(cuts)
    atoms = np.logical_and.reduce([view.atoms[np.searchsorted(view.cuts, inside)] for view in views])
    return Coarsening(cuts, atoms, np.arange(len(atoms), dtype=np.float32))


def coarse_information(rho: float, x: Coarsening, y: Coarsening) -> float:
    """I(x(U); y(V)) in nats for standard normal U and V of correlation ρ.

    Pairs of atoms contribute Σ p log(p / (p p′)). An exact interval of V contributes the integral over it of
    φ(v) Σₐ P(a | v) log(P(a | v) / P(a)); for an exact interval of U the term is the integral over u of
    p(u | v) log(p(u | v) / φ(u)), in closed form. The same holds with U and V swapped. Integrals over v use
    Gauss–Legendre quadrature between all cuts and where P(a | v) bends, to about 1e-6 nats.

    Args:
        rho: from −1 to 1. With ±1, no interval of U and V may be exact in both.
        x: coarsening of U.
        y: coarsening of V.

    Raises:
        ValueError: the information is infinite.
    """
    if rho < 0:
        x, rho = x.reversed, -rho
    if rho == 0.0:
        return 0.0
    if rho == 1.0:
        return _identical(x, y)
    if not (len(x.cuts) or len(y.cuts) or x.atoms[0] or y.atoms[0]):
        return float(-0.5 * np.log1p(-(rho**2)))
    total = _atoms(rho, x, y) + _beside_exact(rho, x, y, exact=True) + _beside_exact(rho, y, x, exact=False)
    return max(0.0, total)


def _identical(x: Coarsening, y: Coarsening) -> float:
    """The same for U = V: where an atom meets an exact interval, the term is −log P of the atom."""
    both = joint((x, y))
    inside = _midpoints(both.cuts)
    x_cell, y_cell = np.searchsorted(x.cuts, inside), np.searchsorted(y.cuts, inside)
    x_atom, y_atom, mass = x.atoms[x_cell], y.atoms[y_cell], both.masses
    if bool((mass[~x_atom & ~y_atom] > 0).any()):
        raise ValueError("Expected no interval that both sides record exactly where U = V.")
    x_log, y_log, log = (np.log(np.maximum(p, 1e-300)) for p in (x.masses[x_cell], y.masses[y_cell], mass))
    ratio = np.where(x_atom & y_atom, log - x_log - y_log, np.where(x_atom, -x_log, -y_log))
    return max(0.0, float((mass * ratio).sum()))


def _atoms(rho: float, x: Coarsening, y: Coarsening) -> float:
    """Σ p log(p / (p p′)) over pairs of atoms."""
    if not (x.atoms.any() and y.atoms.any()):
        return 0.0
    nodes, weights, row = _nodes(rho, x, y, y.atoms)
    first, given = _given(rho, x, nodes)
    intervals = len(x.atoms)
    column = np.minimum(first[:, None] + np.arange(given.shape[1]), intervals - 1)
    table = np.bincount(
        (row[:, None] * intervals + column).ravel(),
        (weights[:, None] * given).ravel(),
        len(y.atoms) * intervals,
    ).reshape(len(y.atoms), intervals)[np.ix_(y.atoms, x.atoms)]
    product = np.outer(y.masses[y.atoms], x.masses[x.atoms])
    return float((xlogy(table, table) - xlogy(table, np.maximum(product, 1e-300))).sum())


def _beside_exact(rho: float, x: Coarsening, y: Coarsening, *, exact: bool) -> float:
    """Information of exact intervals of Y about atoms of X and, if ``exact``, about its exact intervals."""
    if y.atoms.all() or not (exact or x.atoms.any()):
        return 0.0
    nodes, weights, _ = _nodes(rho, x, y, ~y.atoms)
    first, given = _given(rho, x, nodes)
    column = np.minimum(first[:, None] + np.arange(given.shape[1]), len(x.atoms) - 1)
    terms = xlogy(given, given) - xlogy(given, np.maximum(x.masses, 1e-300)[column])
    if x.atoms.all():
        return float(weights @ terms.sum(axis=1))
    atoms = x.atoms[column]
    terms = np.where(atoms, terms, _log_ratio(rho, x, nodes, first, given) if exact else 0.0)
    return float(weights @ terms.sum(axis=1))


def _log_ratio(rho: float, x: Coarsening, nodes: Array, first: NDArray[np.intp], given: Array) -> Array:
    """∫ p(u | v) log(p(u | v) / φ(u)) du over the intervals of `_given`, shape (nodes, intervals).

    With t = (u − ρv)/s the logarithm is −log s − t²/2 + u²/2, and the moments of t over an interval are those
    of a truncated normal.
    """
    s = np.sqrt(1.0 - rho**2)
    ends = np.clip((_edges(x, given.shape[1], first) - rho * nodes[:, None]) / s, -40.0, 40.0)
    density = np.exp(-0.5 * ends**2) / np.sqrt(2.0 * np.pi)
    mean = -np.diff(density, axis=1)
    square = given - np.diff(ends * density, axis=1)
    centre = rho * nodes[:, None]
    u_square = centre**2 * given + 2.0 * centre * s * mean + s**2 * square
    return np.asarray(-np.log(s) * given - 0.5 * square + 0.5 * u_square)


def _given(rho: float, x: Coarsening, nodes: Array) -> tuple[NDArray[np.intp], Array]:
    """P(U in an interval | v) at nodes v, for intervals that are not negligible given v.

    Returns:
        The number of the first interval of each node, shape (nodes,), and the probabilities from there on,
        shape (nodes, K); 0 beyond the last interval.
    """
    s = np.sqrt(1.0 - rho**2)
    first = np.searchsorted(x.cuts, rho * nodes - _REACH * s)
    last = np.searchsorted(x.cuts, rho * nodes + _REACH * s)
    ends = _edges(x, int((last - first).max(initial=0)) + 1, first)
    return first, np.diff(ndtr((ends - rho * nodes[:, None]) / s), axis=1)


def _edges(x: Coarsening, intervals: int, first: NDArray[np.intp]) -> Array:
    """Ends of ``intervals`` intervals from each ``first`` on, shape (len(first), intervals + 1)."""
    edges = np.concatenate([[-np.inf], x.cuts, np.full(intervals + 1, np.inf)])
    return np.asarray(edges[first[:, None] + np.arange(intervals + 1)])


def _nodes(
    rho: float, x: Coarsening, y: Coarsening, wanted: NDArray[np.bool_]
) -> tuple[Array, Array, NDArray[np.intp]]:
    """Nodes v in the wanted intervals of Y, their weights including φ(v), and the interval of each node."""
    turn = np.sqrt(1.0 - rho**2) / rho
    width = min(_WIDEST, 1.5 * turn)
    ends = [y.cuts, np.arange(-_LIMIT, _LIMIT, width)]
    if len(x.cuts) * len(_TURNS) < len(ends[1]):
        ends = [y.cuts, np.arange(-_LIMIT, _LIMIT, _WIDEST), (x.cuts[:, None] / rho + turn * _TURNS).ravel()]
    points = np.unique(np.clip(np.concatenate([*ends, [-_LIMIT, _LIMIT]]), -_LIMIT, _LIMIT))
    lower, upper = points[:-1], points[1:]
    row = np.searchsorted(y.cuts, 0.5 * (lower + upper))
    kept = wanted[row]
    lower, upper, row = lower[kept], upper[kept], row[kept]
    half = 0.5 * (upper - lower)[:, None]
    nodes = (lower[:, None] + half * (1.0 + _NODES)).ravel()
    weights = (half * _WEIGHTS).ravel() * np.exp(-0.5 * nodes**2) / np.sqrt(2.0 * np.pi)
    return nodes, weights, np.repeat(row, len(_NODES))


def _midpoints(cuts: Array) -> Array:
    """A point within each interval, shape (len(cuts) + 1,)."""
    if not len(cuts):
        return np.zeros(1)
    return np.concatenate([[cuts[0] - 1.0], 0.5 * (cuts[:-1] + cuts[1:]), [cuts[-1] + 1.0]])


def draw_coarsening(rng: np.random.Generator) -> Coarsening:
    """Draw a coarsening of one of the kinds below, none of which is constant."""
    weights = np.array([weight for _, weight in _KINDS])
    draw, _ = _KINDS[int(rng.choice(len(_KINDS), p=weights / weights.sum()))]
    return draw(rng)


def draw_discrete(rng: np.random.Generator) -> Coarsening:
    """Draw a coarsening into atoms only: a bit (often rare), classes, integers or counts."""
    return _DISCRETE[int(rng.integers(len(_DISCRETE)))](rng)


def _exact(_rng: np.random.Generator) -> Coarsening:
    return EXACT


def _rounded(rng: np.random.Generator) -> Coarsening:
    """Rounding of a normal, uniform, exponential or log-normal quantity to 3 to 300 levels."""
    levels = log_uniform(3.0, _MOST_LEVELS, rng)
    offset, kind = rng.random(), int(rng.integers(4))
    if kind == 0:
        return _all_atoms(5.0 / levels * (np.arange(-2 * levels, 2 * levels) + offset))
    if kind == 1:
        return _all_atoms(ndtri((np.arange(int(levels), dtype=np.float64) + offset) / int(levels)))
    values = 5.0 / levels * (np.arange(3 * levels) + offset)
    if kind == 2:
        return _all_atoms(-ndtri(np.exp(-values)))
    return _all_atoms(np.log(values + 1e-9) / rng.uniform(0.3, 1.2))


def _counted(rng: np.random.Generator) -> Coarsening:
    """Poisson counts with a mean from 0.05 to 100."""
    mean = log_uniform(0.05, 100.0, rng)
    return _all_atoms(ndtri(pdtr(np.arange(mean + 8.0 * np.sqrt(mean) + 8.0), mean)))


def _binary(rng: np.random.Generator) -> Coarsening:
    """Whether z exceeds a threshold, with probability 0.001 to ½."""
    return _all_atoms(np.array([-ndtri(log_uniform(0.001, 0.5, rng))], dtype=np.float64))


def _classes(rng: np.random.Generator) -> Coarsening:
    """2 to 40 classes with random shares, usually with codes in random order."""
    count = int(log_uniform(2.0, 41.0, rng))
    masses = rng.gamma(log_uniform(0.3, 5.0, rng), size=count) + 0.002
    return _all_atoms(
        ndtri(masses.cumsum()[:-1] / masses.sum()), rng.permutation(count) if rng.random() < 0.7 else None
    )


def _censored(rng: np.random.Generator) -> Coarsening:
    """Constant below a limit, outside two limits, or between them; exact elsewhere."""
    kind = int(rng.integers(4))
    if kind < 2:
        cut = np.asarray(ndtri(rng.uniform(0.02, 0.9, 1)))
        return Coarsening(cut, np.array([True, False]), np.full(2, cut[0], dtype=np.float32))
    low, high = np.sort(rng.uniform(0.02, 0.98, 2))
    cuts = ndtri(np.array([low, max(high, low + 0.01)]))
    atoms = np.array([True, False, True]) if kind == 2 else np.array([False, True, False])
    codes = np.array([cuts[0], cuts.mean(), cuts[1]], dtype=np.float32)
    return Coarsening(cuts, atoms, codes)


def _reflected(rng: np.random.Generator) -> Coarsening:
    """A bit, a censoring or counts of −z."""
    drawn = (_binary, _censored, _counted)[int(rng.integers(3))](rng).reversed
    return Coarsening(drawn.cuts, drawn.atoms, -drawn.codes)


_KINDS: tuple[tuple[Callable[[np.random.Generator], Coarsening], float], ...] = (
    (_exact, 2.5),
    (_rounded, 3.0),
    (_counted, 1.0),
    (_binary, 1.5),
    (_classes, 1.5),
    (_censored, 1.0),
    (_reflected, 0.7),
)

_DISCRETE = (_binary, _binary, _binary, _classes, _classes, _rounded, _counted)


def _all_atoms(cuts: NDArray[np.floating], order: NDArray[np.int64] | None = None) -> Coarsening:
    """One atom between neighbouring cuts; cuts too far out are dropped."""
    cuts = np.unique(cuts[np.abs(cuts) < 0.9 * _LIMIT].astype(np.float64))
    if not len(cuts):
        cuts = np.zeros(1, dtype=np.float64)
    codes = np.arange(len(cuts) + 1) if order is None or len(order) != len(cuts) + 1 else order
    return Coarsening(np.asarray(cuts), np.ones(len(cuts) + 1, dtype=np.bool_), codes.astype(np.float32))


__all__ = ["EXACT", "Coarsening", "coarse_information", "draw_coarsening", "draw_discrete", "joint"]
