"""Measures against figures worked out by hand, and calibration checks against controls they must fail."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest, kstest, norm, spearmanr

from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError
from mistworks.evaluation.cost import Cost, measure_cost, measure_costs
from mistworks.evaluation.intervals import (
    LEVELS,
    CoverageRow,
    clopper_pearson,
    coverage,
    covered,
    false_alarms,
    interval_score,
    pinball_loss,
    pit,
    pit_counts,
    pit_p_value,
)
from mistworks.evaluation.measures import ALL, OTHER, Bins, accuracy, find, metrics, to_csv
from mistworks.evaluation.paired import bootstrap_interval, matched, paired_difference
from mistworks.evaluation.results import QUANTILE_LEVELS, Results, join
from mistworks.evaluation.summary import summarise

ALPHA = 1e-4


def results_of(
    mi: ArrayLike,
    estimate: ArrayLike,
    *,
    quantiles: NDArray[np.float64] | None = None,
    n: ArrayLike = 200,
    dx: ArrayLike = 1,
    family: Sequence[str] | str = "normal",
    estimator: str = "ours",
) -> Results:
    truth = np.asarray(mi, dtype=np.float64)
    count = len(truth)
    values = np.asarray(estimate, dtype=np.float64)
    if quantiles is None:
        quantiles = np.full((count, len(QUANTILE_LEVELS)), np.nan)
    return Results(
        suite="suite",
        suite_version="1",
        estimator=estimator,
        estimator_version="1",
        position=np.arange(count),
        name=np.full(count, "case"),
        family=np.broadcast_to(np.array(family), count),
        n=np.broadcast_to(np.asarray(n, dtype=np.int64), count),
        dx=np.broadcast_to(np.asarray(dx, dtype=np.int64), count),
        dy=np.full(count, 1),
        replicate=np.zeros(count, dtype=np.int64),
        mi=truth,
        mi_se=np.zeros(count),
        estimate=values,
        quantiles=quantiles,
        seconds=np.full(count, 0.01),
        failure=np.where(np.isfinite(values), "", "gave no number"),
    )


def forecaster(seed: int, count: int = 4_000, *, bias: float = 0.0, spread: float = 1.0) -> Results:
    """Truth drawn from N(m, s²) with m and s known; the forecast is N(m + bias·s, (spread·s)²)."""
    rng = np.random.default_rng(seed)
    mean, scale = rng.normal(3, 1, count), rng.uniform(0.1, 1, count)
    truth = rng.normal(mean, scale)
    centre, width = mean + bias * scale, spread * scale
    quantiles = centre[:, None] + width[:, None] * norm.ppf(QUANTILE_LEVELS)
    return results_of(truth, centre, quantiles=quantiles)


def total(rows: Sequence[CoverageRow], level: float) -> CoverageRow:
    (row,) = [row for row in rows if (row.family, row.n_bin, row.level) == (ALL, ALL, level)]
    return row


class TestAccuracy:
    def test_figures_by_hand(self) -> None:
        results = results_of([0, 1, 2, 3], [1, 1, 1, np.nan], n=[10, 100, 101, 500], dx=[1, 2, 3, 40])
        rows = accuracy(results, prior_mean=1.0)
        row = find(rows, "suite")
        assert (row.count, row.failures) == (4, 1)
        assert row.mse == pytest.approx(2 / 3)
        assert row.mse_se == pytest.approx(np.std([1, 0, 1], ddof=1) / np.sqrt(3))
        assert row.bias == pytest.approx(0)
        assert row.mae == pytest.approx(2 / 3)
        assert row.median_absolute_error == 1
        assert row.baseline_mse == pytest.approx((1 + 0 + 1 + 4) / 4)
        assert row.rank_correlation is None
        assert find(rows, "suite", n_bin="10-100").count == 2
        assert find(rows, "suite", n_bin="100-300").count == 1
        assert find(rows, "suite", dimension_bin="1-2").count == 2
        assert find(rows, "suite", family="normal", n_bin="300-500", dimension_bin="32-64").mse is None

    def test_a_constant_of_the_suite_cannot_be_beaten_by_another(self) -> None:
        results = results_of([0, 1, 5], [0, 1, 5])
        own = find(accuracy(results), "suite").baseline_mse
        assert own < find(accuracy(results, prior_mean=1.9), "suite").baseline_mse

    @given(st.integers(0, 2**32))
    def test_squared_error_is_bias_and_variance(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        row = find(accuracy(results_of(rng.exponential(size=40), rng.normal(size=40))), "suite")
        assert row.mse is not None
        assert row.bias is not None
        assert row.variance is not None
        assert row.mse == pytest.approx(row.bias**2 + row.variance)

    def test_rank_correlation_is_that_of_scipy_with_ties(self) -> None:
        rng = np.random.default_rng(1)
        truth, estimate = rng.integers(0, 6, 100), rng.integers(0, 6, 100)
        row = find(accuracy(results_of(truth, estimate)), "suite")
        assert row.rank_correlation == pytest.approx(spearmanr(truth, estimate).statistic)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
    def test_failures_are_counted_and_not_in_the_mean(self, bad: float) -> None:
        row = find(accuracy(results_of([1, 1], [2, bad])), "suite")
        assert (row.count, row.failures, row.mse) == (2, 1, 1)

    def test_every_dataset_is_in_one_bin(self) -> None:
        rng = np.random.default_rng(2)
        n, dx = rng.integers(1, 20_000, 500), rng.integers(1, 100, 500)
        rows = accuracy(results_of(np.zeros(500), np.zeros(500), n=n, dx=dx, family=["a", "b"] * 250))
        for family in (ALL, "a", "b"):
            inner = [r for r in rows if r.family == family and ALL not in (r.n_bin, r.dimension_bin)]
            assert sum(row.count for row in inner) == find(rows, "suite", family=family).count

    def test_bins_include_their_upper_edge_and_the_first_both(self) -> None:
        bins = Bins(n_edges=(10, 100, 500))
        given = results_of(np.zeros(6), np.zeros(6), n=[9, 10, 100, 101, 500, 501])
        expected = [OTHER, "10-100", "10-100", "100-500", "100-500", OTHER]
        assert bins.of_n(given).tolist() == expected

    def test_wrong_edges_are_refused(self) -> None:
        with pytest.raises(MistworksError, match="Expected at least two increasing edges"):
            Bins.parse({"n_edges": [100, 10]})

    def test_nothing_to_measure(self) -> None:
        with pytest.raises(MistworksError, match="with at least one dataset, got none"):
            accuracy(results_of([], []))

    def test_names_of_metrics(self) -> None:
        rows = accuracy(results_of([0, 1, 2], [0, 1, 3], n=[50, 200, 20_000]))
        found = metrics(rows)
        assert found["suite.mse.all"] == pytest.approx(1 / 3)
        assert found["suite.mse.n_10_100"] == 0
        assert found["suite.mse.other"] == 1
        assert found["suite.failures.all"] == 0
        assert {name.split(".")[1] for name in found} >= {"mse", "bias", "mae", "baseline_mse", "count"}
        other = accuracy(results_of([0], [0], estimator="theirs"))
        with pytest.raises(MistworksError, match="Expected the rows of one estimator"):
            metrics(rows + other)

    def test_csv_reads_back(self) -> None:
        rows = accuracy(results_of([0, 1], [np.nan, np.nan]))
        read = list(csv.DictReader(io.StringIO(to_csv(rows))))
        assert len(read) == len(rows)
        assert read[0]["mse"] == ""
        with pytest.raises(MistworksError, match="with at least one row"):
            to_csv(())

    def test_a_row_that_is_not_there(self) -> None:
        with pytest.raises(MistworksError, match=r"Expected one row .* got 0"):
            find(accuracy(results_of([0], [0])), "elsewhere")


class TestCoverage:
    def test_by_hand(self) -> None:
        quantiles = np.tile(np.array(QUANTILE_LEVELS), (4, 1))
        quantiles[3] = np.nan
        results = results_of([0.5, 0.06, 0.02, 0.5], [0.5, 0.5, 0.5, np.nan], quantiles=quantiles)
        row = total(coverage(results), 0.9)
        assert (row.count, row.failures, row.coverage) == (4, 1, 0.5)
        assert row.width == pytest.approx(0.9)
        assert row.score == pytest.approx(0.9 + 2 / 0.1 * 0.03 / 3)
        assert covered(results, 0.9).tolist() == [True, True, False, False]

    def test_points_only_have_no_coverage(self) -> None:
        results = results_of([0, 1], [0, 1])
        assert coverage(results) == ()
        assert false_alarms(results) == ()

    def test_clopper_pearson_is_that_of_scipy(self) -> None:
        for successes, trials in [(0, 10), (3, 10), (10, 10), (871, 1_000)]:
            exact = binomtest(successes, trials).proportion_ci(0.95, method="exact")
            assert clopper_pearson(successes, trials) == pytest.approx((exact.low, exact.high))
        assert clopper_pearson(0, 0) == (0, 1)

    def test_the_calibrated_forecaster_passes(self) -> None:
        """False-alarm rate: at most 4 · 1e-4 for coverages, 1e-4 for the transform, fixed seed."""
        results = forecaster(0)
        for level in LEVELS:
            row = total(coverage(results, confidence=1 - ALPHA), level)
            assert row.low <= level <= row.high
        assert pit_p_value(pit(results, np.random.default_rng(1))) > ALPHA

    @pytest.mark.parametrize(
        ("control", "direction"),
        [
            (forecaster(0, bias=0.5), -1),
            (forecaster(0, spread=0.7), -1),
            (forecaster(0, spread=1.4), 1),
        ],
        ids=["biased", "under-dispersed", "over-dispersed"],
    )
    def test_controls_are_detected(self, control: Results, direction: int) -> None:
        for level in LEVELS:
            row = total(coverage(control, confidence=1 - ALPHA), level)
            assert (row.low > level) if direction > 0 else (row.high < level)
        assert pit_p_value(pit(control, np.random.default_rng(1))) < ALPHA

    def test_a_forecaster_that_fails_on_what_is_hard_is_detected(self) -> None:
        calibrated = forecaster(0)
        failed = np.random.default_rng(3).uniform(size=len(calibrated)) < 0.1
        quantiles = np.where(failed[:, None], np.nan, calibrated.quantiles)
        row = total(coverage(replace(calibrated, quantiles=quantiles), confidence=1 - ALPHA), 0.9)
        assert row.failures == failed.sum()
        assert row.high < 0.9

    def test_shapes_of_the_transform(self) -> None:
        shape: Callable[[Results], NDArray[np.int64]] = lambda r: pit_counts(pit(r, np.random.default_rng(1)))  # noqa: E731
        under, over = shape(forecaster(0, spread=0.7)), shape(forecaster(0, spread=1.4))
        assert under[[0, -1]].min() > 1.5 * under[9:11].max()
        assert over[[0, -1]].max() < 0.7 * over[9:11].min()

    def test_false_alarm_rate_of_the_test_of_calibration(self) -> None:
        """400 calibrated forecasters: rejections at 5 % are Binomial(400, 0.05), in [6, 38] but for 1e-4."""
        rng = np.random.default_rng(4)
        rejected = sum(pit_p_value(pit(forecaster(seed, 500), rng)) < 0.05 for seed in range(400))
        assert 6 <= rejected <= 38

    def test_too_few_to_test_calibration(self) -> None:
        with pytest.raises(MistworksError, match="Expected at least 100 datasets"):
            pit_p_value(np.linspace(0, 1, 99))

    def test_a_mass_at_zero_is_spread(self) -> None:
        """Half of the truths are 0 and half are U(0, 1); the calibrated forecast knows just that."""
        rng = np.random.default_rng(5)
        truth = np.maximum(rng.uniform(-1, 1, 5_000), 0)
        quantiles = np.tile(np.maximum(2 * np.array(QUANTILE_LEVELS) - 1, 0), (5_000, 1))
        values = pit(results_of(truth, truth, quantiles=quantiles), rng)
        assert kstest(values, "uniform").pvalue > ALPHA

    def test_transform_of_failures_and_of_what_lies_outside(self) -> None:
        quantiles = np.tile(np.array(QUANTILE_LEVELS), (4, 1))
        quantiles[3] = np.nan
        results = results_of([-1, 2, 0.33, 0.5], [0.5, 0.5, 0.5, np.nan], quantiles=quantiles)
        low, high, inside, failed = pit(results, np.random.default_rng(0))
        assert 0 <= low <= 0.005
        assert 0.995 <= high <= 1
        assert inside == pytest.approx(0.33)
        assert np.isnan(failed)

    @pytest.mark.parametrize("control", [{"bias": 0.5}, {"spread": 0.5}, {"spread": 2.0}])
    def test_scores_prefer_the_calibrated(self, control: dict[str, Any]) -> None:
        good, bad = forecaster(0), forecaster(0, **control)
        assert interval_score(good, 0.9).mean() < interval_score(bad, 0.9).mean()
        assert pinball_loss(good).mean() < pinball_loss(bad).mean()

    def test_pinball_by_hand(self) -> None:
        results = results_of([2], [1], quantiles=np.ones((1, len(QUANTILE_LEVELS))))
        assert pinball_loss(results) == pytest.approx([np.mean(QUANTILE_LEVELS)])

    def test_false_alarms(self) -> None:
        quantiles = np.tile(np.array(QUANTILE_LEVELS), (5, 1))
        quantiles[:2] -= 0.04
        quantiles[4] = np.nan
        results = results_of([0, 0, 0, 1, 0], [0, 0, 0, 1, np.nan], quantiles=quantiles)
        row = next(row for row in false_alarms(results) if (row.level, row.n_bin) == (0.95, ALL))
        assert (row.count, row.failures, row.alarms) == (4, 1, 1)
        assert row.rate == pytest.approx(1 / 3)
        assert row.nominal == pytest.approx(0.025)


class TestUnits:
    """What is not in nats has a rank correlation, and neither errors nor intervals."""

    OTHER = replace(forecaster(0, 200), unit="none")

    def test_errors_are_missing(self) -> None:
        row, nats = accuracy(self.OTHER)[0], accuracy(forecaster(0, 200))[0]
        missing = (
            row.mse,
            row.mse_se,
            row.bias,
            row.bias_se,
            row.variance,
            row.mae,
            row.median_absolute_error,
        )
        assert set(missing) == {None}
        assert (row.rank_correlation, row.failures, row.count) == (nats.rank_correlation, 0, 200)

    def test_failures_are_counted(self) -> None:
        estimate = self.OTHER.estimate.copy()
        estimate[:3] = np.nan
        assert accuracy(replace(self.OTHER, estimate=estimate))[0].failures == 3

    def test_no_metric_is_an_error(self) -> None:
        assert not {"suite.mse.all", "suite.bias.all", "suite.mae.all"} & set(metrics(accuracy(self.OTHER)))

    def test_no_coverage_and_no_false_alarms(self) -> None:
        assert forecaster(0, 200).has_intervals
        assert not self.OTHER.has_intervals
        assert coverage(self.OTHER) == false_alarms(self.OTHER) == ()

    @pytest.mark.parametrize(
        "measure",
        [
            lambda of: covered(of, 0.9),
            lambda of: interval_score(of, 0.9),
            pinball_loss,
            lambda of: pit(of, np.random.default_rng(0)),
            lambda of: paired_difference(of, forecaster(0, 200), np.random.default_rng(0)),
            lambda of: paired_difference(forecaster(0, 200), of, np.random.default_rng(0)),
        ],
    )
    def test_what_needs_nats_refuses(self, measure: Callable[[Results], object]) -> None:
        with pytest.raises(
            MistworksError, match="Expected estimates in nats, got those of ours, whose unit is 'none'"
        ):
            measure(self.OTHER)

    def test_the_unit_stays_with_the_results(self) -> None:
        assert self.OTHER[:5].unit == join([self.OTHER[:5], self.OTHER[5:]]).unit == "none"
        with pytest.raises(MistworksError, match="Expected parts of one suite and one estimator"):
            join([self.OTHER, forecaster(0, 200)])

    def test_summary(self) -> None:
        row = summarise(self.OTHER)
        assert (row.unit, row.mse, row.coverage_90, row.power) == ("none", None, None, None)
        assert row.rank_correlation == accuracy(self.OTHER)[0].rank_correlation


class TestPaired:
    def test_the_same_is_no_different(self) -> None:
        results = forecaster(0, 100)
        found = paired_difference(results, results, np.random.default_rng(0))
        assert (found.mean, found.low, found.high, found.significant) == (0, 0, 0, False)

    @pytest.mark.parametrize("loss", ["mse", "mae", "interval-score"])
    def test_a_shift_is_found_and_turns_with_the_order(self, loss: str) -> None:
        good, bad = forecaster(0, 500), forecaster(0, 500, bias=1.0)
        better = paired_difference(good, bad, np.random.default_rng(0), loss=loss)  # type: ignore[arg-type]
        worse = paired_difference(bad, good, np.random.default_rng(0), loss=loss)  # type: ignore[arg-type]
        assert better.high < 0 < worse.low
        assert (better.low, better.high) == pytest.approx((-worse.high, -worse.low), rel=0.05)

    def test_interval_covers_the_difference(self) -> None:
        """200 intervals of 90 %: those that cover are Binomial(200, 0.9), at least 163 but for 1e-4."""
        rng = np.random.default_rng(6)
        hits = 0
        for _ in range(200):
            low, high = bootstrap_interval(rng.normal(0.3, 1, 200), rng, confidence=0.9, resamples=500)
            hits += low <= 0.3 <= high
        assert hits >= 163

    def test_pairs_are_matched_by_position(self) -> None:
        whole = results_of([0, 1, 2, 3], [0, 1, 2, 4])
        first, second = matched(whole[np.array([1, 3])], whole[np.array([0, 2, 3])])
        assert first.position.tolist() == second.position.tolist() == [3]

    def test_failures_are_left_out_and_told_or_cost(self) -> None:
        first, second = results_of([1, 1, 2], [1, 1, np.nan]), results_of([1, 1, 2], [2, 2, 2])
        out = paired_difference(first, second, np.random.default_rng(0))
        assert (out.datasets, out.left_out, out.first_failures, out.second_failures) == (2, 1, 1, 0)
        assert out.mean == -1
        cost = paired_difference(first, second, np.random.default_rng(0), fallback=5.0)
        assert cost.datasets == 3
        assert cost.mean == pytest.approx((-1 - 1 + 9) / 3)

    def test_what_cannot_be_compared(self) -> None:
        rng = np.random.default_rng(0)
        points = results_of([1, 2], [1, 2])
        with pytest.raises(MistworksError, match="Expected a dataset of suite on which both"):
            paired_difference(points, points, rng, loss="interval-score")
        with pytest.raises(MistworksError, match="Expected a common dataset of suite"):
            paired_difference(points[:1], points[1:], rng)
        with pytest.raises(MistworksError, match="Expected results on one suite"):
            paired_difference(points, replace(points, suite_version="2"), rng)
        with pytest.raises(MistworksError, match="Expected a known loss, got 'error'"):
            paired_difference(points, points, rng, loss="error")  # type: ignore[arg-type]


@dataclass(frozen=True)
class Sleeper:
    """Takes a time and an amount of memory that are known."""

    name: str = "sleeper"
    version: str = "1"
    megabytes: int = 64
    fault: str = ""

    def estimate(self, x: FloatArray, y: FloatArray) -> float:
        import os
        import time

        if self.fault == "exit":
            os._exit(3)
        if self.fault:
            raise MistworksError(self.fault)
        assert os.environ["OMP_NUM_THREADS"] == "1"
        time.sleep(0.02)
        return float(np.ones(self.megabytes * 2**17).sum()) if len(x) == 200 else 0.0


class TestCost:
    def test_time_and_memory_are_those_known(self) -> None:
        cost = measure_cost(Sleeper(), 200, 2, 3)
        assert cost.failure == ""
        assert (cost.estimator, cost.n, cost.dx, cost.dy) == ("sleeper", 200, 2, 3)
        assert cost.seconds is not None
        assert cost.memory is not None
        assert 0.02 <= cost.seconds < 1
        assert 60 * 2**20 < cost.memory < 90 * 2**20

    def test_failures_have_a_reason(self) -> None:
        cost = measure_cost(Sleeper(fault="too few points"), 20, 1, 1)
        assert cost == Cost("sleeper", "1", 20, 1, 1, None, None, 0, "too few points")
        assert "status 3" in measure_cost(Sleeper(fault="exit"), 20, 1, 1).failure
        assert "longer than 0.001 s" in measure_cost(Sleeper(), 20, 1, 1, budget_seconds=0.001).failure

    def test_grid(self) -> None:
        told: list[Cost] = []
        costs = measure_costs([Sleeper(fault="no")], [(10, 1, 1), (20, 1, 1)], on_progress=told.append)
        assert list(costs) == told
        assert [cost.n for cost in costs] == [10, 20]
