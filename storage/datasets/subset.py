"""Some datasets of a store, in a chosen order."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, overload

from mistworks.dataset import Dataset, Index, IntArray


class Datasets(Protocol):
    """Datasets that are read one by one, such as those of a store."""

    @property
    def index(self) -> Index:
        """One row per dataset."""

    def __getitem__(self, item: int, /) -> Dataset: ...


@dataclass(frozen=True)
class Subset:
    """Some datasets of a store in a chosen order, read on access.

    Attributes:
        store: the store that holds them.
        positions: shape (N,), positions in the store.
    """

    store: Datasets
    positions: IntArray

    @property
    def index(self) -> Index:
        """The selected rows of the index."""
        return self.store.index[self.positions]

    def __len__(self) -> int:
        return len(self.positions)

    @overload
    def __getitem__(self, item: int) -> Dataset: ...
    @overload
    def __getitem__(self, item: slice) -> "Subset": ...
    def __getitem__(self, item: int | slice) -> "Dataset | Subset":
        if isinstance(item, slice):
            return Subset(self.store, self.positions[item])
        return self.store[int(self.positions[item])]

    def __iter__(self) -> Iterator[Dataset]:
        return (self.store[position] for position in self.positions.tolist())


__all__ = ["Datasets", "Subset"]
