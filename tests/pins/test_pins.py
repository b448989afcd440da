"""What must not change when code is moved and rewritten; `python -m tests.pins NAME` accepts a change."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch

from tests.mistworks.estimation.test_estimator import ESTIMATOR
from tests.pins.measured import MEASURES, expected, machine

REGISTERED_VERSION = Path(__file__).parents[1] / "data" / "registered_version"
EXACT = ("commands", "exit_codes", "public_names", "versions", "model_folder", "shipped", "registered")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in another order differ in their last digits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", EXACT)
def test_it_is_what_it_was(name: str) -> None:
    assert MEASURES[name]() == expected(name)


def test_stores_hold_what_they_held() -> None:
    """Guards the meta-distributions through their first datasets, `general` (preset shipped) too.

    How many datasets the splits of `shipped` have, and what its weights were trained on, may change.
    """
    found, before = MEASURES["stores"](), expected("stores")
    same_machine = machine()["numpy"] == before["machine"]["numpy"]
    assert found["stores"].keys() == before["stores"].keys()
    for name, store in found["stores"].items():
        old = before["stores"][name]
        for exact in ("meta_distribution", "families", "transforms", "shapes"):
            assert store[exact] == old[exact], name
        for close in ("mi", "mean_of_values"):
            assert store[close] == pytest.approx(old[close], rel=1e-5, abs=1e-6), name
        # Exponentials and sines differ in the last bit between releases of NumPy.
        if same_machine:
            assert store["content_hash"] == old["content_hash"], name


def test_estimates_are_what_they_were() -> None:
    found, before = MEASURES["estimates"](), expected("estimates")
    # Statistics that were compiled for another set of instructions agree to 1e-5.
    tolerance = 1e-6 if machine() == before["machine"] else 1e-3
    assert_close(found["estimates"], before["estimates"], tolerance)


def test_trainings_take_the_course_they_took() -> None:
    found, before = MEASURES["trainings"](), expected("trainings")
    assert_close(found["curves"], before["curves"], 1e-5 if machine() == before["machine"] else 1e-2)


def test_a_version_registered_before_its_modules_moved_still_loads(tmp_path: Path) -> None:
    """Its files, as registered when mistworks/estimation.py and storage/pyfunc_model.py were there."""
    folder = shutil.copytree(REGISTERED_VERSION, tmp_path / "version")
    (folder / "code").mkdir()
    ESTIMATOR.save(folder / "artifacts" / "estimator")
    x, y = np.random.default_rng(0).standard_normal((2, 40, 2))
    [row] = (
        mlflow.pyfunc.load_model(str(folder))
        .predict(pd.DataFrame({"x": [x.tolist()], "y": [y.tolist()]}))
        .to_dict(orient="records")
    )
    found = ESTIMATOR.estimate(x, y)
    assert row == {
        "mi": found.mi,
        "q05": found.quantile(0.05),
        "q50": found.quantile(0.5),
        "q95": found.quantile(0.95),
    }


def assert_close(found: Any, before: Any, tolerance: float, where: str = "") -> None:
    if isinstance(before, dict):
        assert found.keys() == before.keys(), where
        for name, value in before.items():
            assert_close(found[name], value, tolerance, f"{where} {name}")
    elif isinstance(before, list):
        assert len(found) == len(before), where
        for position, value in enumerate(before):
            assert_close(found[position], value, tolerance, f"{where} {position}")
    elif before is None:
        assert found is None, where
    else:
        assert found == pytest.approx(before, rel=tolerance, abs=tolerance), where
