"""The selection within scikit-learn."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import mistworks
from mistworks.errors import MistworksError
from mistworks.selection.selector import MutualInformationSelector

N = 200
RNG = np.random.default_rng(0)
X = RNG.standard_normal((N, 5))
Y = X[:, 3] + X[:, 1] + 0.3 * RNG.standard_normal(N)
FRAME = pd.DataFrame(X, columns=list("abcde"))


@parametrize_with_checks([MutualInformationSelector()])
def test_scikit_learn_accepts_it(estimator: Any, check: Any) -> None:
    check(estimator)


class TestFit:
    def test_it_is_the_selection(self) -> None:
        selector = MutualInformationSelector().fit(X, Y)
        assert sorted(selector.selection_.positions) == [1, 3]
        assert selector.get_support().tolist() == [False, True, False, True, False]
        assert selector.get_support(indices=True).tolist() == [1, 3]
        np.testing.assert_array_equal(selector.transform(X), X[:, [1, 3]])
        assert mistworks.MutualInformationSelector is MutualInformationSelector

    def test_names_of_a_frame(self) -> None:
        selector = MutualInformationSelector(k=3).set_output(transform="pandas").fit(FRAME, Y)
        assert selector.feature_names_in_.tolist() == list("abcde")
        assert {"b", "d"} < set(selector.get_feature_names_out()) <= set("abcde")
        assert list(selector.transform(FRAME)) == list(selector.get_feature_names_out())

    def test_rows_belong_together_by_position(self) -> None:
        target = pd.Series(Y, index=RNG.permutation(N))
        assert sorted(MutualInformationSelector().fit(FRAME, target).selection_) == ["b", "d"]

    def test_classes_and_missing_values(self) -> None:
        frame = FRAME.assign(site=np.where(Y > 0, "north", "south")).mask(RNG.random((N, 6)) < 0.02)
        selector = MutualInformationSelector(k=1, missing="drop").set_output(transform="pandas")
        kept = selector.fit_transform(frame, np.where(Y > 0, "high", "low"))
        assert list(kept) == ["site"]
        assert len(kept) == N
        with pytest.raises(MistworksError, match=r"Expected no missing values in X"):
            MutualInformationSelector().fit(frame, Y)
        holes = np.where(X > 2, np.nan, X)
        assert MutualInformationSelector(k=2, missing="drop").fit_transform(holes, Y).shape == (N, 2)

    def test_in_a_pipeline_cloned_and_pickled(self) -> None:
        pipeline = make_pipeline(StandardScaler(), MutualInformationSelector(k=2), LogisticRegression())
        fitted = clone(pipeline).fit(FRAME, np.where(Y > 0, "high", "low"))
        assert fitted.score(FRAME, np.where(Y > 0, "high", "low")) > 0.9
        again = pickle.loads(pickle.dumps(fitted))
        np.testing.assert_array_equal(again.predict(FRAME), fitted.predict(FRAME))


class TestBadInput:
    def test_nothing_selected_is_a_warning(self) -> None:
        selector = MutualInformationSelector().fit(X, RNG.standard_normal(N))
        with pytest.warns(UserWarning, match="No features were selected"):
            assert selector.transform(X).shape == (N, 0)

    def test_sparse_tables_are_refused(self) -> None:
        with pytest.raises(TypeError, match="Sparse data was passed"):
            MutualInformationSelector().fit(scipy.sparse.csr_array(X), Y)

    def test_a_target_is_required(self) -> None:
        with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
            MutualInformationSelector().fit(X, None)

    def test_the_name_of_a_column_is_no_target(self) -> None:
        with pytest.raises(
            MistworksError, match=r"Expected the values of y, got the name 'a'\. Pass X without"
        ):
            MutualInformationSelector().fit(FRAME, "a")

    def test_parameters_are_those_of_select(self) -> None:
        with pytest.raises(MistworksError, match=r"Expected k from 1 to 5"):
            MutualInformationSelector(k=9).fit(X, Y)
        with pytest.raises(MistworksError, match=r"Expected alpha between 0 and 1"):
            MutualInformationSelector(alpha=2).fit(X, Y)
