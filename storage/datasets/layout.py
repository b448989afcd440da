"""The arrays of a store: their names, types, chunks and attributes, as FORMAT.md specifies them."""

import warnings
from typing import Any

import zarr
from zarr.abc.store import Store as ZarrStore
from zarr.codecs import Crc32cCodec
from zarr.errors import ZarrUserWarning

from storage.datasets.manifest import CHUNK_VALUES, Manifest
from storage.places.location import patiently

DIGEST_BYTES = 32
# The type and the fill value of each. No dataset has the fill value, so a lost chunk shows.
COLUMNS: dict[str, tuple[str, Any]] = {
    "offset": ("int64", -1),
    "n": ("int32", 0),
    "dx": ("int32", 0),
    "dy": ("int32", 0),
    "mi": ("float64", float("nan")),
    "mi_se": ("float64", float("nan")),
    "family": ("uint8", 255),
    "transform": ("uint8", 255),
}


def columns_of(version: int) -> list[str]:
    """Return the index columns of a format version. Labels of version 1 are all exact."""
    return [name for name in COLUMNS if version > 1 or name != "mi_se"]


def create_arrays(group: zarr.Group, manifest: Manifest) -> None:
    """Create the empty arrays of a store and replace any that exist."""
    count, rows = manifest.count, manifest.partition_size
    if manifest.samples:
        make_array(
            group,
            "values",
            shape=(manifest.partitions * manifest.capacity,),
            chunks=(CHUNK_VALUES,),
            dtype="float32",
            fill_value=0,
            dimension_names=("value",),
        )
    index = patiently(lambda: group.require_group("index"))
    for name, (dtype, fill_value) in COLUMNS.items():
        make_array(
            index,
            name,
            shape=(count,),
            chunks=(min(rows, count),),
            dtype=dtype,
            fill_value=fill_value,
            dimension_names=("dataset",),
            attributes=_column_attributes(name, manifest),
        )
    make_array(
        index,
        "digest",
        shape=(count, DIGEST_BYTES),
        chunks=(min(rows, count), DIGEST_BYTES),
        dtype="uint8",
        fill_value=0,
        dimension_names=("dataset", "byte"),
        attributes={"long_name": "SHA-256 of the dataset"},
    )
    make_array(
        group,
        "partition_digest",
        shape=(manifest.partitions, DIGEST_BYTES),
        chunks=(1, DIGEST_BYTES),
        dtype="uint8",
        fill_value=0,
        dimension_names=("partition", "byte"),
        attributes={"long_name": "SHA-256 of the partition's digests, all zero until it is done"},
    )


def make_array(group: zarr.Group, name: str, **options: Any) -> None:
    """Create an empty array with checksums and without compression; replace any that exists."""
    patiently(lambda: group.create_array(name, compressors=[Crc32cCodec()], overwrite=True, **options))


def _column_attributes(name: str, manifest: Manifest) -> dict[str, Any]:
    match name:
        case "mi":
            return {"long_name": "mutual information", "units": "nat"}
        case "mi_se":
            return {"long_name": "standard error of the mutual information", "units": "nat"}
        case "family" | "transform":
            meanings = manifest.families if name == "family" else manifest.transforms
            return {"flag_values": list(range(len(meanings))), "flag_meanings": " ".join(meanings)}
        case _:
            return {}


def consolidate(target: ZarrStore) -> zarr.Group:
    """Copy the metadata of all groups and arrays to the root, where Zarr and xarray look for it.

    Without the copy they list the store to know what it holds, and warn: Zarr of every file that is not its
    own, such as locks, and xarray of the slowness. Mistworks itself reads the metadata of each array.

    Returns:
        The root group; updates of its attributes keep the copy.
    """
    with warnings.catch_warnings():
        # Of locks, and that the specification of Zarr v3 does not name such copies yet.
        warnings.simplefilter("ignore", ZarrUserWarning)
        return patiently(lambda: zarr.consolidate_metadata(target, zarr_format=3))


def open_array(group: zarr.Group, path: str, shape: tuple[int, ...]) -> "zarr.Array[Any]":
    """Open one array of a store.

    Raises:
        ValueError: the array does not exist, or has another shape.
    """
    array = group[path]
    if not isinstance(array, zarr.Array) or array.shape != shape:
        raise ValueError(f"Expected {path} to be an array of shape {shape}.")
    return array


__all__ = [
    "COLUMNS",
    "DIGEST_BYTES",
    "columns_of",
    "consolidate",
    "create_arrays",
    "make_array",
    "open_array",
]
