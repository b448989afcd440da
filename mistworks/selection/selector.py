"""The selection as a transformer of scikit-learn, which `mistworks` imports when it is first used."""

from collections.abc import Collection, Hashable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mistworks.errors import MistworksError
from mistworks.estimation.many import Model
from mistworks.extras import how_to_install
from mistworks.preparation.table import MIN_POINTS, Missing
from mistworks.selection.function import select

try:
    from sklearn.base import BaseEstimator  # type: ignore[import-untyped]
    from sklearn.feature_selection import SelectorMixin  # type: ignore[import-untyped]
    from sklearn.utils.validation import check_is_fitted, validate_data  # type: ignore[import-untyped]
except ImportError as error:
    raise MistworksError(
        f"Expected scikit-learn 1.6 or later for MutualInformationSelector, got: {error}. "
        f"{how_to_install('tables')}."
    ) from None


class MutualInformationSelector(SelectorMixin, BaseEstimator):  # type: ignore[misc]
    """Keep the columns that tell about the target, without those that repeat what others tell.

    `mistworks.select` as a transformer of scikit-learn, for pipelines. Rows of X and y belong together by
    position. DataFrames may have columns of class labels and, by ``missing``, missing values; arrays too.

    Args:
        k: how many columns to keep: exactly as many, also where their gains are not significant. None keeps
            what is significant, which may be nothing; `transform` then warns and returns no column.
        model: an estimator, what `mistworks.load` takes, or None for the weights that come with the package.
        missing: what happens to missing values, see `mistworks.select`. `transform` keeps all rows.
        classes: names of columns of numbers that are class labels.
        alpha: level of the tests, between 0 and 1.
        level: level of the intervals of ``selection_``, between 0 and 1.
        rng: draws permutations: a seed, for equal results of equal fits, or a generator.

    Attributes:
        selection_: the `mistworks.Selection`, with the order, the gains and why it stopped.
        support_: which columns are kept, shape (n_features_in_,).
        n_features_in_: number of columns of X.
        feature_names_in_: names of the columns of X, where all are strings.
    """

    def __init__(
        self,
        k: int | None = None,
        *,
        model: Model = None,
        missing: Missing = "raise",
        classes: Collection[Hashable] = (),
        alpha: float = 0.05,
        level: float = 0.9,
        rng: np.random.Generator | int = 0,
    ) -> None:
        self.k = k
        self.model = model
        self.missing = missing
        self.classes = classes
        self.alpha = alpha
        self.level = level
        self.rng = rng

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803
        """Select columns.

        Args:
            X: n points of d columns, shape (n, d).
            y: the target, shape (n,) or (n, dy).

        Raises:
            ValueError: X is no table, or y is missing.
            MistworksError: as for `mistworks.select`; it is a ValueError too.
        """
        validate_data(self, X, y, skip_check_array=True)
        if isinstance(y, str):
            raise MistworksError(
                f"Expected the values of y, got the name {y!r}. Pass X without this column, and its values "
                "as y."
            )
        if not _is_frame(X):
            finite = "allow-nan" if self._allows_missing else True
            X = validate_data(  # noqa: N806
                self, X, dtype=None, ensure_all_finite=finite, ensure_min_samples=MIN_POINTS
            )
        self.selection_ = select(
            _by_position(X),
            _by_position(y),
            self.k,
            model=self.model,
            missing=self.missing,
            classes=self.classes,
            alpha=self.alpha,
            level=self.level,
            rng=self.rng,
        )
        self.support_ = np.zeros(self.n_features_in_, dtype=np.bool_)
        self.support_[list(self.selection_.positions)] = True
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.input_tags.allow_nan = self._allows_missing
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    @property
    def _allows_missing(self) -> bool:
        return self.missing != "raise"

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        return self.support_


def _is_frame(values: object) -> bool:
    return hasattr(values, "columns")


def _by_position(values: Any) -> Any:
    """Return pandas objects without the index, by which `mistworks.select` would pair their rows."""
    return values.reset_index(drop=True) if hasattr(values, "reset_index") else values


__all__ = ["MutualInformationSelector"]
