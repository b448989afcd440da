"""The efficiency bound of mutual information, where it has a closed form."""

import math

import numpy as np
import pytest

from benchmarks.bounds import bounds, pointwise
from mistworks.distributions import AdditiveNoise, JointDistribution, Normal, Student
from mistworks.distributions.dispersion import sparse_matrix
from mistworks.evaluation.suites.bmi import bmi_40
from mistworks.evaluation.suites.null import null

POINTS = 200_000


@pytest.mark.parametrize(
    "joint",
    [
        Normal(sparse_matrix(3, 2, 2, 1.0), 3),
        Student(sparse_matrix(2, 2, 1, 1.0), 2, 3.0),
        AdditiveNoise(np.array([0.1, 0.75, 1.5])),
    ],
)
def test_the_mean_of_the_pointwise_values_is_the_mutual_information(joint: JointDistribution) -> None:
    values = pointwise(joint, POINTS, np.random.default_rng(0))
    assert values is not None
    # Four standard errors: a false alarm in 1 of 16,000 seeds, and the seed is fixed.
    error = 4 * values.std() / math.sqrt(POINTS)
    assert values.mean() == pytest.approx(joint.mutual_information, abs=error)


@pytest.mark.parametrize("rho", [0.2, 0.7, 0.95])
def test_the_variance_of_a_normal_pair_is_its_squared_correlation(rho: float) -> None:
    values = pointwise(Normal(np.array([[1.0, rho], [rho, 1.0]]), 1), POINTS, np.random.default_rng(1))
    assert values is not None
    assert values.var() == pytest.approx(rho**2, rel=0.05)


def test_the_bound_of_a_suite_falls_with_n() -> None:
    suite = bmi_40((500, 1000))
    values = bounds(suite)
    assert values is not None
    n = np.array([case.n for case in suite.cases()])
    assert values[n == 500].mean() == pytest.approx(2 * values[n == 1000].mean())
    assert (values > 0).all()


def test_a_suite_with_a_distribution_of_unknown_density_has_none() -> None:
    assert bounds(null()) is None
