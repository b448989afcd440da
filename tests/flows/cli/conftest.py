"""A table in a file, for all commands that read one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    a = rng.standard_normal(300)
    zipped = rng.integers(3, size=300)
    frame = pd.DataFrame(
        {
            "sensor_1": a,
            "sensor_2": rng.standard_normal(300),
            "colour": np.where(a + rng.standard_normal(300) > 0, "red", "blue"),
            "zip": np.array([30, 10, 20])[zipped],
            "answer": a + (zipped == 1) + rng.standard_normal(300),
        }
    )
    frame.loc[:9, "sensor_2"] = np.nan
    return frame


@pytest.fixture
def file(tmp_path: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    frame.to_csv("data.csv", index=False)
    return Path("data.csv")
