"""Finds an estimator by whatever names it: a folder, or an address in the model registry."""

from pathlib import Path
from typing import TYPE_CHECKING

import mistworks
from mistworks.errors import MistworksError
from storage import registry

if TYPE_CHECKING:
    from mistworks.estimation import Estimator


def load_model(name: str, tracking_uri: str) -> "Estimator":
    """The estimator in a folder, or behind a name such as ``mist@champion``.

    Raises:
        MistworksError: there is no such folder, or no such model in the registry.
    """
    if Path(name).is_dir():
        return mistworks.load(name)
    if not registry.is_reference(name):
        raise MistworksError(
            f"{name!r} is neither a folder that exists nor a registered model such as mist@champion or "
            "mist/3; give one of the two"
        )
    return registry.load(name, tracking_uri)
