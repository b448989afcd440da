"""Are two variables dependent at all? A permutation test that sees what correlation does not.

Points on a noisy circle are uncorrelated and dependent; two independent heavy-tailed variables are neither.
"""

import numpy as np
from scipy.stats import pearsonr

import mistworks

rng = np.random.default_rng(0)
n = 200
angle = rng.uniform(0, 2 * np.pi, size=n)
circle = np.column_stack([np.cos(angle), np.sin(angle)]) + 0.2 * rng.standard_normal((n, 2))
heavy = rng.standard_cauchy((n, 2))

for name, sample in (("circle", circle), ("heavy tails", heavy)):
    x, y = sample.T
    test = mistworks.independence_test(x, y, permutations=199)
    print(f"{name}: correlation p = {pearsonr(x, y).pvalue:.3g}; mutual information {test}")
