"""Finds a store by what it holds: where it was recorded to be, then wherever stores are kept."""

import json
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import obstore
from obstore.store import ObjectStore

from mistworks.errors import MistworksError
from storage.datasets.opening import open_store
from storage.datasets.store import Store
from storage.errors import ACCESS_ERRORS, StoreUnreachableError, access_error
from storage.places.location import Location, patiently

_DEPTH = 4
_ROOT_FILE = "zarr.json"


def find_by_content(split: str, content_hash: str, places: Sequence[str]) -> Store:
    """The first whole store of a split that holds a content.

    Args:
        split: such as ``"validation"``.
        content_hash: of the store.
        places: where to look, in this order: stores, and folders with stores in them, as paths or URLs.

    Raises:
        StoreUnreachableError: it is not in the places that answer, and one does not answer.
        MistworksError: it is in none of the places. The message says what was in each.
    """
    looked: dict[str, MistworksError] = {}
    for place in dict.fromkeys(Location.parse(place).url for place in places):
        try:
            urls = list(stores_below(place))
        except MistworksError as error:
            looked[place] = error
            continue
        if not urls:
            looked[place] = MistworksError("there is no store")
        for url in urls:
            try:
                return _open_holding(url, split, content_hash)
            except MistworksError as error:
                looked[url] = error
    unreachable = any(isinstance(error, StoreUnreachableError) for error in looked.values())
    told = "; ".join(f"{place}: {error}" for place, error in looked.items()) or "there is no place to look"
    raise (StoreUnreachableError if unreachable else MistworksError)(
        f"Expected a store of the {split} split with content {content_hash[:12]}…, found none from "
        f"{socket.gethostname()} ({told}). Give the place of the store, or generate it again."
    )


def stores_below(place: str) -> Iterator[str]:
    """The stores at a place: itself if it is one, or else those a few folders below, in order of their names.

    Raises:
        StoreUnreachableError: an object store does not answer.
        StoreRefusedError: an object store refuses.
    """
    location = Location.parse(place)
    try:
        if location.path is not None:
            yield from (str(path) for path in _local(location.path, _DEPTH))
        else:
            yield from _remote(location.url.rstrip("/"), location.object_store(), "", _DEPTH)
    except ACCESS_ERRORS as error:
        raise access_error(f"the stores at {place} cannot be listed", error, "check the path") from error


def _open_holding(url: str, split: str, content_hash: str) -> Store:
    """Open a store.

    Raises:
        MistworksError: it holds something else, is not whole, or cannot be read.
    """
    store = open_store(url)
    if store.manifest.split != split:
        raise MistworksError(f"it is of the {store.manifest.split} split")
    if (held := store.content_hash()) != content_hash:
        raise MistworksError(f"it holds {held[:12]}…")
    return store


def _local(folder: Path, depth: int) -> Iterator[Path]:
    if _is_root((folder / _ROOT_FILE).read_bytes() if (folder / _ROOT_FILE).is_file() else b""):
        yield folder
    elif depth and folder.is_dir():
        with os.scandir(folder) as entries:
            below = sorted(entry.name for entry in entries if entry.is_dir())
        for name in below:
            yield from _local(folder / name, depth - 1)


def _remote(url: str, files: ObjectStore, prefix: str, depth: int) -> Iterator[str]:
    listed = patiently(lambda: obstore.list_with_delimiter(files, prefix or None))
    root = f"{prefix}/{_ROOT_FILE}".lstrip("/")
    if root in {entry["path"] for entry in listed["objects"]} and _is_root(
        bytes(obstore.get(files, root).bytes())
    ):
        yield f"{url}/{prefix}".rstrip("/")
    elif depth:
        for below in sorted(listed["common_prefixes"]):
            yield from _remote(url, files, below, depth - 1)


def _is_root(content: bytes) -> bool:
    """Whether a file is the metadata of the root of a store."""
    try:
        return "mistworks" in json.loads(content)["attributes"]
    except (ValueError, KeyError, TypeError):
        return False
