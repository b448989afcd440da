"""The matrix: every pair as by itself, frames, missing values, groups, warnings, and what is refused."""

import re
import sys
import warnings
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import mistworks
from mistworks import Matrix, matrix
from mistworks.errors import MistworksError, MistworksWarning, warn
from mistworks.tables import matrix as module
from tests.mistworks.estimation.test_estimator import POINT_ESTIMATOR
from tests.support.stand_ins import GaussianStandIn

STAND_IN = GaussianStandIn()
RNG = np.random.default_rng(0)
N = 60
WIND = RNG.standard_normal(N)
FRAME = pd.DataFrame(
    {
        "wind": WIND,
        "rain": WIND + RNG.standard_normal(N),
        "count": RNG.integers(0, 4, N),
        "site": RNG.choice(list("abc"), N),
    }
)
NAMES = list(FRAME.columns)


def test_every_pair_is_as_by_itself() -> None:
    found = matrix(FRAME)
    for a in NAMES:
        for b in NAMES:
            if a == b:
                continue
            alone = mistworks.estimate(FRAME[a], FRAME[b])
            assert found.mi.loc[a, b] == pytest.approx(alone.mi, abs=1e-5)
            ends = found.lower.loc[a, b], found.upper.loc[a, b]
            assert ends == pytest.approx(alone.interval(0.9), abs=1e-5)
            assert found.normalized.loc[a, b] == pytest.approx(alone.normalized, abs=1e-3)
            assert found.n.loc[a, b] == N


def test_frames_are_symmetric_with_names_on_both_sides() -> None:
    found = matrix(FRAME, model=STAND_IN)
    for frame in (found.mi, found.lower, found.upper, found.n, found.normalized):
        assert list(frame.index) == list(frame.columns) == NAMES
        assert np.array_equal(frame.to_numpy(), frame.to_numpy().T, equal_nan=True)


def test_what_stands_on_the_diagonals() -> None:
    found = matrix(FRAME, model=STAND_IN)
    for frame in (found.mi, found.lower, found.upper):
        assert np.isnan(np.diag(frame)).all()
    assert (np.diag(found.normalized) == 1).all()
    assert (np.diag(found.n) == N).all()


def test_the_table_lists_each_pair_once_the_strongest_first() -> None:
    found = matrix(FRAME, model=STAND_IN)
    table = found.table()
    assert list(table.columns) == ["a", "b", "mi", "lower", "upper", "n"]
    assert len(table) == 6
    assert table["mi"].is_monotonic_decreasing
    assert table.loc[0, ["a", "b"]].tolist() == ["wind", "rain"]
    assert all(found.mi.loc[row.a, row.b] == row.mi for row in table.itertuples())


def test_a_level_is_that_of_the_intervals() -> None:
    wide, narrow = (matrix(FRAME, level=level, model=STAND_IN) for level in (0.9, 0.5))
    assert narrow.level == 0.5
    # The stand-in's quantile at level τ is I (τ + ½).
    assert narrow.lower.loc["wind", "rain"] == pytest.approx(0.75 * narrow.mi.loc["wind", "rain"])
    assert wide.upper.loc["wind", "rain"] == pytest.approx(1.45 * wide.mi.loc["wind", "rain"])


def test_groups_are_blocks_of_columns() -> None:
    found = matrix(FRAME, ["site"], {"weather": ["wind", "rain"], "other": ["count"]}, model=STAND_IN)
    assert found.names == ("site", "weather", "other")
    alone = STAND_IN.estimate_many([(FRAME[["wind", "rain"]], FRAME["count"])])[0]
    assert found.mi.loc["weather", "other"] == pytest.approx(alone.mi)


def test_integers_named_as_classes_are_classes() -> None:
    named, strings = matrix(FRAME, classes=["count"]), matrix(FRAME.astype({"count": str}))
    assert named.mi.loc["count", "site"] == pytest.approx(strings.mi.loc["count", "site"], abs=1e-5)
    assert np.array_equal(matrix(FRAME, classes="count").mi, named.mi, equal_nan=True)


@pytest.mark.parametrize("convert", [pl.from_pandas, lambda frame: pl.from_pandas(frame).to_arrow()])
def test_tables_of_other_packages_are_read(convert: Any) -> None:
    pd.testing.assert_frame_equal(matrix(convert(FRAME)).mi, matrix(FRAME).mi)


def test_columns_of_an_array_are_called_by_their_positions() -> None:
    found = matrix(FRAME[["wind", "rain", "count"]].to_numpy(), [2, 0], model=STAND_IN)
    assert found.names == (2, 0)
    assert found.table().loc[0, ["a", "b"]].tolist() == [2, 0]


def test_names_that_are_tuples_stay_names() -> None:
    frame = FRAME.iloc[:, :2].set_axis(pd.MultiIndex.from_tuples([("w", 1), ("r", 2)]), axis=1)
    found = matrix(frame, model=STAND_IN)
    assert list(found.mi.columns) == [("w", 1), ("r", 2)]
    assert found.table().loc[0, "a"] == ("w", 1)


def test_batches_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    first = matrix(FRAME, model=STAND_IN)
    monkeypatch.setattr(module, "_CHUNK", 2)
    pd.testing.assert_frame_equal(matrix(FRAME, model=STAND_IN).table(), first.table())


def test_missing_values_are_left_out_pair_by_pair() -> None:
    frame = FRAME.copy()
    frame.loc[:9, "wind"] = np.nan
    frame.loc[5:19, "site"] = None
    found = matrix(frame, missing="drop")
    assert found.n.loc["wind", "rain"] == 50
    assert found.n.loc["wind", "site"] == 40
    assert found.n.loc["site", "site"] == 45
    alone = mistworks.estimate(FRAME["wind"][20:], FRAME["site"][20:])
    assert found.mi.loc["wind", "site"] == pytest.approx(alone.mi, abs=1e-5)
    assert "from 40 to 60 rows" in repr(found)


def test_too_few_complete_rows_are_no_estimate_and_one_warning() -> None:
    frame = FRAME.copy()
    frame.loc[:29, "wind"] = np.nan
    frame.loc[34:, "rain"] = np.nan
    with pytest.warns(MistworksWarning, match="'wind' and 'rain' have fewer than 5 complete rows") as caught:
        found = matrix(frame, missing="drop", model=STAND_IN)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    for values in (found.mi, found.lower, found.upper, found.normalized):
        assert np.isnan(values.loc["wind", "rain"])
        assert values.notna().to_numpy().sum() >= 10
    assert found.n.loc["wind", "rain"] == 4
    assert found.table().iloc[-1][["a", "b"]].tolist() == ["wind", "rain"]


def test_many_such_pairs_are_not_all_named() -> None:
    frame = FRAME.assign(wind=np.where(np.arange(N) < 57, np.nan, WIND), more=WIND, most=WIND)
    with pytest.warns(MistworksWarning, match="'wind' and 'site'; and 2 more have fewer"):
        matrix(frame, missing="drop", model=STAND_IN)


def test_of_very_many_rows_a_part_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mistworks.tables.matrix.MOST_ROWS", 60)
    rows = np.random.default_rng(0).standard_normal((100, 3))
    with pytest.warns(MistworksWarning, match="a matrix uses up to 60 rows, and a random part of the 100"):
        found = mistworks.matrix(rows, progress=False, rng=1)
    assert (found.n.to_numpy()[np.triu_indices(3, 1)] == 60).all()


def test_a_constant_column_tells_nothing() -> None:
    found = matrix(FRAME.assign(same=3.0))
    assert (found.mi["same"].dropna() == 0).all()
    assert (found.upper["same"].dropna() == 0).all()


def test_a_class_in_every_row_has_no_estimate_and_a_warning() -> None:
    frame = FRAME.assign(name=[f"n{row}" for row in range(N)])
    with pytest.warns(MistworksWarning, match="'name' holds a class of its own in every row") as caught:
        found = matrix(frame)
    assert len(caught) == 1
    assert found.mi["name"].isna().all()
    assert found.mi.loc["wind", "rain"] > 0


def test_warnings_of_pairs_come_once() -> None:
    again = np.r_[np.arange(40), np.arange(20)]
    repeated = pd.DataFrame(RNG.standard_normal((N, 3)), columns=list("abc")).iloc[again]
    with pytest.warns(
        MistworksWarning, match="20 of 60 points are exact copies .* \\(of some pairs\\)"
    ) as caught:
        found = matrix(repeated)
    assert len(caught) == 1
    assert found.n.loc["a", "b"] == 40


def test_warnings_are_told_apart_by_their_kind_not_by_their_words() -> None:
    class Grumbling(GaussianStandIn):
        def estimate_many(self, pairs: Any) -> Any:
            for text, kind in (("2 points", "few"), ("3 points", "few"), ("3 points", "odd"), ("hm", "")):
                warn(text, kind, " (1 of 3 samples are such)")
            return super().estimate_many(pairs)

    with pytest.warns(MistworksWarning) as caught:
        matrix(FRAME, model=Grumbling())
    told = ["2 points (of some pairs)", "3 points (of some pairs)", "hm (of some pairs)"]
    assert [str(each.message) for each in caught] == told


def test_other_warnings_pass() -> None:
    class Grumbling(GaussianStandIn):
        def estimate_many(self, pairs: Any) -> Any:
            warnings.warn("hm", UserWarning, stacklevel=1)
            return super().estimate_many(pairs)

    with pytest.warns(UserWarning, match="hm"):
        matrix(FRAME, model=Grumbling())


def test_it_says_the_strongest_pairs() -> None:
    lines = repr(matrix(FRAME, model=STAND_IN)).splitlines()
    assert lines[0] == (
        "Mutual information of 6 pairs of 4 columns in nats, with 90 % intervals, from 60 rows, the "
        "strongest first"
    )
    assert re.match(r"wind +rain +0\.\d{3} +\[0\.\d{3}, 0\.\d{3}\] +60$", lines[2])
    many = repr(matrix(RNG.standard_normal((20, 6)), model=STAND_IN)).splitlines()
    assert many[-1] == "and 5 more: see .table()"
    assert len(many) == 13


def test_a_notebook_shows_escaped_names() -> None:
    shown = matrix(FRAME.rename(columns={"wind": "<script>"}), model=STAND_IN)._repr_html_()
    assert "&lt;script&gt;" in shown
    assert "<script>" not in shown


def test_the_result_is_frozen_and_its_frames_are_copies() -> None:
    found = matrix(FRAME, model=STAND_IN)
    with pytest.raises(FrozenInstanceError):
        found.level = 0.5  # type: ignore[misc]
    before = found.mi
    before.iloc[0, 1] = -1.0
    assert found.mi.iloc[0, 1] > 0
    assert isinstance(found, Matrix)


def test_a_bar_is_shown_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    matrix(FRAME, model=STAND_IN)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    matrix(FRAME, model=STAND_IN, progress=False)
    assert capsys.readouterr().err == ""
    found = matrix(FRAME, model=STAND_IN)
    assert "Estimating pairs" in capsys.readouterr().err
    found.p_values(permutations=20, progress=False)
    assert capsys.readouterr().err == ""
    found.p_values(permutations=30)
    assert "Testing pairs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"level": 1.0}, "Expected a level between 0 and 1, got 1.0"),
        ({"columns": ["hail"]}, "got 'hail', which is none"),
        ({"classes": ["hail"]}, "Expected classes to be names of columns of the frame, got 'hail'"),
        ({"model": POINT_ESTIMATOR}, "Expected an estimator with quantiles"),
        ({"missing": "fill"}, "Expected missing to be raise, drop or category"),
        ({"model": Path("nowhere")}, "nowhere"),
    ],
)
def test_bad_input_is_refused(arguments: Any, message: str) -> None:
    with pytest.raises(MistworksError, match=message):
        matrix(FRAME, **arguments)


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(MistworksError, match="Expected numbers"):
        matrix([object()] * 9)


def test_without_pandas_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MistworksError, match=r"Expected pandas for a matrix, .* pip install '\.\[tables\]'"):
        matrix(np.zeros((9, 2)))
