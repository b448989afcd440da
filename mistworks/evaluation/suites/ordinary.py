"""Ordinary tables: integers, rounded values, counts, classes, rare events, limits, zeros, mixtures, copies.

These are common in real files, and estimators for continuous variables fail on them. Truths are exact, by
tables or by construction. The suite is written independently of the families that estimators are trained on,
with its own constructions and parameters. No estimator is trained on it, calibrated on it or chosen by it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from mistworks.distributions import JointDistribution, Normal
from mistworks.evaluation.distributions.composed import Product, Widened
from mistworks.evaluation.distributions.exact import Tabled, numbered
from mistworks.evaluation.distributions.observed import (
    Claims,
    ClassesOnALine,
    CountedDose,
    GammaClasses,
    Hurdle,
    IndependentIntegers,
    Survival,
)
from mistworks.evaluation.distributions.pointwise import Array
from mistworks.evaluation.distributions.recorded import (
    CensoredNormals,
    RoundedDelays,
    RoundedNormals,
    SignificantDigits,
)
from mistworks.evaluation.distributions.tables import (
    bit_table,
    confusion_table,
    cycle_table,
    dice_table,
    inflated_count_table,
    score_table,
    shared_count_table,
    shared_rate_table,
    thinned_count_table,
    zipf,
)
from mistworks.evaluation.suites.base import Entry, GridSuite

NAME = "ordinary"
VERSION = "1"
SIZES = (50, 200, 1_000, 5_000, 20_000)
REPLICATES = 3

Member = tuple[str, JointDistribution]
_INFINITE = float("inf")
_MANY_COLUMNS, _MANY_COLUMNS_SIZE = 6, 5_000


def ordinary(sizes: Sequence[int] = SIZES) -> GridSuite:
    """Build the suite at the given sample sizes."""
    entries = tuple(_within_minutes(entry) for entry in _entries())
    return GridSuite(NAME, VERSION, entries, sizes, REPLICATES)


def _within_minutes(entry: Entry) -> Entry:
    """Drop the largest samples with many columns, where nearest neighbours cost n²."""
    wide = entry.joint.dx + entry.joint.dy > _MANY_COLUMNS
    return replace(entry, max_n=entry.max_n or _MANY_COLUMNS_SIZE) if wide else entry


def _entries() -> Iterator[Entry]:
    numbers = {
        "integers": _integers(),
        "rounded": _rounded(),
        "counts": _counts(),
        "rare": _rare(),
        "censored": _censored(),
        "zero-inflated": _zero_inflated(),
    }
    for family, members in numbers.items():
        for name, joint in members:
            yield Entry(name, family, joint)
    yield from _classes()
    yield from _mixed_blocks()
    yield from _copies()


def _integers() -> Iterator[Member]:
    yield "age-score-1x1", numbered(score_table(20, 64, 60, 0.05), 20)
    yield "dice-1x1", numbered(dice_table(20), 2, 2)
    yield "hour-next-hour-1x1", numbered(cycle_table(24, 4))
    weekdays, hours = np.array([5.0, 6, 6, 7, 9, 4, 2]), np.hanning(26)[1:-1]
    yield "weekday-hour-independent-1x1", numbered(np.outer(weekdays, hours), 1)
    yield "years-percentages-independent-3x2", IndependentIntegers((30, 45, 12), (101, 64))


def _rounded() -> Iterator[Member]:
    yield "normal-coarse-1x1", RoundedNormals(-0.7, 0.5, 1.0)
    yield "normal-fine-weak-1x1", RoundedNormals(0.3, 0.12, 0.2)
    yield "delays-1x1", RoundedDelays(0.1, 0.25)
    yield "prices-1x1", SignificantDigits(0.85, 1.5)
    yield "three-readings-3x3", Product(tuple(RoundedNormals(r, 0.25, 0.4) for r in (0.6, 0.4, 0.2)))
    apart = RoundedNormals(0.0, 0.2, 0.1), RoundedNormals(0.0, 0.05, 0.15)
    yield "readings-independent-2x2", Product(apart)


def _counts() -> Iterator[Member]:
    yield "shared-shocks-1x1", numbered(shared_count_table(2.0, 3.0, 1.5))
    yield "thinned-1x1", numbered(thinned_count_table(9.0, 0.6))
    yield "shared-rate-1x1", numbered(shared_rate_table(1.5, 4.0, 9.0))
    yield "dose-1x1", CountedDose(0.5, 2.0)
    three = ((0.5, 0.5, 1.0), (6.0, 2.0, 3.0), (1.0, 4.0, 0.5))
    yield "three-shared-shocks-3x3", Product(tuple(numbered(shared_count_table(*means)) for means in three))
    geometric, poisson = 0.6 ** np.arange(30), thinned_count_table(3.0, 1.0).sum(axis=1)
    yield "geometric-poisson-independent-1x1", numbered(np.outer(geometric, poisson))


def _rare() -> Iterator[Member]:
    yield "bit-with-itself-1x1", numbered(bit_table(0.02))
    yield "noisy-bit-1x1", numbered(bit_table(0.04, missed=0.2, false=0.01))
    yield "event-shifts-reading-1x1", ClassesOnALine((0.97, 0.03), (0.0, 3.0), 1)
    yield "bit-among-noise-5x4", Widened(numbered(bit_table(0.03)), x_noise=4, y_noise=3)
    weights = np.array([0.9, 0.06, 0.02, 0.015, 0.005])
    yield "alarm-by-fault-1x1", numbered(weights[:, None] * np.array([[0.995, 0.005], *[[0.3, 0.7]] * 4]))
    yield "bits-independent-1x1", numbered(np.outer([0.97, 0.03], [0.98, 0.02]))


def _censored() -> Iterator[Member]:
    floors = (0.3, _INFINITE), (-0.2, _INFINITE)
    yield "detection-limits-1x1", CensoredNormals(0.8, *floors)
    yield "saturated-sensor-1x1", CensoredNormals(0.95, (-_INFINITE, _INFINITE), (-0.8, 0.8))
    yield "survival-1x1", Survival(0.9, 1.5)
    pair = CensoredNormals(-0.6, (-_INFINITE, 0.5), floors[1]), CensoredNormals(0.0, *floors)
    yield "two-limits-2x2", Product(pair)
    yield "limits-independent-1x1", CensoredNormals(0.0, (0.8, _INFINITE), (-0.5, 1.0))


def _zero_inflated() -> Iterator[Member]:
    yield "rain-1x1", Hurdle(((0.5, 0.1), (0.15, 0.25)), 0.7)
    yield "claims-1x1", Claims(0.4)
    yield "inflated-counts-1x1", numbered(inflated_count_table(0.5, 2.0, 1.5))
    stations = Hurdle(((0.3, 0.1), (0.1, 0.5)), 0.5), Hurdle(((0.8, 0.05), (0.05, 0.1)), 0.9)
    yield "two-stations-2x2", Product(stations)
    apart = ((0.42, 0.28), (0.18, 0.12))
    yield "rain-independent-2x2", Product((Hurdle(apart, 0.0),) * 2)


def _classes() -> Iterator[Entry]:
    entry = partial(Entry, family="classes")
    both = partial(entry, x_classes=(0,), y_classes=(0,))
    yield both("raters-12-1x1", joint=numbered(confusion_table(zipf(12), 0.3)))
    yield both("identical-40-1x1", joint=numbered(np.diag(zipf(40, 0.7))))
    independent = numbered(np.outer(zipf(8), zipf(15, 0.5)))
    yield both("classes-independent-1x1", joint=independent)
    jobs = GammaClasses((0.4, 0.3, 0.2, 0.1), (1.0, 3.0, 1.0, 8.0), (1.0, 1.0, 4.0, 0.2))
    yield entry("duration-by-job-1x1", joint=jobs, x_classes=(0,))
    species = ClassesOnALine((0.5, 0.3, 0.2), (-1.5, 0.0, 2.0), 8)
    yield entry("species-in-8-columns-1x8", joint=species, x_classes=(0,))
    yield entry("colour-size-kind-2x1", joint=_colour_and_size(), x_classes=(0, 1), y_classes=(0,))


def _mixed_blocks() -> Iterator[Entry]:
    entry = partial(Entry, family="mixed-blocks")
    raters, ages = numbered(confusion_table(zipf(5), 0.2)), numbered(score_table(18, 80, 20, 0.04), 18)
    shocks, normal = numbered(shared_count_table(1.0, 2.0, 1.0)), _normal(0.5)
    small = Product((raters, ages, normal))
    yield entry("class-age-reading-3x3", joint=small, x_classes=(0,), y_classes=(0,))
    several = Widened(Product((raters, shocks, normal)), x_noise=3, y_noise=1)
    yield entry("among-noise-6x4", joint=several, x_classes=(0,), y_classes=(0,))
    wide = Product((raters, *(shocks, normal, ages, RoundedNormals(0.4, 0.3, 0.3)) * 2, *(_normal(0.0),) * 3))
    yield entry("wide-12x12", joint=wide, x_classes=(0,), y_classes=(0,))
    apart = numbered(np.outer(zipf(5), zipf(7))), numbered(np.outer(np.ones(40), np.hanning(62)[1:-1]))
    nothing = Product((*apart, Hurdle(((0.42, 0.28), (0.18, 0.12)), 0.0), _normal(0.0), _normal(0.0)))
    yield entry("mixed-independent-5x5", joint=nothing, x_classes=(0,), y_classes=(0,))


def _copies() -> Iterator[Entry]:
    entry = partial(Entry, family="copies")
    yield entry("pair-6x6", joint=Widened(_normal(0.75), x_copies=5, y_copies=5))
    pairs = Product((_normal(0.8), _normal(-0.5)))
    yield entry("two-pairs-13x13", joint=Widened(pairs, 5, 6, x_noise=6, y_noise=5))
    crowd = Widened(_normal(0.85), 18, 18, x_noise=18, y_noise=18)
    yield entry("pair-among-copies-and-noise-37x37", joint=crowd, max_n=1_000)
    yield entry("integers-4x3", joint=Widened(numbered(score_table(20, 50, 30, 0.1)), 3, 2))
    yield entry("sums-5x4", joint=Widened(pairs, x_sums=3, y_sums=2))
    yield entry("bits-4x4", joint=Widened(numbered(bit_table(0.4, 0.1, 0.2)), 3, 3))
    yield entry("copies-independent-5x5", joint=Widened(_normal(0.0), 3, 2, 0, 0, 1, 2))


def _normal(rho: float) -> Normal:
    return Normal(np.array([[1.0, rho], [rho, 1.0]]), 1)


def _colour_and_size() -> Tabled:
    """Four colours and three sizes, dependent, which determine one of five kinds, with exceptions."""
    rng = np.random.default_rng(0)
    pairs = rng.dirichlet(np.full(12, 2.0))
    law = 0.85 * np.eye(5)[rng.integers(0, 5, 12)] + 0.15 / 5
    colours, sizes = np.divmod(np.arange(12.0), 3)
    values: Array = np.column_stack([colours, sizes])
    return Tabled(pairs[:, None] * law, values, np.arange(5.0)[:, None])


__all__ = ["NAME", "REPLICATES", "SIZES", "VERSION", "Member", "ordinary"]
