"""What an estimate says: units, normalisation, the rows it used, and how it is shown."""

import math
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mistworks
from mistworks.errors import MistworksError, MistworksWarning
from mistworks.estimation.estimate import LEVELS, Estimate, averaged

RNG = np.random.default_rng(0)
X = RNG.standard_normal(400)
Y = 0.8 * X + 0.6 * RNG.standard_normal(400)
CLASSES = RNG.integers(0, 6, 3_000)


class TestUnits:
    def test_a_bit_is_log_2_nats(self) -> None:
        estimate = Estimate(math.log(2), tuple(LEVELS))
        assert estimate.bits == pytest.approx(1.0)
        assert estimate.interval(unit="bits") == pytest.approx((0.05 / math.log(2), 0.95 / math.log(2)))
        with pytest.raises(MistworksError, match="Expected the unit nats or bits, got 'bans'"):
            estimate.interval(unit="bans")  # type: ignore[arg-type]


class TestNormalized:
    @given(rho=st.floats(0, 0.999))
    def test_of_a_gaussian_pair_it_is_the_absolute_correlation(self, rho: float) -> None:
        assert Estimate(-0.5 * math.log1p(-(rho**2))).normalized == pytest.approx(rho, abs=1e-7)

    def test_infinite_information_is_1(self) -> None:
        assert Estimate(math.inf).normalized == 1.0

    def test_of_classes_it_is_one_less_the_distance_of_rajski(self) -> None:
        estimate = Estimate(0.5, joint_entropy=2.0)
        assert estimate.rajski_distance == pytest.approx(0.75)
        assert estimate.normalized == pytest.approx(0.25)
        assert Estimate(2.1, joint_entropy=2.0).normalized == 1.0
        assert Estimate(0.0, joint_entropy=0.0).normalized == 0.0
        with pytest.raises(
            MistworksError, match="Expected classes on both sides for Rajski's distance, got num"
        ):
            _ = Estimate(0.5).rajski_distance

    def test_distances_to_remainders_sum_to_one(self) -> None:
        # X uniform on 0 to 5 is told by X mod 2 and X mod 3 together, which are independent:
        # (1 - log 2 / log 6) + (1 - log 3 / log 6) = 1.
        x = CLASSES.astype(str)
        parts = [mistworks.estimate(x, (CLASSES % base).astype(str)) for base in (2, 3)]
        assert sum(part.rajski_distance for part in parts) == pytest.approx(1.0, abs=0.02)

    def test_truth_values_are_classes_and_numbers_are_not(self) -> None:
        bits = X > 0
        assert mistworks.estimate(bits, Y > 0).joint_entropy == pytest.approx(1.2, abs=0.2)
        assert mistworks.estimate(bits, Y).joint_entropy is None
        assert mistworks.estimate(CLASSES, CLASSES % 2).joint_entropy is None
        named = pd.DataFrame({"code": CLASSES})
        assert mistworks.estimate(named, CLASSES % 2, classes=["code"]).joint_entropy is not None


class TestRows:
    def test_it_says_how_many_were_used(self) -> None:
        assert mistworks.estimate(X, Y).n_used == 400
        assert mistworks.estimate(np.zeros(400), Y).n_used == 400
        with pytest.warns(MistworksWarning, match="400 of 800 points are exact copies"):
            assert mistworks.estimate(np.tile(X, 2), np.tile(Y, 2)).n_used == 400
        assert Estimate(0.5).n_used is None

    @settings(max_examples=15, deadline=None)
    @given(seed=st.integers(0, 1000), share=st.floats(0, 0.5))
    def test_dropping_rows_is_what_dropping_them_before_is(self, seed: int, share: float) -> None:
        rng = np.random.default_rng(seed)
        x, y = X.copy(), Y.copy()
        x[rng.random(400) < share] = np.nan
        y[rng.random(400) < share] = np.nan
        whole = ~(np.isnan(x) | np.isnan(y))
        estimate = mistworks.estimate(x, y, missing="drop")
        assert estimate == mistworks.estimate(x[whole], y[whole])
        assert estimate.n_used == whole.sum()

    def test_a_missing_class_is_a_class(self) -> None:
        labels = np.where(CLASSES == 0, None, CLASSES.astype(str)).astype(object)
        estimate = mistworks.estimate(labels, (CLASSES % 2).astype(str), missing="category")
        assert estimate == mistworks.estimate(CLASSES.astype(str), (CLASSES % 2).astype(str))
        with pytest.raises(
            MistworksError, match=r"missing values in x, got \d+, the first in row \d+\. Fill them"
        ):
            mistworks.estimate(labels, CLASSES)


def test_an_average_keeps_what_its_parts_have() -> None:
    one = Estimate(0.2, tuple(LEVELS), 0.5, 10, 1.0)
    other = Estimate(0.4, tuple(2 * level for level in LEVELS), 0.1, 20, 2.0)
    both = averaged([one, other])
    assert (both.mi, both.familiarity, both.n_used, both.joint_entropy) == (pytest.approx(0.3), 0.1, 30, 1.5)
    np.testing.assert_allclose(both.quantiles, 1.5 * np.array(LEVELS))
    assert averaged([Estimate(0.2), Estimate(0.4)]).quantiles is None


class TestShown:
    def test_in_a_line(self) -> None:
        estimate = mistworks.estimate(X, Y)
        low, high = estimate.interval()
        assert repr(estimate) == (
            f"Estimate({estimate.mi:.3f} nats, 90 % interval {low:.3f} to {high:.3f}, n = 400)"
        )

    @pytest.mark.parametrize(
        "estimate",
        [
            Estimate(0.5, tuple(LEVELS)),
            Estimate(0.0, (0.0,) * len(LEVELS)),
            Estimate(3.0, (99.0,) * len(LEVELS)),
        ],
    )
    def test_in_a_notebook(self, estimate: Estimate) -> None:
        page = ET.fromstring(f"<div>{estimate._repr_html_()}</div>")
        assert str(estimate) in "".join(page.itertext())
        assert page.find("svg") is not None

    def test_an_unbounded_interval_is_not_drawn(self) -> None:
        for estimate in (Estimate(0.5), Estimate(0.5, (*LEVELS[:-50], *[math.inf] * 50))):
            assert "<svg" not in estimate._repr_html_()
