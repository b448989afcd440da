"""Rows of two pandas objects belong together by their index, and what has none is paired by position."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mistworks
from mistworks.errors import MistworksError, MistworksWarning
from mistworks.preparation.reading import read_pair
from tests.support.stand_ins import GaussianStandIn

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.standard_normal((40, 2)), columns=["a", "b"], index=RNG.permutation(100)[:40])
SERIES = (FRAME["a"] + 0.3 * RNG.standard_normal(40)).rename("y")
SHUFFLED = SERIES.sample(frac=1.0, random_state=1)


def values(x: Any, y: Any) -> np.ndarray:
    return np.concatenate([side.values for side in read_pair(x, y)])


def test_an_equal_index_needs_no_word(recwarn: pytest.WarningsRecorder) -> None:
    expected = np.concatenate([FRAME.to_numpy().T, SERIES.to_numpy()[None]])
    np.testing.assert_array_equal(values(FRAME, SERIES), expected)
    np.testing.assert_array_equal(values(FRAME, SERIES.to_frame()), expected)
    repeated = FRAME.index[[0] * 40]
    np.testing.assert_array_equal(values(FRAME.set_axis(repeated), SERIES.set_axis(repeated)), expected)
    assert not recwarn.list


@pytest.mark.parametrize("hold", [pd.Series, pd.DataFrame, lambda labels: labels.astype("category")])
def test_another_order_is_put_right_and_told(hold: Any) -> None:
    classes = pd.Series(np.where(SERIES > 0, "high", "low"), index=SERIES.index)
    with pytest.warns(MistworksWarning, match="paired by index; pass y.to_numpy") as told:
        found = read_pair(FRAME, hold(classes.loc[SHUFFLED.index]))[1]
    np.testing.assert_array_equal(found.values, read_pair(FRAME, hold(classes))[1].values)
    assert told[0].filename == __file__


def test_several_levels_and_dates_are_an_index_too() -> None:
    for index in (
        pd.MultiIndex.from_product([list("abcd"), range(10)]),
        pd.date_range("2026", periods=40),
        pd.interval_range(0, 40),
    ):
        x, y = FRAME.set_axis(index), SERIES.set_axis(index)
        with pytest.warns(MistworksWarning, match="paired by index"):
            np.testing.assert_array_equal(values(x, y[::-1]), values(x, y))


def test_what_has_no_index_is_paired_by_position(recwarn: pytest.WarningsRecorder) -> None:
    expected = values(FRAME.to_numpy(), SHUFFLED.to_numpy())
    for x, y in ((FRAME, SHUFFLED.to_numpy()), (FRAME.to_numpy(), SHUFFLED), (FRAME, SHUFFLED.tolist())):
        np.testing.assert_array_equal(values(x, y), expected)
    assert not recwarn.list


OTHER = SERIES.reset_index(drop=True)
LACKING = (set(FRAME.index.tolist()) - set(range(40)), next(k for k in FRAME.index if k >= 40))


@pytest.mark.parametrize(
    ("y", "told"),
    [
        (OTHER, rf"got {len(LACKING[0])} labels of x that y lacks, the first {LACKING[1]}\. Select the rows"),
        (SERIES.set_axis(FRAME.index[[0] * 40]), "got different ones with repeated labels"),
        (SERIES.set_axis([f"p{k}" for k in range(40)]), "got 40 labels of x that y lacks"),
        (SERIES[:30], "number of rows, got 40 and 30"),
    ],
)
def test_other_indices_are_refused(y: Any, told: str) -> None:
    with pytest.raises(MistworksError, match=f"Expected x and y with the same.* {told}"):
        read_pair(FRAME, y)


def test_every_public_function_pairs_alike() -> None:
    model = GaussianStandIn()
    with pytest.raises(MistworksError, match=r"Expected X and y with the same index.* labels of X that"):
        mistworks.feature_scores(FRAME, OTHER, model=model)
    for refuse in (mistworks.estimate, mistworks.independence_test):
        with pytest.raises(MistworksError, match="Expected x and y with the same index"):
            refuse(FRAME, OTHER)
    with pytest.raises(MistworksError, match="Expected x and y with the same index"):
        mistworks.estimate_many([(FRAME, SERIES), (FRAME, OTHER)])
    expected = mistworks.feature_scores(FRAME, SERIES, model=model).scores
    with pytest.warns(MistworksWarning) as told:
        found = mistworks.feature_scores(FRAME, SHUFFLED, model=model).scores
    assert Path(told[0].filename) == Path(__file__)
    np.testing.assert_array_equal(found, expected)
