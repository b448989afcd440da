"""A plain installation works in a folder that holds packages of the same names as ours."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.wheels import PROJECT, build_wheel, install

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PACKAGES = ("flows", "tasks", "storage")

USE = """
import sys, warnings
import numpy as np

if "first" in sys.argv:
    import flows, tasks, storage
    from storage.registry import mine
import mistworks

warnings.simplefilter("ignore", mistworks.MistworksWarning)
rng = np.random.default_rng(0)
x = rng.standard_normal((50, 1))
y = x + rng.standard_normal((50, 1))
estimators = [mistworks.load(name) for name in ("models:/mist/1", "mist/1")]
for estimator in estimators:
    assert estimator.estimate(x, y).mi == estimators[0].estimate(x, y).mi
dataset = mistworks.open_store(sys.argv[1])[3]
assert dataset.x.ndim == 2 and dataset.mi >= 0, dataset
assert len(mistworks.open_store(sys.argv[1])[:2]) == 2

# Theirs are as they were, and work.
import flows, tasks, storage
from storage.registry import mine
from storage.datasets import opening
assert flows.mine and tasks.mine and storage.mine and mine and opening.mine
print(estimators[0].estimate(x, y).mi)
"""

SERVED = """
import mlflow
import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
x = rng.standard_normal((50, 1))
y = x + rng.standard_normal((50, 1))
model = mlflow.pyfunc.load_model("models:/mist/1")
print(model.predict(pd.DataFrame({"x": [x.tolist()], "y": [y.tolist()]}))["mi"][0])

# What MLflow imports is the copy that was registered, which has nothing beside it.
import mistworks
assert mistworks.load("mist/1").estimate(x, y).mi > 0
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of a plain installation."""
    folder = tmp_path_factory.mktemp("installed")
    return install(build_wheel(folder), folder / "environment")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's project that holds modules of every name that ours have."""
    project = tmp_path_factory.mktemp("project")
    for package in PACKAGES:
        for path in PROJECT.joinpath(package).rglob("*.py"):
            theirs = project / path.relative_to(PROJECT)
            theirs.parent.mkdir(parents=True, exist_ok=True)
            theirs.write_text("mine = True\n")
    return project


@pytest.fixture(params=["installed", "PYTHONPATH"])
def variables(request: pytest.FixtureRequest, folder: Path) -> dict[str, str]:
    """The user's environment, where PYTHONPATH may lead to the project."""
    ours = ("PYTHON", "MISTWORKS_", "MLFLOW_", "PREFECT_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    root = folder / f"data-{request.param}"
    kept |= {"MISTWORKS_ROOT": str(root), "MLFLOW_TRACKING_URI": f"sqlite:///{root}/mlflow.db"}
    return kept | ({"PYTHONPATH": str(folder)} if request.param == "PYTHONPATH" else {})


def run(command: list[object], folder: Path, variables: dict[str, str]) -> str:
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_pipeline_and_what_it_makes(programs: Path, folder: Path, variables: dict[str, str]) -> None:
    assert "pipeline" in run([programs / "mistworks", "--help"], folder, variables)
    assert "pipeline" in run([programs / "python", "-m", "mistworks", "--help"], folder, variables)

    told = run(
        [programs / "mistworks", "pipeline", "--preset", "tiny", "--workers", 2, "--json"], folder, variables
    )
    store = json.loads(told)["lineage"]["train_store"]

    python = programs / "python"
    (folder / "analysis.py").write_text(USE)
    (folder / "serving.py").write_text(SERVED)
    values = [
        float(run(command, folder, variables))
        for command in (
            [python, "analysis.py", store],
            [python, "analysis.py", store, "first"],
            [python, "-c", USE, store],
            [python, "serving.py"],
        )
    ]
    assert values == [values[0]] * 4
