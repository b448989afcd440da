"""The manifest of a store: everything needed to regenerate it, kept in the root attributes."""

import platform
from importlib.metadata import version
from typing import Annotated, Self

from pydantic import Field, model_validator

from mistworks.config import FrozenConfig
from mistworks.errors import MistworksError
from mistworks.modality.config import Fit
from mistworks.simulation.meta_distribution import MetaDistribution
from mistworks.simulation.splits import SplitConfig, SplitName
from storage.fingerprint import Fingerprint, fingerprint

FORMAT_VERSION = 2
WITHOUT_SAMPLES_VERSION = 3
READABLE_VERSIONS = (1, 2, WITHOUT_SAMPLES_VERSION)
CHUNK_VALUES = 262_144
# Two meta-datasets that differ only in these are the same.
_INFORMATIVE = {"format", "versions"}


class Manifest(FrozenConfig):
    """The description of one split's store.

    Attributes:
        format: version of the layout, as in FORMAT.md.
        split: name of the split, part of the key of every random stream.
        count: number of datasets.
        partition_size: datasets per partition; the last may have fewer.
        root_seed: root of every random stream.
        meta_distribution: the distribution that datasets are drawn from.
        versions: of the libraries and the code that made the store; not part of its identity.
        samples: whether the store keeps the samples. If not, it keeps the index, digests and statistics;
            reading a sample draws it again and checks its digest.
    """

    format: int = FORMAT_VERSION
    split: SplitName
    count: Annotated[int, Field(ge=1)]
    partition_size: Annotated[int, Field(ge=1)]
    root_seed: Annotated[int, Field(ge=0)]
    meta_distribution: MetaDistribution
    versions: dict[str, str]
    # Omitted from the JSON when true, so that older manifests keep their bytes.
    samples: bool = Field(default=True, exclude_if=bool)

    @model_validator(mode="after")
    def _version_of_its_layout(self) -> Self:
        if not self.samples and self.format != WITHOUT_SAMPLES_VERSION:
            raise ValueError(
                f"Expected format {WITHOUT_SAMPLES_VERSION} for a store without samples, got {self.format}."
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
        """Describe a split that will be generated here, with the installed libraries."""
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

    def fitted(self, fit: Fit) -> Self:
        """Return the manifest with a reference to a fitted modality in its families."""
        return self.model_copy(update={"meta_distribution": self.meta_distribution.fitted(fit)})

    @property
    def fingerprint(self) -> Fingerprint:
        """The versions that made the store; empty where not recorded."""
        return Fingerprint.of_versions(self.versions)

    @property
    def other_code(self) -> tuple[str, ...]:
        """How the code that made the store differs from the running code, as far as recorded.

        The version of Mistworks is not compared: the hash of the code says more.
        """
        known = [name for name in ("code", "numpy", "scipy") if self.versions.get(name)]
        return tuple(self.fingerprint.differences(fingerprint(), known))

    @property
    def partitions(self) -> int:
        """Number of partitions."""
        return -(-self.count // self.partition_size)

    @property
    def capacity(self) -> int:
        """Length of each partition's range of the values array: whole chunks, enough for any draw."""
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
        """Return the first dataset of a partition and the one after its last.

        Raises:
            MistworksError: the partition does not exist.
        """
        if not 0 <= partition < self.partitions:
            raise MistworksError(f"Expected a partition from 0 to {self.partitions - 1}, got {partition}.")
        start = partition * self.partition_size
        return start, min(start + self.partition_size, self.count)

    def require_same(self, other: "Manifest", url: str) -> None:
        """Refuse to mix two different meta-datasets in one store.

        Raises:
            MistworksError: other differs in more than its versions. The message names each key.
        """
        mine, theirs = (
            {**manifest.model_dump(mode="json"), "samples": manifest.samples} for manifest in (self, other)
        )
        different = [key for key in mine if key not in _INFORMATIVE and mine[key] != theirs[key]]
        if different:
            differences = "; ".join(
                f"{key} {_short(mine[key])} in the store, {_short(theirs[key])} requested"
                for key in different
            )
            raise MistworksError(
                f"Expected the store {url} to have the requested configuration, got another ({differences}). "
                "Choose another --store, request the same configuration, or delete the store."
            )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else "other content"


def library_versions() -> dict[str, str]:
    """Return the versions of everything that determines or writes the bytes of a store."""
    versions = {**fingerprint().model_dump(), "zarr": version("zarr"), "machine": platform.machine()}
    return {name: text for name, text in versions.items() if text}


__all__ = [
    "CHUNK_VALUES",
    "FORMAT_VERSION",
    "READABLE_VERSIONS",
    "WITHOUT_SAMPLES_VERSION",
    "Manifest",
    "library_versions",
]
