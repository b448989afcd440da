"""Open stores of datasets through another installed package, which knows their format.

That package registers an entry point ``open`` in the group ``mistworks.stores``: its object takes the address
and returns the store.
"""

from os import fspath
from pathlib import Path
from typing import Any

from mistworks._entry_points import call

__all__ = ["open_store"]

_GROUP = "mistworks.stores"


def open_store(url: str | Path) -> Any:
    """Open a store of datasets with known mutual information, for reading.

    ``store[i]`` is a dataset with ``x``, ``y`` and ``mi``, and ``len(store)`` is their number. See
    `storage.datasets.store.Store` for more. Data are checked against their digests.

    Args:
        url: a store that `mistworks generate` wrote: a folder, or an address such as
            ``"s3://bucket/train.zarr"``.

    Raises:
        MistworksError: the store does not exist, or ``mistworks[pipeline]`` is not installed.
    """
    return call(_GROUP, "open", fspath(url))
