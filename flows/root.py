"""The local directory for whatever is kept nowhere else. Imports nothing heavy: every command begins here."""

import os
import re
from pathlib import Path

from mistworks.errors import MistworksError

ROOT_VARIABLE = "MISTWORKS_ROOT"
DEFAULT_ROOT = "mistworks-data"


def local_root(root: Path | None = None) -> Path:
    """The directory given, else the one that ``MISTWORKS_ROOT`` names, else ``mistworks-data``.

    Raises:
        MistworksError: a URL was given.
    """
    chosen = str(root or os.environ.get(ROOT_VARIABLE) or DEFAULT_ROOT)
    # As a Path, s3://bucket has lost one slash.
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/", chosen):
        raise MistworksError(
            f"Expected a local directory as --root, got {chosen}. Give the URL to --stores, --checkpoints "
            "and --results instead."
        )
    return Path(chosen).expanduser().absolute()
