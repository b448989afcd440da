"""Create and open stores. The root attributes say what a place holds."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import zarr
from zarr.abc.store import Store as ZarrStore

from mistworks.errors import MistworksError
from storage.datasets.layout import consolidate, create_arrays
from storage.datasets.manifest import READABLE_VERSIONS, Manifest, library_versions
from storage.datasets.store import Store, StoreDamagedError
from storage.errors import ACCESS_ERRORS, access_error, from_object_store, reason
from storage.places.location import Location, entries, patiently
from storage.places.lock import LOCK_NAME, PARTITION_LOCKS_NAME

ATTRIBUTE = "mistworks"
# What Zarr raises for truncated, edited or foreign metadata.
_METADATA_ERRORS = (*ACCESS_ERRORS, ValueError, TypeError, KeyError)


def create_store(url: str, manifest: Manifest) -> Store:
    """Create an empty store at a path or URL, or open the existing one, like `create_at`.

    Raises:
        MistworksError: see `create_at`.
    """
    return create_at(Location.parse(url), manifest)


def create_at(place: Location, manifest: Manifest) -> Store:
    """Create an empty store, or open the existing one if it has the same configuration.

    The manifest is written last, so an interrupted creation is simply repeated.

    Raises:
        MistworksError: the place cannot be written, holds something else, or holds part of this split made by
            other code.
    """
    if existing := find_manifest(place):
        existing.require_same(manifest, place.url)
        return to_be_completed(open_at(place, read_only=False))
    with _making(place):
        # Marks the place as ours, so that a later run may create the arrays again.
        mark: dict[str, Any] = {ATTRIBUTE: {"format": manifest.format}}
        target = place.zarr_store(read_only=False)
        group = zarr.open_group(target, mode="a", zarr_format=3, attributes=mark, use_consolidated=False)
        create_arrays(group, manifest)
        consolidate(target).update_attributes({ATTRIBUTE: manifest.model_dump(mode="json")})
    return open_at(place, read_only=False)


def to_be_completed(store: Store) -> Store:
    """Return a store that the running code may add partitions to; reopened if it was empty.

    A complete store is accepted whatever code made it. A store that other code began and left empty is taken
    over.

    Raises:
        MistworksError: it holds some partitions made by other code, which must not be mixed with new ones.
    """
    manifest = store.manifest
    missing = store.missing() if manifest.other_code else []
    if not missing:
        return store
    if len(missing) < manifest.partitions:
        raise MistworksError(
            f"Expected the code that made the first partitions of {store.url}, got another: "
            f"{'; '.join(manifest.other_code)}. Run that code, or delete the store and run again."
        )
    updated = manifest.model_copy(update={"versions": library_versions()})
    with _making(store.location):
        group = zarr.open_group(store.location.zarr_store(read_only=False), mode="r+")
        group.update_attributes({ATTRIBUTE: updated.model_dump(mode="json")})
    return open_at(store.location, read_only=False)


@contextmanager
def _making(place: Location) -> Iterator[None]:
    try:
        yield
    except ACCESS_ERRORS as error:
        raise access_error(f"write the store {place.url}", error, "Choose a writable --store.") from None


def open_store(url: str, *, read_only: bool = True) -> Store:
    """Open the store at a path or URL.

    Raises:
        MistworksError: there is no store, or it has another format version.
    """
    return open_at(Location.parse(url), read_only=read_only)


def open_at(place: Location, *, read_only: bool = True) -> Store:
    """Open a store.

    Raises:
        MistworksError: there is no store, or it has another format version.
    """
    manifest, url = find_manifest(place), place.url
    if manifest is None:
        raise MistworksError(
            f"Expected a store at {url}, got none. Make one with `mistworks generate --store {url}`."
        )
    try:
        target = place.zarr_store(read_only=read_only)
        mode: Literal["r", "r+"] = "r" if read_only else "r+"
        return patiently(lambda: Store(place, manifest, _open_group(target, mode)))
    except MistworksError:
        raise
    except _METADATA_ERRORS as error:
        if from_object_store(error):
            raise access_error(f"read the store {url}", error, "") from None
        raise StoreDamagedError(
            f"Expected to open the arrays of the store {url}, got: {reason(error)}. Restore the zarr.json of "
            "each array, or delete the store and generate it again."
        ) from None


def _open_group(target: ZarrStore, mode: Literal["r", "r+"]) -> zarr.Group:
    # The metadata of each array count, not their copies in the root: else damage of them would go unseen.
    return zarr.open_group(target, mode=mode, zarr_format=3, use_consolidated=False)


def find_manifest(place: Location) -> Manifest | None:
    """Return the manifest of the store at a place; None if there is no store, or one without its manifest.

    Raises:
        MistworksError: the place cannot be read, holds something else, or holds a store of another format
            version.
    """
    url = place.url
    try:
        target = place.zarr_store(read_only=True)
        present = {name for name in entries(target) if not _is_leftover(name)}
        if not present:
            return None
        if "zarr.json" not in present:
            raise _something_else(url, present)
        opened = patiently(lambda: _open_group(target, "r"))
    except ACCESS_ERRORS as error:
        raise access_error(f"read the store {url}", error, "Correct the path.") from None
    except MistworksError:
        raise
    except _METADATA_ERRORS as error:
        raise MistworksError(
            f"Expected valid Zarr metadata in the zarr.json of {url}, got: {reason(error)}. Restore it, or "
            "choose another --store."
        ) from None
    attributes = opened.attrs.get(ATTRIBUTE)
    if not isinstance(attributes, dict):
        raise _something_else(url, present)
    if attributes.get("format") not in READABLE_VERSIONS:
        raise MistworksError(
            f"Expected a store of format {_listed(READABLE_VERSIONS)} at {url}, got format "
            f"{attributes.get('format')}. Use the version of Mistworks that wrote it, or generate it again."
        )
    if attributes.keys() == {"format"}:
        return None
    try:
        return Manifest.parse(attributes)
    except MistworksError as error:
        raise StoreDamagedError(
            f"Expected a valid manifest in the attributes of the store {url}, got: {str(error).rstrip('.')}. "
            "Restore its zarr.json, or delete the store and generate it again."
        ) from None


def _listed(versions: Sequence[int]) -> str:
    return f"{', '.join(map(str, versions[:-1]))} or {versions[-1]}"


def _something_else(url: str, present: set[str]) -> MistworksError:
    return MistworksError(
        f"Expected a store or an empty place at {url}, got {', '.join(sorted(present)[:3])}. Choose another "
        "--store."
    )


def _is_leftover(name: str) -> bool:
    return name in {LOCK_NAME, PARTITION_LOCKS_NAME} or name.endswith(".partial")


__all__ = [
    "ATTRIBUTE",
    "create_at",
    "create_store",
    "find_manifest",
    "open_at",
    "open_store",
    "to_be_completed",
]
