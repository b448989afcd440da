"""Check on seeded samples whether an estimator has the invariances of mutual information."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mistworks.config import FrozenConfig
from mistworks.errors import MistworksError, MistworksWarning
from mistworks.estimation.estimator import Estimate, TrainingRange
from mistworks.estimation.inputs import MIN_POINTS
from mistworks.networks.base import Invariance
from mistworks.randomness import stream

Array = NDArray[np.float64]
Pair = tuple[Array, Array]
Estimates = Callable[[Array, Array], Estimate]

# Values on a grid: increasing maps stay strictly increasing in float32 and create no ties.
_GRID = 2.0**10


class InvarianceConfig(FrozenConfig):
    """Settings of the checks.

    Attributes:
        samples: number of ordinary samples, in addition to the odd ones.
        largest_n: maximum number of points of a sample.
        largest_d: maximum number of coordinates of X and of Y.
        absolute: change in nats that counts as rounding.
        relative: change as a share of the estimate that counts as rounding, added to ``absolute``.
        seed: root seed of the samples.
    """

    samples: int = Field(default=16, ge=1)
    largest_n: int = Field(default=128, ge=MIN_POINTS)
    largest_d: int = Field(default=8, ge=1)
    absolute: float = Field(default=1e-3, ge=0)
    relative: float = Field(default=1e-3, ge=0)
    seed: int = Field(default=0, ge=0)


@dataclass(frozen=True, slots=True)
class InvarianceCheck:
    """Result of the check of one property.

    Attributes:
        name: an `Invariance`, or one of ``"finite"``, ``"non-negative"`` and ``"ordered quantiles"``, which
            every estimate must satisfy.
        declared: whether the estimator promises the property.
        comparisons: number of estimates checked.
        violated: number of estimates that violate the property by more than rounding.
        largest: largest violation in nats, rounding included; infinite if an estimate is not a number.
    """

    name: str
    declared: bool
    comparisons: int
    violated: int
    largest: float

    @property
    def passed(self) -> bool:
        """Whether the property holds, or was not promised."""
        return not self.declared or self.violated == 0


def check_invariances(
    estimate: Estimates,
    declared: frozenset[Invariance],
    sizes: TrainingRange,
    config: InvarianceConfig | None = None,
) -> tuple[InvarianceCheck, ...]:
    """Check an estimator on samples within its sizes, and on odd samples for finite estimates.

    Args:
        estimate: maps x of shape (n, dx) and y of shape (n, dy) to an estimate. A `MistworksError` violates
            ``"finite"`` and every comparison with that estimate.
        declared: invariances that the estimator promises. The others are checked and reported too.
        sizes: minimum and maximum of n, dx and dy.
        config: number of samples and tolerance.
    """
    config = config or InvarianceConfig()
    rng = stream(config.seed, "gate", "invariance", 0)
    samples = [_sample(rng, sizes, config) for _ in range(config.samples)]
    plain = [_values(estimate, pair) for pair in samples]
    odd = [_values(estimate, pair) for pair in _odd_samples(rng)]
    checks = [*_of_estimates(plain + odd)]
    for name, change in _CHANGES.items():
        changed = [_values(estimate, change(pair, rng)) for pair in samples]
        checks.append(_compared(name, name in declared, plain, changed, config))
    return tuple(checks)


def _of_estimates(values: Sequence[Array]) -> tuple[InvarianceCheck, ...]:
    """Check that estimates are finite and non-negative, with ordered quantiles."""
    # Upper quantiles may be infinite if one side is a function of the other.
    broken = np.array([np.isnan(value).any() or not np.isfinite(value[0]) for value in values])
    below = np.array([max(0.0, -float(np.nanmin(value, initial=0.0))) for value in values])
    crossing = np.array(
        [
            max(0.0, -float(np.nanmin(np.diff(value[1:][np.isfinite(value[1:])]), initial=0.0)))
            for value in values
        ]
    )
    return (
        InvarianceCheck("finite", True, len(values), int(broken.sum()), np.inf if broken.any() else 0.0),
        InvarianceCheck("non-negative", True, len(values), int((below > 0).sum()), float(below.max())),
        InvarianceCheck(
            "ordered quantiles", True, len(values), int((crossing > 0).sum()), float(crossing.max())
        ),
    )


def _compared(
    name: str, declared: bool, before: Sequence[Array], after: Sequence[Array], config: InvarianceConfig
) -> InvarianceCheck:
    violated, largest = 0, 0.0
    for one, other in zip(before, after, strict=True):
        changes = _changes(one, other)
        change = float(np.nan_to_num(changes, nan=np.inf).max())
        allowed = config.absolute + config.relative * float(np.abs(one[np.isfinite(one)]).max(initial=0.0))
        violated += not change <= allowed
        largest = max(largest, change)
    return InvarianceCheck(name, declared, len(before), violated, largest)


def _changes(one: Array, other: Array) -> Array:
    if one.shape != other.shape:
        return np.array([np.inf])
    both = np.isinf(one) & np.isinf(other)
    return np.asarray(np.abs(np.where(both, 0.0, other) - np.where(both, 0.0, one)))


def _values(estimate: Estimates, pair: Pair) -> Array:
    """Return the point estimate and the quantiles, if any; NaN alone after a failure."""
    with warnings.catch_warnings():
        # Odd samples are outside the training range on purpose.
        warnings.simplefilter("ignore", MistworksWarning)
        try:
            result = estimate(*pair)
        except MistworksError:
            return np.array([np.nan])
    return np.array([result.mi, *(result.quantiles or ())], dtype=np.float64)


def _sample(rng: np.random.Generator, sizes: TrainingRange, config: InvarianceConfig) -> Pair:
    """Draw heavy-tailed coordinates with a shared factor, so that X and Y are dependent."""
    n = _size(rng, max(sizes.n[0], MIN_POINTS), min(sizes.n[1], config.largest_n))
    dx, dy = (_size(rng, d[0], min(d[1], config.largest_d)) for d in (sizes.dx, sizes.dy))
    factor = rng.standard_normal((n, 1))
    x, y = (rng.uniform(0.2, 2.0) * factor + rng.standard_t(5, size=(n, d)) for d in (dx, dy))
    return np.round(x * _GRID) / _GRID, np.round(y * _GRID) / _GRID


def _size(rng: np.random.Generator, low: int, high: int) -> int:
    """Draw an integer from low to high, log-uniform; low if high is smaller."""
    return low if high <= low else int(np.exp(rng.uniform(np.log(low), np.log(high + 1))))


def _odd_samples(rng: np.random.Generator) -> list[Pair]:
    """Samples that break estimators: constants, ties, copies, extremes, the minimum number of points."""
    x, y = rng.standard_normal((50, 2)), rng.standard_normal((50, 3))
    few = rng.standard_normal((MIN_POINTS, 2))
    return [
        (np.zeros((50, 2)), y),
        (np.sign(x), np.sign(y)),
        (x, x),
        (1e30 * x, 1e-30 * y),
        (rng.standard_cauchy((50, 2)), rng.standard_cauchy((50, 3))),
        (few, few[::-1]),
    ]


def _permute_points(pair: Pair, rng: np.random.Generator) -> Pair:
    order = rng.permutation(len(pair[0]))
    return pair[0][order], pair[1][order]


def _permute_coordinates(pair: Pair, rng: np.random.Generator) -> Pair:
    x, y = (side[:, rng.permutation(side.shape[1])] for side in pair)
    return x, y


def _shift_and_scale(pair: Pair, rng: np.random.Generator) -> Pair:
    x, y = (
        2.0 ** rng.integers(-8, 9, side.shape[1]) * side + rng.integers(-9, 10, side.shape[1])
        for side in pair
    )
    return x, y


def _map_increasingly(pair: Pair, _rng: np.random.Generator) -> Pair:
    return np.exp(pair[0] / 4), np.arcsinh(2 * pair[1])


def _reflect(pair: Pair, rng: np.random.Generator) -> Pair:
    x, y = (side * rng.choice([-1.0, 1.0], side.shape[1]) for side in pair)
    return x, y


def _swap(pair: Pair, _rng: np.random.Generator) -> Pair:
    return pair[1], pair[0]


_CHANGES: Mapping[Invariance, Callable[[Pair, np.random.Generator], Pair]] = MappingProxyType(
    {
        "points": _permute_points,
        "coordinates": _permute_coordinates,
        "location-scale": _shift_and_scale,
        "increasing": _map_increasingly,
        "reflection": _reflect,
        "swap": _swap,
    }
)


__all__ = ["Array", "Estimates", "InvarianceCheck", "InvarianceConfig", "Pair", "check_invariances"]
