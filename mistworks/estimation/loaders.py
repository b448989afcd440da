"""Estimators behind addresses such as ``models:/mist@champion``, read by whatever package knows how.

A package says which schemes it reads by an entry point of the group ``mistworks.loaders``: its name is the
scheme, and its object takes the address and returns the estimator.
"""

import re
from pathlib import Path

from mistworks._entry_points import call, names
from mistworks.errors import MistworksError
from mistworks.extras import how_to_install

__all__ = ["GROUP", "address_of", "load_address"]

GROUP = "mistworks.loaders"

_SHORT = re.compile(r"[^./\\@:~][^/\\@:]*(@[^/@]+|/[1-9]\d*)")


def address_of(text: str) -> str | None:
    """The address that a text gives, or None for a path.

    ``mist@champion`` and ``mist/3`` are short for addresses of the scheme ``models``, unless there is such a
    file or folder.
    """
    # One letter is a drive of Windows.
    if re.match(r"[a-z][a-z0-9+.-]+:/", text):
        return text
    return f"models:/{text}" if _SHORT.fullmatch(text) and not Path(text).exists() else None


def load_address(text: str) -> object:
    """The estimator behind an address, or what is short for one.

    Raises:
        MistworksError: nothing that is installed reads it, or there is no such estimator.
    """
    address, known = address_of(text) or text, names(GROUP)
    scheme = address.partition(":/")[0]
    try:
        if scheme not in known:
            raise MistworksError(
                f"Expected a folder or an address that an installed package reads "
                f"({', '.join(f'{name}:/…' for name in known) or 'there is none'}), got {address!r}. "
                f"{how_to_install('pipeline')}, which reads registered models."
            )
        return call(GROUP, scheme, address)
    except MistworksError as error:
        if address != text:
            error.add_note(f"There is no folder {text!r} either.")
        raise
