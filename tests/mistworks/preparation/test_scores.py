"""Normal scores, against those of SciPy."""

import numpy as np
from scipy.stats import norm, rankdata

from mistworks.preparation.prepare import half_ranks
from mistworks.preparation.scores import normal_scores, scores_of_ranks


def test_they_are_those_of_scipy_also_with_ties() -> None:
    columns = np.round(np.random.default_rng(0).standard_normal((3, 500)), 1)
    expected = norm.ppf(rankdata(columns, axis=1) / 501)
    np.testing.assert_allclose(normal_scores(columns), expected, atol=1e-12)
    np.testing.assert_array_equal(scores_of_ranks(half_ranks(columns)), normal_scores(columns))
    assert normal_scores(np.empty((0, 5))).shape == (0, 5)
