"""Transfer entropy: its direction, its level for autocorrelated series, its value, and what it prints."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import binom

from mistworks import transfer_entropy
from mistworks.errors import MistworksError
from mistworks.preparation.reading import read_side
from mistworks.series.transfer_entropy import past
from tests.mistworks.series.processes import autoregressive


def driven(rng: np.random.Generator, n: int, coupling: float) -> tuple[np.ndarray, np.ndarray]:
    """x white, y_t = 0.5 y_{t−1} + c x_{t−1} + e_t: transfer entropy ½ log(1 + c²) from x to y."""
    x, e = rng.standard_normal((2, n))
    y = np.zeros(n)
    for t in range(1, n):
        y[t] = 0.5 * y[t - 1] + coupling * x[t - 1] + e[t]
    return x, y


def test_the_direction_is_found() -> None:
    x, y = driven(np.random.default_rng(0), 500, 0.5)
    forth = transfer_entropy(x, y, permutations=39)
    back = transfer_entropy(y, x, permutations=39)
    assert forth.p_value == 1 / 40
    assert back.p_value > 0.05
    low, high = forth.estimate.interval(0.98)
    assert low <= 0.5 * np.log(1 + 0.5**2) <= high
    assert back.estimate.mi < 0.05


def test_autocorrelated_series_keep_their_level() -> None:
    # P(p ≤ 0.1) is about 0.1; a test of level 0.13 fails once in 1,000.
    rng = np.random.default_rng(1)
    p = np.array(
        [
            transfer_entropy(*autoregressive(rng, 300, 0.9), permutations=19, rng=rng).p_value
            for _ in range(20)
        ]
    )
    assert np.sum(p <= 0.1 + 1e-9) <= binom.isf(1e-3, len(p), 0.13)


def test_the_past_is_ordered_from_the_last_step_on() -> None:
    side = past(read_side(np.arange(10.0), "x"), 2, np.arange(2, 10))
    assert np.asarray(side).tolist() == [[t - 1, t - 2] for t in range(2, 10)]


def test_it_is_a_table_a_plot_and_a_sentence() -> None:
    x, y = driven(np.random.default_rng(0), 200, 0.8)
    result = transfer_entropy(x, y, 2, permutations=19)
    assert result == transfer_entropy(x, y, 2, permutations=19)
    assert result.to_frame().to_dict("records") == [
        {"lags": 2, "transfer_entropy": result.estimate.mi, "p_value": 1 / 20}
    ]
    figure, axes = plt.subplots()
    assert result.plot(axes) is axes
    plt.close(figure)
    assert str(result).endswith("; 2 lags, p = 0.05 by 19 shifts")
    assert repr(result) == f"TransferEntropy({result})"


@pytest.mark.parametrize(
    ("lags", "permutations", "message"),
    [
        (0, 9, "Expected at least 1 lag, got 0"),
        (1, 0, "Expected at least 1 permutation, got 0"),
        (60, 9, "Expected at least 50 rows beyond 60 lags, got 100 rows"),
    ],
)
def test_bad_input_is_refused(lags: int, permutations: int, message: str) -> None:
    x, y = driven(np.random.default_rng(0), 100, 0.5)
    with pytest.raises(MistworksError, match=message):
        transfer_entropy(x, y, lags, permutations=permutations)
