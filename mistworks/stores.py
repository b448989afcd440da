"""Stores of datasets, read by whatever package knows how: this one does not know in what form they are kept.

That package says so by an entry point of the group ``mistworks.stores``, named ``open``: its object takes the
place and returns the store.
"""

from os import fspath
from pathlib import Path
from typing import Any

from mistworks._entry_points import call

__all__ = ["open_store"]

_GROUP = "mistworks.stores"


def open_store(url: str | Path) -> Any:
    """Open a store of datasets with known mutual information, to read it.

    ``store[i]`` is a dataset with ``x``, ``y`` and ``mi``, and ``len(store)`` says how many there are. See
    `storage.datasets.store.Store` for more. What is read is checked against its digest.

    Args:
        url: what `mistworks generate` wrote: a folder, or an address such as ``"s3://bucket/train.zarr"``.

    Raises:
        MistworksError: there is no store, or ``mistworks[pipeline]`` is not installed.
    """
    return call(_GROUP, "open", fspath(url))
