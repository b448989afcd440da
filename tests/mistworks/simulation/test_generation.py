"""Dataset i of a split has the same bytes however, wherever and with whatever else it is generated."""

import hashlib
import itertools
import os
import random
import struct
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mistworks.dataset import Block, Dataset
from mistworks.distributions import TRANSFORMS, UniformInteger
from mistworks.errors import MistworksError
from mistworks.presets import PRESETS
from mistworks.simulation.generation import digests, generate_block
from mistworks.simulation.meta_distribution import EqualDimensions, Member, MetaDistribution
from mistworks.simulation.splits import SPLITS, SplitName

TINY = PRESETS["tiny"]
TRAIN = TINY.split("train").meta_distribution
COUNT = 192
SEED = 5


@pytest.fixture(scope="module")
def whole() -> Block:
    return generate_block(TRAIN, SEED, "train", 0, COUNT)


@pytest.fixture(scope="module")
def whole_digests(whole: Block) -> list[bytes]:
    return digests(whole)


def as_bytes(dataset: Dataset) -> tuple[object, ...]:
    sides = [(side.shape, side.dtype.str, side.tobytes()) for side in (dataset.x, dataset.y)]
    return *sides, struct.pack("<d", dataset.mi), dataset.family, dataset.transform


def global_state() -> bytes:
    state: Any = np.random.get_state()  # noqa: NPY002
    return bytes(state[1].tobytes())


def variant(meta: MetaDistribution, **changes: Any) -> MetaDistribution:
    return MetaDistribution.parse({**dict(meta), **changes})


# --- The same bytes -----------------------------------------------------------------------------------------


def test_each_dataset_alone_equals_its_row_of_the_block(whole: Block) -> None:
    for index in np.random.default_rng(0).permutation(COUNT).tolist():
        assert as_bytes(TRAIN.dataset(SEED, "train", index)) == as_bytes(whole[index])


@given(bounds=st.sets(st.integers(1, COUNT - 1), max_size=12), shuffle=st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_any_partitioning_in_any_order_gives_the_same_bytes(
    whole: Block, whole_digests: list[bytes], bounds: set[int], shuffle: random.Random
) -> None:
    edges = [0, *sorted(bounds), COUNT]
    parts = list(itertools.pairwise(edges))
    shuffle.shuffle(parts)
    blocks = {start: generate_block(TRAIN, SEED, "train", start, stop) for start, stop in parts}
    ordered = [blocks[start] for start in sorted(blocks)]
    assert [digest for block in ordered for digest in digests(block)] == whole_digests
    assert b"".join(block.values.tobytes() for block in ordered) == whole.values.tobytes()


@given(start=st.integers(0, COUNT), length=st.integers(0, 20))
@settings(max_examples=30, deadline=None)
def test_a_slice_equals_that_part_of_the_whole(whole_digests: list[bytes], start: int, length: int) -> None:
    stop = min(start + length, COUNT)
    block = generate_block(TRAIN, SEED, "train", start, stop)
    assert block.start == start
    assert digests(block) == whole_digests[start:stop]


def test_nothing_generated_in_between_matters(whole_digests: list[bytes]) -> None:
    np.random.seed(1)  # noqa: NPY002 - the global generator is what must not matter
    generate_block(TINY.split("validation").meta_distribution, 9, "validation", 3, 9)
    first = generate_block(TRAIN, SEED, "train", 40, 60)
    state = global_state()
    np.random.seed(2)  # noqa: NPY002
    again = generate_block(MetaDistribution.parse(TRAIN.canonical_json()), SEED, "train", 40, 60)
    assert digests(first) == digests(again) == whole_digests[40:60]
    np.random.seed(1)  # noqa: NPY002
    assert state == global_state()


_IN_ANOTHER_PROCESS = """
import hashlib
from mistworks.distributions import UniformInteger
from mistworks.simulation.generation import digests, generate_block
from mistworks.simulation.meta_distribution import EqualDimensions, MetaDistribution
from mistworks.presets import PRESETS

tiny = PRESETS["tiny"].split("train").meta_distribution
paper = PRESETS["paper"].split("train").meta_distribution
dimensions = EqualDimensions(d=UniformInteger(low=60, high=150))
wide = MetaDistribution(members=paper.members, design=paper.design, dimensions=dimensions)
for meta, stop in ((tiny, 192), (paper, 200), (wide, 30)):
    print(hashlib.sha256(b"".join(digests(generate_block(meta, 5, "train", 0, stop)))).hexdigest())
"""


def hashes_in_another_process(threads: str) -> list[str]:
    variables = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(variables, threads), "PYTHONHASHSEED": threads}
    command = [sys.executable, "-c", _IN_ANOTHER_PROCESS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.split()


def test_bytes_do_not_depend_on_process_or_number_of_threads(whole_digests: list[bytes]) -> None:
    """Dimensions beyond 64 a side are included: there LAPACK splits its sums by thread."""
    one, two = hashes_in_another_process("1"), hashes_in_another_process("2")
    assert one == two
    assert one[0] == hashlib.sha256(b"".join(whole_digests)).hexdigest()


def test_splits_and_seeds_share_no_sample() -> None:
    """Under one meta-distribution, every (seed, split, index) has parameters and values of its own."""
    blocks = [generate_block(TRAIN, seed, split, 0, 60) for seed in (0, 1) for split in SPLITS]
    samples = {dataset.x.tobytes() for block in blocks for dataset in block}
    elliptical = [d.mi for block in blocks for d in block if not d.family.endswith("dense-base")]
    assert len(samples) == 2 * len(SPLITS) * 60
    assert len(set(elliptical)) == len(elliptical)


# --- The right bytes ----------------------------------------------------------------------------------------

PINNED = [
    ("train", 0, "normal-sparse", "base", 229, 19, 0.1270726814211619),
    ("train", 1, "normal-dense", "base", 464, 11, 0.5641930969920186),
    ("train", 2, "student-dense", "wigglify", 301, 2, 0.031838260063836596),
    ("train", 3, "normal-lvm", "base", 410, 20, 1.5520441446703344),
    ("train", 4, "student-sparse", "base", 271, 20, 0.751763979345871),
    ("train", 624_999, "student-2pair", "asinh", 48, 22, 1.9829466146409078),
    ("test-oomd", 0, "normal-dense", "wigglify", 10, 27, 1.037887000824056),
    ("test-oomd", 6, "additive", "halfcube", 10, 4, 1.7151327442992417),
    ("test-oomd", 1_259, "additive", "halfcube", 500, 15, 5.044270494550872),
]


@pytest.mark.parametrize(("split", "index", "family", "transform", "n", "d", "mi"), PINNED)
def test_labels_stay_what_they_were(
    split: SplitName, index: int, family: str, transform: str, n: int, d: int, mi: float
) -> None:
    """Values are not pinned: their last bits may differ from one kind of processor to another."""
    dataset = PRESETS["paper"].split(split).meta_distribution.dataset(0, split, index)
    assert (dataset.family, dataset.transform) == (family, transform)
    assert (dataset.x.shape, dataset.y.shape) == ((n, d), (n, d))
    assert dataset.mi == pytest.approx(mi, rel=1e-12)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transform_maps_the_sample_and_leaves_the_label(name: str) -> None:
    family = TRAIN.members[0].family
    plain = variant(TRAIN, members=(Member(family=family),))
    mapped = variant(TRAIN, members=(Member(family=family, transform=name),))
    one, other = (meta.dataset(SEED, "train", 3) for meta in (plain, mapped))
    assert (one.transform, other.transform) == ("base", name)
    assert other.mi == one.mi
    np.testing.assert_array_equal(other.x, TRANSFORMS[name].x(one.x))
    np.testing.assert_array_equal(other.y, TRANSFORMS[name].y(one.y))


def test_block_is_laid_out_as_documented(whole: Block) -> None:
    assert whole.values.dtype == np.float32
    assert whole.values.flags.c_contiguous
    assert np.array_equal(whole.offsets, np.r_[0, np.cumsum(whole.index.sizes)[:-1]])
    assert len(whole.values) == whole.index.sizes.sum()
    assert len(whole) == COUNT
    flat = np.concatenate([side.ravel() for dataset in whole for side in (dataset.x, dataset.y)])
    assert np.array_equal(flat, whole.values)
    for row, dataset in enumerate(whole):
        assert len(dataset.x) == len(dataset.y) == whole.index.n[row]
        assert dataset.mi == whole.index.mi[row] >= 0
        assert np.all(np.isfinite(dataset.x))


def test_empty_block_keeps_its_types() -> None:
    block = generate_block(TRAIN, SEED, "train", 5, 5)
    assert len(block) == 0
    assert block.values.dtype == np.float32
    assert block.index.family.dtype.kind == block.index.transform.dtype.kind == "U"
    assert digests(block) == []


def test_datasets_before_the_first_are_refused() -> None:
    with pytest.raises(MistworksError, match="Expected an index from 0 to"):
        generate_block(TRAIN, SEED, "train", -1, 3)
    with pytest.raises(MistworksError, match="root seed"):
        TRAIN.dataset(-1, "train", 0)


def test_digests_hash_what_their_description_says(whole: Block, whole_digests: list[bytes]) -> None:
    """Written from the description alone, from datasets and not from the block's flat array."""
    for dataset, digest in zip(whole, whole_digests, strict=True):
        (n, dx), dy = dataset.x.shape, dataset.y.shape[1]
        message = b"".join(size.to_bytes(8, "little") for size in (n, dx, dy))
        message += struct.pack("<d", dataset.mi)
        message += dataset.family.encode() + b"\n" + dataset.transform.encode() + b"\n"
        message += b"".join(struct.pack(f"<{side.size}f", *side.ravel()) for side in (dataset.x, dataset.y))
        assert digest == hashlib.sha256(message).digest()
    assert len(set(whole_digests)) == COUNT


def test_digests_see_every_change(whole: Block) -> None:
    first = digests(whole)[0]
    for column, value in (("mi", 0.1), ("family", "other"), ("transform", "other")):
        edited = generate_block(TRAIN, SEED, "train", 0, 1)
        changed = getattr(edited.index, column).astype("<U20" if isinstance(value, str) else np.float64)
        changed[0] = value
        object.__setattr__(edited.index, column, changed)
        assert digests(edited)[0] != first
    edited = generate_block(TRAIN, SEED, "train", 0, 1)
    edited.values[-1] = np.nextafter(edited.values[-1], np.float32(np.inf))
    assert digests(edited)[0] != first


@pytest.mark.parametrize("split", TINY.splits)
def test_grid_and_random_splits_of_other_dimensions_are_reproducible(split: SplitName) -> None:
    config = TINY.split(split)
    nine = EqualDimensions(d=UniformInteger(low=2, high=9))
    wider = variant(config.meta_distribution, dimensions=nine)
    one, other = generate_block(wider, 0, split, 0, 24), generate_block(wider, 0, split, 12, 24)
    assert digests(one)[12:] == digests(other)
    assert digests(one) != digests(generate_block(config.meta_distribution, 0, split, 0, 24))
