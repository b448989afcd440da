"""M_test: the published tests in and out of the training meta-distribution, and a larger version."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions import JointDistribution, UniformInteger
from mistworks.evaluation.suites.base import ROOT_SEED, Case, Suite
from mistworks.randomness import stream
from mistworks.simulation.meta_distribution import Draw, GridDesign, MetaDistribution
from mistworks.simulation.splits import published_splits

_EXTENDED_STEPS = 50
# All rounds of the grid of 50 sizes are complete except the last, which is cut at 50,000 datasets in total.
_EXTENDED_COUNTS = {"imd": 23_100, "oomd": 26_900}


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive datasets of one split.

    Attributes:
        label: first part of the names of its cases.
        split: name of the split, which determines the random streams.
        meta: meta-distribution of the split.
        count: number of datasets.
    """

    label: str
    split: str
    meta: MetaDistribution
    count: int


class SplitSuite(Suite):
    """Whole splits one after the other. Each dataset is drawn on request; nothing is kept in memory."""

    def __init__(self, name: str, version: str, parts: Sequence[Part]) -> None:
        self.name = name
        self.version = version
        self.parts = tuple(parts)
        self._starts = [0, *accumulate(part.count for part in self.parts[:-1])]
        self._last: tuple[int, Draw] | None = None

    def __len__(self) -> int:
        return sum(part.count for part in self.parts)

    @override
    def case(self, position: int) -> Case:
        """Return the case at a position, with a name such as ``"imd/normal-dense/base"``."""
        part, index = self._at(position)
        draw = self._draw(position)
        joint, family = draw.joint, f"{draw.family}/{draw.transform}"
        replicate = index // part.meta.cells
        return Case(
            name=f"{part.label}/{family}",
            family=family,
            n=draw.n,
            dx=joint.dx,
            dy=joint.dy,
            mi=joint.mutual_information,
            replicate=replicate,
        )

    def joint(self, position: int) -> JointDistribution:
        """What the case at a position is drawn from, before its transform, which keeps mutual information."""
        return self._draw(position).joint

    @override
    def sample(self, position: int) -> tuple[FloatArray, FloatArray]:
        """Return the points at a position: the same bytes as in a store of the split."""
        part, index = self._at(position)
        dataset = self._draw(position).sample(stream(ROOT_SEED, part.split, "sample", index))
        return dataset.x, dataset.y

    def _draw(self, position: int) -> Draw:
        # A case and its points are requested one after the other: draw the joint distribution once.
        last = self._last
        if last is not None and last[0] == position:
            return last[1]
        part, index = self._at(position)
        draw = part.meta.draw(ROOT_SEED, part.split, index)
        self._last = position, draw
        return draw

    def _at(self, position: int) -> tuple[Part, int]:
        index = range(len(self))[position]
        which = bisect_right(self._starts, index) - 1
        return self.parts[which], index - self._starts[which]


def m_test() -> SplitSuite:
    """The 2,340 datasets of M_test: the splits test-imd and test-oomd with root seed 0."""
    splits = published_splits(train_count=1)
    parts = [
        Part("imd", "test-imd", splits["test-imd"].meta_distribution, splits["test-imd"].count),
        Part("oomd", "test-oomd", splits["test-oomd"].meta_distribution, splits["test-oomd"].count),
    ]
    return SplitSuite("m-test", "1", parts)


def m_test_extended() -> SplitSuite:
    """50,000 other datasets from the families of M_test, with 50 values of n from 10 to 500."""
    parts = [
        Part(part.label, f"{part.split}-extended", _denser(part.meta), _EXTENDED_COUNTS[part.label])
        for part in m_test().parts
    ]
    return SplitSuite("m-test-extended", "1", parts)


def _denser(meta: MetaDistribution) -> MetaDistribution:
    design = GridDesign(
        n=UniformInteger(low=meta.design.n.low, high=meta.design.n.high), steps=_EXTENDED_STEPS
    )
    return MetaDistribution(members=meta.members, design=design, dimensions=meta.dimensions)


__all__ = ["Part", "SplitSuite", "m_test", "m_test_extended"]
