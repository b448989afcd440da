"""Places: a path or a URL, what is below it, and what it is below."""

import pickle
from pathlib import Path

import pytest

from storage.places.location import Location


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Location.parse("stores/") == Location(str(tmp_path / "stores"), tmp_path / "stores")


def test_a_path_and_its_text_are_the_same_place(tmp_path: Path) -> None:
    assert Location.parse(tmp_path) == Location.parse(str(tmp_path)) == Location.parse(tmp_path.as_uri())


@pytest.mark.parametrize("text", ["/data/stores", "s3://bucket/stores"])
def test_below_and_above(text: str) -> None:
    place = Location.parse(text)
    below = place / "tiny/train.zarr"
    assert below == Location.parse(f"{text}/tiny/train.zarr")
    assert (below.name, below.parent, below.parent.parent) == ("train.zarr", place / "tiny", place)
    assert f"{below}" == below.url == f"{text}/tiny/train.zarr"


def test_a_url_that_ends_with_a_slash_is_kept_and_has_the_same_below() -> None:
    place = Location.parse("s3://bucket/stores/")
    assert place.url == "s3://bucket/stores/"
    assert place / "a" == Location.parse("s3://bucket/stores/a")


def test_it_goes_to_other_processes_and_into_sets() -> None:
    place = Location.parse("s3://bucket/a")
    assert {pickle.loads(pickle.dumps(place)), place} == {place}
