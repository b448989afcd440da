"""The suite of permuted copies, and the rejections counted from it."""

import numpy as np
import pytest
from scipy.stats import binom

from mistworks.baselines import DistanceCorrelation
from mistworks.errors import MistworksError
from mistworks.evaluation.runner import random_part, run_chunk
from mistworks.evaluation.suites import Case, powers, suite
from mistworks.evaluation.suites.power import DEPENDENT, INDEPENDENT, PERMUTATIONS, PowerRow, power_of
from tests.mistworks.evaluation.test_suites import evaluate


def by_relation(results: object) -> dict[str, PowerRow]:
    return {row.relation: row for row in powers(results)}  # type: ignore[arg-type]


def copy_of(case: Case) -> int:
    return int(case.name[:2])


def test_copies_have_the_same_margins_and_another_order() -> None:
    built = suite("power")
    assert built.block == 1 + PERMUTATIONS
    x, y = built.sample(0)
    for position in range(1, built.block):
        own, other = built.sample(position)
        np.testing.assert_array_equal(own, x)
        np.testing.assert_array_equal(np.sort(other, axis=0), np.sort(y, axis=0))
        assert (other != y).any()


def test_only_samples_of_dependent_pairs_have_information() -> None:
    for case in suite("power").cases():
        assert (case.mi > 0) == (copy_of(case) == 0 and not case.family.startswith(INDEPENDENT))


def test_a_measure_that_sees_everything() -> None:
    found = by_relation(evaluate(suite("power"), lambda case: float(copy_of(case) == 0)))
    assert all(row.rate == 1 and row.rejections == row.count for row in found.values())
    assert found[DEPENDENT].count + found[INDEPENDENT].count == len(suite("power")) // 20


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_ties_and_failures_do_not_reject(value: float) -> None:
    found = by_relation(evaluate(suite("power"), lambda case: value))
    assert all(row.rejections == 0 for row in found.values())
    assert found[DEPENDENT].failures == (found[DEPENDENT].count if np.isnan(value) else 0)


def test_a_failure_on_one_copy_is_a_failed_test() -> None:
    results = evaluate(
        suite("power"), lambda case: np.nan if copy_of(case) == 7 else float(copy_of(case) == 0)
    )
    row = by_relation(results)[DEPENDENT]
    assert (row.failures, row.rejections) == (row.count, 0)


def test_noise_rejects_at_the_level() -> None:
    rng = np.random.default_rng(0)
    row = by_relation(evaluate(suite("power"), lambda case: rng.normal()))[DEPENDENT]
    # A false alarm in 10,000.
    assert binom.ppf(5e-5, row.count, 0.05) <= row.rejections <= binom.ppf(1 - 5e-5, row.count, 0.05)


def test_distance_correlation_sees_a_parabola_and_keeps_the_level() -> None:
    built = suite("power")
    chosen = [
        position
        for position in range(len(built))
        if built.case(position).family in ("parabola-1x1", "independent-normal-1x1")
    ]
    results = run_chunk(DistanceCorrelation(), built, chosen)
    assert results.unit == "none"
    found = by_relation(results)
    assert found["parabola-1x1"].rate > 0.9
    # At level 5 % five or more of 20 have a probability of 0.3 %.
    assert found[INDEPENDENT].rejections < 5
    assert power_of(results) == found[DEPENDENT].rate


def test_a_part_of_the_suite_has_whole_blocks() -> None:
    built = suite("power")
    results = evaluate(built, lambda case: float(copy_of(case) == 0))[
        np.array(random_part(len(built), 120, built.block))
    ]
    assert by_relation(results)[DEPENDENT].count <= 6


def test_results_of_another_suite() -> None:
    results = evaluate(suite("self-consistency"), lambda case: case.mi)
    assert power_of(results) is None
    with pytest.raises(MistworksError, match="Expected results on the suite 'power', got 'self-consistency'"):
        powers(results)
    with pytest.raises(MistworksError, match="with a whole block of copies, got none"):
        powers(evaluate(suite("power"), lambda case: 0.0)[:5])
