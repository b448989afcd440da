"""Meta-datasets as Zarr stores: what they hold, partition by partition, and the statistics of it."""
