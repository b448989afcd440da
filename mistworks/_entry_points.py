"""Functions of installed packages, registered as entry points of ``mistworks.loaders`` and others."""

from importlib.metadata import entry_points
from typing import Any

from mistworks._packages import importing
from mistworks.errors import MistworksError
from mistworks.extras import how_to_install

__all__ = ["call", "names"]

_INSTALL = f"{how_to_install('pipeline')}."


def names(group: str) -> list[str]:
    """Return the names in a group, sorted."""
    return sorted(entry_points(group=group).names)


def call(group: str, name: str, argument: str) -> Any:
    """Call the function of an entry point with a string to read.

    Raises:
        MistworksError: no installed package registers the function, or a library that it needs is missing.
    """
    point = next(iter(entry_points(group=group, name=name)), None)
    if point is None:
        raise MistworksError(f"Expected a package that reads {argument!r}, got none. {_INSTALL}")
    try:
        with importing(point.module.partition(".")[0], point.dist):
            function = point.load()
        return function(argument)
    except ModuleNotFoundError as error:
        raise MistworksError(
            f"Expected {error.name} to read {argument!r}, which is not installed. {_INSTALL}"
        ) from None
