"""Commands about a table work where only the extra `tables` is installed, and import nothing else."""

import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mistworks import native
from tests.mistworks.test_core_install import COMMAND, REFUSE, closure, normal
from tests.support.wheels import PROJECT

HEAVY = {"dask", "distributed", "mlflow", "obstore", "prefect", "sqlalchemy", "torch", "zarr"}

LISTED = """
import atexit
atexit.register(lambda: sys.stderr.write(" ".join({name.partition(".")[0] for name in sys.modules})))
"""

COMMANDS = {
    "estimate": (
        "--x",
        "a,c",
        "--y",
        "b",
        "--given",
        "d",
        "--classes",
        "c",
        "--missing",
        "drop",
        "--plot",
        "out.png",
    ),
    "matrix": ("--missing", "drop", "--html", "out.html", "--plot", "matrix.png"),
    "select": ("--target", "b", "--plot", "selection.png"),
}


def refused() -> set[str]:
    """Top-level modules of what neither the core nor the extra `tables` brings."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    brought = closure(project["dependencies"] + project["optional-dependencies"]["tables"]) | {"mistworks"}
    return {
        module
        for module, distributions in packages_distributions().items()
        if not brought & {normal(distribution) for distribution in distributions}
    }


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("table") / "data.csv"
    frame = pd.DataFrame(rng.standard_normal((60, 3)), columns=["a", "b", "d"])
    frame.assign(c=rng.integers(3, size=60)).to_csv(path, index=False)
    return path


@pytest.mark.skipif(not native.available(), reason="without compiled statistics torch computes them")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_works_with_the_extra_alone_and_starts_fast(command: str, file: Path) -> None:
    none = refused()
    assert none >= HEAVY
    assert not {"pandas", "pyarrow", "rich", "typer", "matplotlib", "sklearn", "scipy", "numpy"} & none
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            REFUSE + LISTED + COMMAND,
            ",".join(none),
            command,
            str(file),
            *COMMANDS[command],
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=file.parent,
        env={"PYTHONPATH": str(PROJECT)},
    )
    assert done.returncode == 0, done.stderr
    assert "rows" in done.stdout
    assert not HEAVY & set(done.stderr.split())
