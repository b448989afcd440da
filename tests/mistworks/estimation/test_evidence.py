"""What permutation tests compare: its values by hand, its rounding, and that it tells more than the mean."""

import numpy as np
import pytest

from mistworks.estimation.estimate import LEVELS, Estimate
from mistworks.estimation.estimator import shipped
from mistworks.estimation.evidence import ROUNDING, evidence


def constant(value: float) -> Estimate:
    return Estimate(value, (value,) * len(LEVELS))


def test_by_hand() -> None:
    assert evidence(constant(0.0), 100) == 0
    assert evidence(constant(0.0025), 100) == pytest.approx(0.5)
    assert evidence(constant(0.0075), 100) == pytest.approx(0.75)
    assert evidence(Estimate(0.0025), 100) == pytest.approx(0.5)


def test_infinite_quantiles_count_as_1() -> None:
    half = len(LEVELS) // 2
    assert evidence(Estimate(0.0, (0.0,) * half + (np.inf,) * (half + 1)), 10) == pytest.approx(0.5, abs=0.01)


def test_it_rises_with_every_quantile() -> None:
    quantiles = np.linspace(0, 0.1, len(LEVELS))
    low, high = (evidence(Estimate(0.05, tuple(factor * quantiles)), 50) for factor in (1.0, 1.1))
    assert 0 < low < high < 1


@pytest.mark.parametrize("n", [20, 300])
def test_batches_change_less_than_the_rounding(n: int) -> None:
    rng = np.random.default_rng(n)
    pairs = [(rng.standard_normal(n), rng.integers(0, 4, n)) for _ in range(16)]
    together = [evidence(each, n) for each in shipped().estimate_many(pairs)]
    alone = [evidence(shipped().estimate(*pair), n) for pair in pairs]
    assert np.abs(np.subtract(together, alone)).max() < ROUNDING


def test_it_finds_more_than_the_mean_of_the_quantiles() -> None:
    # Correlation 0.6 at n = 30 and p ≤ 0.01, by the same 400 permuted and the same 60 dependent samples. The
    # means of permuted samples have a long tail.
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 30))
    permuted = shipped().estimate_many([(x, rng.permutation(y)) for _ in range(400)])
    samples = []
    for _ in range(60):
        x, y = rng.standard_normal((2, 30))
        samples.append((x, 0.6 * x + 0.8 * y))
    dependent = shipped().estimate_many(samples)

    def power(values: list[float], null: list[float]) -> float:
        return float(np.mean(np.array(values) > np.quantile(null, 0.99)))

    by_evidence = power([evidence(each, 30) for each in dependent], [evidence(each, 30) for each in permuted])
    by_mean = power([each.mean for each in dependent], [each.mean for each in permuted])
    assert by_evidence >= by_mean + 0.2
