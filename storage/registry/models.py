"""Find an estimator by name: a folder, its URL, or an address in the model registry."""

from typing import TYPE_CHECKING

import mistworks
from mistworks.errors import MistworksError
from mistworks.estimation.folder import CONFIG_FILE
from storage.places.folders import fetch_folder
from storage.places.location import Location
from storage.registry import versions

if TYPE_CHECKING:
    from mistworks.estimation.estimator import Estimator


def folder_of(name: str) -> Location | None:
    """Return the folder that a name stands for: an existing local one, or a URL; None for other names."""
    place = Location.parse(name)
    exists = place.path.is_dir() if place.path is not None else not versions.is_reference(name)
    return place if exists else None


def load_model(name: str, tracking_uri: str) -> "Estimator":
    """Load the estimator in a folder, at a URL, or under a name such as ``mist@champion``.

    Raises:
        MistworksError: the folder, or the registered model, does not exist.
    """
    if (place := folder_of(name)) is not None:
        with fetch_folder(place) as folder:
            if not (folder / CONFIG_FILE).exists():
                raise MistworksError(
                    f"Expected an estimator in {name}, got no {CONFIG_FILE}. Give the folder of an estimator."
                )
            return mistworks.load(folder)
    if not versions.is_reference(name):
        raise MistworksError(
            "Expected an existing folder or a registered model such as mist@champion or mist/3, got "
            f"{name!r}."
        )
    return versions.load(name, tracking_uri)


__all__ = ["folder_of", "load_model"]
