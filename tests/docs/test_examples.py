"""Every example of the documentation runs as it stands, in a fresh process."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

TOLD = {
    "csv_interval.py": "95 % interval of the first",
    "feature_selection.py": "chosen for the risk class: line, parabola, site",
    "independence.py": "circle: correlation p = ",
    "lag_profile.py": "the answer comes after 4 steps",
}
"""What each prints among other things, where its weights are of any use."""


def test_every_example_is_run() -> None:
    assert sorted(path.name for path in EXAMPLES.glob("*.py")) == sorted(TOLD)


@pytest.mark.parametrize("name", sorted(TOLD))
def test_it_runs_and_finds_what_is_there(tmp_path: Path, name: str) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / name],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert TOLD[name] in done.stdout
    assert done.stderr == ""
    assert not list(tmp_path.iterdir())
