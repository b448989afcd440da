"""Find a store by its content hash: first where it was recorded, then wherever stores are kept."""

import json
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import obstore
from obstore.store import ObjectStore

from mistworks.errors import MistworksError
from storage.datasets.opening import open_at
from storage.datasets.store import Store
from storage.errors import ACCESS_ERRORS, StoreUnreachableError, access_error
from storage.places.location import Location, patiently

_DEPTH = 4
_ROOT_FILE = "zarr.json"


def find_by_content(split: str, content_hash: str, places: Sequence[Location]) -> Store:
    """Return the first complete store of a split with a given content hash.

    Args:
        split: such as ``"validation"``.
        content_hash: of the store.
        places: stores, or folders that contain stores, searched in this order.

    Raises:
        StoreUnreachableError: no place that answers has it, and at least one place does not answer.
        MistworksError: no place has it. The message says what each place holds.
    """
    failures: dict[Location, MistworksError] = {}
    for place in dict.fromkeys(places):
        try:
            below = list(stores_below(place))
        except MistworksError as error:
            failures[place] = error
            continue
        if not below:
            failures[place] = MistworksError("no store")
        for each in below:
            try:
                return _open_holding(each, split, content_hash)
            except MistworksError as error:
                failures[each] = error
    unreachable = any(isinstance(error, StoreUnreachableError) for error in failures.values())
    seen = (
        "; ".join(f"{place}: {str(error).rstrip('.')}" for place, error in failures.items())
        or "no place was given"
    )
    raise (StoreUnreachableError if unreachable else MistworksError)(
        f"Expected a store of the {split} split with content {content_hash[:12]}…, got none on "
        f"{socket.gethostname()} ({seen}). Give the place of the store, or generate it again."
    )


def stores_below(place: Location) -> Iterator[Location]:
    """Yield the store at a place, or else the stores a few folders below it, in order of name.

    Raises:
        StoreUnreachableError: an object store does not answer.
        StoreRefusedError: an object store refuses the request.
    """
    try:
        if place.path is not None:
            yield from (Location(str(path), path) for path in _local(place.path, _DEPTH))
        else:
            prefixes = _remote(place.object_store(), "", _DEPTH)
            yield from (Location((place / prefix).url.rstrip("/"), None) for prefix in prefixes)
    except ACCESS_ERRORS as error:
        raise access_error(f"list the stores at {place}", error, "Check the path.") from error


def _open_holding(place: Location, split: str, content_hash: str) -> Store:
    """Open a store.

    Raises:
        MistworksError: it holds something else, is incomplete, or cannot be read.
    """
    store = open_at(place)
    if store.manifest.split != split:
        raise MistworksError(f"the {store.manifest.split} split")
    if (held := store.content_hash()) != content_hash:
        raise MistworksError(f"content {held[:12]}…")
    return store


def _local(folder: Path, depth: int) -> Iterator[Path]:
    if _is_root((folder / _ROOT_FILE).read_bytes() if (folder / _ROOT_FILE).is_file() else b""):
        yield folder
    elif depth and folder.is_dir():
        with os.scandir(folder) as entries:
            below = sorted(entry.name for entry in entries if entry.is_dir())
        for name in below:
            yield from _local(folder / name, depth - 1)


def _remote(files: ObjectStore, prefix: str, depth: int) -> Iterator[str]:
    """Yield the prefixes of stores; "" if there is one at the root."""
    listed = patiently(lambda: obstore.list_with_delimiter(files, prefix or None))
    root = f"{prefix}/{_ROOT_FILE}".lstrip("/")
    if root in {entry["path"] for entry in listed["objects"]} and _is_root(
        bytes(obstore.get(files, root).bytes())
    ):
        yield prefix
    elif depth:
        for below in sorted(listed["common_prefixes"]):
            yield from _remote(files, below, depth - 1)


def _is_root(content: bytes) -> bool:
    """Whether a file is the root metadata of a store."""
    try:
        return "mistworks" in json.loads(content)["attributes"]
    except (ValueError, KeyError, TypeError):
        return False


__all__ = ["find_by_content", "stores_below"]
