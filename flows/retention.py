"""Remove stores of earlier dates, except those of champions, so that nights do not fill the disk."""

import json
import re
from contextlib import suppress
from datetime import date
from pathlib import Path

import obstore

from flows.workspace import Workspace
from flows.writers import forget_limit, one_writer
from mistworks.errors import MistworksError
from mistworks.presets import preset_name
from mistworks.simulation.splits import SPLITS
from storage.datasets.modalities import remove_modalities
from storage.datasets.opening import ATTRIBUTE, find_manifest, open_at
from storage.errors import ACCESS_ERRORS, reason
from storage.places.location import Location
from storage.registry.versions import every_version

_BATCH = 1_000
_GROUP = "zarr.json"


def remove_old_nights(workspace: Workspace, preset: str, tonight: int, keep: int) -> list[int]:
    """Remove the pipeline's stores of a preset whose seed is an earlier date, except the newest.

    Stores of present and former champions, stores that another run is writing, and anything that is not a
    store are always kept.

    Args:
        workspace: where the stores and the registry are.
        preset: name of the preset, or path of its JSON file.
        tonight: seed of this night.
        keep: number of nights to keep, including this one.

    Returns:
        The seeds of the nights that were removed.

    Raises:
        MistworksError: the stores, or the registry, cannot be read.
    """
    seeds = sorted(seed for seed in _dated_seeds(workspace, preset_name(preset)) if seed < tonight)
    needed = {
        content
        for version in every_version(workspace.tracking_uri)
        if version.promoted
        for content in (
            version.lineage.train_hash,
            version.lineage.validation_hash,
            version.lineage.calibration_hash,
        )
    }
    old = seeds[: max(0, len(seeds) - keep + 1)]
    return [seed for seed in old if _remove_night(workspace, preset_name(preset), seed, needed)]


def _dated_seeds(workspace: Workspace, preset: str) -> list[int]:
    pattern = re.compile(rf"{re.escape(preset)}-seed-(\d{{8}})")
    names = (match[1] for name in _folders(workspace.stores) if (match := pattern.fullmatch(name)))
    return [int(name) for name in names if _is_date(name)]


def _folders(place: Location) -> list[str]:
    try:
        listed = obstore.list_with_delimiter(place.object_store())
    except ACCESS_ERRORS as error:
        raise MistworksError(
            f"Expected to list the stores at {place}, got: {reason(error)}. Correct the path, or run "
            "without keep."
        ) from None
    return [prefix.rstrip("/").rsplit("/", 1)[-1] for prefix in listed["common_prefixes"]]


def _is_date(text: str) -> bool:
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def _remove_night(workspace: Workspace, preset: str, seed: int, needed: set[str]) -> bool:
    """Remove the stores of one night unless one is needed. Return whether they were removed."""
    places = [workspace.store(preset, seed, split) for split in SPLITS]
    try:
        present = [place for place in places if find_manifest(place) is not None]
        if needed & {_content(place) for place in present}:
            return False
        for place in present:
            with one_writer(place, wait=1.0):
                _remove(place)
            forget_limit(place)
        if present:
            remove_modalities(places[0].parent)
    except (MistworksError, *ACCESS_ERRORS):
        # Stores that cannot be read, or are being written, are left to the next night.
        return False
    if (folder := places[0].parent.path) is not None:
        with suppress(OSError):
            folder.rmdir()
    return bool(present)


def _content(place: Location) -> str:
    store = open_at(place)
    return "" if store.missing() else store.content_hash()


def _remove(place: Location) -> None:
    """Delete a store so that at any time an incomplete store remains, or none.

    In a bucket an empty ``zarr.json`` remains, as in a store whose creation was interrupted: some object
    stores go on listing empty folders, which would be taken for something other than a store.
    """
    files = place.object_store()
    paths = [str(entry["path"]) for batch in obstore.list(files) for entry in batch]
    paths = sorted(set(paths) - {_GROUP}, key=lambda path: (not path.startswith("partition_digest/c"), path))
    for start in range(0, len(paths), _BATCH):
        obstore.delete(files, paths[start : start + _BATCH])
    if place.path is not None:
        obstore.delete(files, _GROUP)
        _remove_empty(place.path)
        return
    group = json.loads(bytes(obstore.get(files, _GROUP).bytes()))
    group["attributes"][ATTRIBUTE] = {"format": group["attributes"][ATTRIBUTE]["format"]}
    obstore.put(files, _GROUP, json.dumps(group).encode())


def _remove_empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
    with suppress(OSError):
        folder.rmdir()


__all__ = ["remove_old_nights"]
