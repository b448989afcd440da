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


def test_shared_counts_have_the_information_of_many_points() -> None:
    law = benchmark.shared_counts(np.random.default_rng(4))
    assert plug_in(*law.sampler(200_000, np.random.default_rng(5))) == pytest.approx(law.cmi, abs=0.005)


def test_a_row_holds_errors_coverage_and_the_largest_estimate_of_nothing() -> None:
    row = benchmark.group_row("chain", 3, 80)
    assert row[0] == "chain"
    assert len(row) == 9
    assert float(row[-1]) < 0.2
