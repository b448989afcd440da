"""Read a store with nothing of Mistworks: the index with xarray, samples with Zarr."""

# --8<-- [start:make]
from mistworks.presets import load_preset
from storage.datasets.manifest import Manifest
from storage.datasets.opening import create_store
from storage.datasets.partitions import generate_partition

# What `mistworks generate --preset tiny --split validation --store validation.zarr` makes.
preset = load_preset("tiny")
split = preset.split("validation")
manifest = Manifest.of("validation", split, partition_size=preset.partition_size, root_seed=0)
store = create_store("validation.zarr", manifest)
for number in store.missing():
    generate_partition(store, number)
# --8<-- [end:make]

# --8<-- [start:xarray]
import xarray

index = xarray.open_zarr("validation.zarr", group="index", consolidated=False).load()
print(index[["n", "dx", "dy", "mi", "family"]])

names = index.family.attrs["flag_meanings"].split()
strong = (index.mi > 1).groupby(index.family).sum().compute()
for code, count in zip(strong.family.values, strong.values, strict=True):
    print(f"{names[code]:<16} {count:3} datasets of more than 1 nat")
# --8<-- [end:xarray]

# --8<-- [start:zarr]
import zarr

group = zarr.open_group("validation.zarr", mode="r")
i = 7
row = {name: column[i] for name, column in group["index"].arrays()}
n, dx, dy = int(row["n"]), int(row["dx"]), int(row["dy"])
values = group["values"][row["offset"] : row["offset"] + n * (dx + dy)]
x, y = values[: n * dx].reshape(n, dx), values[n * dx :].reshape(n, dy)
print(f"dataset {i}: x {x.shape}, y {y.shape}, I(X;Y) = {row['mi']:.3f} nats")
# --8<-- [end:zarr]

# --8<-- [start:digest]
import hashlib
import struct

transforms = group["index/transform"].attrs["flag_meanings"].split()
text = f"{names[row['family']]}\n{transforms[row['transform']]}\n"
content = struct.pack("<3Qd", n, dx, dy, row["mi"])
if row["mi_se"] > 0:
    content += struct.pack("<d", row["mi_se"])
digest = hashlib.sha256(content + text.encode() + values.astype("<f4").tobytes()).digest()
assert digest == bytes(row["digest"])
print("its digest:", digest.hex())
# --8<-- [end:digest]
