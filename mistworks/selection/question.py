"""What columns tell of a target beyond those that are chosen, and what chance would tell."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mistworks.errors import MistworksWarning
from mistworks.estimation.estimate import Estimate
from mistworks.estimation.evidence import evidence
from mistworks.estimation.many import BatchEstimator, estimate_many
from mistworks.permutation.conditional import Residuals, left_of, residuals_given
from mistworks.permutation.smoothing import Regression
from mistworks.permutation.statistics import means
from mistworks.preparation.table import Side, joined
from mistworks.selection.screening import Functions, functions_of, score_columns, score_pairs

Array = NDArray[np.float64]
Group = tuple[int, ...]
"""Positions of columns that are looked at together."""

MOST_ESTIMATED = 40
"""Of more columns than these, the ones of the highest cheap scores are estimated in each step."""
MOST_PAIRED = 200
"""Among how many columns of the highest cheap scores pairs are looked for."""
MOST_PAIRS = 8
"""How many pairs of the highest cheap scores are estimated."""

# Added where an estimate is a lower bound of what is infinite.
_INFINITE = 1e6


@dataclass(frozen=True, eq=False)
class Question:
    """What d columns tell of a target given others.

    Conditional mutual information is the same for what is left of columns and target when what the given ones
    predict is subtracted, and far easier to tell from chance.

    Attributes:
        columns: the columns, less what the given ones predict.
        positions: where they are among the features, shape (d,).
        given: the given columns; None for none.
        target: the target, less what the given columns predict.
        residuals: permute the target among points where the given columns are alike; None for all points.
        model: estimates mutual information.
    """

    columns: Side
    positions: NDArray[np.intp]
    given: Side | None
    target: Side
    residuals: Residuals | None
    model: BatchEstimator

    def only(self, chosen: Sequence[int] | NDArray[np.intp]) -> "Question":
        """Return the same question about some of the columns."""
        places = np.asarray(chosen, dtype=np.intp)
        return replace(self, columns=self.columns.columns(places), positions=self.positions[places])

    def permuted(self, count: int, rng: np.random.Generator) -> list[Side]:
        """Return targets that depend on the given columns as before, and on the others only through them."""
        if self.residuals is not None:
            return [self.target.rows(order) for order in self.residuals.orders(count, rng)]
        return [self.target.rows(rng.permutation(len(self.target))) for _ in range(count)]

    def evident(self, targets: Sequence[Side]) -> Array:
        """Return the evidence of dependence of each target on each column, by itself, in nats.

        That is how much mutual information, if it were known without error, would be as evident. As what the
        given columns predict is subtracted, it tells of I(column; target | given) unless the given columns
        change how the two depend on each other, and it varies far less than `gains`.

        Where there are more than `MOST_ESTIMATED` columns, those of lower cheap scores get −∞.

        Returns:
            Shape (number of targets, d).
        """
        n = len(self.target)
        chosen = [self._worth_estimating(target) for target in targets]
        sides = [self.columns.columns([column]) for column in range(len(self.positions))]
        pairs = [
            (sides[column], target)
            for target, own in zip(targets, chosen, strict=True)
            for column in own.tolist()
        ]
        values = iter(estimates_of(pairs, self.model))
        found = np.full((len(targets), len(self.positions)), -np.inf)
        for row, columns in enumerate(chosen):
            found[row, columns] = [nats_as_evident(next(values), n) for _ in columns]
        return found

    def gains(self, targets: Sequence[Side]) -> Array:
        """Return I(given, column; target) − I(given; target) in nats for each target and column.

        Where there are more than `MOST_ESTIMATED` columns, those of lower cheap scores get −∞.

        Returns:
            Shape (number of targets, d).
        """
        d = len(self.positions)
        gains = np.full((len(targets), d), -np.inf)
        chosen = [self._worth_estimating(target) for target in targets]
        groups = [[(column,) for column in columns.tolist()] for columns in chosen]
        for row, (columns, values) in enumerate(zip(chosen, self.joint_gains(targets, groups), strict=True)):
            gains[row, columns] = values
        return gains

    def joint_gains(self, targets: Sequence[Side], groups: Sequence[Sequence[Group]]) -> list[Array]:
        """Return I(given, group; target) − I(given; target) in nats, of groups of columns for each target."""
        given = [] if self.given is None else [self.given]
        sides: dict[Group, Side] = {}
        pairs = []
        for target, own in zip(targets, groups, strict=True):
            if given:
                pairs.append((given[0], target))
            for group in own:
                if group not in sides:
                    sides[group] = joined([*given, self.columns.columns(list(group))])
                pairs.append((sides[group], target))
        values = finite_means(estimates_of(pairs, self.model))
        parts = np.split(values, np.cumsum([len(given) + len(own) for own in groups])[:-1])
        return [part[1:] - part[0] if given else part for part in parts]

    def likely_pairs(self, target: Side) -> list[tuple[int, int]]:
        """Return the pairs of columns of the highest cheap scores, at most `MOST_PAIRS`."""
        goal = functions_of(target)
        among = self._likely(goal, MOST_PAIRED)
        functions = Functions(self._functions.values[:, among], self._functions.present[:, among])
        scores = score_pairs(functions, functions, goal)
        first, second = np.triu_indices(len(among), 1)
        best = np.argsort(-scores[first, second], kind="stable")[:MOST_PAIRS]
        return [(int(among[first[each]]), int(among[second[each]])) for each in best]

    def _worth_estimating(self, target: Side) -> NDArray[np.intp]:
        if len(self.positions) <= MOST_ESTIMATED:
            return np.arange(len(self.positions))
        return self._likely(functions_of(target), MOST_ESTIMATED)

    def _likely(self, goal: Functions, most: int) -> NDArray[np.intp]:
        if len(self.positions) <= most:
            return np.arange(len(self.positions))
        given = None if self.given is None else functions_of(self.given)
        scores = score_columns(self._functions, given, goal)
        return np.sort(np.argsort(-scores, kind="stable")[:most])

    @cached_property
    def _functions(self) -> Functions:
        return functions_of(self.columns)


def ask(
    features: Side,
    target: Side,
    chosen: Sequence[int],
    others: Sequence[int],
    model: BatchEstimator,
    rng: np.random.Generator,
) -> Question:
    """Ask what each of some columns tells of the target, given those that are chosen.

    Args:
        features: all columns.
        target: the target.
        chosen: positions of the given columns.
        others: positions of the columns in question.
        model: estimates mutual information.
        rng: for the regression on the chosen columns.
    """
    columns, positions = features.columns(others), np.asarray(others, dtype=np.intp)
    if not chosen:
        return Question(columns, positions, None, target, None, model)
    given = features.columns(chosen)
    regression = Regression(given, rng)
    # The target is its own other side: one that may not change places with it.
    residuals = residuals_given(target, target, regression)
    left = left_of(columns, regression).side
    return Question(left, positions, given, residuals.x.side, residuals, model)


def estimates_of(pairs: Sequence[tuple[Side, Side]], model: BatchEstimator) -> list[Estimate]:
    """Estimate without the warnings, which would tell of permuted samples too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MistworksWarning)
        return estimate_many(pairs, model)


def nats_as_evident(estimate: Estimate, n: int) -> float:
    """What m has the evidence m / (m + 1 / (4n)) of an estimate; finite and large where that is certain."""
    certain = evidence(estimate, n)
    return certain / (1 - certain) / (4 * n) if certain < 1 else _INFINITE + estimate.mi


def finite_means(estimates: Sequence[Estimate]) -> Array:
    """Return the means of the quantiles in nats; finite and large where quantiles are infinite."""
    values = means(estimates)
    points = np.array([estimate.mi for estimate in estimates])
    return np.where(np.isfinite(values), values, _INFINITE + points)


__all__ = [
    "MOST_ESTIMATED",
    "MOST_PAIRED",
    "MOST_PAIRS",
    "Question",
    "ask",
    "estimates_of",
    "finite_means",
    "nats_as_evident",
]
