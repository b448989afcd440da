"""What a run is about to make, checked before anything is started: no Prefect, no Dask."""

import math
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flows.workspace import Workspace
from mistworks.errors import MistworksError
from mistworks.simulation.splits import SPLITS, SplitName
from mistworks.statistics.layout import statistic_names
from storage.datasets.manifest import CHUNK_VALUES, Manifest
from storage.datasets.opening import find_manifest, open_store
from storage.places.location import Location

if TYPE_CHECKING:
    from mistworks.networks import AnyNetworkConfig
    from mistworks.presets import Preset
    from mistworks.training.config import Objective, TrainingConfig

_REQUIRED_SPLITS: tuple[SplitName, ...] = ("train", "validation")
_SAMPLED = 64
_VALUE_BYTES = 4
# A row of the index with its digest, and its share of small files.
_INDEX_BYTES = 200
# Index, metadata, and what a file system takes for itself.
_OVERHEAD = 1.02


@dataclass(frozen=True)
class StorePlan:
    """A store that is to be made or completed.

    Attributes:
        url: where it lies.
        manifest: what it holds.
    """

    url: str
    manifest: Manifest

    @property
    def expected_bytes(self) -> int:
        """Size of the whole store, from the sizes of some of its datasets."""
        manifest = self.manifest
        if not manifest.samples:
            return int(_OVERHEAD * manifest.count * (_VALUE_BYTES * len(statistic_names()) + _INDEX_BYTES))
        positions = range(0, manifest.count, max(1, manifest.count // _SAMPLED))
        draws = [
            manifest.meta_distribution.draw(manifest.root_seed, manifest.split, position)
            for position in positions
        ]
        values = sum(draw.n * (draw.joint.dx + draw.joint.dy) for draw in draws) / len(draws) * manifest.count
        # Each partition ends with a chunk that is filled up.
        chunks = manifest.partitions * math.ceil(values / manifest.partitions / CHUNK_VALUES)
        return int(_OVERHEAD * _VALUE_BYTES * CHUNK_VALUES * chunks)

    def missing_bytes(self) -> int:
        """Size of the partitions that are not there yet.

        Raises:
            MistworksError: the place holds something else, or cannot be read.
        """
        existing = find_manifest(self.url)
        if existing is None:
            return self.expected_bytes
        existing.require_same(self.manifest, self.url)
        store = open_store(self.url)
        return int(self.expected_bytes * len(store.missing()) / store.manifest.partitions)


@dataclass(frozen=True)
class TrainingPlan:
    """How an estimator is trained.

    Attributes:
        preset: name of the preset, recorded with the run.
        network: what is trained.
        training: how.
    """

    preset: str
    network: "AnyNetworkConfig"
    training: "TrainingConfig"

    @property
    def has_quantiles(self) -> bool:
        """Whether the estimator has quantiles, which can be calibrated."""
        return self.training.objective != "squared-error"


@dataclass(frozen=True)
class PipelinePlan:
    """Everything one run of the pipeline makes.

    Attributes:
        stores: by split, in the order of the splits.
        training: how the estimator is trained on them.
    """

    stores: Mapping[SplitName, StorePlan]
    training: TrainingPlan

    @property
    def read_in_training(self) -> tuple[SplitName, ...]:
        """The splits that an estimator is made from; one without quantiles is not calibrated."""
        calibrated = "calibration" in self.stores and self.training.has_quantiles
        return (*_REQUIRED_SPLITS, "calibration") if calibrated else _REQUIRED_SPLITS


def plan_store(
    store: str,
    split: SplitName,
    preset: str,
    count: int | None = None,
    seed: int = 0,
    partition_size: int | None = None,
) -> StorePlan:
    """The store of one split of a preset.

    Args:
        store: path or URL.
        split: train, validation, calibration, test-imd or test-oomd.
        preset: name of a preset, or path of a JSON file with one.
        count: number of datasets, the preset's if None.
        seed: root of every random stream.
        partition_size: datasets per partition, the preset's if None.

    Raises:
        MistworksError: the preset or the split is unknown, or a number is out of its range.
    """
    return _plan_store(store, split, _load_preset(preset), count, seed, partition_size)


def plan_training(preset: str, objective: "Objective | None" = None, seed: int | None = None) -> TrainingPlan:
    """The training of a preset.

    Args:
        preset: name of a preset, or path of a JSON file with one.
        objective: what is minimised, the preset's if None.
        seed: of weights and order, the preset's if None.

    Raises:
        MistworksError: the preset is unknown, or a value is out of its range.
    """
    return _plan_training(preset, _load_preset(preset), objective, seed)


def plan_pipeline(preset: str, seed: int | None, workspace: Workspace) -> PipelinePlan:
    """The stores and the training of a preset.

    Args:
        preset: name of a preset, or path of a JSON file with one.
        seed: root of every random stream, 0 if None; of weights and order too, the preset's if None.
        workspace: where the stores are kept.

    Raises:
        MistworksError: the preset is unknown, lacks a split that training needs, or has a value out of range.
    """
    chosen = _load_preset(preset)
    for required in _REQUIRED_SPLITS:
        chosen.split(required)
    from mistworks.presets import preset_name

    name, root_seed = preset_name(preset), seed or 0
    return PipelinePlan(
        {
            split: _plan_store(workspace.store(name, root_seed, split), split, chosen, None, root_seed, None)
            for split in SPLITS
            if split in chosen.splits
        },
        _plan_training(preset, chosen, None, seed),
    )


def require_room(plans: Iterable[StorePlan]) -> None:
    """Refuse to begin stores for which the local disk has no room. Object stores are not asked.

    Raises:
        MistworksError: too little space is free; or a place holds something else, or cannot be read.
    """
    needed: dict[Path, int] = {}
    for plan in plans:
        if (path := Location.parse(plan.url).path) is not None:
            disk = next(folder for folder in (path, *path.parents) if folder.exists())
            needed[disk] = needed.get(disk, 0) + plan.missing_bytes()
    for disk, size in needed.items():
        if (free := shutil.disk_usage(disk).free) < size:
            raise MistworksError(
                f"Expected {_gigabytes(size)} of free space at {disk}, got {_gigabytes(free)}. Free some, or "
                "choose another place for the stores."
            )


def _load_preset(preset: str) -> "Preset":
    # Networks need torch, which takes a second to import.
    from mistworks.presets import load_preset

    return load_preset(preset)


def _plan_store(
    store: str,
    split: SplitName,
    preset: "Preset",
    count: int | None,
    seed: int,
    partition_size: int | None,
) -> StorePlan:
    manifest = Manifest.of(
        split,
        preset.split(split, count),
        partition_size=preset.partition_size if partition_size is None else partition_size,
        root_seed=seed,
        samples=split not in preset.statistics_only,
    )
    return StorePlan(Location.parse(store).url, manifest)


def _plan_training(
    name: str, preset: "Preset", objective: "Objective | None", seed: int | None
) -> TrainingPlan:
    from mistworks.presets import preset_name
    from mistworks.training.config import TrainingConfig

    changes = {"objective": objective, "seed": seed}
    given = {key: value for key, value in changes.items() if value is not None}
    training = TrainingConfig.parse({**dict(preset.training), **given})
    return TrainingPlan(preset_name(name), preset.network, training)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
