"""Power of the permutation test at level 5 %: does a measure see a dependence at all, whatever its unit?

Each block is a sample and 19 copies of it with permuted y. The test rejects independence if the measure of
the sample exceeds that of every copy, which happens with a probability of at most 1 / 20 if x and y are
independent (Phipson and Smyth, "Permutation p-values should never be zero", 2010). The copies are part of the
suite, so that all measures are compared on the same permutations.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions import JointDistribution, Normal, Student
from mistworks.distributions.dispersion import sparse_matrix
from mistworks.errors import MistworksError
from mistworks.evaluation.distributions.independent import IndependentBlocks
from mistworks.evaluation.intervals import clopper_pearson
from mistworks.evaluation.results import Results
from mistworks.evaluation.suites.base import ROOT_SEED, Case, Suite
from mistworks.evaluation.suites.beyond import pointwise_distributions
from mistworks.randomness import stream

NAME = "power"
VERSION = "1"
SIZES = (50,)
REPLICATES = 20

PERMUTATIONS = 19
"""The level of the test is 1 / (permutations + 1)."""

DEPENDENT, INDEPENDENT = "dependent", "independent"

# Of the suite `beyond`, which has their true values.
_BEYOND = (
    "sine-1x1",
    "parabola-1x1",
    "ring-1x1",
    "growing-noise-1x1",
    "mixture-x-1x1",
    "interaction-2x1",
    "parity-2x1",
)


@dataclass(frozen=True, slots=True)
class PowerRow:
    """How often the permutation test rejects independence.

    Attributes:
        suite: name of the suite.
        estimator: name of the estimator.
        relation: name of the relation between X and Y, ``"dependent"`` for all relations but the independent
            pairs, or ``"independent"`` for those.
        count: number of tests.
        failures: number of tests that the estimator failed on, on the sample or on a copy. They do not
            reject.
        rejections: number of tests that reject.
        rate: rejections per test: power, or for independent pairs the rate of false alarms.
        low: lower end of the 95 % interval of the rate (Clopper and Pearson).
        high: upper end of the same interval.
    """

    suite: str
    estimator: str
    relation: str
    count: int
    failures: int
    rejections: int
    rate: float
    low: float
    high: float


class PowerSuite(Suite):
    """Every relation at every size; copies vary fastest, then relations, sizes and replicates."""

    name = NAME
    version = VERSION
    block = 1 + PERMUTATIONS

    def __init__(self, sizes: Sequence[int] = SIZES, replicates: int = REPLICATES) -> None:
        self.sizes = tuple(sizes)
        self.replicates = replicates
        self._relations = tuple(_relations())

    def __len__(self) -> int:
        return self.block * len(self._relations) * len(self.sizes) * self.replicates

    @override
    def case(self, position: int) -> Case:
        """Return the case at a position: ``"00 of sine-1x1"`` is a sample, ``"07 of sine-1x1"`` a copy."""
        copy, (relation, joint), n, replicate = self._at(position)
        mi = 0.0 if copy else float(joint.mutual_information)
        return Case(f"{copy:02d} of {relation}", relation, n, joint.dx, joint.dy, mi, 0.0, replicate)

    @override
    def sample(self, position: int) -> tuple[FloatArray, FloatArray]:
        copy, (relation, joint), n, replicate = self._at(position)
        x, y = joint.sample(n, stream(ROOT_SEED, f"suite-{NAME}", f"{relation} n={n}", replicate))
        if copy:
            rng = stream(ROOT_SEED, f"suite-{NAME}", f"copy {copy} of {relation} n={n}", replicate)
            y = np.ascontiguousarray(y[rng.permutation(n)])
        return x, y

    def _at(self, position: int) -> tuple[int, tuple[str, JointDistribution], int, int]:
        rest, copy = divmod(range(len(self))[position], self.block)
        rest, relation = divmod(rest, len(self._relations))
        replicate, size = divmod(rest, len(self.sizes))
        return copy, self._relations[relation], self.sizes[size], replicate


def power(sizes: Sequence[int] = SIZES) -> PowerSuite:
    """Build the suite at the given sample sizes."""
    return PowerSuite(sizes)


def powers(results: Results) -> tuple[PowerRow, ...]:
    """Count the rejections of the test: of all dependent pairs, of all independent ones, by relation.

    Raises:
        MistworksError: the results are not from the suite ``"power"``, or hold no whole block.
    """
    if results.suite != NAME:
        raise MistworksError(
            f"Expected results on the suite {NAME!r}, got {results.suite!r}. Evaluate on {NAME!r}."
        )
    of_relation = dict.fromkeys(str(name).partition(" of ")[2] for name in results.name)
    tests: dict[tuple[str, int, int], dict[int, float]] = {}
    columns = (results.name, results.n, results.replicate, results.estimate)
    for name, n, replicate, estimate in zip(*columns, strict=True):
        copy, _, relation = str(name).partition(" of ")
        tests.setdefault((relation, int(n), int(replicate)), {})[int(copy)] = float(estimate)
    whole = {key: values for key, values in tests.items() if len(values) == 1 + PERMUTATIONS}
    if not whole:
        raise MistworksError(f"Expected results on {NAME!r} with a whole block of copies, got none.")
    independent = {relation for relation in of_relation if relation.startswith(INDEPENDENT)}
    groups = {
        DEPENDENT: {relation for relation in of_relation if relation not in independent},
        INDEPENDENT: independent,
        **{relation: {relation} for relation in of_relation},
    }
    rows = (
        _row(results, group, [values for (relation, _, _), values in whole.items() if relation in among])
        for group, among in groups.items()
    )
    return tuple(row for row in rows if row.count)


def power_of(results: Results) -> float | None:
    """Return the rate of rejections of the dependent pairs; None on another suite, or without such pairs."""
    if results.suite != NAME:
        return None
    return next((row.rate for row in powers(results) if row.relation == DEPENDENT), None)


def _row(results: Results, relation: str, tests: Sequence[dict[int, float]]) -> PowerRow:
    values = np.array([[test[copy] for copy in range(1 + PERMUTATIONS)] for test in tests])
    values = values.reshape(-1, 1 + PERMUTATIONS)
    # Ties, and NaN of failures, are no rejection.
    rejections = int((values[:, :1] > values[:, 1:]).all(axis=1).sum())
    low, high = clopper_pearson(rejections, len(values))
    return PowerRow(
        results.suite,
        results.estimator,
        relation,
        count=len(values),
        failures=int((~np.isfinite(values)).any(axis=1).sum()),
        rejections=rejections,
        rate=rejections / len(values) if len(values) else np.nan,
        low=low,
        high=high,
    )


def _relations() -> Iterator[tuple[str, JointDistribution]]:
    yield "normal-1x1", Normal(np.array([[1.0, 0.4], [0.4, 1.0]]), 1)
    yield "normal-sparse-5x5", Normal(sparse_matrix(5, 5, 1, 1.5), 5)
    yield "student-2x2", Student(np.eye(4), 2, 2.0)
    beyond = pointwise_distributions()
    for name in _BEYOND:
        yield name, beyond[name]
    yield f"{INDEPENDENT}-normal-1x1", IndependentBlocks("normal", "normal", 1, 1)
    yield f"{INDEPENDENT}-cauchy-3x3", IndependentBlocks("cauchy", "cauchy", 3, 3)


__all__ = [
    "DEPENDENT",
    "INDEPENDENT",
    "NAME",
    "PERMUTATIONS",
    "REPLICATES",
    "SIZES",
    "VERSION",
    "PowerRow",
    "PowerSuite",
    "power",
    "power_of",
    "powers",
]
