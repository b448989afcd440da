"""A split of a stored meta-dataset as a suite."""

from bisect import bisect_right
from collections import Counter

from typing_extensions import override

from mistworks.dataset import Block, FloatArray, Source
from mistworks.evaluation.suites.base import Case, Suite


class StoredSuite(Suite):
    """The datasets of a source in order; each family under each transform counts as a family.

    It keeps one partition in memory: read samples in increasing order.

    Args:
        source: the split.
        name: name of the split.
        version: hash of its content.
    """

    def __init__(self, source: Source, name: str, version: str) -> None:
        self.name = name
        self.version = version
        self._source = source
        self._index = source.index
        self._starts = [start for start, _ in source.partition_bounds]
        self._block: tuple[int, Block] | None = None
        families = zip(self._index.family.tolist(), self._index.transform.tolist(), strict=True)
        self._families = ["/".join(parts) for parts in families]
        seen: Counter[tuple[str, int]] = Counter()
        self._replicates = []
        for key in zip(self._families, self._index.n.tolist(), strict=True):
            self._replicates.append(seen[key])
            seen[key] += 1

    def __len__(self) -> int:
        return len(self._index)

    @override
    def case(self, position: int) -> Case:
        index, family = self._index, self._families[position]
        return Case(
            name=family,
            family=family,
            n=int(index.n[position]),
            dx=int(index.dx[position]),
            dy=int(index.dy[position]),
            mi=float(index.mi[position]),
            replicate=self._replicates[position],
        )

    @override
    def sample(self, position: int) -> tuple[FloatArray, FloatArray]:
        """Return the points at a position.

        Raises:
            MistworksError: the partition is missing or damaged.
        """
        number = bisect_right(self._starts, position) - 1
        if self._block is None or self._block[0] != number:
            self._block = number, self._source.partition(number)
        dataset = self._block[1][position - self._starts[number]]
        # Copies, so that an estimator cannot change the partition in memory.
        return dataset.x.copy(), dataset.y.copy()


__all__ = ["StoredSuite"]
