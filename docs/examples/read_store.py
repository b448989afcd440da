"""Read a store with nothing of Mistworks, the index with xarray and samples with Zarr; and with Mistworks.

Make the store first: mistworks generate --preset tiny --split validation --store validation.zarr
"""

# --8<-- [start:xarray]
import xarray

index = xarray.open_zarr("validation.zarr", group="index").load()
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

# --8<-- [start:mistworks]
import mistworks

store = mistworks.open_store("validation.zarr")
dataset = store[7]  # .x (n, dx), .y (n, dy), .mi in nats, .family, .transform
assert (dataset.x == x).all()
weak = store.where(store.index.mi < 0.1)[:10]
for block in store.blocks():  # a partition in memory at a time
    print(f"datasets {block.start} to {block.start + len(block) - 1}")
# --8<-- [end:mistworks]
