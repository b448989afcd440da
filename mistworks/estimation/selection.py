"""Feature selection by the mutual information of each column with a target, also in scikit-learn."""

from collections.abc import Collection, Hashable, Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mistworks.errors import MistworksError
from mistworks.estimation.many import Model, estimate_many
from mistworks.extras import imported
from mistworks.preparation.reading import Missing, read_tables
from mistworks.preparation.table import complete

if TYPE_CHECKING:
    import pandas as pd


class FeatureScore(NamedTuple):
    """Mutual information of one column with the target, in nats.

    Attributes:
        name: label of the column in a DataFrame, else its position.
        score: the point estimate.
        lower: lower end of its interval.
        upper: upper end of its interval.
    """

    name: Hashable
    score: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, eq=False)
class FeatureScores:
    """Mutual information of each of d columns with the target, in nats.

    ``scores["age"]`` and ``scores[0]`` are a `FeatureScore`, and iteration yields one per column, in order.
    `to_frame` returns a DataFrame. ``np.asarray`` returns the point estimates, which scikit-learn's
    `SelectKBest` stores.

    Attributes:
        names: names of the columns: their labels in a DataFrame, else their positions.
        scores: point estimates, shape (d,).
        lower: lower ends of their intervals, shape (d,).
        upper: upper ends of their intervals, shape (d,).
        level: the level of each single interval; the probability that all d intervals hold is lower.
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

    def __iter__(self) -> Iterator[FeatureScore]:
        columns = (self.scores.tolist(), self.lower.tolist(), self.upper.tolist())
        return map(FeatureScore._make, zip(self.names, *columns, strict=True))

    def __getitem__(self, column: Hashable) -> FeatureScore:
        """Return the score of a column, by its name or its position.

        An integer is a position, unless columns have integers as names: then it is a name, as in a dict.

        Raises:
            MistworksError: there is no such column, or several have this name.
        """
        places = [place for place, name in enumerate(self.names) if name == column]
        if not places and isinstance(column, Integral) and self._has_positions:
            places = [place for place in range(len(self)) if int(column) in (place, place - len(self))]
        if len(places) != 1:
            got = f"one that {len(places)} columns have" if places else "another"
            raise MistworksError(
                f"Expected the name or the position of one of {len(self)} columns, got {column!r}, {got}. "
                f"The names are {', '.join(map(repr, self.names[:10]))}{', …' * (len(self) > 10)}."
            )
        return list(self)[places[0]]

    @property
    def _has_positions(self) -> bool:
        """Whether integers are positions, since no column has another integer as its name."""
        numbers = [name for name in self.names if isinstance(name, Integral)]
        return not numbers or self.names == (*range(len(self)),)

    def to_frame(self) -> "pd.DataFrame":
        """Return a DataFrame of ``score``, ``lower`` and ``upper``, with one named row per column of X.

        Raises:
            MistworksError: pandas is not installed.
        """
        pandas = imported("pandas", "a DataFrame")
        rows = [(score.score, score.lower, score.upper) for score in self]
        # Otherwise, names that are tuples would become several levels.
        index = pandas.Index(self.names, name="column", tupleize_cols=False)
        frame: pd.DataFrame = pandas.DataFrame(rows, index=index, columns=["score", "lower", "upper"])
        return frame

    def __str__(self) -> str:
        width = max(len(str(name)) for name in self.names)
        lines = [
            f"{self.names[column]!s:<{width}}  {self.scores[column]:.3f}  "
            f"[{self.lower[column]:.3f}, {self.upper[column]:.3f}]"
            for column in np.argsort(-self.scores, kind="stable")
        ]
        title = f"mutual information in nats with {100 * self.level:g} % intervals, the highest first"
        return "\n".join([title, *lines])


def feature_scores(
    X: object,  # noqa: N803
    y: object,
    *,
    model: Model = None,
    level: float = 0.9,
    missing: Missing = "raise",
    classes: Collection[Hashable] = (),
) -> FeatureScores:
    """Estimate the mutual information of each column of X with y, with intervals, in nats.

    It works as a score function of scikit-learn: ``SelectKBest(mistworks.feature_scores, k=3)``, or with an
    estimator of your own, ``SelectKBest(partial(mistworks.feature_scores, model="folder"), k=3)``.

    Each column is scored separately: two redundant columns both score high, and two columns that are
    informative only together both score low.

    Args:
        X: n points of d columns, shape (n, d): an array, a tensor, a DataFrame or a list, not sparse.
        y: the target, shape (n,) or (n, dy). Strings and pandas' ``category`` are class labels, as they are
            in X; numbers are numbers, so pass numbered classes that have no order as strings.
        model: an estimator, what `mistworks.load` takes, or None for the weights that come with the package.
        level: level of the intervals, between 0 and 1.
        missing: what happens to missing values, see `mistworks.estimate`; with ``"drop"``, each column keeps
            the rows in which it and y have a value.
        classes: names of columns of numbers that are class labels.

    Raises:
        MistworksError: X and y are not a sample, values are missing, the level is invalid, or the estimator
            has no intervals.
    """
    if not 0 < level < 1:
        raise MistworksError(f"Expected a level between 0 and 1, got {level}. Use 0.9.")
    features, target = read_tables([("X", X), ("y", y)], classes=classes, max_columns=None)
    if missing != "drop":
        features, target = complete([features, target], ["X", "y"], missing)[0]
    pairs = (
        complete([features.columns([place]), target], [f"column {label!r} of X", "y"], missing)[0]
        for place, label in enumerate(features.labels)
    )
    estimates = estimate_many(((column, rest) for column, rest in pairs), model)
    ends = np.array([estimate.interval(level) for estimate in estimates])
    scores = np.array([estimate.mi for estimate in estimates])
    return FeatureScores(features.labels, scores, ends[:, 0], ends[:, 1], level)


__all__ = ["FeatureScore", "FeatureScores", "feature_scores"]
