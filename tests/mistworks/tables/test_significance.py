"""Permutation tests of all pairs: their null distributions, validity, power, and how often they permute.

Tests of chance fail once in 10,000 runs with other seeds, if the program is right.
"""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import xlogy
from scipy.stats import binom, chi2_contingency, hypergeom, kstest

from mistworks import Matrix, matrix
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import shipped
from mistworks.estimation.evidence import ROUNDING, evidence
from mistworks.estimation.independence import independence_test
from mistworks.preparation.reading import read_table
from mistworks.tables.blocks import blocks_of
from mistworks.tables.nulls import nulls_of
from tests.support.stand_ins import GaussianStandIn

STAND_IN = GaussianStandIn()


def mixed(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Independent columns: two of numbers, two of integers, two of classes."""
    return pd.DataFrame(
        {
            "a": rng.standard_normal(n),
            "b": rng.standard_cauchy(n),
            "i": rng.integers(0, 3, n),
            "j": rng.poisson(1.0, n),
            "c": rng.choice(list("xyz"), n, p=[0.5, 0.3, 0.2]),
            "d": rng.choice(list("uv"), n),
        }
    )


def pools(frame: pd.DataFrame, groups: Any = None, estimator: Any = None) -> set[frozenset[str]]:
    """Which pairs share a null distribution, as ``"a-b"``."""
    columns = None if groups is None else []
    blocks = blocks_of(read_table(frame, "frame"), columns, groups, "drop")
    pairs = [(i, j) for i in range(len(blocks)) for j in range(i + 1, len(blocks))]
    nulls = nulls_of(blocks, pairs, estimator or shipped(), np.random.default_rng(0))
    names = [f"{blocks.names[i]}-{blocks.names[j]}" for i, j in pairs]
    return {frozenset(names[pair] for pair in null.pairs) for null in nulls}


def test_pairs_of_equal_ties_share_a_null_distribution() -> None:
    frame = mixed(40, np.random.default_rng(0))
    frame["e"], frame["f"] = frame["d"].to_numpy()[::-1], frame["i"].to_numpy()[::-1]
    found = pools(frame)
    assert frozenset({"a-b"}) in found
    assert frozenset({"a-i", "a-f", "b-i", "b-f"}) in found
    assert frozenset({"a-j", "b-j"}) in found
    assert frozenset({"a-d", "a-e", "b-d", "b-e"}) in found
    assert frozenset({"d-e"}) in found
    assert sum(map(len, found)) == 28


def test_other_numbers_of_rows_are_other_null_distributions() -> None:
    frame = mixed(40, np.random.default_rng(0))[["a", "b"]]
    frame["c"], frame["d"] = frame["a"] ** 3, np.where(np.arange(40) < 5, np.nan, frame["b"])
    assert pools(frame) == {frozenset({"a-b", "a-c", "b-c"}), frozenset({"a-d", "b-d", "c-d"})}


def test_blocks_of_several_columns_have_their_own() -> None:
    frame = mixed(40, np.random.default_rng(0))
    assert pools(frame, {"x": ["a", "b"], "y": ["i"], "z": ["j"]}) == {
        frozenset({"x-y"}),
        frozenset({"x-z"}),
        frozenset({"y-z"}),
    }


def test_estimators_that_may_read_values_share_nothing() -> None:
    frame = mixed(40, np.random.default_rng(0))[["a", "b"]].assign(c=np.arange(40.0))
    assert len(pools(frame, estimator=STAND_IN)) == 3


def test_the_statistic_depends_on_ranks_and_on_the_partition_into_classes_only() -> None:
    # Which is why draws can be shared.
    rng = np.random.default_rng(1)
    frame = mixed(60, rng)
    other = pd.DataFrame(
        {
            "a": np.exp(frame["a"]),
            "b": frame["b"].rank(),
            "i": frame["i"] ** 2 - 7,
            "j": frame["j"] * 2.5,
            "c": frame["c"].map({"x": "q", "y": "a", "z": "m"}),
            "d": frame["d"].map({"u": "v", "v": "u"}),
        }
    )
    names = list(frame.columns)
    pairs = [(a, b) for a in names for b in names if a != b]
    first = shipped().estimate_many([(frame[a], frame[b]) for a, b in pairs])
    second = shipped().estimate_many([(other[a], other[b]) for a, b in pairs])
    swapped = shipped().estimate_many([(other[b], other[a]) for a, b in pairs])
    expected = [evidence(each, 60) for each in first]
    assert [evidence(each, 60) for each in second] == pytest.approx(expected, abs=ROUNDING)
    assert [evidence(each, 60) for each in swapped] == pytest.approx(expected, abs=ROUNDING)


def test_two_columns_of_classes_are_compared_by_the_likelihood_ratio_of_their_table() -> None:
    rng = np.random.default_rng(16)
    frame = pd.DataFrame({"a": rng.choice(list("uvw"), 80), "b": rng.choice(list("pqrs"), 80)})
    blocks = blocks_of(read_table(frame, "frame"), None, None, "raise")
    (null,) = nulls_of(blocks, [(0, 1)], STAND_IN, np.random.default_rng(0))
    counts = pd.crosstab(frame["a"], frame["b"])
    margins = sum(xlogy(each, each).sum() for each in (counts.sum(axis=0), counts.sum(axis=1)))
    ratio = chi2_contingency(counts, correction=False, lambda_="log-likelihood").statistic
    observed = float(null.observed(np.array([np.nan]), blocks)[0])
    assert 2 * (observed - margins + xlogy(80, 80)) == pytest.approx(ratio)
    # As often as chance says: about χ² of six degrees of freedom.
    drawn = 2 * (null.draw(2_000, blocks, STAND_IN) - margins + xlogy(80, 80))
    assert drawn.mean() == pytest.approx(6, rel=0.1)


def test_p_values_of_two_binary_columns_are_those_of_all_tables() -> None:
    a, b = np.repeat([0, 1], [12, 18]), np.r_[np.repeat([0, 1], [9, 3]), np.repeat([0, 1], [7, 11])]
    frame = pd.DataFrame({"a": a, "b": b}).astype("category")
    corners = np.arange(13)
    tables = np.array([corners, 12 - corners, 16 - corners, 2 + corners])
    statistics = xlogy(tables, tables).sum(axis=0)
    exact = hypergeom.pmf(corners, 30, 16, 12)[statistics >= statistics[9] - 1e-9].sum()
    found = matrix(frame).p_values(permutations=20_000).loc["a", "b"]
    # After 10 exceedances a test stops; the error is about a third.
    assert 0.04 < exact < 0.2
    assert exact / 3 < found < 3 * exact


def test_permutations_to_the_end_give_the_p_value_of_the_independence_test() -> None:
    # None of 99 permuted samples is as dependent.
    rng = np.random.default_rng(2)
    x = rng.standard_normal(40)
    frame = pd.DataFrame({"x": x, "y": x + 0.1 * rng.standard_normal(40)})
    alone = independence_test(frame["x"], frame["y"], permutations=99, model=STAND_IN)
    found = matrix(frame, model=STAND_IN).p_values(permutations=99)
    assert found.loc["x", "y"] == found.loc["y", "x"] == alone.p_value == 0.01
    assert np.isnan(np.diag(found)).all()


def test_p_values_of_independent_columns_are_uniform() -> None:
    rng = np.random.default_rng(3)
    p = [
        matrix(rng.standard_normal((20, 2)), model=STAND_IN).p_values(permutations=99, rng=rng).loc[0, 1]
        for _ in range(200)
    ]
    assert set(p) > {1.0}
    low, high = binom.interval(1 - 1e-4, len(p), 0.1)
    assert low <= np.sum(np.array(p) <= 0.1 + 1e-9) <= high
    # Between the values that occur, 10 / draws and k / 100, p is spread out evenly.
    values = np.unique(np.r_[np.arange(1, 11) / 100, 10 / np.arange(10, 100)])
    below = np.r_[0, values][np.searchsorted(values, np.array(p) - 1e-9)]
    assert kstest(rng.uniform(below, p), "uniform").pvalue > 1e-4


def false_alarms(runs: int, n: int, fdr: float, seed: int) -> int:
    """In how many runs of independent columns any pair is significant."""
    rng = np.random.default_rng(seed)
    return sum(
        bool(matrix(mixed(n, rng)).significant(fdr, rng=rng, permutations=199).to_numpy().any())
        for _ in range(runs)
    )


def test_without_dependence_discoveries_are_as_rare_as_fdr_says() -> None:
    # Then all discoveries are false, so that the false discovery rate is the chance of any.
    assert false_alarms(12, 20, 0.2, 4) <= binom.ppf(1 - 1e-4, 12, 0.2)


@pytest.mark.slow
def test_without_dependence_discoveries_are_as_rare_as_fdr_says_in_many_runs() -> None:
    assert false_alarms(300, 30, 0.1, 5) <= binom.ppf(1 - 1e-4, 300, 0.1)


def test_one_strong_pair_among_190_is_found() -> None:
    rng = np.random.default_rng(6)
    values = rng.standard_normal((100, 20))
    values[:, 7] = values[:, 3] + 0.5 * rng.standard_normal(100)
    found = matrix(values)
    significant = found.significant()
    assert significant.loc[3, 7]
    assert significant.loc[7, 3]
    # Beside it, 5 % of discoveries are false: 2 more have a chance of less than 1 in 1,000.
    assert significant.to_numpy().sum() <= 4
    table = found.table()
    assert table.loc[0, ["a", "b", "significant"]].tolist() == [3, 7, True]
    assert table.loc[0, "p_value"] <= 0.05 / 190


@pytest.mark.slow
def test_one_strong_pair_among_780_of_mixed_columns_is_found() -> None:
    rng = np.random.default_rng(7)
    frame = pd.concat([mixed(100, rng).add_suffix(str(number)) for number in range(7)], axis=1).iloc[:, :40]
    frame["c1"] = np.where(frame["i0"] > 0, "x", rng.choice(list("xyz"), 100))
    significant = matrix(frame).significant()
    assert significant.loc["i0", "c1"]
    assert significant.to_numpy().sum() <= 4


def test_discoveries_are_those_of_the_p_values() -> None:
    rng = np.random.default_rng(8)
    values = rng.standard_normal((40, 6))
    values[:, 1:3] += values[:, :1]
    found = matrix(values, model=STAND_IN)
    chosen = found.significant(0.1)
    assert chosen.loc[0, 1]
    assert chosen.loc[0, 2]
    assert not np.diag(chosen).any()
    table = found.table()
    order = table["p_value"].sort_values().to_numpy()
    count = max(k for k in range(16) if k == 0 or order[k - 1] <= 0.1 * k / 15)
    assert table["significant"].sum() == count
    assert (table.loc[table["significant"], "p_value"] <= order[count - 1]).all()


class Counting(GaussianStandIn):
    """How many samples were estimated."""

    @property
    def total(self) -> int:
        return sum(self.counts)


def test_independent_pairs_need_few_permutations_and_dependent_ones_no_more_than_it_takes() -> None:
    rng = np.random.default_rng(9)
    independent, dependent = Counting(), Counting()
    matrix(rng.standard_normal((40, 7)), model=independent).significant()
    # The sum of min(1, b(t) / (t + 1)) over t is 35 per pair.
    assert independent.total < 21 * 100
    common = rng.standard_normal((40, 1))
    matrix(common + 0.2 * rng.standard_normal((40, 7)), model=dependent).significant()
    # All are significant once b(t) / (t + 1) is at most 0.05, which is between the 64th and the 128th draw.
    assert dependent.total == 21 * (1 + 128)


def test_same_input_same_answer_and_no_test_twice() -> None:
    rng = np.random.default_rng(10)
    values = rng.standard_normal((30, 4))
    counting = Counting()
    found = matrix(values, model=counting)
    first = found.p_values(permutations=50)
    after = counting.total
    pd.testing.assert_frame_equal(found.p_values(permutations=50), first)
    assert counting.total == after
    pd.testing.assert_frame_equal(matrix(values, model=STAND_IN).p_values(permutations=50), first)
    generator = np.random.default_rng(0)
    pd.testing.assert_frame_equal(found.p_values(permutations=50, rng=generator), first)
    assert not found.p_values(permutations=50, rng=generator).equals(first)
    assert not found.p_values(permutations=50, rng=1).equals(first)


def test_the_table_shows_the_last_test() -> None:
    found = matrix(np.random.default_rng(11).standard_normal((30, 3)), model=STAND_IN)
    assert "p_value" not in found.table()
    found.significant(0.1)
    assert list(found.table().columns[-2:]) == ["p_value", "significant"]
    p = found.p_values(permutations=50)
    table = found.table()
    assert table.columns[-1] == "p_value"
    assert all(p.loc[row.a, row.b] == row.p_value for row in table.itertuples())
    found.significant(0.1)
    assert "significant" in found.table()


def test_constant_columns_and_pairs_without_estimate_are_not_significant() -> None:
    rng = np.random.default_rng(12)
    x = rng.standard_normal(30)
    frame = pd.DataFrame({"x": x, "y": x, "same": 1.0, "few": np.where(np.arange(30) < 4, x, np.nan)})
    with pytest.warns(match="fewer than 5 complete rows"):
        found = matrix(frame, missing="drop", model=STAND_IN)
    p = found.p_values(permutations=50)
    assert p.loc["x", "y"] == 1 / 51
    assert p.loc["x", "same"] == 1
    assert p["few"].isna().all()
    chosen = found.significant()
    assert chosen.loc["x", "y"]
    assert chosen.to_numpy().sum() == 2


def test_copies_of_points_are_no_dependence() -> None:
    rng = np.random.default_rng(13)
    values = rng.standard_normal((60, 2))
    repeated = values[np.r_[np.arange(60), np.arange(40)]]
    with pytest.warns(match="exact copies"):
        found = matrix(repeated)
    p = found.p_values(permutations=50).loc[0, 1]
    assert p == matrix(values).p_values(permutations=50).loc[0, 1]


def test_permuted_samples_do_not_warn(recwarn: pytest.WarningsRecorder) -> None:
    found = matrix(np.random.default_rng(14).standard_normal((6, 3)))
    recwarn.clear()
    found.p_values(permutations=30)
    assert not recwarn.list


MATRIX = matrix(np.random.default_rng(15).standard_normal((20, 3)), model=STAND_IN)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MATRIX.significant(0.0), "Expected a false discovery rate between 0 and 1, got 0.0"),
        (lambda: MATRIX.significant(1.0), "Expected a false discovery rate between 0 and 1, got 1.0"),
        (lambda: MATRIX.significant(0.01, permutations=50), "Expected at least 99 permutations at fdr=0.01"),
        (lambda: MATRIX.p_values(permutations=0), "Expected at least 1 permutations, got 0. Use 1,000"),
    ],
)
def test_bad_input_is_refused(call: Any, message: str) -> None:
    assert isinstance(MATRIX, Matrix)
    with pytest.raises(MistworksError, match=message):
        call()
