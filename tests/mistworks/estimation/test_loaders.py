"""What `mistworks.load` and `mistworks.open_store` take, and what they say where nothing reads it."""

import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

import mistworks
from mistworks import MistworksError, _entry_points, _packages
from mistworks.estimation.loaders import address_of
from tests.mistworks.estimation.test_estimator import ESTIMATOR, X, Y


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, str]]:
    """What installed packages offer, by group and name: nothing at first."""
    offered: dict[str, dict[str, str]] = {}

    def entry_points(group: str, name: str | None = None) -> EntryPoints:
        found = [EntryPoint(key, value, group) for key, value in offered.get(group, {}).items()]
        return EntryPoints(point for point in found if name in (None, point.name))

    monkeypatch.setattr(_entry_points, "entry_points", entry_points)
    return offered


def say(text: str) -> str:
    """What a loader of another package might be."""
    return f"read {text}"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("models:/mist@champion", "models:/mist@champion"),
        ("hub://anything at all", "hub://anything at all"),
        ("mist@champion", "models:/mist@champion"),
        ("mist/3", "models:/mist/3"),
        ("mist/0", None),
        ("mist", None),
        ("folder/mist/3", None),
        ("./mist@champion", None),
        ("../3", None),
        ("~/3", None),
        ("/3", None),
        ("C:/models", None),
        (r"C:\models\3", None),
    ],
)
def test_what_is_an_address(text: str, address: str | None) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize("name", ["mist@champion", "mist/3"])
def test_a_folder_goes_before_a_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offer: dict[str, dict[str, str]]
) -> None:
    offer["mistworks.loaders"] = {"models": f"{__name__}:say"}
    monkeypatch.chdir(tmp_path)
    assert mistworks.load(name) == f"read models:/{name}"
    ESTIMATOR.save(tmp_path / name)
    assert mistworks.load(name).estimate(X, Y) == ESTIMATOR.estimate(X, Y)


def test_any_package_can_offer_a_scheme(offer: dict[str, dict[str, str]]) -> None:
    offer["mistworks.loaders"] = {"hub": f"{__name__}:say"}
    assert mistworks.load("hub:/mist") == "read hub:/mist"
    with pytest.raises(MistworksError, match=r"an installed package reads \(hub:/…\), got 'models:/mist/3'"):
        mistworks.load("models:/mist/3")


@pytest.mark.usefixtures("offer")
def test_where_nothing_reads_them_the_extra_is_named() -> None:
    with pytest.raises(MistworksError, match=r"there is none.*pip install '\.\[pipeline\]'") as raised:
        mistworks.load("mist/3")
    assert raised.value.__notes__ == ["There is no folder 'mist/3' either."]
    with pytest.raises(MistworksError, match=r"reads 'a\.zarr', got none.*install '\.\[pipeline\]'"):
        mistworks.open_store(Path("a.zarr"))


def test_a_library_that_is_missing_is_named(offer: dict[str, dict[str, str]]) -> None:
    offer["mistworks.stores"] = {"open": "nonesuch.stores:open_store"}
    with pytest.raises(MistworksError, match=r"Expected nonesuch to read 'a\.zarr', which is not installed"):
        mistworks.open_store("a.zarr")


def test_stores_are_opened(tmp_path: Path, offer: dict[str, dict[str, str]]) -> None:
    offer["mistworks.stores"] = {"open": "storage.datasets.opening:open_store"}
    with pytest.raises(MistworksError, match="Expected a store at"):
        mistworks.open_store(tmp_path / "a.zarr")


BOTH = """
import sys
if sys.argv[1] == "first":
    import storage
from mistworks._packages import importing

for _ in range(2):
    with importing("storage"):
        from storage.errors import StoreUnreachableError
        import storage
        ours = storage
    try:
        from storage.errors import mine
        import storage
    except ImportError:
        sys.exit("theirs is gone")
    assert storage.mine and storage is not ours
    assert StoreUnreachableError.__module__ == "storage.errors"
"""


@pytest.mark.parametrize("when", ["first", "later"])
def test_a_package_of_the_same_name_is_left_alone(tmp_path: Path, when: str) -> None:
    (tmp_path / "storage").mkdir()
    for name in ("__init__", "errors"):
        (tmp_path / "storage" / f"{name}.py").write_text("mine = True\n")
    done = subprocess.run(
        [sys.executable, "-c", BOTH, when], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_nothing_is_set_aside_where_nothing_is_hidden() -> None:
    import storage

    path = list(sys.path)
    with _packages.importing("storage"):
        assert sys.modules["storage"] is storage
    _packages.put_first()
    assert sys.path == path
    assert sys.modules["storage"] is storage


def test_what_is_hidden_is_put_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tasks.py").write_text("mine = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tasks", raising=False)
    _packages.put_first()
    assert sys.path[:2] == [str(Path(mistworks.__file__).parents[1]), str(tmp_path)]
