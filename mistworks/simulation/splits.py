"""The splits of the meta-dataset: training, validation, calibration, and tests in and out of distribution.

The published splits have the families, transforms and sizes of arXiv 2511.18945. Members are written
(family, transforms).
"""

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import Field

from mistworks.config import FrozenConfig
from mistworks.distributions import (
    AdditiveNoiseFamily,
    AnyFamily,
    Dense,
    LatentVariable,
    NormalFamily,
    Sparse,
    StudentFamily,
    TwoPair,
    UniformInteger,
)
from mistworks.simulation.general import general_meta_distribution
from mistworks.simulation.meta_distribution import (
    EqualDimensions,
    GridDesign,
    Member,
    MetaDistribution,
    RandomDesign,
)

SplitName = Literal["train", "validation", "calibration", "test-imd", "test-oomd"]
SPLITS: tuple[SplitName, ...] = get_args(SplitName)


class SplitConfig(FrozenConfig):
    """A split: its meta-distribution and its number of datasets."""

    meta_distribution: MetaDistribution
    count: Annotated[int, Field(ge=1)]


_NORMAL_DENSE = NormalFamily(dispersion=Dense())
_NORMAL_LVM = NormalFamily(dispersion=LatentVariable())
_NORMAL_SPARSE = NormalFamily(dispersion=Sparse())
_NORMAL_2PAIR = NormalFamily(dispersion=TwoPair())
_STUDENT_DENSE = StudentFamily(dispersion=Dense())
_STUDENT_SPARSE = StudentFamily(dispersion=Sparse())
_STUDENT_2PAIR = StudentFamily(dispersion=TwoPair())
_ADDITIVE = AdditiveNoiseFamily()


def _members(*groups: tuple[AnyFamily, str]) -> tuple[Member, ...]:
    return tuple(
        Member(family=family, transform=transform)
        for family, transforms in groups
        for transform in transforms.split()
    )


_TRAIN = _members(
    (_NORMAL_DENSE, "base halfcube asinh"),
    (_NORMAL_SPARSE, "wigglify base"),
    (_NORMAL_LVM, "wigglify base"),
    (_NORMAL_2PAIR, "base"),
    (_STUDENT_DENSE, "base wigglify"),
    (_STUDENT_SPARSE, "halfcube base asinh"),
    (_STUDENT_2PAIR, "asinh halfcube"),
    (_ADDITIVE, "wigglify"),
)
_VALIDATION = _members(
    (_NORMAL_DENSE, "base wigglify"),
    (_NORMAL_SPARSE, "base"),
    (_NORMAL_LVM, "wigglify"),
    (_STUDENT_DENSE, "base"),
    (_STUDENT_SPARSE, "halfcube base"),
    (_STUDENT_2PAIR, "halfcube"),
    (_ADDITIVE, "wigglify"),
)
_TEST_IMD = _members(
    (_NORMAL_DENSE, "base halfcube"),
    (_NORMAL_LVM, "wigglify"),
    (_STUDENT_DENSE, "base"),
    (_STUDENT_SPARSE, "base asinh"),
)
_TEST_OOMD = _members(
    (_NORMAL_DENSE, "wigglify"),
    (_NORMAL_SPARSE, "halfcube asinh"),
    (_STUDENT_SPARSE, "wigglify"),
    (_STUDENT_DENSE, "halfcube"),
    (_ADDITIVE, "base halfcube"),
)


def _random(members: tuple[Member, ...], high: int, dimension: int, count: int) -> SplitConfig:
    return SplitConfig(
        meta_distribution=MetaDistribution(
            members=members,
            design=RandomDesign(n=UniformInteger(low=10, high=high)),
            dimensions=EqualDimensions(d=UniformInteger(low=2, high=dimension)),
        ),
        count=count,
    )


def _grid(
    members: tuple[Member, ...], high: int, steps: int, dimension: int, repetitions: int
) -> SplitConfig:
    meta = MetaDistribution(
        members=members,
        design=GridDesign(n=UniformInteger(low=10, high=high), steps=steps),
        dimensions=EqualDimensions(d=UniformInteger(low=2, high=dimension)),
    )
    return SplitConfig(meta_distribution=meta, count=meta.cells * repetitions)


def published_splits(train_count: int) -> Mapping[SplitName, SplitConfig]:
    """The published splits, with ``train_count`` training datasets."""
    return {
        "train": _random(_TRAIN, high=500, dimension=32, count=train_count),
        "validation": _grid(_VALIDATION, high=300, steps=34, dimension=32, repetitions=2),
        "test-imd": _grid(_TEST_IMD, high=500, steps=20, dimension=32, repetitions=9),
        "test-oomd": _grid(_TEST_OOMD, high=500, steps=20, dimension=32, repetitions=9),
    }


def general_splits(
    train_count: int, validation_count: int, calibration_count: int
) -> Mapping[SplitName, SplitConfig]:
    """Splits of the meta-distribution ``general``, with the published test splits."""
    general = general_meta_distribution()
    counts: dict[SplitName, int] = {
        "train": train_count,
        "validation": validation_count,
        "calibration": calibration_count,
    }
    wide = {split: SplitConfig(meta_distribution=general, count=count) for split, count in counts.items()}
    published = published_splits(train_count)
    return {**wide, "test-imd": published["test-imd"], "test-oomd": published["test-oomd"]}


def tiny_splits() -> Mapping[SplitName, SplitConfig]:
    """The published families at tiny sizes, for tests."""
    return {
        "train": _random(_TRAIN, high=60, dimension=4, count=192),
        "validation": _grid(_VALIDATION, high=60, steps=2, dimension=4, repetitions=2),
        "calibration": _random(_TRAIN, high=60, dimension=4, count=64),
        "test-imd": _grid(_TEST_IMD, high=60, steps=2, dimension=4, repetitions=1),
        "test-oomd": _grid(_TEST_OOMD, high=60, steps=2, dimension=4, repetitions=1),
    }


__all__ = ["SPLITS", "SplitConfig", "SplitName", "general_splits", "published_splits", "tiny_splits"]
