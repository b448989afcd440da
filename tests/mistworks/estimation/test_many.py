"""Many samples at once, whatever names the model and holds the numbers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import mistworks
from mistworks.errors import MistworksError
from mistworks.estimation import many
from mistworks.estimation.many import BatchEstimator
from tests.mistworks.estimation.test_estimator import ESTIMATOR
from tests.support.stand_ins import GaussianStandIn

RNG = np.random.default_rng(0)
PAIRS = [(RNG.standard_normal((n, 2)), RNG.standard_normal((n, 1))) for n in (20, 30, 20, 40, 30)]
STAND_IN = GaussianStandIn()


def test_it_is_each_estimate_in_order(tmp_path: Path) -> None:
    estimator: BatchEstimator = ESTIMATOR
    ESTIMATOR.save(tmp_path / "model")
    expected = [mistworks.estimate(x, y, ESTIMATOR).mi for x, y in PAIRS]
    for model in (estimator, tmp_path / "model", str(tmp_path / "model")):
        found = [estimate.mi for estimate in mistworks.estimate_many(PAIRS, model)]
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert mistworks.estimate_many([], model=ESTIMATOR) == []


def test_none_is_the_model_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "shipped", lambda: STAND_IN)
    assert mistworks.estimate_many(PAIRS) == STAND_IN.estimate_many(PAIRS)


def test_missing_values_are_treated_in_each_pair_by_itself() -> None:
    x = pd.DataFrame({"code": RNG.integers(0, 3, 60)})
    holes, y = np.where(RNG.random(60) < 0.3, np.nan, RNG.standard_normal(60)), RNG.standard_normal(60)
    found = mistworks.estimate_many([(x, y), (x, holes)], missing="drop", classes=["code"])
    assert [each.n_used for each in found] == [60, np.isfinite(holes).sum()]
    assert found[0].mi == pytest.approx(mistworks.estimate(x.astype(str), y).mi, abs=1e-6)
    with pytest.raises(MistworksError, match=r"missing values in y, got \d+"):
        mistworks.estimate_many([(x, y), (x, holes)])


def test_an_iterator_is_taken_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "_PART_CELLS", 200)
    counting = GaussianStandIn()
    ahead: list[int] = []

    def taken() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for number, pair in enumerate(PAIRS):
            ahead.append(number - sum(counting.counts))
            yield pair

    assert mistworks.estimate_many(taken(), counting) == STAND_IN.estimate_many(PAIRS)
    assert counting.counts == [2, 2, 1]
    assert max(ahead) == 2


@pytest.mark.parametrize(
    "hold", [np.ndarray.tolist, torch.from_numpy, pd.DataFrame, lambda values: list(map(list, values))]
)
def test_every_holder_of_numbers_is_read(hold: Callable[[Any], Any]) -> None:
    found = mistworks.estimate_many([(hold(x), hold(y)) for x, y in PAIRS], STAND_IN)
    assert found == STAND_IN.estimate_many(PAIRS)


@pytest.mark.parametrize("wrong", [None, 3.0, [], [[1.0], [1.0, 2.0]] * 20, np.float64(2)])
def test_what_is_no_sample_is_refused_by_the_estimator(wrong: Any) -> None:
    with pytest.raises(MistworksError, match=r"Expected (x|rows of equal length in x)"):
        mistworks.estimate_many([PAIRS[0], (wrong, PAIRS[0][1])], STAND_IN)
