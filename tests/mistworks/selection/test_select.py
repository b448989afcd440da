"""`mistworks.select`: what it finds, what it leaves out, and what it refuses. Seeds are fixed."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import ndtri

import mistworks
from mistworks.errors import MistworksError, MistworksWarning
from mistworks.selection import function, question
from tests.support.stand_ins import GaussianStandIn

N = 200


def draw(seed: int, d: int, n: int = N) -> tuple[np.random.Generator, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng, rng.standard_normal((n, d))


class TestWhatItFinds:
    def test_of_ten_copies_of_one_column_it_selects_one(self) -> None:
        rng, x = draw(0, 6)
        signal = x[:, 0]
        exact = [signal, 2 * signal + 1, -signal, np.exp(signal), ndtri(1 / (1 + np.exp(-signal)))]
        noisy = [signal + 1e-3 * rng.standard_normal(N) for _ in range(5)]
        found = mistworks.select(
            np.column_stack([*exact, *noisy, x[:, 1:]]), signal + 0.5 * rng.standard_normal(N)
        )
        assert len(found) == 1
        assert found.positions[0] < 10

    @pytest.mark.parametrize("kind", ["bits", "signs", "classes"])
    def test_it_finds_two_columns_that_tell_only_together(self, kind: str) -> None:
        rng, x = draw(1, 5)
        if kind == "signs":
            y: Any = np.sign(x[:, 2] * x[:, 4]) + 0.5 * rng.standard_normal(N)
        else:
            x = rng.integers(2, size=(N, 5))
            y = x[:, 2] ^ x[:, 4]
            if kind == "classes":
                x, y = np.array(["n", "y"])[x], np.array(["same", "different"])[y]
        found = mistworks.select(x, y)
        assert sorted(found.positions) == [2, 4]
        assert [column.in_pair for column in found.columns] == [True, True]
        # The first tells nothing by itself, the second the rest.
        assert found.gains[0].mi < 0.1 < found.gains[1].mi

    def test_an_interaction_beside_a_plain_effect(self) -> None:
        rng, x = draw(2, 5)
        y = x[:, 0] + 1.5 * np.sign(x[:, 3] * x[:, 4]) + 0.3 * rng.standard_normal(N)
        assert set(mistworks.select(x, y)) == {0, 3, 4}

    def test_a_column_whose_effect_depends_on_a_selected_one(self) -> None:
        # Given the first, the second tells nothing by itself of what is left.
        rng, x = draw(18, 4)
        x[:, 0], x[:, 1] = rng.integers(2, size=(2, N))
        y = 3 * x[:, 0] + (x[:, 0] != x[:, 1]) + 0.2 * rng.standard_normal(N)
        found = mistworks.select(x, y)
        assert sorted(found) == [0, 1]

    def test_order_is_by_conditional_gain(self) -> None:
        rng, x = draw(3, 5)
        y = 3 * x[:, 4] + 1.5 * x[:, 1] + 0.7 * x[:, 3] + 0.5 * rng.standard_normal(N)
        found = mistworks.select(x, y)
        assert found.names == (4, 1, 3)
        # The total never falls, up to the error of an estimate.
        totals = [column.total.mi for column in found.columns]
        assert totals == sorted(totals)

    def test_a_noisy_copy_of_a_selected_column_is_redundant(self) -> None:
        rng, x = draw(4, 5)
        x[:, 2] = x[:, 0] + 0.02 * rng.standard_normal(N)
        found = mistworks.select(x, x[:, 0] + x[:, 1] + 0.3 * rng.standard_normal(N))
        assert sorted(found) in ([0, 1], [1, 2])

    def test_a_target_that_is_determined_ends_it(self) -> None:
        _, x = draw(5, 5)
        found = mistworks.select(x, x[:, 0] + x[:, 1])
        assert sorted(found) == [0, 1]
        assert found.stopped == "the selected columns determine the target"
        assert found.total.quantile(0.9) == np.inf

    def test_a_class_target_and_class_columns(self) -> None:
        rng, x = draw(6, 3)
        site = rng.integers(3, size=N)
        risk = x[:, 1] + np.array([0.0, 2.0, -1.0])[site] + 0.3 * rng.standard_normal(N)
        frame = pd.DataFrame(x, columns=list("abc")).assign(site=site)
        frame["risk"] = np.where(risk > 0, "high", "low")
        found = mistworks.select(frame, "risk", classes=["site"])
        assert sorted(found) == ["b", "site"]
        assert list(frame[list(found)].columns) == list(found)
        assert mistworks.select(pl.from_pandas(frame), "risk", classes=["site"]).names == found.names


class TestNothing:
    def test_noise_alone_is_rarely_selected(self) -> None:
        """At most 20 % of 25 runs but for 3 standard deviations: a right search fails once in 200."""
        selected = 0
        for seed in range(25):
            rng, x = draw(100 + seed, 4, 60)
            found = mistworks.select(x, rng.standard_normal(60), alpha=0.2, rng=rng)
            selected += len(found) > 0
        assert selected / 25 < 0.2 + 3 * np.sqrt(0.2 * 0.8 / 25)

    def test_it_says_so(self) -> None:
        rng, x = draw(7, 4)
        found = mistworks.select(x, rng.standard_normal(N))
        assert (len(found), found.names, found.total.mi) == (0, (), 0.0)
        assert found.stopped == "no other column or pair of columns is significant at 0.05"

    @pytest.mark.parametrize("y", [np.ones(N), np.arange(N) % 2])
    def test_constant_columns_are_not_selected(self, y: np.ndarray) -> None:
        found = mistworks.select(np.ones((N, 2)), y)
        assert found.stopped == "all other columns are constant, number the rows, or copy selected ones"

    def test_a_constant_target_has_no_columns(self) -> None:
        assert len(mistworks.select(draw(8, 2)[1], np.ones(N))) == 0


class TestCount:
    def test_k_columns_are_selected_significant_or_not(self) -> None:
        rng, x = draw(9, 5)
        x[:, 4] = -x[:, 0]
        y = x[:, 0] + x[:, 1] + 0.5 * rng.standard_normal(N)
        found = mistworks.select(x, y, k=5)
        assert sorted(found.names[:2]) == [0, 1]
        assert sorted(found.names) == [0, 1, 2, 3, 4]
        assert found.names[4] == 4
        assert max(found.p_values[:2]) < 0.05 < min(found.p_values[2:])
        assert found.p_values[4] == 1
        assert found.stopped == "5 columns were asked for"

    def test_fewer_than_are_significant(self) -> None:
        rng, x = draw(9, 5)
        found = mistworks.select(x, x[:, 0] + x[:, 1] + 0.5 * rng.standard_normal(N), k=1)
        assert len(found) == 1
        assert found.stopped == "1 column was asked for"

    def test_one_column_does_not_look_for_pairs(self) -> None:
        rng, x = draw(10, 4)
        found = mistworks.select(x, np.sign(x[:, 0] * x[:, 1]) + 0.1 * rng.standard_normal(N), k=1)
        assert len(found) == 1
        assert not found.columns[0].in_pair


class TestInput:
    def test_equal_input_gives_an_equal_answer_in_every_holder(self) -> None:
        rng, x = draw(11, 4, 100)
        y = x[:, 1] + 0.5 * rng.standard_normal(100)
        expected = mistworks.select(x, y)
        for other in (x.tolist(), pd.DataFrame(x), pl.DataFrame(x, schema=list("abcd"))):
            found = mistworks.select(other, y)
            assert (found.positions, found.p_values) == (expected.positions, expected.p_values)
            assert [gain.mi for gain in found.gains] == [gain.mi for gain in expected.gains]

    @pytest.mark.parametrize("transform", [np.exp, lambda x: -(x**3)])
    def test_monotone_maps_change_nothing(self, transform: Any) -> None:
        rng, x = draw(12, 4, 100)
        y = x[:, 1] + 0.5 * rng.standard_normal(100)
        assert mistworks.select(transform(x), y).names == mistworks.select(x, y).names

    def test_missing_values_are_dropped_by_row_or_are_a_class(self) -> None:
        rng, x = draw(13, 3)
        frame = pd.DataFrame(x, columns=list("abc"))
        y = x[:, 0] + 0.5 * rng.standard_normal(N)
        frame.loc[:9, "b"] = np.nan
        found = mistworks.select(frame, y, missing="drop")
        assert (found.names, found.n_used) == (("a",), N - 10)
        frame = frame.assign(b=np.where(y > 0, "high", None))
        found = mistworks.select(frame[["b", "c"]], y, missing="category")
        assert (found.names, found.n_used) == (("b",), N)

    def test_of_many_rows_a_random_part_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(function, "MOST_ROWS", 100)
        rng, x = draw(14, 3)
        with pytest.warns(MistworksWarning, match=r"up to 100 rows, and a random part of the 200 was used"):
            found = mistworks.select(x, x[:, 0] + 0.1 * rng.standard_normal(N))
        assert (found.names, found.n_used) == ((0,), 100)

    def test_of_many_columns_the_likely_ones_are_estimated(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(question, "MOST_ESTIMATED", 4)
        monkeypatch.setattr(question, "MOST_PAIRED", 6)
        rng, x = draw(15, 12)
        y = x[:, 10] + np.sign(x[:, 3]) * x[:, 10] + x[:, 7] ** 2 + 0.2 * rng.standard_normal(N)
        assert {10, 7} <= set(mistworks.select(x, y))

    def test_a_model_of_points_gives_gains_without_intervals(self) -> None:
        rng, x = draw(16, 3)
        found = mistworks.select(
            x, x[:, 0] + 0.1 * rng.standard_normal(N), model=GaussianStandIn(points_only=True)
        )
        assert found.names == (0,)
        assert found.to_frame()["lower"].isna().all()


class TestBadInput:
    X = draw(17, 3, 20)[1]
    FRAME = pd.DataFrame(X, columns=list("abc"))
    Y = X[:, 0] ** 2

    @pytest.mark.parametrize(
        ("arguments", "match"),
        [
            ({"y": None}, r"Expected a target y, got None\. Pass y, or the name of its column of X"),
            ({"y": "d"}, r"Expected the name of one column of X, got 'd', which is none\."),
            ({"X": FRAME[["a"]], "y": "a"}, r"Expected at least 1 column of X beside the target, got none\."),
            ({"k": 0}, r"Expected k from 1 to 3, the number of columns of X, got 0\. Leave it out"),
            ({"k": 4}, r"Expected k from 1 to 3, the number of columns of X, got 4\."),
            ({"k": 1.5}, r"Expected k from 1 to 3, the number of columns of X, got 1\.5\."),
            ({"k": True}, r"Expected k from 1 to 3, the number of columns of X, got True\."),
            ({"alpha": 0}, r"Expected alpha between 0 and 1, got 0\. Use 0\.05\."),
            ({"alpha": 1.0}, r"Expected alpha between 0 and 1, got 1\.0\. Use 0\.05\."),
            ({"level": 1.5}, r"Expected level between 0 and 1, got 1\.5\. Use 0\.9\."),
            (
                {"X": FRAME.set_axis(["a", "b", "a"], axis=1)},
                r"Expected columns of X with different names, got 'a' more than once\. Rename one\.",
            ),
            (
                {"y": FRAME["b"]},
                r"Expected X without the target, got column 'b', which is y\. Pass X without it, or y='b'\.",
            ),
            ({"y": Y[:10]}, r"Expected X and y with the same number of rows, got 20 and 10\."),
            ({"classes": ["d"]}, r"'d'"),
            ({"missing": "fill"}, r"Expected missing to be raise, drop or category, got 'fill'\."),
            (
                {"X": FRAME.mask(FRAME > 1)},
                r"Expected no missing values in X, got \d+",
            ),
        ],
    )
    def test_each_is_one_clear_sentence(self, arguments: dict[str, Any], match: str) -> None:
        with pytest.raises(MistworksError, match=match):
            mistworks.select(**{"X": self.FRAME, "y": self.Y, **arguments})


def test_labels_that_number_the_rows_are_left_out() -> None:
    rng = np.random.default_rng(0)
    features = pd.DataFrame({"id": [f"u{row}" for row in range(120)], "a": rng.standard_normal(120)})
    found = mistworks.select(features, features["a"] + 0.3 * rng.standard_normal(120))
    assert found.names == ("a",)
    assert found.stopped == "all other columns are constant, number the rows, or copy selected ones"
