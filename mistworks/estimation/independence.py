"""Is there any dependence at all? A permutation test whose statistic is the estimated mutual information."""

from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mistworks.conditional import conditional_many
from mistworks.errors import MistworksError, warn
from mistworks.estimation.estimate import Estimate
from mistworks.estimation.evidence import evidence
from mistworks.estimation.many import Model, estimate_many
from mistworks.permutation.conditional import Residuals, residuals_given
from mistworks.permutation.smoothing import Regression
from mistworks.permutation.statistics import larger, means, p_value, squared_correlations
from mistworks.permutation.strata import Rows
from mistworks.preparation.prepare import prepare
from mistworks.preparation.reading import Missing, Side, read_sides
from mistworks.preparation.table import joined, random_part, require_repeated_classes

MOST_ROWS = 20_000
"""Number of rows beyond which a random part is tested: so many show any dependence worth knowing of."""

# Of the variance, where what a regression misses of a function of several columns is as large.
_LITTLE = 0.01


@dataclass(frozen=True, slots=True)
class IndependenceTest:
    """The result of a permutation test of independence, or of independence given Z.

    Attributes:
        statistic: the mean of the estimated distribution of the mutual information, in nats; given Z, a
            difference of such means, which can be negative.
        p_value: the probability under independence of as much evidence of dependence, within (0, 1].
        permutations: how many permuted samples the statistic was compared with.
        estimate: mutual information of the sample, with its quantiles; given Z, the conditional one.
        given: names of the columns of Z, its positions where they have none; empty without Z.
    """

    statistic: float
    p_value: float
    permutations: int
    estimate: Estimate
    given: tuple[Hashable, ...] = ()

    def __str__(self) -> str:
        what = "I(X;Y|Z)" if self.given else "I(X;Y)"
        return f"p = {self.p_value:.3g} by {self.permutations:,} permutations; {what} = {self.estimate}"


def independence_test(
    x: object,
    y: object,
    *,
    given: object | None = None,
    missing: Missing = "raise",
    classes: Collection[Hashable] = (),
    permutations: int = 200,
    model: Model = None,
    rng: np.random.Generator | int = 0,
) -> IndependenceTest:
    """Test whether X and Y are independent, or independent given Z, by permuting rows.

    Under independence every pairing of the rows is as likely as the observed one, so that
    p = (1 + #{permuted evidence ≥ observed}) / (permutations + 1) keeps its level with any estimator:
    P(p ≤ α) ≤ α (Phipson and Smyth, "Permutation p-values should never be zero", Stat. Appl. Genet. Mol.
    Biol. 9, 2010). Ties, also ties but for rounding, count for independence. A good estimator makes the test
    powerful; it does not have to make it valid.

    Samples are compared by how much the quantiles speak for any dependence at all, see
    `mistworks.estimation.evidence`; a model without quantiles is compared by its point estimate.

    **Given Z**, rows are permuted among points of similar Z only (Runge, "Conditional independence testing
    based on a nearest-neighbor estimator of conditional mutual information", AISTATS 2018), here within the
    leaves of random trees, of at least 8 points each, so that no point is used twice. Before that, what a
    smooth regression on Z predicts is subtracted from continuous columns, which leaves I(X;Y|Z) as it is; and
    points are similar only if the regression predicts similar values and residuals. It is a regression of
    normal scores or of smooth maps of the values, whichever leaves the smaller share: only the latter follows
    a function of Z whose noise is smaller than the gaps between ranks. The statistic is the chain rule
    I(X;Y|Z) = I(X;Y,Z) − I(X;Z), averaged with X and Y exchanged, or for Z of a few classes the average over
    these; or the squared correlations of the residuals (Shah and Peters, "The hardness of
    conditional independence testing and the generalised covariance measure", Ann. Statist. 48, 2020),
    whichever is larger in units of its deviation over all permutations.

    Where Z consists of classes, or of numbers with few values, rows are permuted within equal Z, and the
    level is exact. Otherwise it is approximate: no test keeps its level for every Z that is continuous (Shah
    and Peters). It rejects too often where X and Y follow Z in ways that the regression does not resolve,
    such as a product of columns of Z with a noise of a few hundredths of it.

    Rows must be independent draws: a test on a time series whose points depend on one another rejects too
    often; see `mistworks.transfer_entropy` and `mistworks.lag_profile`.

    Args:
        x: n points of X, shape (n, dx) or (n,): an array, a tensor, a DataFrame or a list; columns of strings
            and of pandas' type ``category`` are class labels.
        y: n points of Y, shape (n, dy) or (n,), likewise.
        given: n points of Z, shape (n, dz) or (n,), likewise; None for independence without a condition.
        missing: what happens to missing values, see `mistworks.estimate`.
        classes: names of columns of numbers that are class labels.
        permutations: how many, at least 1; the least possible p is 1 / (permutations + 1).
        model: an estimator, what `mistworks.load` takes, or None for the weights that come with the package.
        rng: where the permutations come from, and the part of the rows that is tested where there are more
            than 20,000: a generator or a seed. By default a fixed seed, so that equal
            input gives an equal answer.

    Raises:
        MistworksError: x, y and given are not a sample, permutations is less than 1, or no two rows have the
            same classes of Z.

    Warns:
        MistworksWarning: copies of rows were left out, a random part of the rows was used, or x and y are
            both within a tenth of their deviation a function of several numbers of Z, which the regression
            may not resolve.
    """
    if permutations < 1:
        raise MistworksError(f"Expected at least 1 permutation, got {permutations}. Use 200.")
    rng = np.random.default_rng(rng)
    if given is None:
        x, y = _independent_rows([("x", x), ("y", y)], missing, classes, rng)
        estimates = estimate_many(_permuted(x, y, permutations, rng), model)
        evident = np.array([evidence(each, len(x)) for each in estimates])
        return IndependenceTest(float(means(estimates[:1])[0]), p_value(evident), permutations, estimates[0])
    x, y, given = _independent_rows([("x", x), ("y", y), ("given", given)], missing, classes, rng)
    statistic, p = _test_given(x, y, given, permutations, model, rng)
    estimate = conditional_many([(x, y, given)], model)[0]
    return IndependenceTest(statistic, p, permutations, estimate, given.labels)


def _test_given(
    x: Side, y: Side, given: Side, permutations: int, model: Model, rng: np.random.Generator
) -> tuple[float, float]:
    """The statistic of I(X;Y|Z) in nats and its p-value by local permutations."""
    left = residuals_given(x, y, Regression(given, rng))
    if (~given.nominal).sum() > 1 and max(left.x.share, left.y.share) < _LITTLE:
        warn(
            "x and y are both nearly functions of several columns of given, so that independence given these "
            "may be rejected too often; use fewer columns, or less exact x or y"
        )
    orders = [np.arange(len(x)), *left.orders(permutations, rng)]
    estimated, correlated = statistics_given(left, orders, model)
    return float(estimated[0]), p_value(larger(estimated, correlated))


def statistics_given(
    left: Residuals, orders: Sequence[Rows], model: Model
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimates of I(X;Y|Z) in nats and squared correlations, with the rows of X in each of B orders.

    Returns:
        Two arrays of shape (B,).
    """
    own = np.arange(len(left.given))
    reordered = [left.x.in_order(order) for order in orders]
    xs = [side for side, _ in reordered]
    # As the rows of X in their own order.
    y, residuals = left.y.in_order(own)
    by_class = left.within_classes
    estimated = (_within_classes if by_class else _by_chain_rule)(xs, y, left, model)
    groups = left.groups if by_class else [own]
    return estimated, np.array([squared_correlations(each, residuals, groups) for _, each in reordered])


def _within_classes(xs: Sequence[Side], y: Side, left: Residuals, model: Model) -> NDArray[np.float64]:
    """Σ P(Z = z) I(X;Y|Z = z) for each X."""
    ys = [y.rows(rows) for rows in left.groups]
    pairs = ((x.rows(rows), y) for x in xs for rows, y in zip(left.groups, ys, strict=True))
    estimates = means(estimate_many(pairs, model)).reshape(len(xs), -1)
    weights = np.array([len(rows) for rows in left.groups]) / len(left.given)
    return np.asarray(estimates @ weights)


def _by_chain_rule(xs: Sequence[Side], y: Side, left: Residuals, model: Model) -> NDArray[np.float64]:
    """(I(X;Y,Z) − I(X;Z) + I(Y;X,Z) − I(Y;Z)) / 2 for each X."""
    given = left.given
    with_y = joined([y, given])

    def pairs() -> Iterator[tuple[Side, Side]]:
        for x in xs:
            yield x, with_y
            yield x, given
            yield y, joined([x, given])
        yield y, given

    estimates = means(estimate_many(pairs(), model))
    x_of_both, x_of_given, y_of_both = estimates[:-1].reshape(-1, 3).T
    return np.asarray((x_of_both - x_of_given + y_of_both - estimates[-1]) / 2)


def _independent_rows(
    sides: Sequence[tuple[str, object]],
    missing: Missing,
    classes: Collection[Hashable],
    rng: np.random.Generator,
) -> list[Side]:
    """The sides without copies of points, which permuting would tear apart and so make dependence of."""
    read = read_sides(sides, missing=missing, classes=classes)
    require_repeated_classes(read, [name for name, _ in sides])
    read = random_part(read, MOST_ROWS, "a test", rng)
    prepared = prepare(read[0], read[1] if len(read) == 2 else joined(read[1:]))
    for note in prepared.notes:
        warn(note)
    return read if prepared.rows is None else [side.rows(prepared.rows) for side in read]


def _permuted(x: Side, y: Side, permutations: int, rng: np.random.Generator) -> Iterator[tuple[Side, Side]]:
    yield x, y
    for _ in range(permutations):
        yield x, y.rows(rng.permutation(len(y)))


__all__ = ["IndependenceTest", "independence_test", "statistics_given"]
