"""What works with the core dependencies alone, shown by refusing to import anything else."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from mistworks import native
from tests.mistworks.estimation.test_estimator import ESTIMATOR, SUMMARY
from tests.support.wheels import PROJECT, build_wheel

REFUSE = """
import sys
from importlib.abc import MetaPathFinder

class Refusing(MetaPathFinder):
    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] in REFUSED:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)

REFUSED = set(sys.argv.pop(1).split(","))
sys.meta_path.insert(0, Refusing())
"""

USE = """
import numpy as np
import mistworks

model, path = sys.argv[1:]
pair = np.load(path)
x, y = pair["x"], pair["y"]
print(mistworks.estimate(x, y, model=model).interval(0.8))
print(mistworks.estimate_many([(x, y), (x[:20], y[:20])], model=model)[1].mi)
print(mistworks.feature_scores(x, y, model=model))
print(mistworks.independence_test(x, y, model=model, permutations=9))
"""

SHIPPED = """
import numpy as np
import mistworks

rng = np.random.default_rng(0)
x = rng.standard_normal((100, 2))
low, high = mistworks.estimate(x, x[:, 0] + rng.standard_normal(100)).interval(0.9)
assert 0 < low < high < 1, (low, high)
print({"scipy", "torch"} & set(sys.modules))
"""

FIRST = """
import mistworks

mistworks.estimate(list(range(9)), [1, 4, 2, 8, 5, 7, 3, 6, 9], model=sys.argv[1])
print([name for name in sys.argv[2:] if name in sys.modules])
"""

NEEDS_TORCH = """
import numpy as np
import mistworks

x = np.random.default_rng(0).standard_normal((30, 2))
mistworks.estimate(x, x, model=sys.argv[1])
"""

LOAD = """
import os
import mistworks

os.environ["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9"
mistworks.load("models:/mist@champion")
"""

COMMAND = """
from mistworks.__main__ import main

main()
"""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(requirements: list[str]) -> set[str]:
    """Names of the distributions that are installed along with some, extras left out."""
    found: set[str] = set()
    waiting = [requirement for requirement in requirements if "extra ==" not in requirement]
    while waiting:
        match = re.match(r"[\w.-]+", waiting.pop())
        assert match is not None
        name = normal(match[0])
        if name not in found:
            found.add(name)
            waiting += [each for each in _requires(name) if "extra ==" not in each]
    return found


def _requires(name: str) -> list[str]:
    try:
        return requires(name) or []
    except ModuleNotFoundError:
        # A dependency for another platform.
        return []


def refused_modules() -> set[str]:
    """Top-level modules of every installed distribution that the core dependencies do not bring."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    core = closure(project["dependencies"]) | {"mistworks"}
    return {
        module
        for module, distributions in packages_distributions().items()
        if not core & {normal(distribution) for distribution in distributions}
    }


REFUSED = refused_modules()


def run(program: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", REFUSE + program, ",".join(REFUSED), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
    )


def test_what_is_refused_is_everything_but_the_core() -> None:
    pipeline = {"dask", "mlflow", "pandas", "plotly", "prefect", "rich", "sklearn", "typer", "zarr"}
    assert pipeline | {"matplotlib", "pytest", "hypothesis"} <= REFUSED
    assert {"scipy", "torch"} <= REFUSED
    assert not {"numpy", "pydantic", "pydantic_core", "safetensors"} & REFUSED


@pytest.mark.skipif(not native.available(), reason="without compiled statistics torch computes them")
def test_the_public_functions_work(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "pair.npz", x=rng.standard_normal((30, 2)), y=rng.standard_normal((30, 1)))
    SUMMARY.save(tmp_path / "model")
    done = run(USE, tmp_path / "model", tmp_path / "pair.npz")
    assert done.returncode == 0, done.stderr
    assert "p = " in done.stdout


@pytest.mark.skipif(not native.available(), reason="without compiled statistics torch computes them")
def test_the_shipped_estimator_works() -> None:
    done = run(SHIPPED)
    assert (done.returncode, done.stdout) == (0, "set()\n"), done.stderr


def test_a_wheel_holds_whatever_is_no_python(tmp_path: Path) -> None:
    held = set(ZipFile(build_wheel(tmp_path)).namelist())
    listed = subprocess.run(
        ["git", "ls-files", "mistworks", "storage"], cwd=PROJECT, capture_output=True, text=True
    )
    assert listed.returncode == 0
    needed = {name for name in listed.stdout.split() if not name.endswith((".cpp", ".h"))}
    assert needed - held == set()


@pytest.mark.skipif(not native.available(), reason="without compiled statistics torch computes them")
def test_one_estimate_imports_what_it_needs(tmp_path: Path) -> None:
    SUMMARY.save(tmp_path / "model")
    needless = ("numpy.ma", "numpy.random", "concurrent.futures.thread", "mistworks.simulation.general")
    done = run(FIRST, tmp_path / "model", *needless)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_a_network_that_needs_torch_tells_what_to_install(tmp_path: Path) -> None:
    ESTIMATOR.save(tmp_path / "model")
    done = run(NEEDS_TORCH, tmp_path / "model")
    assert done.returncode == 1
    assert "which is not installed. Run pip install '.[torch]' in the folder" in done.stderr.splitlines()[-1]


def test_a_registered_estimator_tells_what_to_install() -> None:
    done = run(LOAD)
    assert done.returncode == 1
    told = "Expected mlflow to read 'models:/mist@champion', which is not installed. Run pip install '.[pipe"
    assert told in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("arguments", [(), ("--help",), ("estimate", "data.csv", "--x", "a", "--y", "b")])
def test_the_command_tells_what_to_install(arguments: tuple[str, ...]) -> None:
    done = run(COMMAND, *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    told = "Expected typer for the command line, which is not installed. Run pip install '.[tables]' in the"
    assert told in done.stderr


def test_a_command_that_lacks_a_library_tells_too(tmp_path: Path) -> None:
    only_pandas = COMMAND.replace("from", "REFUSED.clear(); REFUSED.add('pandas')\nfrom", 1)
    (tmp_path / "data.csv").write_text("a,b\n1,2\n")
    done = run(only_pandas, "estimate", tmp_path / "data.csv", "--x", "a", "--y", "b")
    assert done.returncode == 1
    assert done.stderr.startswith("error: Expected pandas for the command line, which is not installed. Run")


def test_the_installed_command_is_the_one_tested() -> None:
    scripts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"mistworks": "mistworks.__main__:main"}
