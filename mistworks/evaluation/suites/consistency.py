"""Relations that mutual information satisfies, and how often and how far estimates violate them.

All datasets of a group are derived from the same points, so that their estimates are comparable.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions import TRANSFORMS, AdditiveNoise, JointDistribution, Normal, Student
from mistworks.distributions.dispersion import latent_variable_matrix, sparse_matrix
from mistworks.errors import MistworksError
from mistworks.evaluation.distributions.composed import Product
from mistworks.evaluation.results import Results
from mistworks.evaluation.suites.base import ROOT_SEED, Case, Suite
from mistworks.randomness import stream

NAME = "self-consistency"
VERSION = "1"
SIZES = (100, 500)
REPLICATES = 5

Pair = tuple[FloatArray, FloatArray]
Variation = Callable[["Group", FloatArray, FloatArray, np.random.Generator], Pair]


@dataclass(frozen=True, slots=True)
class Group:
    """Two independent pairs of blocks, with columns side by side in X and in Y.

    Attributes:
        name: name of the group, such as ``"normal-sparse-4x4"``.
        first: distribution of the first pair of blocks.
        second: distribution of the second pair of blocks.
    """

    name: str
    first: JointDistribution
    second: JointDistribution

    @property
    def whole(self) -> Product:
        """The distribution of both pairs together."""
        return Product((self.first, self.second))


@dataclass(frozen=True, slots=True)
class Variant:
    """A dataset derived from the points of a group.

    Attributes:
        name: first part of the names of its cases.
        relation: the relation that it tests, and the family of its cases.
        vary: maps the points of the group to those of the case.
        parts: whether it keeps the mutual information of the first and of the second pair of blocks.
    """

    name: str
    relation: str
    vary: Variation
    parts: tuple[bool, bool] = (True, True)


@dataclass(frozen=True, slots=True)
class Violation:
    """Violations of a relation over all groups with the required estimates.

    Attributes:
        relation: name of the relation, such as ``"symmetry"``.
        tolerance: size in nats up to which a violation is not counted.
        comparisons: number of groups, including failures.
        violated: number of violations beyond the tolerance.
        mean: mean size in nats, 0 if the relation holds; NaN if every comparison failed.
        max: maximum size in nats; NaN if every comparison failed.
        failures: number of comparisons without an estimate because the estimator failed.
    """

    relation: str
    tolerance: float
    comparisons: int
    violated: int
    mean: float
    max: float
    failures: int


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation between the estimates of a group.

    Attributes:
        name: name of the relation.
        variants: names of the variants to compare.
        gap: computes the size of the violation in nats from their estimates.
        tolerance: size up to which a violation is not counted: rounding if the variants contain the same
            numbers in another order or unit, more if the estimator sees another sample.
    """

    name: str
    variants: tuple[str, ...]
    gap: Callable[..., float]
    tolerance: float


def violations(results: Results) -> tuple[Violation, ...]:
    """Count and measure the violations of each relation, in the order of ``RELATIONS``.

    Raises:
        MistworksError: the results are not from the suite ``"self-consistency"``, or are not in nats.
    """
    results.require_nats()
    if results.suite != NAME:
        raise MistworksError(
            f"Expected results on the suite {NAME!r}, got {results.suite!r}. Evaluate on {NAME!r}."
        )
    groups: dict[tuple[str, int, int], dict[str, float]] = {}
    columns = (results.name, results.n, results.replicate, results.estimate)
    for name, n, replicate, estimate in zip(*columns, strict=True):
        variant, group = str(name).split("/")
        groups.setdefault((group, int(n), int(replicate)), {})[variant] = float(estimate)
    return tuple(_count(relation, list(groups.values())) for relation in RELATIONS)


def _count(relation: Relation, groups: Sequence[Mapping[str, float]]) -> Violation:
    complete = [group for group in groups if all(name in group for name in relation.variants)]
    gaps = np.array([relation.gap(*(group[name] for name in relation.variants)) for group in complete])
    sizes = gaps[np.isfinite(gaps)]
    return Violation(
        relation=relation.name,
        tolerance=relation.tolerance,
        comparisons=len(gaps),
        violated=int((sizes > relation.tolerance).sum()),
        mean=float(sizes.mean()) if sizes.size else np.nan,
        max=float(sizes.max()) if sizes.size else np.nan,
        failures=len(gaps) - len(sizes),
    )


class ConsistencySuite(Suite):
    """Every variant of every group at every size; variants vary fastest, then groups, sizes, replicates."""

    name = NAME
    version = VERSION

    def __init__(self, sizes: Sequence[int] = SIZES, replicates: int = REPLICATES) -> None:
        self.sizes = tuple(sizes)
        self.replicates = replicates
        self.block = len(VARIANTS)
        self._groups = tuple(_groups())

    def __len__(self) -> int:
        return len(VARIANTS) * len(self._groups) * len(self.sizes) * self.replicates

    @override
    def case(self, position: int) -> Case:
        """Return the case at a position, with a name such as ``"symmetry/normal-sparse-4x4"``."""
        variant, group, n, replicate = self._at(position)
        informations = (group.first.mutual_information, group.second.mutual_information)
        mi = sum(value for value, kept in zip(informations, variant.parts, strict=True) if kept)
        dx, dy = self._shape(variant, group)
        return Case(f"{variant.name}/{group.name}", variant.relation, n, dx, dy, float(mi), 0.0, replicate)

    @override
    def sample(self, position: int) -> Pair:
        variant, group, n, replicate = self._at(position)
        x, y = group.whole.sample(n, stream(ROOT_SEED, f"suite-{NAME}", f"{group.name} n={n}", replicate))
        rng = stream(ROOT_SEED, f"suite-{NAME}", f"{variant.name} of {group.name} n={n}", replicate)
        x, y = variant.vary(group, x, y, rng)
        return np.ascontiguousarray(x), np.ascontiguousarray(y)

    def _at(self, position: int) -> tuple[Variant, Group, int, int]:
        rest, which = divmod(range(len(self))[position], len(VARIANTS))
        rest, group = divmod(rest, len(self._groups))
        replicate, size = divmod(rest, len(self.sizes))
        return VARIANTS[which], self._groups[group], self.sizes[size], replicate

    @staticmethod
    def _shape(variant: Variant, group: Group) -> tuple[int, int]:
        whole = group.whole
        empty = np.empty((0, whole.dx), np.float32), np.empty((0, whole.dy), np.float32)
        x, y = variant.vary(group, *empty, np.random.default_rng(0))
        return x.shape[1], y.shape[1]


def self_consistency(sizes: Sequence[int] = SIZES) -> ConsistencySuite:
    """Build the suite at the given sample sizes."""
    return ConsistencySuite(sizes)


def _groups() -> Iterator[Group]:
    def pairs(d: int, count: int, strength: float) -> Normal:
        return Normal(sparse_matrix(d, d, count, strength), d)

    def dense(dx: int, dy: int, correlation: float) -> Normal:
        size = dx + dy
        return Normal(np.full((size, size), correlation) + (1 - correlation) * np.eye(size), dx)

    lvm = latent_variable_matrix(5, 5, 2, alpha=0.5, lambda_=1.5, beta=0.7, eta=1.0)
    yield Group("normal-2x2", pairs(1, 1, 1.5), pairs(1, 1, 0.8))
    yield Group("normal-sparse-4x4", pairs(2, 1, 2.0), pairs(2, 2, 1.0))
    yield Group("normal-dense-5x5", dense(3, 3, 0.5), dense(2, 2, 0.3))
    yield Group("normal-lvm-10x10", Normal(lvm, 5), pairs(5, 3, 1.0))
    yield Group("normal-unequal-4x6", dense(1, 4, 0.4), dense(3, 2, 0.5))
    yield Group("student-normal-4x4", Student(np.eye(4), 2, 2.0), pairs(2, 1, 1.5))
    yield Group("additive-normal-3x3", AdditiveNoise(np.array([0.3, 0.8])), pairs(1, 1, 1.0))
    yield Group("half-null-4x4", Normal(np.eye(4), 2), pairs(2, 2, 1.5))
    yield Group("null-4x4", Normal(np.eye(4), 2), Normal(np.eye(4), 2))


def _same(group: Group, x: FloatArray, y: FloatArray, rng: np.random.Generator) -> Pair:
    return x, y


def _swap(group: Group, x: FloatArray, y: FloatArray, rng: np.random.Generator) -> Pair:
    return y, x


def _duplicate(group: Group, x: FloatArray, y: FloatArray, rng: np.random.Generator) -> Pair:
    return np.hstack([x, x]), y


def _drop(group: Group, x: FloatArray, y: FloatArray, rng: np.random.Generator) -> Pair:
    """X loses its second block and Y keeps both: the information of the first pair remains."""
    return x[:, : group.first.dx], y


def _first(group: Group, x: FloatArray, y: FloatArray, rng: np.random.Generator) -> Pair:
    return x[:, : group.first.dx], y[:, : group.first.dy]


def _second(group: Group, x: FloatArray, y: FloatArray, rng: np.random.Generator) -> Pair:
    return x[:, group.first.dx :], y[:, group.first.dy :]


def _monotone(group: Group, x: FloatArray, y: FloatArray, rng: np.random.Generator) -> Pair:
    """An increasing map of each coordinate of X and a decreasing map of each coordinate of Y."""
    return TRANSFORMS["halfcube"].x(x), -TRANSFORMS["asinh"].y(y)


def _permute_points(group: Group, x: FloatArray, y: FloatArray, rng: np.random.Generator) -> Pair:
    order = rng.permutation(len(x))
    return x[order], y[order]


def _permute_coordinates(group: Group, x: FloatArray, y: FloatArray, rng: np.random.Generator) -> Pair:
    return x[:, rng.permutation(x.shape[1])], y[:, rng.permutation(y.shape[1])]


def _rescale(group: Group, x: FloatArray, y: FloatArray, rng: np.random.Generator) -> Pair:
    """Another origin and unit for each coordinate, close enough to lose almost no digits."""

    def affine(values: FloatArray) -> FloatArray:
        scale = np.exp2(rng.integers(-6, 7, values.shape[1])).astype(np.float32)
        return np.asarray(scale * (values + rng.integers(-3, 4, values.shape[1]).astype(np.float32)))

    return affine(x), affine(y)


VARIANTS: tuple[Variant, ...] = (
    Variant("original", "original", _same),
    Variant("symmetry", "symmetry", _swap),
    Variant("points", "permutation of points", _permute_points),
    Variant("coordinates", "permutation of coordinates", _permute_coordinates),
    Variant("affine", "shift and scale", _rescale),
    Variant("monotone", "monotone maps", _monotone),
    Variant("duplication", "duplicated coordinates", _duplicate),
    Variant("dropping", "dropped coordinates", _drop, (True, False)),
    Variant("first", "additivity", _first, (True, False)),
    Variant("second", "additivity", _second, (False, True)),
)
"""The variants of every group; the original points are first."""


def _difference(original: float, other: float) -> float:
    return abs(original - other)


def _gain(original: float, other: float) -> float:
    # Not max(0, …), which would turn the NaN of a failure into 0.
    return float(np.maximum(other - original, 0.0))


def _defect(original: float, first: float, second: float) -> float:
    return abs(first + second - original)


RELATIONS: tuple[Relation, ...] = (
    Relation("symmetry", ("original", "symmetry"), _difference, 0.01),
    Relation("permutation of points", ("original", "points"), _difference, 0.01),
    Relation("permutation of coordinates", ("original", "coordinates"), _difference, 0.01),
    Relation("shift and scale", ("original", "affine"), _difference, 0.01),
    Relation("monotone maps", ("original", "monotone"), _difference, 0.05),
    Relation("duplicated coordinates", ("original", "duplication"), _difference, 0.05),
    Relation("dropped coordinates", ("original", "dropping"), _gain, 0.05),
    Relation("additivity", ("original", "first", "second"), _defect, 0.05),
)
"""Relations that mutual information satisfies for every distribution."""


__all__ = [
    "NAME",
    "RELATIONS",
    "REPLICATES",
    "SIZES",
    "VARIANTS",
    "VERSION",
    "ConsistencySuite",
    "Group",
    "Pair",
    "Relation",
    "Variant",
    "Variation",
    "Violation",
    "self_consistency",
    "violations",
]
