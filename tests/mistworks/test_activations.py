"""EBAB and aKDE: figures by hand, ceilings, and bad input."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mistworks.activations import akde, binned, ebab, mixture_bound
from mistworks.baselines import AKDE, EBAB
from mistworks.errors import MistworksError


def mixture_information(layer: np.ndarray, variance: float, rng: np.random.Generator) -> float:
    """I(X;T + noise) over the pool in nats, by Monte Carlo over the mixture that the bound is of."""
    n, d = layer.shape
    draws = np.repeat(layer, 50, axis=0) + math.sqrt(variance) * rng.normal(size=(50 * n, d))
    squares = ((draws[:, None] - layer) ** 2).sum(axis=2) / (2 * variance)
    own = squares[np.arange(50 * n), np.repeat(np.arange(n), 50)]
    return float((-own - np.log(np.exp(-squares).mean(axis=1))).mean())


class TestEBAB:
    def test_distinct_wide_activations_reach_the_ceiling(self) -> None:
        layer = np.random.default_rng(0).normal(size=(200, 10))
        assert ebab(layer).about_input == pytest.approx(math.log(200))

    def test_one_unit_has_the_entropy_of_its_bins(self) -> None:
        layer = np.random.default_rng(0).permutation(np.arange(300.0))
        assert ebab(layer).about_input == pytest.approx(math.log(30))
        assert ebab(layer, bins=3).about_input == pytest.approx(math.log(3))

    def test_labels(self) -> None:
        labels = np.repeat(["a", "b", "c", "d"], 50)
        layer = np.repeat([0.0, 1.0, 2.0, 3.0], 50)
        assert ebab(layer, labels) == pytest.approx((math.log(4), math.log(4)))
        assert ebab(np.tile([0.0, 1.0], 100), labels) == pytest.approx((math.log(2), 0.0), abs=1e-12)

    def test_edges_hold_equal_shares_of_distinct_values(self) -> None:
        layer = np.concatenate([np.zeros(900), np.arange(1.0, 100.0)])[:, None]
        # The value 0 is one of a hundred, however often it occurs.
        assert np.bincount(binned(layer, 10).ravel())[1:].tolist() == [10] * 9

    def test_any_increasing_map_leaves_it_as_it_is(self) -> None:
        layer = np.random.default_rng(0).permutation(np.arange(1.0, 101.0))
        assert ebab(np.log(layer), bins=5) == pytest.approx(ebab(layer, bins=5))


class TestAKDE:
    def test_distinct_wide_activations_reach_the_ceiling(self) -> None:
        layer = 100 * np.random.default_rng(0).normal(size=(200, 5))
        assert akde(layer).about_input == pytest.approx(math.log(200))

    @settings(max_examples=20, deadline=None, derandomize=True)
    @given(seed=st.integers(0, 1000), n=st.integers(2, 40), noise=st.floats(1e-3, 1.0))
    def test_it_bounds_the_information_of_the_noisy_layer(self, seed: int, n: int, noise: float) -> None:
        rng = np.random.default_rng(seed)
        layer = rng.normal(size=(n, 2))
        bound = akde(layer, noise=noise).about_input
        variance = noise * np.abs(layer).max()
        assert 0 <= bound <= math.log(n) + 1e-9
        # 50 draws per point of a variable of standard deviation below 2 in dimension 2.
        assert bound > mixture_information(layer, variance, rng) - 4 * 2 / math.sqrt(50 * n)

    def test_by_hand(self) -> None:
        layer, variance = np.array([[0.0], [1.0], [3.0]]), 0.5
        kernel = np.exp(-((layer - layer.T) ** 2) / (2 * variance))
        assert mixture_bound(layer, variance) == pytest.approx(-np.log(kernel.mean(axis=1)).mean())

    def test_blocks_of_rows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        layer = np.random.default_rng(0).normal(size=(50, 2))
        whole = mixture_bound(layer, 0.1)
        monkeypatch.setattr("mistworks.activations._CELLS", 170)
        assert mixture_bound(layer, 0.1) == pytest.approx(whole)

    def test_labels(self) -> None:
        rng = np.random.default_rng(0)
        labels = rng.integers(0, 3, 300)
        layer = 10.0 * labels[:, None] + 0.01 * rng.normal(size=(300, 2))
        shares = np.bincount(labels) / 300
        about_labels = akde(layer, labels, noise=1e-2).about_labels
        assert about_labels == pytest.approx(-(shares * np.log(shares)).sum(), abs=1e-6)
        assert akde(np.zeros((4, 2)), [0, 1, 0, 1]) == (0.0, 0.0)


class TestBadInput:
    @pytest.mark.parametrize("measure", [ebab, akde])
    def test_layers(self, measure: object) -> None:
        assert callable(measure)
        with pytest.raises(MistworksError, match=r"Expected activations of shape .*, got \(2, 2, 2\)"):
            measure(np.zeros((2, 2, 2)))
        with pytest.raises(MistworksError, match="Expected finite activations"):
            measure([0.0, np.nan])
        with pytest.raises(MistworksError, match=r"one label for each of 3 rows, got shape \(2,\)"):
            measure([0.0, 1.0, 2.0], [0, 1])

    def test_options(self) -> None:
        with pytest.raises(MistworksError, match="at least 2 bins, got 1"):
            ebab([0.0, 1.0], bins=1)
        with pytest.raises(MistworksError, match="noise above 0, got 0"):
            akde([0.0, 1.0], noise=0)


class TestBaselines:
    def test_ebab_of_bins_that_are_states(self) -> None:
        rng = np.random.default_rng(0)
        x = rng.integers(0, 5, (400, 1)).astype(np.float32)
        assert EBAB().estimate(x, x).mi == pytest.approx(ebab(x).about_input)
        assert EBAB().unit == "nats"

    def test_akde_finds_the_labels_on_either_side(self) -> None:
        rng = np.random.default_rng(0)
        labels = rng.integers(0, 2, (200, 1)).astype(np.float32)
        layer = (3 * labels + rng.normal(size=(200, 2))).astype(np.float32)
        assert AKDE().estimate(layer, labels) == AKDE().estimate(labels, layer)
        with pytest.raises(MistworksError, match="Expected labels on one side"):
            AKDE().estimate(layer, layer)
