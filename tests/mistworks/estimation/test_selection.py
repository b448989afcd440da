"""Feature scores: by hand, on every holder of a table, within scikit-learn."""

import pickle
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from sklearn.base import clone
from sklearn.feature_selection import SelectKBest
from sklearn.pipeline import make_pipeline

import mistworks
from mistworks.errors import MistworksError
from mistworks.estimation import many
from mistworks.preparation.reading import MAX_COLUMNS
from tests.mistworks.estimation.test_estimator import ESTIMATOR, POINT_ESTIMATOR
from tests.support.stand_ins import GaussianStandIn

STAND_IN = GaussianStandIn()
RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 4))
Y = X[:, 2] + 0.5 * X[:, 0] + 0.3 * RNG.standard_normal(60)
COLOURS = np.array(["red", "green", "blue"])[np.digitize(X[:, 1], [-0.5, 0.5])]

scores_of = partial(mistworks.feature_scores, model=STAND_IN)


class TestScores:
    def test_they_are_those_of_each_column_alone(self) -> None:
        found = scores_of(X, Y, level=0.8)
        for column in range(4):
            (alone,) = STAND_IN.estimate_many([(X[:, column], Y)])
            assert found.scores[column] == alone.mi
            assert (found.lower[column], found.upper[column]) == alone.interval(0.8)
        assert (found.names, found.level, len(found)) == ((0, 1, 2, 3), 0.8, 4)

    def test_a_trained_estimator_or_its_folder_gives_them(self, tmp_path: Any) -> None:
        ESTIMATOR.save(tmp_path / "model")
        expected = [ESTIMATOR.estimate(X[:, column], Y).mi for column in range(4)]
        for model in (ESTIMATOR, tmp_path / "model", str(tmp_path / "model")):
            found = mistworks.feature_scores(X, Y, model=model)
            np.testing.assert_allclose(found.scores, expected, rtol=1e-3, atol=1e-4)
            assert np.all(found.lower <= found.scores)
            assert np.all(found.scores <= found.upper)

    def test_none_is_the_model_of_the_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(many, "shipped", lambda: STAND_IN)
        np.testing.assert_array_equal(mistworks.feature_scores(X, Y).scores, scores_of(X, Y).scores)

    def test_the_target_may_have_several_columns(self) -> None:
        found = scores_of(X, np.column_stack([Y, X[:, 3]]))
        assert found.scores[3] > 3 > found.scores[1]

    def test_columns_are_estimated_together_in_parts_that_are_bounded(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        counting = GaussianStandIn()
        mistworks.feature_scores(X, Y, model=counting)
        assert counting.counts == [4]
        monkeypatch.setattr(many, "_PART_CELLS", 60 * 2 * 3)
        mistworks.feature_scores(X, Y, model=counting)
        assert counting.counts == [4, 3, 1]

    def test_more_columns_than_an_estimator_takes_at_once_are_no_matter(self) -> None:
        wide = np.tile(X, (1, 1 + MAX_COLUMNS // 4))
        assert scores_of(wide, Y).scores.shape == (wide.shape[1],)

    def test_they_read_as_a_table_highest_first(self) -> None:
        lines = str(scores_of(pd.DataFrame(X, columns=list("abcd")), Y)).splitlines()
        assert lines[0] == "mutual information in nats with 90 % intervals, the highest first"
        assert [line[0] for line in lines[1:3]] == ["c", "a"]
        assert len(lines) == 5

    def test_they_convert_to_the_array_of_scores(self) -> None:
        found = scores_of(X, Y)
        assert np.asarray(found) is found.scores
        assert np.array(found) is not found.scores
        np.testing.assert_array_equal(np.asarray(found, dtype=np.float32), found.scores.astype(np.float32))

    def test_each_is_had_by_its_name_or_its_position_and_in_turn(self) -> None:
        found = scores_of(pd.DataFrame(X, columns=list("abcd")), Y)
        third = ("c", found.scores[2], found.lower[2], found.upper[2])
        assert found["c"] == found[2] == found[-2] == [*found][2] == third
        assert found["c"].name == "c"
        assert found["c"].lower <= found["c"].score <= found["c"].upper
        assert [each.name for each in found] == list("abcd")
        assert scores_of(X, Y)[-1] == scores_of(X, Y)[3]

    def test_where_names_are_numbers_a_number_is_a_name(self) -> None:
        found = scores_of(pd.DataFrame(X, columns=[1, 0, "c", "d"]), Y)  # type: ignore[list-item]
        assert found[0].score == found.scores[1]
        for absent in (2, -1, "e", 4.5, None):
            told = r"the name or the position of one of 4 columns, got .*, another\. The names are 1, 0, 'c'"
            with pytest.raises(MistworksError, match=told):
                found[absent]
        twice = scores_of(pd.DataFrame(X, columns=list("abca")), Y)
        with pytest.raises(MistworksError, match="got 'a', one that 2 columns have"):
            twice["a"]
        assert twice[3].score == twice.scores[3]

    def test_they_make_a_frame_with_a_row_for_each_column(self) -> None:
        found = scores_of(pd.DataFrame(X, columns=["age", 7, ("a", "b"), "age"]), Y)  # type: ignore[list-item]
        frame = found.to_frame()
        assert list(frame.index) == ["age", 7, ("a", "b"), "age"]
        assert list(frame.columns) == ["score", "lower", "upper"]
        np.testing.assert_array_equal(frame["score"], found.scores)
        np.testing.assert_array_equal(frame["upper"], found.upper)

    def test_a_frame_without_pandas_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pandas", None)
        with pytest.raises(MistworksError, match=r"Expected pandas for a DataFrame.* '.\[tables\]'"):
            scores_of(X, Y).to_frame()


class TestTables:
    @pytest.mark.parametrize(
        "hold",
        [np.ndarray.tolist, torch.from_numpy, pd.DataFrame, np.asfortranarray, np.ma.masked_invalid],
    )
    def test_every_holder_of_numbers_gives_the_same(self, hold: Callable[[Any], Any]) -> None:
        found = mistworks.feature_scores(hold(X), hold(Y[:, None]), model=STAND_IN)
        np.testing.assert_array_equal(found.scores, scores_of(X, Y).scores)

    def test_names_of_a_frame_are_kept(self) -> None:
        frame = pd.DataFrame(X, columns=["age", 7, ("a", "b"), "age"])  # type: ignore[list-item]
        assert scores_of(frame, pd.Series(Y)).names == ("age", 7, ("a", "b"), "age")

    def test_numbers_and_class_labels_may_be_mixed(self) -> None:
        frame = pd.DataFrame({"colour": COLOURS, "size": X[:, 1], "weight": X[:, 2]})
        found = scores_of(frame, COLOURS == "red")
        assert found.names == ("colour", "size", "weight")
        assert found.scores[1] > found.scores[2]
        many = [str(number) for number in range(60)]
        assert scores_of(many, many).scores.shape == (1,)


REFUSED: list[tuple[Any, Any, str]] = [
    (
        scipy.sparse.csr_array(X),
        Y,
        r"Expected a dense table for X, got a sparse matrix\. Pass X\.toarray\(\)",
    ),
    (X, scipy.sparse.csr_matrix(Y[:, None]), "Expected a dense table for y"),
    (X[:50], Y, "Expected X and y with the same number of rows, got 50 and 60"),
    (np.empty((60, 0)), Y, "Expected X with at least one column, got none"),
    (np.empty((0, 2)), Y, "Expected X with at least 5 rows, got 0"),
    (X, Y[:4], "Expected y with at least 5 rows, got 4"),
    (X, None, "Expected y"),
    (np.where(X[3, 2] == X, np.nan, X), Y, "no missing values in X, got 1 in column 2, the first in row 3"),
    (
        pd.DataFrame({"a": Y, "b": np.where(Y[3] == Y, np.inf, Y)}),
        Y,
        "finite numbers in X, got 1 infinite .* column 'b'",
    ),
    (pd.DataFrame({"a": Y, "t": [{1}] * 60}), Y, "class labels in column 't' of X"),
    (X, np.where(np.arange(60) == 9, None, COLOURS), "no missing values in y, got 1, the first in row 9"),
    (X[:, :, None], Y, "Expected X of shape"),
    ([[1.0, 2.0], [3.0]] * 30, Y, "Expected rows of equal length in X"),
    (X + 1j, Y, "Expected real numbers in column 0 of X"),
]


class TestRefusals:
    @pytest.mark.parametrize(("features", "target", "message"), REFUSED, ids=[row[2][:30] for row in REFUSED])
    def test_bad_tables(self, features: Any, target: Any, message: str) -> None:
        with pytest.raises(MistworksError, match=message):
            scores_of(features, target)

    def test_a_column_without_rows_in_common(self) -> None:
        frame = pd.DataFrame({"a": Y, "b": np.where(np.arange(60) < 57, np.nan, Y)})
        with pytest.raises(MistworksError, match="missing values in column 'b' of X and y, got 3 of 60"):
            scores_of(frame, Y, missing="drop")

    @pytest.mark.parametrize("level", [0, 1, -0.5, 90, float("nan")])
    def test_levels(self, level: float) -> None:
        with pytest.raises(MistworksError, match="Expected a level between 0 and 1"):
            scores_of(X, Y, level=level)

    def test_a_model_without_intervals(self) -> None:
        with pytest.raises(MistworksError, match="Train one with objective pinball"):
            mistworks.feature_scores(X, Y, model=POINT_ESTIMATOR)

    def test_no_such_folder(self) -> None:
        with pytest.raises(MistworksError, match=r"got no .*config\.json"):
            mistworks.feature_scores(X, Y, model="nowhere")


def test_each_column_keeps_its_own_complete_rows() -> None:
    frame = pd.DataFrame(X, columns=list("abcd"))
    holes = frame.mask(np.random.default_rng(0).random(frame.shape) < 0.3)
    scores = mistworks.feature_scores(holes, Y, missing="drop")
    for name in "abcd":
        whole = holes[name].notna()
        expected = mistworks.estimate(holes.loc[whole, name].to_numpy(), Y[whole])
        assert scores[name].score == pytest.approx(expected.mi, abs=1e-6)


def test_integers_are_classes_where_they_are_named() -> None:
    frame = pd.DataFrame({"code": np.arange(60) % 5, "b": X[:, 0]})
    named = mistworks.feature_scores(frame, COLOURS, classes=["code"])
    labels = frame.assign(code=frame["code"].astype(str))
    np.testing.assert_allclose(named.scores, mistworks.feature_scores(labels, COLOURS).scores, atol=1e-6)


class TestScikitLearn:
    def test_select_k_best_takes_it_as_it_stands(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(many, "shipped", lambda: STAND_IN)
        selector = SelectKBest(mistworks.feature_scores, k=2).fit(X, Y)
        np.testing.assert_array_equal(selector.get_support(), [True, False, True, False])
        np.testing.assert_array_equal(selector.scores_, scores_of(X, Y).scores)
        assert type(selector.scores_) is np.ndarray
        assert selector.pvalues_ is None

    def test_frames_class_labels_and_several_targets_work(self) -> None:
        frame = pd.DataFrame(X, columns=list("abcd"))
        two = np.column_stack([X[:, 0], Y])
        for target, chosen in ((COLOURS, "b"), (COLOURS.astype(object), "b"), (Y, "c"), (two, "a")):
            selector = SelectKBest(scores_of, k=1).fit(frame, target)
            assert list(selector.get_feature_names_out()) == [chosen]

    def test_it_is_cloned_pickled_and_piped(self) -> None:
        pipeline = clone(make_pipeline(SelectKBest(scores_of, k=2)))
        again = pickle.loads(pickle.dumps(pipeline)).fit(X, Y)
        np.testing.assert_array_equal(again.transform(X), X[:, [0, 2]])
        assert pickle.loads(pickle.dumps(mistworks.feature_scores)) is mistworks.feature_scores

    def test_sparse_features_are_refused_there_too(self) -> None:
        with pytest.raises(MistworksError, match="got a sparse matrix"):
            SelectKBest(scores_of, k=1).fit(scipy.sparse.csr_array(X), Y)
