"""What autocorrelation does to a test and to an interval: circular shifts, and how far apart rows must be."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mistworks.errors import warn
from mistworks.estimation.estimate import Estimate, averaged
from mistworks.permutation.smoothing import scored_columns
from mistworks.permutation.strata import Rows
from mistworks.preparation.table import Table

# A hundredth of the series on either side of the observed one is alike enough to be no other series.
_NEAR = 0.02
_LEAST_THINNED = 25
_LONGEST = 0.25


def shifts(n: int, count: int, least: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return how far one series is shifted against the other, around its ends: each shift at most once.

    A shift keeps all that is within each series, and only the two places where its ends meet are new. Where
    the series are stationary and independent, the observed one is about as likely as each shifted one.

    Args:
        n: length of the series.
        count: how many shifts; fewer where there are fewer.
        least: the smallest shift in either direction.
        rng: chooses them.
    """
    least = max(least, int(_NEAR * n), 1)
    others = np.arange(least, n - least + 1)
    return rng.choice(others, min(count, len(others)), replace=False)


def rolled(n: int, shift: int) -> Rows:
    """Return the order of n rows in which each is replaced by the one some steps before."""
    return (np.arange(n) - shift) % n


def spacing(x: Table, y: Table) -> int:
    """How many steps rows of two series must be apart to count as independent draws.

    The sample correlation of two independent series has a variance of (1 + 2 Σ ρ_x(k) ρ_y(k)) / n instead of
    1/n (Bartlett, "Some aspects of the time-correlation problem in regard to tests of significance", J. Roy.
    Statist. Soc. 98, 1935); so many times fewer rows are as good as independent. Autocorrelations are those
    of normal scores and of indicators of classes, the largest of all columns, summed up to the first product
    below 2/√n. At least 25 rows are left.

    Warns:
        MistworksWarning: fewer than 25 rows would be left, so that the ones that are used still repeat each
            other, and the level of a test by shifts is higher than it says.
    """
    n = len(x)
    products = _autocorrelations(x) * _autocorrelations(y)
    below = np.flatnonzero(products < 2 / np.sqrt(n))
    end = int(below[0]) if len(below) else len(products)
    apart = int(np.ceil(1 + 2 * products[:end].sum()))
    most = max(1, n // _LEAST_THINNED)
    if apart > most:
        warn(
            f"x and y change so slowly that rows are about independent only {apart:,} steps apart, and their "
            f"{n:,} steps are few: intervals and p-values are too small; pass longer series, or differences"
        )
    return min(apart, most)


def thinned(rows: Rows, apart: int) -> list[Rows]:
    """Return rows 0, apart, 2 · apart, … of those given, then those from row 1 on, and so forth."""
    return [rows[start::apart] for start in range(apart)]


def averaged_over_starts(estimates: Sequence[Estimate]) -> Estimate:
    """Return the average of estimates from rows that are apart, one from each start.

    Each covers as it promises, and their mean varies less than each. The rows of one count as used: those of
    the others lie between them and repeat what they say.
    """
    rows = [each.n_used for each in estimates if each.n_used is not None]
    return replace(averaged(estimates), n_used=min(rows, default=None))


def _autocorrelations(side: Table) -> NDArray[np.float64]:
    """The largest absolute autocorrelation of the columns at steps 1, 2, …, up to a quarter of the rows."""
    n = len(side)
    largest = np.zeros(int(_LONGEST * n))
    for column in scored_columns(side):
        centred = column - column.mean()
        power = np.abs(np.fft.rfft(centred, 2 * n)) ** 2
        products = np.fft.irfft(power)[: len(largest) + 1]
        if products[0] > 0:
            largest = np.maximum(largest, np.abs(products[1:] / products[0]))
    return largest


__all__ = ["averaged_over_starts", "rolled", "shifts", "spacing", "thinned"]
