"""Every example of the documentation runs as it stands, in a fresh process; its pages name what there is."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.wheels import write_metadata

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"

PRINTED = {
    "channel.py": "which can show 6.908; truth 2.308, estimate ",
    "csv_interval.py": "95 % interval of the first",
    "feature_selection.py": "chosen for the risk class: line, parabola, site",
    "gradient.py": "degrees, ",
    "independence.py": "circle: correlation p = ",
    "learning_labels.py": "truth                      2.303   1.436   0.626",
    "learning_fairness.py": "a mixture            0.27      0.19      0.17      0.46      0.44",
    "own_family.py": "of the 90 % intervals hold the truth",
    "own_network.py": "quantiles at 5, 50 and 95 %",
    "read_store.py": "its digest: ",
    "table_file.py": "left of the picture: sample of 600 rows",
    "read_table.py": "from 526 of 600 rows",
}
"""What each prints among other things, where its weights are of any use."""

LONG = {
    "select_columns.py": "3 of 8 columns",
    "matrix.py": "ash depends on: ",
    "lag_profile.py": "the answer comes after 4 steps",
    "learning_direction.py": "true I(w·x; y): 1.077 nats",
    "learning_halves.py": "PCA          0.82 [0.82, 0.82]",
    "learning_plane.py": "ReLU           I(X;T)  ours [90 % interval]",
    "real_cancer.py": "Selection: ",
    "real_diabetes.py": "of 55 pairs are dependent",
    "real_digits.py": "left and right half: ",
    "real_iris.py": "sepal and petal, within a species: ",
    "real_wine.py": "total phenols about it, given the flavanoids: ",
}
"""The same of those that take long. The build of the documentation runs them too, and stops if one warns."""

WRITTEN = {
    "csv_interval.py": ["patients.csv", "patients.svg"],
    "lag_profile.py": ["lag_profile.svg"],
    "learning_direction.py": ["learning_direction.svg"],
    "learning_fairness.py": ["learning_fairness.svg"],
    "learning_halves.py": ["learning_halves.svg"],
    "learning_labels.py": ["learning_labels.svg"],
    "learning_plane.py": ["learning_plane.svg"],
    "matrix.py": ["matrix.html", "matrix.svg"],
    "own_family.py": ["own_family.svg"],
    "read_store.py": ["validation.zarr"],
    "table_file.py": ["ozone.csv", "ozone.png"],
}
"""What each leaves in the folder where it is run."""


def test_every_example_is_run() -> None:
    assert sorted(path.name for path in EXAMPLES.glob("*.py")) == sorted([*PRINTED, *LONG])


@pytest.fixture(scope="module")
def metadata(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what an installation of this tree would record."""
    folder = tmp_path_factory.mktemp("metadata")
    write_metadata(folder)
    return folder


@pytest.mark.parametrize(
    "name", [*sorted(PRINTED), *(pytest.param(name, marks=pytest.mark.slow) for name in LONG)]
)
def test_it_runs_and_finds_what_is_there(tmp_path: Path, name: str, metadata: Path) -> None:
    if name == "read_store.py":
        subprocess.run([sys.executable, EXAMPLES.parent / "store.py"], cwd=tmp_path, check=True)
    done = subprocess.run(
        [sys.executable, EXAMPLES / name],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": str(metadata)},
    )
    assert done.returncode == 0, done.stderr
    assert (PRINTED | LONG)[name] in done.stdout
    assert done.stderr == ""
    drawn = name.startswith("real_") and name != "real_digits.py"
    written = [name.replace(".py", ".svg")] if drawn else []
    assert sorted(path.name for path in tmp_path.iterdir()) == WRITTEN.get(name, written)


def test_readers_are_told_to_import_mistworks_alone() -> None:
    """Its own modules and nothing of the packages behind it, in pages as in examples."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *EXAMPLES.iterdir()]
    pattern = re.compile(r"^[ >]*(?:from|import) (?:storage|tasks|flows)\b.*$", re.MULTILINE)
    assert len(pages) > 30
    assert [line for page in pages for line in pattern.findall(page.read_text(encoding="utf-8"))] == []


def test_every_file_that_the_architecture_page_names_is_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## Where do I add")[2]
    named = [text for text in re.findall(r"`([^`]+)`", table) if "/" in text or text.endswith(".yaml")]
    assert len(named) > 20
    assert [text for text in named if not (ROOT / text).exists()] == []


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_to_files_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)]+)\)", text)]
    assert [target for target in targets if "://" not in target and not (ROOT / target).exists()] == []
