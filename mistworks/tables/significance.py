"""Which pairs of a matrix are dependent: permutation tests of all, as many permutations as each needs."""

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mistworks.errors import MistworksError, MistworksWarning
from mistworks.estimation.evidence import ROUNDING
from mistworks.estimation.many import BatchEstimator
from mistworks.permutation.sequential import SequentialTests, constant_boundary, falling_boundary, significant
from mistworks.tables.blocks import Blocks
from mistworks.tables.nulls import Null, nulls_of
from mistworks.tables.progress import progress_bar

Array = NDArray[np.float64]

_LEAST_PERMUTATIONS = 1_000
_FIRST_ROUND, _LONGEST_ROUND = 16, 1_024


@dataclass(frozen=True, eq=False)
class Tested:
    """P-values of pairs.

    Attributes:
        p_values: shape (pairs,); NaN where there are too few rows.
        fdr: the false discovery rate up to which pairs were tested; None if to the end.
    """

    p_values: Array
    fdr: float | None

    @property
    def significant(self) -> NDArray[np.bool_] | None:
        """Which pairs are dependent, shape (pairs,); None without a false discovery rate."""
        return None if self.fdr is None else significant(self.p_values, self.fdr)


@dataclass(frozen=True, eq=False)
class PairTests:
    """Permutation tests of the pairs of a matrix.

    Attributes:
        blocks: of columns.
        pairs: positions of the first and of the second block of each pair, shape (pairs, 2).
        evidence: what is compared with permuted samples, shape (pairs,); NaN where there is no estimate.
        estimator: what computed them.
    """

    blocks: Blocks
    pairs: NDArray[np.intp]
    evidence: Array
    estimator: BatchEstimator

    def run(
        self, permutations: int | None, fdr: float | None, rng: np.random.Generator | int, progress: bool
    ) -> Tested:
        """Test all pairs that have an estimate.

        Args:
            permutations: at most so many per pair; None for as many as one dependent pair among independent
                ones needs.
            fdr: stop as soon as it is decided which pairs are significant at this false discovery rate; None
                to stop each pair by itself.
            rng: where the permutations come from.
            progress: show a bar.

        Raises:
            MistworksError: permutations or fdr are out of range.
        """
        most = self._most(permutations, fdr)
        tested = np.flatnonzero(~np.isnan(self.evidence))
        boundary = constant_boundary(most) if fdr is None else falling_boundary(most)
        tests = SequentialTests(len(tested), boundary)
        pairs = [(int(first), int(second)) for first, second in self.pairs[tested]]
        nulls = nulls_of(self.blocks, pairs, self.estimator, np.random.default_rng(rng))
        observed = np.empty(len(tested))
        for null in nulls:
            observed[null.pairs] = null.observed(self.evidence[tested], self.blocks)
        # What is unusual about permuted samples is no news.
        with warnings.catch_warnings(), progress_bar("Testing pairs", len(tested), progress) as advance:
            warnings.simplefilter("ignore", MistworksWarning)
            seen = drawn = 0
            while len(open_tests := _open(tests, fdr)):
                count = min(max(seen, _FIRST_ROUND), _LONGEST_ROUND, most - seen)
                for null in nulls:
                    asked = _open_of(null, tests, open_tests)
                    if len(asked):
                        self._draw(null, count, tests, asked, observed)
                        drawn += count
                        advance(len(tested) - len(open_tests), f"{drawn:,} permutations")
                seen += count
        p_values = np.full(len(self.evidence), np.nan)
        p_values[tested] = tests.p_values()
        return Tested(p_values, fdr)

    def _draw(
        self, null: Null, count: int, tests: SequentialTests, asked: NDArray[np.intp], observed: Array
    ) -> None:
        draws = null.draw(count, self.blocks, self.estimator)
        # Ties, also ties but for rounding, count for independence.
        tests.add(asked, draws >= observed[asked, None] - ROUNDING)

    def _most(self, permutations: int | None, fdr: float | None) -> int:
        if fdr is not None and not 0 < fdr < 1:
            raise MistworksError(f"Expected a false discovery rate between 0 and 1, got {fdr}. Use 0.05.")
        if permutations is None:
            needed = 0 if fdr is None else math.ceil((~np.isnan(self.evidence)).sum() / fdr)
            return max(_LEAST_PERMUTATIONS, needed)
        least = 1 if fdr is None else math.ceil(1 / fdr) - 1
        if permutations < least:
            raise MistworksError(
                f"Expected at least {least} permutations{'' if fdr is None else f' at fdr={fdr}'}, got "
                f"{permutations}. Use {_LEAST_PERMUTATIONS:,}."
            )
        return permutations


def _open_of(null: Null, tests: SequentialTests, open_tests: NDArray[np.intp]) -> NDArray[np.intp]:
    """Which tests draws of a null distribution are for: all that have not stopped, if any of them is open."""
    if not np.isin(null.pairs, open_tests).any():
        return null.pairs[:0]
    return null.pairs[~tests.stopped[null.pairs]]


def _open(tests: SequentialTests, fdr: float | None) -> NDArray[np.intp]:
    """Positions of tests that need more draws."""
    is_open = ~tests.stopped & (tests.draws < tests.most)
    if fdr is not None:
        is_open &= ~significant(tests.p_values(), fdr)
        is_open &= significant(tests.least_p_values(), fdr)
    return np.flatnonzero(is_open)


__all__ = ["PairTests", "Tested"]
