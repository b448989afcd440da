"""Which columns tell about a target, however they do so: intervals for people, SelectKBest for pipelines.

The target depends on one column by a line, on one by a parabola, on one by a class; two are noise. The
correlation with the target shows the first alone.
"""

import numpy as np
from sklearn.feature_selection import SelectKBest

import mistworks

rng = np.random.default_rng(0)
n = 400
names = ["line", "parabola", "site", "noise", "more noise"]
X = rng.standard_normal((n, 5))
X[:, 2] = rng.integers(3, size=n)
y = X[:, 0] + X[:, 1] ** 2 + np.array([0.0, 3.0, -1.0])[X[:, 2].astype(int)] + 0.5 * rng.standard_normal(n)

scores = mistworks.feature_scores(X, y, level=0.9)
print("column       correlation   mutual information in nats, 90 % interval")
for column, name in enumerate(names):
    correlation = np.corrcoef(X[:, column], y)[0, 1]
    low, high = scores.lower[column], scores.upper[column]
    print(f"{name:<12} {correlation:11.2f}   {scores.scores[column]:.3f}  [{low:.3f}, {high:.3f}]")

# Strings are class labels, in the target as in a column of a DataFrame.
risk = np.where(y > np.median(y), "high", "low")
selector = SelectKBest(mistworks.feature_scores, k=3).fit(X, risk)
print("chosen for the risk class:", ", ".join(np.array(names)[selector.get_support()]))
