import conditional as benchmark
import numpy as np
import pytest

from mistworks.conditional.rivals import plug_in

# Statistical tests allow four standard errors, a false alarm in 16,000, at fixed seeds.
FOUR_SIGMA = 4.0


def test_exponential_collider_has_the_information_of_its_densities() -> None:
    """p(x,y,z) = e^(−z), p(x,z) = (z − x) e^(−z) and p(z) = z² e^(−z) / 2."""
    law = benchmark.exponential_collider(np.random.default_rng(0))
    x, y, z = (part[:, 0] for part in law.sampler(50_000, np.random.default_rng(1)))
    values = np.log(z**2 / 2 / ((z - x) * (z - y)))
    assert abs(values.mean() - law.cmi) < FOUR_SIGMA * values.std() / np.sqrt(50_000)


def test_varying_correlation_is_a_mean_over_z() -> None:
    law = benchmark.varying_correlation(np.random.default_rng(2))
    rng = np.random.default_rng(2)
    strength, rate = rng.uniform(0.3, 0.95), rng.uniform(0.3, 1.5)
    z = np.random.default_rng(3).standard_normal(200_000)
    values = -0.5 * np.log1p(-np.square(strength * np.sin(rate * z)))
    assert abs(values.mean() - law.cmi) < FOUR_SIGMA * values.std() / np.sqrt(200_000)


def test_varying_tails_have_the_information_of_their_copula() -> None:
    """c(u,v) = (1 + θ) (u v)^(−1−θ) (u^(−θ) + v^(−θ) − 1)^(−2−1/θ), uniform margins."""
    law = benchmark.varying_tails(np.random.default_rng(6))
    rng = np.random.default_rng(6)
    level, slope, bend = rng.uniform(-2.0, 1.0), rng.uniform(0.5, 1.5), rng.uniform(-1.0, 1.0)
    slopes = rng.uniform(-2, 2, 2)
    x, y, z = law.sampler(100_000, np.random.default_rng(7))
    u = x[:, 0] - slopes[0] * z[:, 0]
    v = 1.0 - (y[:, 0] - slopes[1] * z[:, 1]) / np.exp(z[:, 1])
    assert u.mean() == pytest.approx(0.5, abs=0.004)
    assert v.mean() == pytest.approx(0.5, abs=0.004)
    theta = np.exp(np.clip(level + slope * z[:, 0] + bend * np.sin(2.0 * z[:, 0]), -4.0, 3.0))
    inner = u**-theta + v**-theta - 1.0
    values = np.log1p(theta) - (1 + theta) * np.log(u * v) - (2 + 1 / theta) * np.log(inner)
    assert abs(values.mean() - law.cmi) < FOUR_SIGMA * values.std() / np.sqrt(len(values))


def test_shared_counts_have_the_information_of_many_points() -> None:
    law = benchmark.shared_counts(np.random.default_rng(4))
    assert plug_in(*law.sampler(200_000, np.random.default_rng(5))) == pytest.approx(law.cmi, abs=0.005)


def test_a_row_holds_errors_coverage_and_the_largest_estimate_of_nothing() -> None:
    row = benchmark.group_row("chain", 3, 80)
    assert row[0] == "chain"
    assert len(row) == 11
    assert row[7] == "—"
    assert float(row[-1]) < 0.2


def test_shares_have_their_standard_error() -> None:
    assert benchmark.share(np.array([True, True, True, False])) == "75.0 ± 21.7 %"
    assert benchmark.share(np.array([], dtype=bool)) == "—"
