"""The local directory for everything without its own place. Every command begins here: no heavy imports."""

import os
import re
from pathlib import Path

from mistworks.errors import MistworksError

ROOT_VARIABLE = "MISTWORKS_ROOT"
DEFAULT_ROOT = "mistworks-data"
# Prefect sets it for the processes that workers and `serve` start.
_RUN_VARIABLE = "PREFECT__FLOW_RUN_ID"


def local_root(root: Path | None = None) -> Path:
    """Return the given directory, or the one in ``MISTWORKS_ROOT``, or ``mistworks-data``.

    Raises:
        MistworksError: a URL was given, or a run that a worker started was given nothing.
    """
    given = root or os.environ.get(ROOT_VARIABLE)
    if not given and _RUN_VARIABLE in os.environ:
        raise MistworksError(
            f"Expected {ROOT_VARIABLE} in the environment of the worker, got none: each run works in a "
            "temporary folder. Set it to an absolute path, then start the worker again."
        )
    chosen = str(given or DEFAULT_ROOT)
    # As a Path, s3://bucket has lost one slash.
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/", chosen):
        raise MistworksError(
            f"Expected a local directory as --root, got {re.sub(':/+', '://', chosen)}. Give the URL to "
            "--stores, --checkpoints and --results instead."
        )
    return Path(chosen).expanduser().absolute()


__all__ = ["DEFAULT_ROOT", "ROOT_VARIABLE", "local_root"]
