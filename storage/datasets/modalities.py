"""Fitted modalities, kept beside the stores that refer to them: one file for all stores of a folder.

A store's manifest names the file by its hash. Whoever draws datasets of the store reads the file once, and
refuses another.
"""

import hashlib
import re
from contextlib import suppress

import obstore
from obstore.exceptions import AlreadyExistsError

from mistworks.errors import MistworksError
from mistworks.modality.config import Fit, ModalityConfig, file_of
from mistworks.modality.modality import Modality
from storage.errors import ACCESS_ERRORS, access_error
from storage.places.location import Location, patiently

_NAME = re.compile(re.escape(file_of("KEY")).replace("KEY", "[0-9a-f]{16}"))


def find_modality(store: Location, config: ModalityConfig) -> Modality | None:
    """Return the fitted modality beside a store; None if there is none yet.

    Args:
        store: the place of the store, which need not exist.
        config: what the modality is fitted from, with the hash of its rows.

    Raises:
        MistworksError: the file cannot be read, or was fitted from something else.
    """
    folder = store.parent
    content = _read(folder, file_of(config.key))
    if content is None:
        return None
    modality = Modality.of(content, f"{folder.url}/{file_of(config.key)}")
    if modality.config.key != config.key:
        raise MistworksError(
            f"Expected the modality {config.key} in {folder.url}/{file_of(config.key)}, got "
            f"{modality.config.key}. Remove the file and the stores beside it, and run again."
        )
    return modality


def keep_modality(store: Location, modality: Modality) -> Modality:
    """Write a fitted modality beside a store, unless another run has just done so, and return what is there.

    Raises:
        MistworksError: the file cannot be written.
    """
    folder, name = store.parent, modality.fit.file
    try:
        patiently(lambda: _create(folder, name, modality.content))
    except ACCESS_ERRORS as error:
        raise access_error(f"write {folder.url}/{name}", error, "Choose a writable place.") from None
    return find_modality(store, modality.config) or modality


def _create(folder: Location, name: str, content: bytes) -> None:
    """Write a file, whole or not at all, unless there is one."""
    with suppress(AlreadyExistsError):
        obstore.put(folder.object_store(), name, content, mode="create")


def open_modality(store: Location, fit: Fit) -> Modality:
    """Read the modality of a store.

    Raises:
        MistworksError: the file is missing, or is not the one that the store refers to.
    """
    folder = store.parent
    place = f"{folder.url}/{fit.file}"
    content = _read(folder, fit.file)
    if content is None or hashlib.sha256(content).hexdigest() != fit.sha256:
        held = "no file" if content is None else f"another, {hashlib.sha256(content).hexdigest()[:12]}…"
        raise MistworksError(
            f"Expected the modality {fit.sha256[:12]}… of the store {store.url} in {place}, got {held}. Keep "
            "it beside the store, or generate the store again elsewhere."
        )
    return Modality.of(content, place)


def remove_modalities(folder: Location) -> None:
    """Delete the files of modalities in a folder, whose stores are gone.

    Raises:
        BaseError: the object store refuses or does not answer.
    """
    files = folder.object_store()
    names = [str(entry["path"]) for entry in obstore.list_with_delimiter(files)["objects"]]
    obstore.delete(files, [name for name in names if _NAME.fullmatch(name)])


def _read(folder: Location, name: str) -> bytes | None:
    """Return the content of a file; None if there is none."""
    if folder.path is not None and not folder.path.is_dir():
        return None
    try:
        return patiently(lambda: bytes(obstore.get(folder.object_store(), name).bytes()))
    except FileNotFoundError:
        return None
    except ACCESS_ERRORS as error:
        raise access_error(f"read {folder.url}/{name}", error, "Correct the path.") from None


__all__ = ["find_modality", "keep_modality", "open_modality", "remove_modalities"]
