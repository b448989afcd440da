"""A permutation test that draws no more permutations than it needs."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EXCEEDANCES = 2
"""After how many permuted statistics that reach the observed one a test gives up."""

# Estimates of equal samples differ by rounding when batches differ.
_ROUNDING = 1e-5
_BATCH = 8
# A statistic so many standard deviations above all permuted ones needs no more of them.
_FAR = 8.0
_LEAST_DEVIATION = 1e-4


@dataclass(frozen=True, slots=True)
class SequentialTest:
    """Result of a permutation test.

    Attributes:
        p_value: within (0, 1].
        permutations: how many were drawn.
        significant: whether the p-value is at most the level.
    """

    p_value: float
    permutations: int
    significant: bool


def sequential_test(
    observed: float, permuted: Callable[[int], NDArray[np.float64]], alpha: float
) -> SequentialTest:
    """Compare a statistic with permuted ones until the answer is known.

    The test stops when h = 2 permuted statistics have reached the observed one, after l of them, with
    p = h / l; or after B = ⌈h / alpha⌉ − 1, of which g < h did so, with p = (g + 1) / (B + 1) (Besag and
    Clifford, "Sequential Monte Carlo p-values", Biometrika 78, 1991). Under the null hypothesis,
    P(p ≤ alpha) ≤ alpha. It also stops after ⌈1 / alpha⌉ − 1 that all stay below, if the observed one is 8 of
    their standard deviations above their mean, which chance hardly ever does; p is then 1 / (draws + 1), an
    upper bound.

    Args:
        observed: the statistic of the sample.
        permuted: draws so many permuted statistics.
        alpha: the level.
    """
    most = math.ceil(EXCEEDANCES / alpha - 1e-9) - 1
    enough = math.ceil(1 / alpha - 1e-9) - 1
    drawn: list[float] = []
    reached = 0
    for size in _batches(enough, most):
        for statistic in permuted(size).tolist():
            drawn.append(statistic)
            reached += statistic >= observed - _ROUNDING
            if reached == EXCEEDANCES:
                p_value = EXCEEDANCES / len(drawn)
                return SequentialTest(p_value, len(drawn), p_value <= alpha)
        if len(drawn) == enough and not reached and _is_far(observed, drawn):
            break
    p_value = (reached + 1) / (len(drawn) + 1)
    return SequentialTest(p_value, len(drawn), p_value <= alpha)


def _batches(enough: int, most: int) -> Iterator[int]:
    for start, stop in ((0, enough), (enough, most)):
        for begin in range(start, stop, _BATCH):
            yield min(_BATCH, stop - begin)


def _is_far(observed: float, drawn: list[float]) -> bool:
    deviation = max(float(np.std(drawn)), _LEAST_DEVIATION)
    return observed - float(np.mean(drawn)) > _FAR * deviation


__all__ = ["EXCEEDANCES", "SequentialTest", "sequential_test"]
