"""Makes the store that docs/examples/read_store.py reads: what its command makes, without a server."""

from mistworks.presets import load_preset
from storage.datasets.manifest import Manifest
from storage.datasets.opening import create_store
from storage.datasets.partitions import generate_partition

preset = load_preset("tiny")
split = preset.split("validation")
manifest = Manifest.of("validation", split, partition_size=preset.partition_size, root_seed=0)
store = create_store("validation.zarr", manifest)
for number in store.missing():
    generate_partition(store, number)
