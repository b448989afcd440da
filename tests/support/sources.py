"""Small splits held in memory, drawn from correlated Gaussians, whose mutual information is known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from mistworks.dataset import Block, Dataset, Index
from mistworks.evaluation.results import QUANTILE_LEVELS, Results


def gaussian(rng: np.random.Generator, n: int, dx: int, dy: int) -> Dataset:
    """min(dx, dy) pairs (X_j, Y_j) with one correlation ρ: I = −½ min(dx, dy) log(1 − ρ²), in nats."""
    rho = float(rng.uniform(-0.95, 0.95))
    pairs = min(dx, dy)
    x, y = rng.standard_normal((n, dx)), rng.standard_normal((n, dy))
    y[:, :pairs] = rho * x[:, :pairs] + np.sqrt(1 - rho**2) * y[:, :pairs]
    mi = -0.5 * pairs * np.log(1 - rho**2)
    return Dataset(x.astype(np.float32), y.astype(np.float32), float(mi), "gaussian-pairs", "base")


def block_of(start: int, datasets: list[Dataset]) -> Block:
    """Datasets packed as one block."""
    index = Index(
        n=np.array([len(dataset.x) for dataset in datasets]),
        dx=np.array([dataset.x.shape[1] for dataset in datasets]),
        dy=np.array([dataset.y.shape[1] for dataset in datasets]),
        mi=np.array([dataset.mi for dataset in datasets]),
        family=np.array([dataset.family for dataset in datasets], dtype=np.str_),
        transform=np.array([dataset.transform for dataset in datasets], dtype=np.str_),
    )
    values = [np.concatenate([dataset.x.ravel(), dataset.y.ravel()]) for dataset in datasets]
    flat = np.concatenate(values) if values else np.empty(0, np.float32)
    return Block(start, flat, np.cumsum(index.sizes) - index.sizes, index)


def results_of(
    n: Sequence[int],
    mi: Sequence[float],
    estimate: Sequence[float],
    family: Sequence[str] | None = None,
    suite: str = "suite",
) -> Results:
    """Point estimates of an estimator called "constant" beside the truth."""
    count = len(n)
    families = np.array(family or ["additive/base"] * count)
    return Results(
        suite,
        "1",
        "constant",
        "1",
        position=np.arange(count),
        name=families,
        family=families,
        n=np.array(n),
        dx=np.full(count, 1),
        dy=np.full(count, 2),
        replicate=np.arange(count),
        mi=np.array(mi),
        mi_se=np.zeros(count),
        estimate=np.array(estimate),
        quantiles=np.full((count, len(QUANTILE_LEVELS)), np.nan),
        seconds=np.full(count, 0.001),
        failure=np.where(np.isfinite(estimate), "", "the estimate is nan"),
    )


@dataclass
class MemorySource:
    """A split in memory; ``reads`` records the numbers of the partitions that were read."""

    datasets: list[Dataset]
    partition_size: int = 16
    reads: list[int] = field(default_factory=list)

    @classmethod
    def gaussian(
        cls, count: int, seed: int, n: tuple[int, int] = (10, 60), d: tuple[int, int] = (1, 3), size: int = 16
    ) -> "MemorySource":
        """Draw ``count`` datasets with n, dx and dy uniform on inclusive ranges."""
        rng = np.random.default_rng(seed)

        def draw(bounds: tuple[int, int]) -> int:
            return int(rng.integers(bounds[0], bounds[1] + 1))

        return cls([gaussian(rng, draw(n), draw(d), draw(d)) for _ in range(count)], size)

    @property
    def index(self) -> Index:
        return block_of(0, self.datasets).index

    @property
    def partition_bounds(self) -> list[tuple[int, int]]:
        count, size = len(self.datasets), self.partition_size
        return [(start, min(start + size, count)) for start in range(0, count, size)]

    def partition(self, number: int) -> Block:
        self.reads.append(number)
        start, stop = self.partition_bounds[number]
        return block_of(start, self.datasets[start:stop])

    def __len__(self) -> int:
        return len(self.datasets)

    def __iter__(self) -> Iterator[Dataset]:
        return iter(self.datasets)
