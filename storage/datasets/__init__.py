"""Meta-datasets as Zarr stores: manifest, arrays, partitions and statistics."""
