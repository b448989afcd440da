"""The base of suites: named, seeded lists of datasets with known mutual information."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions import JointDistribution
from mistworks.randomness import stream

ROOT_SEED = 0
"""Root seed of every suite: a suite is the same for everyone."""


@dataclass(frozen=True, slots=True)
class Case:
    """One dataset of a suite, without its points.

    Attributes:
        name: name of the joint distribution, such as ``"student-identity-2x2-nu1"``.
        family: family in tables, such as ``"student"``.
        n: number of points.
        dx: dimension of X.
        dy: dimension of Y.
        mi: true I(X;Y) in nats.
        mi_se: standard error of ``mi`` in nats; 0 if it is exact.
        replicate: number of the sample with this distribution and n.
        x_classes: columns of X that hold codes of classes, see `labelled`.
        y_classes: the same for Y.
    """

    name: str
    family: str
    n: int
    dx: int
    dy: int
    mi: float
    mi_se: float = 0.0
    replicate: int = 0
    x_classes: tuple[int, ...] = ()
    y_classes: tuple[int, ...] = ()


class Suite(ABC):
    """A list of datasets: ``len(suite)``, ``suite.case(i)``, ``suite.sample(i)``.

    Attributes:
        name: name of the suite, such as ``"bmi-40"``.
        version: changes whenever a case or a sample changes. Results of another version are not used.
        block: number of consecutive datasets that belong together.
    """

    name: str
    version: str
    block: int = 1

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def case(self, position: int) -> Case:
        """Return the description of a dataset, without its points."""

    @abstractmethod
    def sample(self, position: int) -> tuple[FloatArray, FloatArray]:
        """Return x of shape (n, dx) and y of shape (n, dy), float32; the same bytes at every call."""

    def cases(self) -> Iterator[Case]:
        """Iterate over all cases in order."""
        return (self.case(position) for position in range(len(self)))


@dataclass(frozen=True, slots=True)
class Entry:
    """A joint distribution of a suite.

    Attributes:
        name: unique within the suite.
        family: family in tables.
        joint: the distribution.
        mi_se: standard error of the mutual information in nats, 0 if it is exact.
        x_classes: columns of X that hold codes of classes.
        y_classes: the same for Y.
        min_n: minimum sample size.
        max_n: maximum sample size, for many columns, on which baselines take minutes; None for no limit.
    """

    name: str
    family: str
    joint: JointDistribution
    mi_se: float = 0.0
    x_classes: tuple[int, ...] = ()
    y_classes: tuple[int, ...] = ()
    min_n: int = 0
    max_n: int | None = None


class GridSuite(Suite):
    """Every distribution at every sample size, with several samples each.

    A sample depends only on the suite, its distribution, n and the replicate: a suite at other sizes contains
    the same samples for common sizes.
    """

    def __init__(
        self, name: str, version: str, entries: Sequence[Entry], sizes: Sequence[int], replicates: int = 1
    ) -> None:
        self.name = name
        self.version = version
        self.sizes = tuple(sizes)
        self.replicates = replicates
        self._entries = tuple(entries)
        self._mi = tuple(entry.joint.mutual_information for entry in entries)
        self._plan = tuple(
            (which, n, replicate)
            for replicate in range(replicates)
            for n in self.sizes
            for which, entry in enumerate(self._entries)
            if n >= entry.min_n and (entry.max_n is None or n <= entry.max_n)
        )

    def __len__(self) -> int:
        return len(self._plan)

    @override
    def case(self, position: int) -> Case:
        """Return the case at a position: distributions vary fastest, then sizes, then replicates."""
        which, n, replicate = self._plan[range(len(self))[position]]
        entry = self._entries[which]
        joint = entry.joint
        mi, classes = self._mi[which], (entry.x_classes, entry.y_classes)
        return Case(entry.name, entry.family, n, joint.dx, joint.dy, mi, entry.mi_se, replicate, *classes)

    def joint(self, position: int) -> JointDistribution:
        """What the case at a position is drawn from."""
        return self._entries[self._plan[range(len(self))[position]][0]].joint

    @override
    def sample(self, position: int) -> tuple[FloatArray, FloatArray]:
        which, n, replicate = self._plan[range(len(self))[position]]
        entry = self._entries[which]
        purpose = f"{entry.name} n={n}"
        return entry.joint.sample(n, stream(ROOT_SEED, f"suite-{self.name}", purpose, replicate))


def labelled(values: FloatArray, classes: Sequence[int]) -> object:
    """Return one side of a sample as a user would pass it, with classes as strings.

    Args:
        values: shape (n, d).
        classes: columns that hold codes of classes.

    Returns:
        The values without classes; an array of strings if all columns are classes; otherwise a DataFrame.
    """
    if not classes:
        return values
    names = {
        column: np.char.add("class ", values[:, column].astype(np.int64).astype(np.str_))
        for column in classes
    }
    if len(names) == values.shape[1]:
        return np.stack([names[column] for column in range(values.shape[1])], axis=1)
    # Imported here: pandas comes with the pipeline, not with the estimator.
    import pandas as pd

    columns = range(values.shape[1])
    return pd.DataFrame({f"column {column}": names.get(column, values[:, column]) for column in columns})


__all__ = ["ROOT_SEED", "Case", "Entry", "GridSuite", "Suite", "labelled"]
