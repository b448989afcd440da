"""Calibration on worlds where the predicted distribution is right, too narrow, too wide or shifted by design.

Given a dataset's prediction c and scale s, the truth is max(0, c + s ε) with ε standard normal, so the right
quantiles are max(0, c + s Φ⁻¹(τ)). Statistical tests have fixed seeds; each states the rate at which a
correct implementation would fail under another seed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import ndtr, ndtri
from scipy.stats import kstest

from mistworks.errors import MistworksError
from mistworks.estimation.calibration import MIN_DATASETS, Calibration, pit_z
from mistworks.estimation.estimate import LEVELS
from mistworks.estimation.widening import Scores, Widening
from mistworks.randomness import stream
from mistworks.training import calibrate
from tests.mistworks.estimation.test_estimator import ESTIMATOR, POINT_ESTIMATOR
from tests.support.sources import MemorySource

Z = ndtri(np.array(LEVELS))
Shape = Callable[[Any, Any], Any]


@dataclass
class World:
    """N datasets: what is predicted at ``LEVELS``, the truth, and sizes."""

    quantiles: np.ndarray
    target: np.ndarray
    n: np.ndarray
    d: np.ndarray

    def fit(self, seed: int = 0) -> Calibration:
        return Calibration.fit(self.quantiles, self.target, self.n, self.d, np.random.default_rng(seed))

    def calibrated(self, calibration: Calibration) -> np.ndarray:
        return calibration.apply(self.quantiles, self.n, self.d)

    def pit(self, quantiles: np.ndarray) -> np.ndarray:
        """PIT by another road than `pit_z`: uniform over the levels from Q < t to Q ≤ t."""
        below, up_to = (quantiles < self.target[:, None]).sum(1), (quantiles <= self.target[:, None]).sum(1)
        levels = np.array([0.0, *LEVELS, 1.0])
        low = np.where(below > 0, levels[below], 0.0)
        high = levels[np.where(up_to > below, up_to, np.minimum(below + 1, len(LEVELS) + 1))]
        return low + np.random.default_rng(5).uniform(size=len(low)) * (high - low)

    def miss(self, quantiles: np.ndarray, level: float, chosen: np.ndarray) -> float:
        """By how much P(t < Q) ≤ level ≤ P(t ≤ Q) fails; the two differ where quantile and truth are 0."""
        column, target = quantiles[chosen, LEVELS.index(level)], self.target[chosen]
        return max(float(np.mean(target < column)) - level, level - float(np.mean(target <= column)))


def world(
    count: int,
    seed: int,
    width: Shape = lambda n, d: 1.0,
    shift: Shape = lambda n, d: 0.0,
    lowest: float = -0.2,
) -> World:
    """Predictions whose scale is ``width`` times the right one and whose centre is ``shift`` scales off."""
    rng = np.random.default_rng(seed)
    n = np.exp(rng.uniform(np.log(10), np.log(2000), count)).astype(np.int64)
    d = rng.integers(2, 65, count)
    centre = rng.exponential(1.0, count) + lowest
    scale = (0.3 + np.abs(centre)) * 1.5 / np.sqrt(n)
    target = np.maximum(0, centre + scale * rng.standard_normal(count))
    spread = (scale * width(n, d))[:, None] * Z
    return World(np.maximum(0, (centre + shift(n, d) * scale)[:, None] + spread), target, n, d)


CONTROLS: dict[str, dict[str, Shape]] = {
    "right": {},
    "over-confident": {"width": lambda n, d: 0.3},
    "under-confident": {"width": lambda n, d: 3.0},
    "biased": {"shift": lambda n, d: 1.0},
    "over-confident for large n only": {"width": lambda n, d: (n / 50) ** -0.4},
    "wrong by dimension": {"width": lambda n, d: np.exp((30 - d) / 40)},
}

ALL = (0, 10**9)
N_BINS = (ALL, (10, 30), (30, 100), (100, 300), (300, 1000), (1000, 2001))


@pytest.mark.parametrize("name", CONTROLS)
def test_coverage_is_restored_overall_and_in_every_bin_of_n(name: str) -> None:
    """Within three standard errors of a share, and 0.75 % for the noise of the fit and the blend of knots.

    None of the six controls failed over 40 other seeds.
    """
    calibration = world(12_000, 1, **CONTROLS[name]).fit()
    fresh = world(4_000, 2, **CONTROLS[name])
    calibrated = fresh.calibrated(calibration)
    for low, high in N_BINS:
        chosen = (fresh.n >= low) & (fresh.n < high)
        for level in (0.05, 0.5, 0.95):
            allowed = 3 * np.sqrt(level * (1 - level) / chosen.sum()) + 0.0075
            assert fresh.miss(calibrated, level, chosen) < allowed, (low, high, level)


@pytest.mark.parametrize("name", ["over-confident", "under-confident", "biased"])
def test_the_controls_are_miscalibrated(name: str) -> None:
    fresh = world(4_000, 2, **CONTROLS[name])
    assert kstest(fresh.pit(fresh.quantiles), "uniform").pvalue < 1e-6


def test_a_network_that_is_sure_of_one_value_is_given_intervals() -> None:
    """Within 6 % overall; not in every bin, since one tail is stretched for scales that are far apart."""
    sure: dict[str, Shape] = {"width": lambda n, d: 0.0}
    calibration, fresh = world(12_000, 1, **sure).fit(), world(4_000, 2, **sure)
    calibrated = fresh.calibrated(calibration)
    for level in (0.05, 0.5, 0.95):
        assert fresh.miss(calibrated, level, np.ones(4_000, dtype=bool)) < 0.06


def test_coverage_holds_by_dimension_too() -> None:
    calibration = world(12_000, 1, **CONTROLS["wrong by dimension"]).fit()
    fresh = world(4_000, 2, **CONTROLS["wrong by dimension"])
    calibrated = fresh.calibrated(calibration)
    for low, high in ((2, 20), (20, 45), (45, 65)):
        chosen = (fresh.d >= low) & (fresh.d < high)
        for level in (0.05, 0.95):
            assert fresh.miss(calibrated, level, chosen) < 0.035, (low, high, level)


def test_calibrated_quantiles_are_left_nearly_alone() -> None:
    """90 % intervals keep their width within 5 %; no median moves by more than a third of its scale."""
    calibration, fresh = world(12_000, 1).fit(), world(2_000, 2)
    calibrated = fresh.calibrated(calibration)
    low, middle, high = (LEVELS.index(level) for level in (0.05, 0.5, 0.95))
    width = fresh.quantiles[:, high] - fresh.quantiles[:, low]
    assert np.all(np.abs(calibrated[:, middle] - fresh.quantiles[:, middle]) <= width / 6 + 1e-9)
    assert np.mean(calibrated[:, high] - calibrated[:, low]) == pytest.approx(np.mean(width), rel=0.05)


def test_a_sample_of_any_size_is_calibrated() -> None:
    calibration = world(6_000, 1).fit()
    few = World(
        np.tile(np.linspace(0, 1, len(LEVELS)), (3, 1)), np.zeros(3), np.array([1, 50, 10**9]), np.ones(3)
    )
    assert np.isfinite(few.calibrated(calibration)).all()


class TestPit:
    def test_it_is_the_normal_score_of_the_level_inside_and_linear_beyond(self) -> None:
        quantiles = np.tile(2.0 + 0.1 * Z, (5, 1))
        z = np.array([-5.0, -1.0, 0.0, 1.7, 6.0])
        np.testing.assert_allclose(pit_z(quantiles, 2.0 + 0.1 * z, np.random.default_rng(0)), z, atol=1e-3)

    def test_of_right_quantiles_with_a_mass_at_0_it_is_standard_normal(self) -> None:
        """Kolmogorov–Smirnov at the 1 % level; half of the mass is at 0 for many datasets."""
        made = world(4_000, 3, lowest=-1.0)
        assert np.mean(made.target == 0) > 0.4
        pit = pit_z(made.quantiles, made.target, np.random.default_rng(0))
        assert kstest(ndtr(pit), "uniform").pvalue > 0.01

    def test_a_truth_of_0_below_every_quantile_lies_below_every_level(self) -> None:
        quantiles = np.tile(0.5 + 0.1 * Z, (1000, 1))
        pit = pit_z(quantiles, np.zeros(1000), np.random.default_rng(0))
        assert np.all(np.isfinite(pit))
        assert np.all(pit < -5 + 1e-6)

    def test_a_truth_equal_to_several_quantiles_is_spread_over_their_levels(self) -> None:
        quantiles = np.where((np.array(LEVELS) >= 0.3) & (np.array(LEVELS) <= 0.6), 1.0, 1.0 + Z - ndtri(0.3))
        quantiles = np.maximum.accumulate(np.maximum(quantiles, 0))
        levels = ndtr(pit_z(np.tile(quantiles, (2000, 1)), np.ones(2000), np.random.default_rng(0)))
        assert levels.min() >= 0.3 - 1e-9
        assert kstest((levels - levels.min()) / np.ptp(levels), "uniform").pvalue > 0.01

    def test_it_follows_from_the_generator(self) -> None:
        made = world(500, 3, lowest=-1.0)
        one, same, other = (
            pit_z(made.quantiles, made.target, np.random.default_rng(seed)) for seed in (0, 0, 1)
        )
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, other)


CALIBRATIONS = [world(3_000, 1, **control).fit() for control in CONTROLS.values()]


@settings(max_examples=150, deadline=None)
@given(
    calibration=st.sampled_from(CALIBRATIONS),
    values=arrays.arrays(np.float64, (2, len(LEVELS)), elements=st.floats(0, 1e6)),
    n=st.integers(5, 10**6),
    d=st.integers(2, 128),
)
def test_calibrated_quantiles_are_finite_in_order_and_not_negative(
    calibration: Calibration, values: np.ndarray, n: int, d: int
) -> None:
    quantiles = np.sort(values, axis=1)
    strange = calibration.model_copy(update={"widening": WIDENING})
    for each, strangeness in ((calibration, None), (strange, np.array([0.5, 1e6]))):
        made = each.apply(quantiles, np.array([n, n]), np.array([d, d]), strangeness)
        assert np.isfinite(made).all()
        assert (made[:, 0] >= 0).all()
        assert (np.diff(made, axis=1) >= 0).all()


def test_rows_do_not_depend_on_one_another() -> None:
    made, calibration = world(50, 3), CALIBRATIONS[1]
    together = made.calibrated(calibration)
    for row in range(50):
        alone = World(*(part[row : row + 1] for part in (made.quantiles, made.target, made.n, made.d)))
        np.testing.assert_allclose(alone.calibrated(calibration)[0], together[row], rtol=1e-12)


def test_the_median_lies_between_two_predicted_quantiles() -> None:
    made = world(40, 3, lowest=0.5)
    for row in range(40):
        one = World(*(part[row : row + 1] for part in (made.quantiles, made.target, made.n, made.d)))
        below, share = CALIBRATIONS[1].median_position(one.quantiles, one.n, one.d)
        left, right = one.quantiles[0, below : below + 2]
        median = one.calibrated(CALIBRATIONS[1])[0, LEVELS.index(0.5)]
        assert left + share * (right - left) == pytest.approx(median)


def scores(count: int, seed: int, strangeness: float, below: float = 1.0, above: float = 1.0) -> Scores:
    """z whose lower and upper halves are that much too wide, around a strangeness."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal(count)
    return Scores(
        np.where(z < 0, below, above) * z,
        np.log(strangeness) + 0.2 * rng.standard_normal(count),
        np.repeat([f"family {number}" for number in range(4)], count // 4),
    )


WIDENING = Widening.fit(
    scores(8_000, 1, 1.0), [scores(2_000, 2, 3.0, below=1.5, above=3.0), scores(2_000, 3, 1.0)]
)


class TestWidening:
    def test_what_is_familiar_is_left_nearly_alone(self) -> None:
        below, above = WIDENING.factors(np.array([1.0]))
        assert 1 <= below[0] < 1.1
        assert 1 <= above[0] < 1.1

    def test_what_is_strange_is_widened_on_each_side_as_it_needs(self) -> None:
        below, above = WIDENING.factors(np.array([3.0, 100.0]))
        np.testing.assert_allclose(below, 1.5, rtol=0.15)
        np.testing.assert_allclose(above, 3.0, rtol=0.15)

    def test_intervals_of_strange_samples_are_that_much_wider(self) -> None:
        calibration, fresh = world(3_000, 1).fit(), world(500, 2, lowest=3.0)
        wider = calibration.model_copy(update={"widening": WIDENING})
        middle, low, high = (LEVELS.index(level) for level in (0.5, 0.05, 0.95))
        plain = fresh.calibrated(calibration)
        made = wider.apply(fresh.quantiles, fresh.n, fresh.d, np.full(500, 3.0))
        np.testing.assert_allclose(made[:, middle], plain[:, middle])
        ratio = (made[:, high] - made[:, middle]) / (plain[:, high] - plain[:, middle])
        assert np.median(ratio) == pytest.approx(3.0, rel=0.2)
        ratio = (made[:, middle] - made[:, low]) / (plain[:, middle] - plain[:, low])
        assert np.median(ratio) == pytest.approx(1.5, rel=0.2)

    def test_each_family_weighs_the_same(self) -> None:
        bad = scores(400, 2, 3.0, below=3.0, above=3.0)
        good = scores(40_000, 3, 3.0)
        unseen = Scores(
            *(
                np.concatenate(pair)
                for pair in ((bad.z, good.z), (bad.log_strangeness, good.log_strangeness))
            ),
            family=np.array(["bad"] * 400 + ["good"] * 40_000),
        )
        factors = np.concatenate(Widening.fit(scores(8_000, 1, 1.0), [unseen]).factors(np.array([3.0])))
        # Half of the weight needs intervals three times as wide.
        assert np.all(factors > 2)

    def test_familiarity_is_the_share_that_is_stranger(self) -> None:
        familiar = scores(8_000, 1, 1.0)
        asked = np.exp(np.quantile(familiar.log_strangeness, [0.1, 0.5, 0.99]))
        np.testing.assert_allclose(WIDENING.familiarity(asked), [0.9, 0.5, 0.01], atol=2e-3)
        np.testing.assert_array_equal(WIDENING.familiarity(np.array([0.0, 100.0])), [1, 0])

    def test_json_gives_it_back(self) -> None:
        assert Widening.parse(WIDENING.canonical_json()) == WIDENING

    def test_without_unseen_families_it_follows_from_the_familiar_ones(self) -> None:
        alone = Widening.fit(scores(8_000, 1, 1.0), [])
        assert max(alone.below + alone.above) < 1.15

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"strangeness": (1.0,)}, "one factor per knot on either side"),
            ({"familiar": (0.0,)}, "Expected .* numbers in familiar"),
            ({"below": (0.5,) * len(WIDENING.below)}, "factors that are at least 1"),
        ],
    )
    def test_what_does_not_fit_together_is_refused(self, change: dict[str, Any], message: str) -> None:
        with pytest.raises(MistworksError, match=message):
            Widening.parse({**dict(WIDENING), **change})


class TestStored:
    def test_json_gives_it_back_in_a_few_kilobytes(self) -> None:
        calibration = world(12_000, 1).fit()
        text = calibration.canonical_json()
        assert Calibration.parse(text) == calibration
        assert len(text) < 20_000

    def test_the_same_data_and_seed_give_the_same(self) -> None:
        assert world(1_000, 1, lowest=-1.0).fit(0) == world(1_000, 1, lowest=-1.0).fit(0)
        assert world(1_000, 1, lowest=-1.0).fit(0) != world(1_000, 1, lowest=-1.0).fit(1)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"log_n": (2.0, 2.0)}, "Expected knots that increase"),
            ({"size": ()}, "size"),
            ({"log_d": (0.0, 1.0)}, "Expected a table with 2 rows"),
            ({"table": ((0.0,),)}, "Expected a table with 1 rows of 27 numbers"),
            ({"table": (tuple(float(-k) for k in range(27)),)}, "rows of the table that never decrease"),
        ],
    )
    def test_what_does_not_fit_together_is_refused(self, change: dict[str, Any], message: str) -> None:
        calibration = world(MIN_DATASETS, 1).fit()
        assert len(calibration.table) == 1
        with pytest.raises(MistworksError, match=message):
            Calibration.parse({**dict(calibration), **change})


class TestFittingRefusals:
    def test_too_few_datasets(self) -> None:
        with pytest.raises(MistworksError, match="Expected 50 datasets or more to calibrate, got 49"):
            world(49, 1).fit()

    @pytest.mark.parametrize("part", ["quantiles", "target"])
    def test_numbers_that_are_not_finite(self, part: str) -> None:
        made = world(200, 1)
        getattr(made, part)[7] = np.nan
        with pytest.raises(MistworksError, match="Expected finite quantiles and true values"):
            made.fit()


class TestCalibrate:
    """A network of the zoo on datasets in memory."""

    SOURCE = MemorySource.gaussian(60, seed=3)

    def test_it_is_that_of_the_estimates_of_the_network(self) -> None:
        told: list[float] = []
        made = calibrate(ESTIMATOR, self.SOURCE, seed=5, on_progress=told.append)
        index = self.SOURCE.index
        estimates = ESTIMATOR.estimate_many((dataset.x, dataset.y) for dataset in self.SOURCE)
        quantiles = np.array([estimate.quantiles for estimate in estimates])
        rng = stream(5, "calibration", "levels", 0)
        expected = Calibration.fit(quantiles, index.mi, index.n, index.dx + index.dy, rng)
        assert made.calibration is not None
        np.testing.assert_allclose(made.calibration.table, expected.table, atol=2e-3)
        assert told == [16 / 60, 32 / 60, 48 / 60, 1]

    def test_a_former_calibration_plays_no_part(self) -> None:
        once = calibrate(ESTIMATOR, self.SOURCE, seed=5)
        assert calibrate(once, self.SOURCE, seed=5).sha256 == once.sha256

    def test_one_partition_is_read_at_a_time(self) -> None:
        source = MemorySource.gaussian(60, seed=3)
        calibrate(ESTIMATOR, source, seed=5)
        assert source.reads == [0, 1, 2, 3]

    def test_refusals(self) -> None:
        with pytest.raises(MistworksError, match="Expected a network with quantiles to calibrate"):
            calibrate(POINT_ESTIMATOR, self.SOURCE, seed=5)
        for count in (0, 10):
            with pytest.raises(MistworksError, match=f"Expected 50 datasets or more .*, got {count}"):
                calibrate(ESTIMATOR, MemorySource.gaussian(count, seed=3), seed=5)
