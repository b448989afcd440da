"""Finds an estimator by whatever names it: a folder, its URL, or an address in the model registry."""

from typing import TYPE_CHECKING

import mistworks
from mistworks.errors import MistworksError
from mistworks.estimation.folder import CONFIG_FILE
from storage.places.folders import fetch_folder
from storage.places.location import Location
from storage.registry import versions

if TYPE_CHECKING:
    from mistworks.estimation.estimator import Estimator


def is_folder(name: str) -> bool:
    """Whether a name is that of a folder: a local one that exists, or the URL of one."""
    location = Location.parse(name)
    return location.path.is_dir() if location.path is not None else not versions.is_reference(name)


def load_model(name: str, tracking_uri: str) -> "Estimator":
    """The estimator in a folder, at its URL, or behind a name such as ``mist@champion``.

    Raises:
        MistworksError: there is no such folder, or no such model in the registry.
    """
    if is_folder(name):
        with fetch_folder(name) as folder:
            if not (folder / CONFIG_FILE).exists():
                raise MistworksError(
                    f"Expected an estimator in {name}, got no {CONFIG_FILE} there. Give the folder of one."
                )
            return mistworks.load(folder)
    if not versions.is_reference(name):
        raise MistworksError(
            f"{name!r} is neither a folder that exists nor a registered model such as mist@champion or "
            "mist/3; give one of the two"
        )
    return versions.load(name, tracking_uri)
