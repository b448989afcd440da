"""Load estimators from addresses such as ``models:/mist@champion``, through any package that reads them.

A package registers a scheme as an entry point of the group ``mistworks.loaders``: its name is the scheme, and
its object takes the address and returns the estimator.
"""

import re
from pathlib import Path

from mistworks._entry_points import call, names
from mistworks.errors import MistworksError
from mistworks.extras import how_to_install

__all__ = ["GROUP", "MODEL", "address_of", "load_address"]

GROUP = "mistworks.loaders"
MODEL = "mist"
"""Name under which estimators are registered. Those of a modality have its name added: ``mist-digits``."""

_SHORT = re.compile(r"[^./\\@:~][^/\\@:]*(@[^/@]+|/[1-9]\d*)")


def address_of(text: str) -> str | None:
    """Return the address that a text denotes, or None for a path.

    ``mist@champion`` and ``mist/3`` are short for addresses of the scheme ``models``, unless a file or folder
    has this name.
    """
    # A single letter is a Windows drive.
    if re.match(r"[a-z][a-z0-9+.-]+:/", text):
        return text
    return f"models:/{text}" if _SHORT.fullmatch(text) and not Path(text).exists() else None


def load_address(text: str) -> object:
    """Load the estimator at an address, or at its short form.

    Raises:
        MistworksError: no installed package reads it, or the estimator does not exist.
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
