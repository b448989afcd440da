"""Generate consecutive datasets of a split as one block, each from its own random streams."""

import hashlib
import struct

import numpy as np

from mistworks.dataset import Block, Dataset, FloatArray, Index
from mistworks.randomness import stream
from mistworks.simulation.meta_distribution import MetaDistribution


def generate_block(meta: MetaDistribution, root_seed: int, split: str, start: int, stop: int) -> Block:
    """Generate datasets start, …, stop − 1 of a split.

    Each dataset is computed separately, so that its bytes do not depend on start and stop.
    """
    draws = [meta.draw(root_seed, split, index) for index in range(start, stop)]
    n = np.array([draw.n for draw in draws], dtype=np.int64)
    dx = np.array([draw.joint.dx for draw in draws], dtype=np.int64)
    dy = np.array([draw.joint.dy for draw in draws], dtype=np.int64)
    mi, mi_se = np.empty(len(draws)), np.empty(len(draws))
    sizes = n * (dx + dy)
    offsets = np.cumsum(sizes) - sizes
    values = np.empty(int(sizes.sum()), dtype=np.float32)
    for row, draw in enumerate(draws):
        dataset = draw.sample(stream(root_seed, split, "sample", start + row))
        _place(dataset, values[offsets[row] : offsets[row] + sizes[row]])
        mi[row], mi_se[row] = dataset.mi, dataset.mi_se
    family = np.array([draw.family for draw in draws], dtype=np.str_)
    transform = np.array([draw.transform for draw in draws], dtype=np.str_)
    return Block(start, values, offsets, Index(n, dx, dy, mi, family, transform, mi_se))


def _place(dataset: Dataset, target: FloatArray) -> None:
    boundary = dataset.x.size
    target[:boundary].reshape(dataset.x.shape)[...] = dataset.x
    target[boundary:].reshape(dataset.y.shape)[...] = dataset.y


def digests(block: Block) -> list[bytes]:
    """Compute the SHA-256 of each dataset of a block: shape, label, family and transform, then values.

    The hashed bytes are: n, dx and dy as little-endian unsigned 64-bit integers; MI as a little-endian
    IEEE double, followed by its standard error as another double if that is positive; family, a newline,
    transform, a newline, in UTF-8; the values as little-endian float32.
    """
    index = block.index
    result = []
    for row, (offset, size) in enumerate(zip(block.offsets.tolist(), index.sizes.tolist(), strict=True)):
        label = struct.pack("<QQQd", index.n[row], index.dx[row], index.dy[row], index.mi[row])
        if index.mi_se[row] > 0:
            label += struct.pack("<d", index.mi_se[row])
        digest = hashlib.sha256(label)
        digest.update(f"{index.family[row]}\n{index.transform[row]}\n".encode())
        digest.update(np.ascontiguousarray(block.values[offset : offset + size], dtype="<f4").data)
        result.append(digest.digest())
    return result


__all__ = ["digests", "generate_block"]
