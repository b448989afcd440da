"""What columns tell beyond those that are given: differences by hand, and what permutations keep."""

import numpy as np
import pytest

from mistworks.estimation.estimate import Estimate
from mistworks.estimation.evidence import evidence
from mistworks.preparation.reading import read_side
from mistworks.preparation.table import Side, joined
from mistworks.selection import question as module
from mistworks.selection.question import Question, ask, finite_means, nats_as_evident
from tests.support.stand_ins import GaussianStandIn

STAND_IN = GaussianStandIn()
N = 200


def question(x: np.ndarray, y: object, chosen: list[int], others: list[int]) -> Question:
    sides = read_side(x, "X"), read_side(y, "y")
    return ask(*sides, chosen, others, STAND_IN, np.random.default_rng(0))


def mean_of(x: Side, y: Side) -> float:
    return float(finite_means(STAND_IN.estimate_many([(x, y)]))[0])


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((N, 6))


class TestGains:
    def test_without_given_columns_they_are_estimates(self, x: np.ndarray) -> None:
        asked = question(x, x[:, 0] + x[:, 1], [], [1, 4])
        expected = [mean_of(read_side(x[:, c], "x"), asked.target) for c in (1, 4)]
        np.testing.assert_allclose(asked.gains([asked.target]), [expected])

    def test_given_columns_they_are_differences(self, x: np.ndarray) -> None:
        asked = question(x, x[:, 0] + x[:, 1], [0], [1, 4])
        given = read_side(x[:, 0], "x")
        base = mean_of(given, asked.target)
        expected = [mean_of(joined([given, asked.columns.columns([c])]), asked.target) - base for c in (0, 1)]
        np.testing.assert_allclose(asked.gains([asked.target]), [expected])
        both = mean_of(joined([given, asked.columns]), asked.target) - base
        np.testing.assert_allclose(asked.joint_gains([asked.target], [[(0, 1)]]), [[both]])

    def test_what_the_given_columns_predict_is_subtracted(self, x: np.ndarray) -> None:
        x[:, 1] = x[:, 0] ** 3 + 0.1 * x[:, 1]
        asked = question(x, np.exp(x[:, 0]) + x[:, 1], [0], [1, 4])
        for values in (asked.columns.values[0], asked.target.values[0]):
            assert abs(np.corrcoef(values, x[:, 0])[0, 1]) < 0.15

    def test_of_many_columns_only_the_likely_ones_are_estimated(
        self, x: np.ndarray, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "MOST_ESTIMATED", 2)
        asked = question(x, x[:, 4] ** 2 + 0.1 * x[:, 1], [], list(range(6)))
        gains = asked.gains([asked.target])[0]
        assert np.isfinite(gains).sum() == 2
        assert np.isfinite(gains[4])

    def test_the_only_columns_keep_their_places(self, x: np.ndarray) -> None:
        asked = question(x, x[:, 0], [], [1, 3, 5])
        part = asked.only([2, 0])
        assert part.positions.tolist() == [5, 1]
        np.testing.assert_allclose(part.gains([part.target])[0], asked.gains([asked.target])[0, [2, 0]])

    def test_infinite_quantiles_are_large_and_keep_their_order(self) -> None:
        low, high = (Estimate(mi, (mi,) * 101 + (np.inf,) * 100) for mi in (3.0, 4.0))
        first, second = finite_means([low, high])
        assert 1e5 < first < second < np.inf


class TestEvidence:
    def test_it_is_that_of_each_column_by_itself(self, x: np.ndarray) -> None:
        asked = question(x, x[:, 0] + x[:, 1], [0], [1, 4])
        sides = [read_side(column, "x") for column in asked.columns.values]
        estimates = STAND_IN.estimate_many([(side, asked.target) for side in sides])
        certain = np.array([evidence(each, N) for each in estimates])
        found = asked.evident([asked.target])[0]
        # That of an estimate without a doubt is its mutual information.
        np.testing.assert_allclose(found / (found + 1 / (4 * N)), certain)
        assert found[0] > 10 * abs(found[1])

    def test_what_is_certain_is_large_and_keeps_its_order(self) -> None:
        low, high = (nats_as_evident(Estimate(mi, (mi,) + (np.inf,) * 200), N) for mi in (3.0, 4.0))
        assert 1e5 < low < high < np.inf
        assert nats_as_evident(Estimate(0.2), N) == pytest.approx(0.2)

    def test_of_many_columns_the_likely_ones_are_estimated(
        self, x: np.ndarray, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "MOST_ESTIMATED", 2)
        asked = question(x, x[:, 4] ** 2 + 0.1 * x[:, 1], [], list(range(6)))
        assert np.isfinite(asked.evident([asked.target, asked.target])).sum(axis=1).tolist() == [2, 2]


class TestPermutations:
    def test_classes_keep_their_targets(self) -> None:
        rng = np.random.default_rng(2)
        site = rng.integers(3, size=N)
        table = joined([read_side(site.astype(str), "site"), read_side(rng.standard_normal((N, 2)), "X")])
        target = read_side(np.array(["a", "b", "c", "d"])[site + (rng.random(N) < 0.3)], "y")
        asked = ask(table, target, [0], [1, 2], STAND_IN, rng)
        for permuted in asked.permuted(3, rng):
            assert (permuted.values != target.values).any()
            for each in range(3):
                rows = site == each
                np.testing.assert_array_equal(
                    np.sort(permuted.values[0, rows]), np.sort(target.values[0, rows])
                )

    def test_without_given_columns_all_rows_are_permuted(self, x: np.ndarray) -> None:
        asked = question(x, x[:, 0], [], [1])
        first, second = asked.permuted(2, np.random.default_rng(3))
        assert (first.values != second.values).any()
        np.testing.assert_array_equal(np.sort(first.values), np.sort(asked.target.values))


class TestPairs:
    def test_the_pair_that_acts_together_is_the_first(self, x: np.ndarray) -> None:
        asked = question(x, x[:, 2] * x[:, 5], [], [0, 2, 3, 5])
        pairs = asked.likely_pairs(asked.target)
        assert pairs[0] == (1, 3)
        assert len(pairs) == 6

    def test_among_many_columns_it_looks_at_the_likely_ones(
        self, x: np.ndarray, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "MOST_PAIRED", 3)
        asked = question(x, x[:, 2] * x[:, 5] + x[:, 2] + x[:, 5], [], list(range(6)))
        pairs = asked.likely_pairs(asked.target)
        assert (pairs[0], len(pairs)) == ((2, 5), 3)
