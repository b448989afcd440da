"""The beta–binomial pair: its closed form against quadrature, published figures and a plug-in of draws."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from mistworks.distributions import BetaBinomial, BinomialFamily, UniformInteger
from mistworks.errors import MistworksError


@pytest.mark.parametrize(("trials", "expected"), [(1, 0.19315), (5, 0.59577), (50, 1.56794)])
def test_uniform_probabilities_give_the_known_figures(trials: int, expected: float) -> None:
    assert BetaBinomial(trials).information == pytest.approx(expected, abs=5e-6)


@pytest.mark.parametrize("trials", [1, 2, 7, 40])
@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (0.5, 3.0), (6.0, 2.5)])
def test_the_closed_form_is_the_integral(trials: int, a: float, b: float) -> None:
    """H(K) of the beta–binomial distribution, minus the integral of H(Bin(m, θ)) over the beta density."""
    entropy = float(stats.betabinom(trials, a, b).entropy())
    conditional, _ = integrate.quad(
        lambda theta: float(stats.beta.pdf(theta, a, b) * stats.binom(trials, theta).entropy()), 0, 1
    )
    assert BetaBinomial(trials, a, b).information == pytest.approx(entropy - conditional, abs=1e-6)


@given(trials=st.integers(1, 2_000), a=st.floats(0.1, 100), b=st.floats(0.1, 100))
@settings(max_examples=100, deadline=None)
def test_information_is_symmetric_and_bounded(trials: int, a: float, b: float) -> None:
    information = BetaBinomial(trials, a, b).information
    assert 0 <= information <= math.log(trials + 1) + 1e-9
    assert BetaBinomial(trials, b, a).information == pytest.approx(information, abs=1e-9)
    assert BetaBinomial(trials + 1, a, b).information >= information - 1e-9


def test_many_trials_tell_as_much_as_a_normal_channel() -> None:
    """For large m, I ≈ h(θ) − E ½ log(2πe θ(1 − θ)/m), and E log θ(1 − θ) = −2 for a uniform θ."""
    m = 10_000
    expected = 0.5 * math.log(m / (2 * math.pi * math.e)) + 1.0
    assert BetaBinomial(m).information == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("trials", "a", "b"), [(0, 1.0, 1.0), (1, 0.0, 1.0), (1, 1.0, math.inf)])
def test_parameters_out_of_range_are_refused(trials: int, a: float, b: float) -> None:
    with pytest.raises(MistworksError, match="Expected at least 1 trial and positive a and b, got"):
        BetaBinomial(trials, a, b)
    with pytest.raises(MistworksError, match="Expected trials ≤ 10,000"):
        BinomialFamily.parse({"trials": {"low": 1, "high": 10_001}})
    with pytest.raises(MistworksError, match=r"Expected shape within \[0.1, 10000\]"):
        BinomialFamily.parse({"shape": {"low": 0.01, "high": 1}})


def test_pairs_are_at_their_positions_and_told_by_their_draws() -> None:
    """A chi-square test of each count given its probability, in eight classes of that, level 1e-6 each."""
    rng = np.random.default_rng(0)
    family = BinomialFamily(trials=UniformInteger(low=3, high=3), pairs=UniformInteger(low=2, high=2))
    for _ in range(4):
        joint = family.draw(3, 4, rng)
        assert len(joint.pairs) == 2
        expected = sum(pair.information for pair in joint.pairs)
        assert joint.mutual_information == pytest.approx(expected, rel=1e-12)
        x, y = joint.sample(8_000, rng)
        theta, count = (y, x) if joint.swapped else (x, y)
        theta_order, count_order = (
            (joint.y_order, joint.x_order) if joint.swapped else (joint.x_order, joint.y_order)
        )
        for pair, place, counted in zip(joint.pairs, theta_order, count_order, strict=False):
            values = theta[:, place].astype(np.float64)
            assert stats.kstest(values, stats.beta(pair.a, pair.b).cdf).pvalue > 1e-6
            part = np.digitize(values, np.quantile(values, np.linspace(0, 1, 9)[1:-1]))
            probabilities = stats.binom.pmf(np.arange(4)[:, None], 3, values)
            for each in range(8):
                seen = np.bincount(count[part == each, counted].astype(int), minlength=4)
                awaited = probabilities[:, part == each].sum(axis=1)
                kept = awaited > 5
                statistic = np.square(seen - awaited)[kept] / awaited[kept]
                assert stats.chi2.sf(statistic.sum(), kept.sum()) > 1e-6
