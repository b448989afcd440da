"""Greedy search for the columns that tell about a target, one at a time, or two where only both tell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mistworks.estimation.estimate import Estimate
from mistworks.estimation.many import BatchEstimator
from mistworks.permutation.sequential import SequentialTest, sequential_test
from mistworks.preparation.table import Side
from mistworks.selection.copies import content_keys
from mistworks.selection.gain import gain_of
from mistworks.selection.question import Question, ask, estimates_of
from mistworks.selection.result import SelectedColumn
from mistworks.tables.progress import Advance

SHARE_OF_SINGLES, SHARE_OF_PAIRS = 0.6, 0.2
"""Shares of the level of the tests of single columns and of pairs; together with a margin below the level."""
SHARE_ALONE = 0.4
"""Share of the level, of that of single columns, for what they tell without the selected ones."""

_UNTESTED = SequentialTest(1.0, 0, False)


@dataclass(frozen=True, slots=True)
class _Found:
    """Columns that one step adds."""

    positions: tuple[int, ...]
    test: SequentialTest


@dataclass(eq=False)
class Search:
    """A greedy search, and what it has selected so far.

    Attributes:
        features: all columns.
        target: the target.
        model: estimates mutual information.
        alpha: level of the test of each step.
        rng: draws permutations.
        advance: called with the number of selected columns and what is under way.
        selected: the columns, in order.
    """

    features: Side
    target: Side
    model: BatchEstimator
    alpha: float
    rng: np.random.Generator
    advance: Advance
    selected: list[SelectedColumn] = field(default_factory=list)

    def run(self, k: int | None) -> str:
        """Select columns until there are k, or for None until no more are significant; return why it stopped.

        With k, what is not significant is selected too, in the order of the gains.
        """
        while k is None or len(self.selected) < k:
            left = self._informative()
            if k is None and not left:
                return "all other columns are constant, number the rows, or copy selected ones"
            if k is None and self._is_determined:
                return "the selected columns determine the target"
            significant, best = self._step(left, None if k is None else k - len(self.selected))
            if significant is None and k is None:
                return f"no other column or pair of columns is significant at {self.alpha:g}"
            self._select(significant or best)
            self.advance(len(self.selected), str(self.selected[-1].name))
        return f"{k} column{'s' * (k != 1)} {'were' if k != 1 else 'was'} asked for"

    def _step(self, left: Sequence[int], room: int | None) -> tuple[_Found | None, _Found]:
        """Return what is significant, if anything is, and the best single column whether it is or not."""
        if not left or self._is_determined:
            rest = [position for position in range(self.features.shape[1]) if position not in self._chosen]
            return None, _Found(((left or rest)[0],), _UNTESTED)
        question = self._ask(self._chosen, left)
        best = self._best_of(question, question.evident, SHARE_ALONE if self._chosen else SHARE_OF_SINGLES)
        if self._chosen and not best.test.significant:
            joint = self._best_of(question, question.gains, SHARE_OF_SINGLES - SHARE_ALONE)
            best = joint if joint.test.significant else best
        if best.test.significant:
            return best, best
        if len(left) < 2 or (room is not None and room < 2):
            return None, best
        return self._look_ahead(question), best

    def _best_of(
        self, question: Question, statistics: Callable[[Sequence[Side]], NDArray[np.float64]], share: float
    ) -> _Found:
        """Return the column of the largest statistic, and the test of it among permuted ones."""
        observed = statistics([question.target])[0]
        test = self._test(
            float(observed.max()), lambda targets: statistics(targets).max(axis=1), question, share
        )
        return _Found((int(question.positions[observed.argmax()]),), test)

    def _look_ahead(self, question: Question) -> _Found | None:
        """Return the best pair if it is significant, without a column that the other makes needless."""
        pairs = question.likely_pairs(question.target)
        gains = question.joint_gains([question.target], [pairs])[0]

        def best_of(targets: Sequence[Side]) -> NDArray[np.float64]:
            likely = [question.likely_pairs(target) for target in targets]
            return np.array([each.max() for each in question.joint_gains(targets, likely)])

        test = self._test(float(gains.max()), best_of, question, SHARE_OF_PAIRS)
        if not test.significant:
            return None
        pair = [int(question.positions[column]) for column in pairs[int(gains.argmax())]]
        needed = tuple(column for column in pair if self._is_needed(column, sum(pair) - column))
        return _Found(needed, test) if needed else None

    def _is_needed(self, position: int, other: int) -> bool:
        """Whether a column tells something significant given what is selected and another column."""
        question = self._ask([*self._chosen, other], [position])
        gain = question.gains([question.target])[0, 0]
        return self._test(gain, lambda targets: question.gains(targets)[:, 0], question).significant

    def _ask(self, chosen: Sequence[int], others: Sequence[int]) -> Question:
        return ask(self.features, self.target, chosen, others, self.model, self.rng)

    def _test(
        self,
        observed: float,
        statistics: Callable[[Sequence[Side]], NDArray[np.float64]],
        question: Question,
        share: float = 1.0,
    ) -> SequentialTest:
        drawn = 0

        def draw(count: int) -> NDArray[np.float64]:
            nonlocal drawn
            self.advance(len(self.selected), f"permutation {drawn}")
            drawn += count
            return statistics(question.permuted(count, self.rng))

        return sequential_test(observed, draw, share * self.alpha)

    def _select(self, found: _Found) -> None:
        for position in found.positions:
            chosen = self._chosen
            given = self.features.columns(chosen) if chosen else None
            gain = gain_of(self.features.columns([position]), self.target, given, self.model)
            total = gain
            if given is not None:
                pair = self.features.columns([*chosen, position]), self.target
                total = estimates_of([pair], self.model)[0]
            self.selected.append(
                SelectedColumn(
                    self.features.labels[position],
                    position,
                    gain,
                    total,
                    found.test.p_value,
                    found.test.permutations,
                    len(found.positions) > 1,
                )
            )

    def _informative(self) -> list[int]:
        """Positions of columns that vary and are not selected, the first of those that copy one another."""
        known = {self._keys[position] for position in self._chosen}
        left = []
        for position, key in enumerate(self._keys):
            if key is not None and key not in known:
                known.add(key)
                left.append(position)
        return left

    @property
    def _chosen(self) -> list[int]:
        return [column.position for column in self.selected]

    @property
    def _is_determined(self) -> bool:
        """Whether the selected columns determine the target to rounding."""
        return bool(self.selected) and _is_infinite(self.selected[-1].total)

    @cached_property
    def _keys(self) -> list[bytes | None]:
        return content_keys(self.features)


def _is_infinite(estimate: Estimate) -> bool:
    return estimate.quantiles is not None and estimate.quantiles[-1] == np.inf


__all__ = ["SHARE_OF_PAIRS", "SHARE_OF_SINGLES", "Search"]
