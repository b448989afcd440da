"""Is there any dependence at all? A permutation test whose statistic is the estimated mutual information."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mistworks.errors import MistworksError, warn
from mistworks.estimation.estimate import Estimate
from mistworks.estimation.many import Model, estimate_many
from mistworks.preparation.prepare import prepare
from mistworks.preparation.reading import Side, read_pair

# Levels in the middle of a hundred equal parts: the mean of the quantiles there is the midpoint rule.
_LEVELS = (np.arange(100) + 0.5) / 100
# Estimates of equal samples differ by rounding when batches differ.
_ROUNDING = 1e-5


@dataclass(frozen=True, slots=True)
class IndependenceTest:
    """The result of a permutation test of independence.

    Attributes:
        statistic: the mean of the estimated distribution of the mutual information, in nats.
        p_value: the probability under independence of a statistic at least as large, within (0, 1].
        permutations: how many permuted samples the statistic was compared with.
        estimate: mutual information of the sample, with its quantiles.
    """

    statistic: float
    p_value: float
    permutations: int
    estimate: Estimate

    def __str__(self) -> str:
        return f"p = {self.p_value:.3g} by {self.permutations:,} permutations; I(X;Y) = {self.estimate}"


def independence_test(
    x: object,
    y: object,
    *,
    permutations: int = 200,
    model: Model = None,
    rng: np.random.Generator | int = 0,
) -> IndependenceTest:
    """Test whether X and Y are independent, by permuting the rows of y.

    Under independence every pairing of the rows is as likely as the observed one, so that
    p = (1 + #{permuted statistic ≥ observed}) / (permutations + 1) keeps its level with any estimator:
    P(p ≤ α) ≤ α (Phipson and Smyth, "Permutation p-values should never be zero", Stat. Appl. Genet. Mol.
    Biol. 9, 2010). Ties, also ties but for rounding, count for independence. A good estimator makes the test
    powerful; it does not have to make it valid.

    The statistic is the mean of the quantiles, since the median is often exactly 0 for weak dependence and
    would tie; a model without quantiles is compared by its point estimate.

    Rows must be independent draws: a test on a time series whose points depend on one another rejects too
    often.

    Args:
        x: n points of X, shape (n, dx) or (n,): an array, a tensor, a DataFrame or a list; columns of strings
            and of pandas' type ``category`` are class labels.
        y: n points of Y, shape (n, dy) or (n,), likewise.
        permutations: how many, at least 1; the least possible p is 1 / (permutations + 1).
        model: an estimator, what `mistworks.load` takes, or None for the weights that come with the package.
        rng: where the permutations come from: a generator or a seed. By default a fixed seed, so that equal
            input gives an equal answer.

    Raises:
        MistworksError: x and y are not a sample, or permutations is less than 1.
    """
    if permutations < 1:
        raise MistworksError(f"Expected at least 1 permutation, got {permutations}. Use 200.")
    pairs = _permuted(*_independent_rows(x, y), permutations, np.random.default_rng(rng))
    observed, *others = estimate_many(pairs, model)
    statistic = _statistic(observed)
    at_least = sum(_statistic(other) >= statistic - _ROUNDING for other in others)
    return IndependenceTest(statistic, (1 + at_least) / (1 + permutations), permutations, observed)


def _independent_rows(x: object, y: object) -> tuple[Side, Side]:
    """Both sides without copies of points, which permuting would tear apart and so make dependence of."""
    sides = read_pair(x, y)
    prepared = prepare(*sides)
    for note in prepared.notes:
        warn(note)
    if prepared.rows is None:
        return sides
    return sides[0].rows(prepared.rows), sides[1].rows(prepared.rows)


def _permuted(x: Side, y: Side, permutations: int, rng: np.random.Generator) -> Iterator[tuple[Side, Side]]:
    yield x, y
    for _ in range(permutations):
        yield x, y.rows(rng.permutation(len(y)))


def _statistic(estimate: Estimate) -> float:
    return estimate.mi if estimate.quantiles is None else float(np.mean(estimate.quantile(_LEVELS)))


__all__ = ["IndependenceTest", "independence_test"]
