"""The fingerprint: equal where equal bytes are made, different where one line of generating code differs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mistworks
from mistworks import native
from storage.fingerprint import GENERATING, Fingerprint, code_hash, fingerprint, statistics_hash

PACKAGE = Path(mistworks.__file__).parent


@pytest.fixture(scope="module")
def original() -> str:
    return code_hash(PACKAGE)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package, to be edited."""
    ignored = shutil.ignore_patterns("__pycache__", "*.safetensors")
    return Path(shutil.copytree(PACKAGE, tmp_path / "mistworks", ignore=ignored))


def edit(path: Path, change: Callable[[str], str]) -> None:
    before = path.read_text()
    after = change(before)
    assert after != before
    path.write_text(after)


def test_one_line_of_the_generating_code_changes_it(package: Path, original: str) -> None:
    assert code_hash(package) == original
    edit(package / "randomness.py", lambda text: text.replace("[0, 0, index, 0]", "[0, index, 0, 0]"))
    assert code_hash(package) != original


@pytest.mark.parametrize("module", ["randomness", "simulation/meta_distribution", "distributions/dispersion"])
def test_comments_docstrings_and_layout_do_not_count(package: Path, original: str, module: str) -> None:
    path = package / f"{module}.py"
    edit(path, lambda text: text.replace('"""', '"""Other words. ', 1))
    edit(path, lambda text: text.replace('    """', '    """Other words. ', 1))
    edit(path, lambda text: f"# A comment.\n{text}\n\n# And another.\n")
    assert code_hash(package) == original


def test_code_that_generates_nothing_does_not_count(package: Path, original: str) -> None:
    edit(package / "estimation" / "estimator.py", lambda text: f"{text}\nOTHER = 1\n")
    edit(package / "training" / "trainer.py", lambda text: f"{text}\nOTHER = 1\n")
    assert code_hash(package) == original


def test_a_module_that_is_imported_inside_a_function_counts(package: Path) -> None:
    edit(package / "randomness.py", lambda text: f"{text}\ndef late():\n    from mistworks import late\n")
    before = code_hash(package)
    (package / "late.py").write_text("X = 1\n")
    assert code_hash(package) != before


def test_all_modules_that_generation_imports_are_hashed(package: Path, original: str) -> None:
    """What Python imports for generation is what is hashed: each of those files counts."""
    names = "n for n in sys.modules if n.split('.')[0] == 'mistworks'"
    code = f"import sys, mistworks.simulation.generation\nprint(*({names}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name in run.stdout.split():
        base = package.parent.joinpath(*name.split("."))
        path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
        before = path.read_text()
        path.write_text(f"{before}\nOTHER = 1\n")
        assert code_hash(package) != original, name
        path.write_text(before)


@pytest.mark.parametrize("name", Fingerprint.model_fields)
def test_each_difference_is_named(name: str) -> None:
    mine = fingerprint()
    other = mine.model_copy(update={name: "9.9"})
    assert mine.differences(other, [name]) == [f"{name} {getattr(mine, name)} expected, 9.9 found"]
    assert mine.differences(mine) == []
    assert bool(mine.differences(other, GENERATING)) == (name in GENERATING)


@pytest.mark.parametrize("name", Fingerprint.model_fields)
def test_machines_of_other_instruction_sets_work_together_and_no_others(name: str) -> None:
    mine = fingerprint()
    assert (mine.differences(mine.model_copy(update={name: "9.9"})) == []) == (name == "build")


def test_code_and_compiled_sources_of_statistics_count(package: Path, original: str) -> None:
    before = statistics_hash(package, "ab")
    assert before == statistics_hash(PACKAGE, "ab")
    assert before != statistics_hash(package, "cd")
    edit(package / "statistics" / "oracle.py", lambda text: f"{text}\nOTHER = 1\n")
    assert before != statistics_hash(package, "ab")
    assert code_hash(package) == original


def test_the_build_is_the_one_that_computes() -> None:
    code = "from storage.fingerprint import fingerprint; print(fingerprint().build, fingerprint().statistics)"
    seen = {}
    for choice in ("off", *(name for name in native.BUILDS if native.loaded(name) is not None)):
        environment = {**os.environ, "MISTWORKS_NATIVE": choice}
        command = [sys.executable, "-c", code]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        seen[choice] = run.stdout.split()
    assert seen.pop("off")[0] == "torch"
    assert all(build == choice for choice, (build, _) in seen.items())
    assert len({code for _, code in seen.values()}) <= 1


def test_what_is_absent_is_none() -> None:
    mine = fingerprint()
    assert mine.differences(mine.model_copy(update={"torch": ""}))[0].endswith("expected, none found")


def test_it_is_computed_once_and_without_torch() -> None:
    code = (
        "import sys; from storage.fingerprint import fingerprint\n"
        "print(fingerprint() is fingerprint(), 'torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["True", "False"]
