"""Estimators behind addresses such as ``models:/mist@champion``, read by whatever package knows how.

A package says which schemes it reads by an entry point of the group ``mistworks.loaders``: its name is the
scheme, and its object takes the address and returns the estimator.
"""

import re
from importlib.metadata import entry_points

from mistworks.errors import MistworksError

GROUP = "mistworks.loaders"


def scheme(text: str) -> str | None:
    """The scheme of an address, or None for a path; one letter is a drive of Windows."""
    match = re.match(r"([a-z][a-z0-9+.-]+):/", text)
    return match[1] if match else None


def load_address(address: str) -> object:
    """The estimator behind an address with a scheme.

    Raises:
        MistworksError: nothing that is installed reads it, or there is no such estimator.
    """
    known = {point.name: point for point in entry_points(group=GROUP)}
    point = known.get(scheme(address) or "")
    if point is None:
        raise MistworksError(
            f"Expected a folder or one of the addresses {', '.join(sorted(known)) or '(none)'}:/…, got "
            f"{address!r}. Install the reader of registered models: pip install 'mistworks[pipeline]'."
        )
    try:
        return point.load()(address)
    except ModuleNotFoundError as error:
        raise MistworksError(
            f"Expected {error.name} to read {address!r}, which is not installed. Install it: pip install "
            "'mistworks[pipeline]'."
        ) from None
