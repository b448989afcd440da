"""Which columns tell about a target: one score per column, with its interval, also for scikit-learn."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mistworks.errors import MistworksError
from mistworks.estimation.many import Model, estimate_many
from mistworks.preparation.reading import read_side, require_same_rows, split_columns


@dataclass(frozen=True, slots=True, eq=False)
class FeatureScores:
    """Mutual information of each of d columns with the target, in nats.

    ``np.asarray`` converts it to the array of its scores, which is what scikit-learn's `SelectKBest` keeps.

    Attributes:
        names: what the columns are called: their labels in a DataFrame, else their positions.
        scores: point estimates, shape (d,).
        lower: lower ends of their intervals, shape (d,).
        upper: upper ends of their intervals, shape (d,).
        level: the level of each interval by itself; the probability that all d hold is lower.
    """

    names: tuple[Hashable, ...]
    scores: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    level: float

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.scores, dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return len(self.scores)

    def __str__(self) -> str:
        width = max(len(str(name)) for name in self.names)
        lines = [
            f"{self.names[column]!s:<{width}}  {self.scores[column]:.3f}  "
            f"[{self.lower[column]:.3f}, {self.upper[column]:.3f}]"
            for column in np.argsort(-self.scores, kind="stable")
        ]
        title = f"mutual information in nats with {100 * self.level:g} % intervals, the highest first"
        return "\n".join([title, *lines])


def feature_scores(X: object, y: object, *, model: Model = None, level: float = 0.9) -> FeatureScores:  # noqa: N803
    """Mutual information of each column of X with y, each with its interval, in nats.

    It is a score function of scikit-learn as it stands: ``SelectKBest(mistworks.feature_scores, k=3)``, or
    with a model ``SelectKBest(partial(mistworks.feature_scores, model="folder"), k=3)``.

    Each column is judged by itself: two columns that repeat one another both score high, and two that tell
    about y only together both score low.

    Args:
        X: n points of d columns, shape (n, d): an array, a tensor, a DataFrame or a list, not sparse.
        y: the target, shape (n,) or (n, dy). Strings and pandas' ``category`` are class labels, as they are
            in X; numbers are numbers, so pass numbered classes that have no order as strings.
        model: an estimator, what `mistworks.load` takes, or None for the weights that come with the package.
        level: level of the intervals, between 0 and 1.

    Raises:
        MistworksError: X and y are not a sample, the level is none, or the model gives no intervals.
    """
    if not 0 < level < 1:
        raise MistworksError(f"Expected a level between 0 and 1, got {level}. Use 0.9.")
    features, target = read_side(X, "X", max_columns=None), read_side(y, "y")
    require_same_rows(features, target, "X")
    estimates = estimate_many(((column, target) for column in split_columns(features)), model)
    ends = np.array([estimate.interval(level) for estimate in estimates])
    scores = np.array([estimate.mi for estimate in estimates])
    return FeatureScores(features.labels, scores, ends[:, 0], ends[:, 1], level)


__all__ = ["FeatureScores", "feature_scores"]
