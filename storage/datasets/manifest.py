"""What a store says of itself: everything needed to regenerate it, kept in the root attributes."""

import platform
from importlib.metadata import version
from typing import Annotated, Self

from pydantic import Field, model_validator

from mistworks.config import FrozenConfig
from mistworks.errors import MistworksError
from mistworks.simulation.meta_distribution import MetaDistribution
from mistworks.simulation.splits import SplitConfig, SplitName
from storage.fingerprint import Fingerprint, fingerprint

FORMAT_VERSION = 2
WITHOUT_SAMPLES_VERSION = 3
READABLE_VERSIONS = (1, 2, WITHOUT_SAMPLES_VERSION)
CHUNK_VALUES = 262_144
# What does not make two meta-datasets different.
_INFORMATIVE = {"format", "versions"}


class Manifest(FrozenConfig):
    """The description of one split's store.

    Attributes:
        format: version of the layout, as in FORMAT.md.
        split: name of the split, part of the key of every random stream.
        count: number of datasets.
        partition_size: datasets in a partition; the last may have fewer.
        root_seed: root of every random stream.
        meta_distribution: what the datasets are drawn from.
        versions: of the libraries and the code that made the store; they do not make two stores different.
        samples: whether the store keeps the samples; else its index, digests and statistics only, and a
            sample that is read is drawn anew and compared with its digest.
    """

    format: int = FORMAT_VERSION
    split: SplitName
    count: Annotated[int, Field(ge=1)]
    partition_size: Annotated[int, Field(ge=1)]
    root_seed: Annotated[int, Field(ge=0)]
    meta_distribution: MetaDistribution
    versions: dict[str, str]
    # Left out of the JSON where true, so that it stays what it was.
    samples: bool = Field(default=True, exclude_if=bool)

    @model_validator(mode="after")
    def _version_of_its_layout(self) -> Self:
        if not self.samples and self.format != WITHOUT_SAMPLES_VERSION:
            raise ValueError(
                f"Expected format {WITHOUT_SAMPLES_VERSION} of a store without samples, got {self.format}."
            )
        return self

    @classmethod
    def of(
        cls,
        split: SplitName,
        config: SplitConfig,
        *,
        partition_size: int,
        root_seed: int,
        samples: bool = True,
    ) -> Self:
        """The manifest of a split that is to be generated here, with these libraries."""
        return cls.parse(
            {
                "format": FORMAT_VERSION if samples else WITHOUT_SAMPLES_VERSION,
                "split": split,
                "count": config.count,
                "partition_size": partition_size,
                "root_seed": root_seed,
                "meta_distribution": config.meta_distribution,
                "versions": library_versions(),
                "samples": samples,
            }
        )

    @property
    def fingerprint(self) -> Fingerprint:
        """What made the store; members are empty that it does not record."""
        return Fingerprint.of_versions(self.versions)

    @property
    def other_code(self) -> tuple[str, ...]:
        """How the code that made the store differs from the code that runs here, as far as it is recorded.

        The version of Mistworks says nothing that the hash of the code does not.
        """
        known = [name for name in ("code", "numpy", "scipy") if self.versions.get(name)]
        return tuple(self.fingerprint.differences(fingerprint(), known))

    @property
    def partitions(self) -> int:
        """Number of partitions."""
        return -(-self.count // self.partition_size)

    @property
    def capacity(self) -> int:
        """Positions of the values array that each partition owns: whole chunks, enough for any draw."""
        most = self.partition_size * self.meta_distribution.most_values
        return -(-most // CHUNK_VALUES) * CHUNK_VALUES

    @property
    def families(self) -> tuple[str, ...]:
        """Names of the families that can occur, in the order of their codes."""
        return tuple(sorted({member.family.name for member in self.meta_distribution.members}))

    @property
    def transforms(self) -> tuple[str, ...]:
        """Names of the transforms that can occur, in the order of their codes."""
        return tuple(sorted({member.transform for member in self.meta_distribution.members}))

    def bounds(self, partition: int) -> tuple[int, int]:
        """Start and stop of a partition.

        Raises:
            MistworksError: there is no partition of that number.
        """
        if not 0 <= partition < self.partitions:
            raise MistworksError(
                f"partitions are numbered 0 to {self.partitions - 1}, and {partition} came; choose one of "
                "those"
            )
        start = partition * self.partition_size
        return start, min(start + self.partition_size, self.count)

    def require_same(self, other: "Manifest", url: str) -> None:
        """Refuse to mix two different meta-datasets in one store.

        Raises:
            MistworksError: other differs in more than its versions; the message names each key.
        """
        mine, theirs = (
            {**manifest.model_dump(mode="json"), "samples": manifest.samples} for manifest in (self, other)
        )
        different = [key for key in mine if key not in _INFORMATIVE and mine[key] != theirs[key]]
        if different:
            told = "; ".join(
                f"{key} {_short(mine[key])} there, {_short(theirs[key])} asked" for key in different
            )
            raise MistworksError(
                f"the store {url} exists with another configuration ({told}); choose another --store, "
                "ask for the same configuration, or delete the store"
            )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else "of another content"


def library_versions() -> dict[str, str]:
    """Versions of what determines the bytes of a store, and of what wrote them."""
    versions = {**fingerprint().model_dump(), "zarr": version("zarr"), "machine": platform.machine()}
    return {name: text for name, text in versions.items() if text}
