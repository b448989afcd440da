"""Bounds from a known conditional density: the Gaussian channel, finite pools, groups, and bad input."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

import mistworks
from mistworks.channel import channel_information
from mistworks.errors import MistworksError


def gaussian_channel(n: int, sigma: float, seed: int = 0, draws: int = 1) -> np.ndarray:
    """log p(zᵢ | xₗ) of Z = X + σε, X standard normal, shape (n, n · draws), those of a context adjacent."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n)
    z = np.repeat(x, draws) + sigma * rng.standard_normal(n * draws)
    return -0.5 * ((z - x[:, None]) / sigma) ** 2 - math.log(sigma) - 0.5 * math.log(2 * math.pi)


class TestGaussianChannel:
    @pytest.mark.parametrize(
        ("sigma", "truth", "lower", "upper"),
        [(1.0, 0.347, 0.353, 0.354), (0.1, 2.308, 2.260, 2.278), (0.01, 4.605, 4.505, 5.541)],
    )
    def test_one_trial(self, sigma: float, truth: float, lower: float, upper: float) -> None:
        """The figures are of one trial with other draws: they may differ by four standard errors of both."""
        assert 0.5 * math.log1p(sigma**-2) == pytest.approx(truth, abs=6e-4)
        found = mistworks.channel_information(gaussian_channel(1_000, sigma))
        assert found.upper is not None
        assert found.lower_se is not None
        assert found.upper_se is not None
        assert found.lower == pytest.approx(lower, abs=4 * math.sqrt(2) * found.lower_se)
        assert found.upper == pytest.approx(upper, abs=4 * math.sqrt(2) * found.upper_se)
        assert found.ceiling == pytest.approx(math.log(1_000))

    @pytest.mark.parametrize("sigma", [1.0, 0.3])
    def test_the_bounds_hold_on_average_and_their_errors_are_right(self, sigma: float) -> None:
        truth = 0.5 * math.log1p(sigma**-2)
        found = [channel_information(gaussian_channel(100, sigma, seed)) for seed in range(200)]
        lower, upper = (np.array([getattr(each, side) for each in found]) for side in ("lower", "upper"))
        # Four standard errors, a false alarm in 16,000.
        assert lower.mean() < truth + 4 * lower.std() / math.sqrt(200)
        assert upper.mean() > truth - 4 * upper.std() / math.sqrt(200)
        assert np.mean([each.lower_se for each in found]) == pytest.approx(lower.std(), rel=0.35)

    def test_the_ceiling(self) -> None:
        found = channel_information(gaussian_channel(50, 1e-4))
        assert found.lower == pytest.approx(math.log(50))
        assert "which can show 3.912" in str(found)

    def test_several_draws_of_each_context(self) -> None:
        values = gaussian_channel(200, 0.5, draws=5)
        found = channel_information(values, contexts=np.repeat(np.arange(200), 5))
        single = channel_information(gaussian_channel(200, 0.5))
        assert (found.contexts, found.draws) == (200, 1_000)
        assert found.lower_se is not None
        assert single.lower_se is not None
        assert found.lower_se < single.lower_se
        assert found.lower == pytest.approx(0.5 * math.log1p(4), abs=4 * found.lower_se + 0.02)

    def test_the_order_of_draws_does_not_matter(self) -> None:
        values, order = gaussian_channel(30, 0.5), np.random.default_rng(0).permutation(30)
        expected = channel_information(values)
        found = channel_information(values[:, order], contexts=order)
        assert (found.lower, found.upper) == pytest.approx((expected.lower, expected.upper))


class TestFinitePools:
    def test_a_noisy_typewriter_is_exact(self) -> None:
        """X uniform on 8 letters, Z the letter or the next: I = log 8 − log 2, whatever is drawn."""
        letters = np.arange(8)
        z = np.concatenate([letters, (letters + 1) % 8])
        possible = (z == letters[:, None]) | (z == (letters[:, None] + 1) % 8)
        values = np.where(possible, math.log(0.5), -np.inf)
        found = channel_information(values, contexts=np.tile(letters, 2))
        assert found.lower == pytest.approx(math.log(4))
        assert found.upper == pytest.approx(math.log(7))

    def test_nothing_else_could_have_given_the_draws(self) -> None:
        values = np.where(np.eye(4, dtype=bool), 0.0, -np.inf)
        found = channel_information(values)
        assert found.lower == pytest.approx(math.log(4))
        assert (found.upper, found.upper_se) == (math.inf, None)

    def test_negative_bounds_are_not_clipped(self) -> None:
        values = np.array([[0.0, 1.0], [1.0, 0.0]])
        assert channel_information(values).lower == pytest.approx(math.log(2) - logsumexp([0.0, 1.0]))

    def test_groups(self) -> None:
        """I(X;Z|Q) of two channels, each among its own contexts."""
        first, second = gaussian_channel(60, 1.0), gaussian_channel(40, 0.1, seed=1)
        values = np.full((100, 100), 50.0)
        values[:60, :60], values[60:, 60:] = first, second
        found = channel_information(values, groups=["a"] * 60 + ["b"] * 40)
        parts = channel_information(first), channel_information(second)
        assert found.lower == pytest.approx(0.6 * parts[0].lower + 0.4 * parts[1].lower)
        assert found.upper == pytest.approx(0.6 * parts[0].upper + 0.4 * parts[1].upper)  # type: ignore[operator]
        assert found.ceiling == pytest.approx(0.6 * math.log(60) + 0.4 * math.log(40))

    def test_tokens_and_bits(self) -> None:
        values = gaussian_channel(20, 0.5)
        found = channel_information(values, tokens=np.repeat([4, 6], 10))
        assert found.per_token == pytest.approx((found.lower / 5, found.upper / 5))  # type: ignore[operator]
        assert found.bits[0] == pytest.approx(found.lower / math.log(2))
        with pytest.raises(MistworksError, match=r"Expected numbers of tokens, got none\. Pass tokens="):
            _ = channel_information(values).per_token

    def test_a_proxy_has_no_upper_bound(self) -> None:
        found = channel_information(gaussian_channel(20, 0.5), proxy=True)
        assert (found.upper, found.upper_se, found.bits[1]) == (None, None, None)
        assert "at most" not in str(found)

    @settings(max_examples=30, deadline=None, derandomize=True)
    @given(seed=st.integers(0, 10**6), n=st.integers(2, 30), shift=st.floats(-1e4, 1e4))
    def test_invariances(self, seed: int, n: int, shift: float) -> None:
        """A constant of each draw, such as a normaliser, and another order of contexts change nothing."""
        rng = np.random.default_rng(seed)
        values, order = 10 * rng.normal(size=(n, n)), rng.permutation(n)
        expected = channel_information(values)
        for found in (
            channel_information(values + shift * rng.normal(size=n)),
            channel_information(values[order], contexts=np.argsort(order)),
        ):
            assert found.lower == pytest.approx(expected.lower, abs=1e-7)
            assert found.upper == pytest.approx(expected.upper, abs=1e-7)
        assert expected.lower <= expected.ceiling + 1e-9


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (np.zeros(3), {}, r"shape \(N, M\) with at least 2 contexts, got \(3,\)"),
        (np.zeros((1, 1)), {}, "at least 2 contexts"),
        (np.full((2, 2), np.nan), {}, "numbers or minus infinity, got NaN or infinity"),
        (np.full((2, 2), np.inf), {}, "numbers or minus infinity, got NaN or infinity"),
        (np.zeros((2, 3)), {}, "Expected as many draws as contexts, got 3 and 2. Say with contexts="),
        (np.zeros((2, 3)), {"contexts": [0, 1]}, "one row number for each of 3 draws"),
        (np.zeros((2, 2)), {"contexts": [0.0, 1.0]}, "one row number for each of 2 draws"),
        (np.zeros((2, 2)), {"contexts": [0, 2]}, "row numbers from 0 to 1"),
        (np.zeros((3, 3)), {"groups": [0, 0]}, r"one group for each of 3 contexts, got shape \(2,\)"),
        (np.zeros((3, 3)), {"groups": [0, 0, 1]}, "at least 2 contexts in each group"),
        (np.zeros((2, 2)), {"tokens": [1, 0]}, "a number of tokens above 0"),
        (np.array([[-np.inf, 0.0], [0.0, 0.0]]), {}, "but draw 0 has log-likelihood -inf in context 0"),
    ],
)
def test_bad_input(values: np.ndarray, options: dict[str, Any], message: str) -> None:
    with pytest.raises(MistworksError, match=message):
        channel_information(values, **options)
