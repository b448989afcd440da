"""Sequential permutation tests: draw only as many permutations as the answer needs.

One test compares an observed statistic with draws from its null distribution, one after the other. L(t) is
how many of the first t draws are at least as large. Under the null hypothesis the observed statistic and the
draws are exchangeable, so that L(t) is uniform on 0, …, t, or larger where draws tie. Drawing stops as soon
as L reaches a boundary b that never increases. With a constant boundary this is the test of Besag and
Clifford, "Sequential Monte Carlo p-values", Biometrika 78 (1991).

- A test that has survived t draws, L(t) < b(t), has p ≤ b(t) / (t + 1): since b never increases and L never
  decreases, surviving t draws means L(t) < b(t), which has that probability under the null hypothesis.
- A test that stops at draw t has survived t − 1, so that p = b(t − 1) / t.
- A test that survives all N draws has p = (1 + L(N)) / (N + 1), as without a boundary.

The first bound only falls as drawing goes on. So it is a valid p-value whenever drawing stops, for whatever
reason: P(p ≤ α) ≤ α, also if it stops because other tests have been decided (Fischer, Barry and Ramdas,
"Multiple testing with anytime-valid Monte Carlo p-values", arXiv:2404.15586, 2024).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mistworks.estimation.evidence import ROUNDING

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

_EXCEEDANCES = 10
# Enough where the level is all that is asked.
_FEWEST = 2
_BATCH = 8
# A statistic so many standard deviations above all permuted ones needs no more of them.
_FAR, _LEAST_DEVIATION = 8.0, 1e-4
# Few exceedances suffice to call off a test early, and only the strongest pairs need many permutations.
_FIRST, _EARLY = 8, 30


def constant_boundary(permutations: int, exceedances: int = _EXCEEDANCES) -> Counts:
    """Return b(t) = h for t = 0, …, N: relative errors of p-values are about 1/√h."""
    return np.full(permutations + 1, exceedances, dtype=np.int64)


def falling_boundary(permutations: int) -> Counts:
    """Return b(t) for t = 0, …, N that falls like 1/√t from 8 at the 30th draw to 1 at the 1,920th.

    It makes strong pairs significant after fewer draws than a constant boundary does, at the price of a
    larger Monte Carlo error of their p-values.
    """
    draws = np.maximum(np.arange(permutations + 1), _EARLY)
    return np.maximum(1, np.floor(_FIRST * np.sqrt(_EARLY / draws) + 1e-9)).astype(np.int64)


class SequentialTests:
    """Tests that are drawn for by turns, N draws each at most.

    Attributes:
        draws: how many draws each test has seen, shape (tests,).
        exceedances: L of each.
        stopped: which have reached the boundary.
    """

    def __init__(self, tests: int, boundary: Counts) -> None:
        self.boundary = boundary
        self.most = len(boundary) - 1
        self.draws = np.zeros(tests, dtype=np.int64)
        self.exceedances = np.zeros(tests, dtype=np.int64)
        self.stopped = np.zeros(tests, dtype=np.bool_)

    def add(self, tests: NDArray[np.intp], exceeds: NDArray[np.bool_]) -> None:
        """Add draws to tests that have not stopped; draws after one that stops a test are ignored.

        Args:
            tests: which, all with as many draws so far, shape (k,).
            exceeds: which draws are at least as large as observed, shape (k, draws).
        """
        before = int(self.draws[tests[0]])
        counts = self.exceedances[tests, None] + np.cumsum(exceeds, axis=1)
        numbers = before + np.arange(1, exceeds.shape[1] + 1)
        outside = counts >= self.boundary[numbers]
        stops = outside.any(axis=1)
        last = np.where(stops, outside.argmax(axis=1), exceeds.shape[1] - 1)
        self.exceedances[tests] = np.take_along_axis(counts, last[:, None], axis=1)[:, 0]
        self.draws[tests] = numbers[last]
        self.stopped[tests] = stops

    def p_values(self) -> Array:
        """Return p-values that are valid now, and never rise as draws are added, shape (tests,)."""
        survived = self.draws - self.stopped
        bounds = np.minimum(1.0, self.boundary[survived] / (survived + 1))
        complete = ~self.stopped & (self.draws == self.most)
        return np.where(complete, (1 + self.exceedances) / (1 + self.most), bounds)

    def least_p_values(self) -> Array:
        """Return what p-values could still become, shape (tests,)."""
        return np.where(self.stopped, self.p_values(), (1 + self.exceedances) / (1 + self.most))


@dataclass(frozen=True, slots=True)
class SequentialTest:
    """Result of one test at a level.

    Attributes:
        p_value: within (0, 1].
        permutations: how many were drawn.
        significant: whether the p-value is at most the level.
    """

    p_value: float
    permutations: int
    significant: bool


def sequential_test(observed: float, permuted: Callable[[int], Array], alpha: float) -> SequentialTest:
    """Compare a statistic with permuted ones until the answer is known.

    The boundary is h = 2, and N = ⌈h / alpha⌉ − 1. The test also stops after ⌈1 / alpha⌉ − 1 draws that all
    stay below, if the observed statistic is 8 of their standard deviations above their mean, which chance
    hardly ever does; p is then 1 / (draws + 1), an upper bound.

    Args:
        observed: the statistic of the sample.
        permuted: draws so many permuted statistics.
        alpha: the level.
    """
    most = math.ceil(_FEWEST / alpha - 1e-9) - 1
    enough = math.ceil(1 / alpha - 1e-9) - 1
    tests, drawn = SequentialTests(1, constant_boundary(most, _FEWEST)), np.empty(0)
    p_value = 1.0
    for size in _batches(enough, most):
        latest = permuted(size)
        drawn = np.concatenate([drawn, latest])
        tests.add(np.array([0]), (latest >= observed - ROUNDING)[None])
        p_value = float(tests.p_values()[0])
        if tests.stopped[0]:
            break
        if len(drawn) == enough and not tests.exceedances[0] and _is_far(observed, drawn):
            p_value = 1 / (enough + 1)
            break
    return SequentialTest(p_value, int(tests.draws[0]), p_value <= alpha)


def _batches(enough: int, most: int) -> Iterator[int]:
    for start, stop in ((0, enough), (enough, most)):
        for begin in range(start, stop, _BATCH):
            yield min(_BATCH, stop - begin)


def _is_far(observed: float, drawn: Array) -> bool:
    return observed - float(drawn.mean()) > _FAR * max(float(drawn.std()), _LEAST_DEVIATION)


def significant(p_values: Array, fdr: float) -> NDArray[np.bool_]:
    """Return which hypotheses are rejected by the procedure of Benjamini and Hochberg.

    With p₍₁₎ ≤ … ≤ p₍ₘ₎, those up to the largest k with p₍ₖ₎ ≤ k · fdr / m: "Controlling the false discovery
    rate", J. R. Stat. Soc. B 57 (1995). NaN counts as no hypothesis.

    Args:
        p_values: shape (tests,).
        fdr: the false discovery rate.
    """
    tested = ~np.isnan(p_values)
    ordered = np.sort(p_values[tested])
    below = np.flatnonzero(ordered <= fdr * np.arange(1, len(ordered) + 1) / max(len(ordered), 1))
    if not len(below):
        return np.zeros(len(p_values), dtype=np.bool_)
    return np.asarray(tested & (p_values <= ordered[below[-1]]))


__all__ = [
    "SequentialTest",
    "SequentialTests",
    "constant_boundary",
    "falling_boundary",
    "sequential_test",
    "significant",
]
