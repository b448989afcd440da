"""Plans of runs, checked before anything is started: no Prefect, no Dask."""

import math
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import PrivateAttr, model_serializer

from flows.workspace import Workspace
from mistworks.config import FrozenConfig
from mistworks.errors import MistworksError
from mistworks.modality.config import ModalityConfig, file_of
from mistworks.modality.modality import Modality
from mistworks.modality.rows import resolved
from mistworks.simulation.splits import SPLITS, SplitName
from mistworks.statistics.layout import statistic_names
from storage.datasets.manifest import CHUNK_VALUES, Manifest
from storage.datasets.modalities import find_modality
from storage.datasets.opening import find_manifest, open_at
from storage.datasets.store import Store
from storage.places.location import Location

if TYPE_CHECKING:
    from mistworks.presets import Preset, TrainingPlan
    from mistworks.training.config import Objective

_REQUIRED_SPLITS: tuple[SplitName, ...] = ("train", "validation")
_SAMPLED = 64
_VALUE_BYTES = 4
# A row of the index with its digest, and its share of small files.
_INDEX_BYTES = 200
# Index, metadata, and the overhead of the file system.
_OVERHEAD = 1.02


class StorePlan(FrozenConfig):
    """A store to be generated or completed. In recorded parameters, a few facts stand for its manifest.

    Attributes:
        place: where it is.
        manifest: its manifest.
        preset: name of the preset that defines it.
        modality: what families are fitted to before generation; None if there is none, or it is fitted.
    """

    place: Location
    manifest: Manifest
    preset: str
    modality: ModalityConfig | None = None
    _opened: Store | None = PrivateAttr(None)

    @model_serializer
    def _facts(self) -> dict[str, Any]:
        # A manifest holds a whole mixture of families, and Prefect refuses parameters of 512 KiB.
        facts = {
            "split": self.manifest.split,
            "datasets": self.manifest.count,
            "seed": self.manifest.root_seed,
        }
        return {"url": self.url, "preset": self.preset, **facts}

    @property
    def url(self) -> str:
        """Its path or URL."""
        return self.place.url

    @property
    def expected_bytes(self) -> int:
        """Estimate the size of the whole store from the sizes of some of its datasets."""
        manifest = self.manifest
        if not manifest.samples:
            return int(_OVERHEAD * manifest.count * (_VALUE_BYTES * len(statistic_names()) + _INDEX_BYTES))
        if manifest.meta_distribution.needs_modality:
            # Datasets cannot be drawn before it is fitted.
            most = manifest.meta_distribution.most_values * manifest.count
            return int(_OVERHEAD * _VALUE_BYTES * most)
        positions = range(0, manifest.count, max(1, manifest.count // _SAMPLED))
        draws = [
            manifest.meta_distribution.draw(manifest.root_seed, manifest.split, position)
            for position in positions
        ]
        values = sum(draw.n * (draw.joint.dx + draw.joint.dy) for draw in draws) / len(draws) * manifest.count
        # Each partition ends with a padded chunk.
        chunks = manifest.partitions * math.ceil(values / manifest.partitions / CHUNK_VALUES)
        return int(_OVERHEAD * _VALUE_BYTES * CHUNK_VALUES * chunks)

    def existing(self) -> Store | None:
        """Return the store if it exists, opened for reading once.

        Raises:
            MistworksError: the place holds something else, or cannot be read.
        """
        if self._opened is None and (manifest := find_manifest(self.place)) is not None:
            if self.modality is not None:
                raise MistworksError(
                    f"Expected the fitted modality of the store {self.url} beside it, "
                    f"{file_of(self.modality.key)}, got none. Restore it, or delete the store."
                )
            manifest.require_same(self.manifest, self.url)
            self._opened = open_at(self.place)
        return self._opened

    def fitted(self, modality: Modality) -> Self:
        """Return the plan with a fitted modality, which is known from here on."""
        return self.model_copy(
            update={"manifest": self.manifest.fitted(modality.fit), "modality": None, "_opened": None}
        )

    def missing_bytes(self) -> int:
        """Estimate the size of the missing partitions.

        Raises:
            MistworksError: the place holds something else, or cannot be read.
        """
        store = self.existing()
        missing = self.manifest.partitions if store is None else len(store.missing())
        return int(self.expected_bytes * missing / self.manifest.partitions)


@dataclass(frozen=True)
class PipelinePlan:
    """Everything that one run of the pipeline produces.

    Attributes:
        stores: stores by split, in the order of the splits.
        training: how the estimator is trained on them.
        seed: the given root of every random stream, or None.
    """

    stores: Mapping[SplitName, StorePlan]
    training: "TrainingPlan"
    seed: int | None

    @property
    def title(self) -> str:
        """Name of its runs: the preset, and the seed if one was given."""
        return "-".join(str(part) for part in (self.training.preset, self.seed) if part is not None)

    @property
    def read_in_training(self) -> tuple[SplitName, ...]:
        """The splits that an estimator needs. Without quantiles, it needs no calibration split."""
        calibrated = "calibration" in self.stores and self.training.has_quantiles
        return (*_REQUIRED_SPLITS, "calibration") if calibrated else _REQUIRED_SPLITS


def plan_store(
    place: Location,
    split: SplitName,
    preset: str,
    count: int | None = None,
    seed: int = 0,
    partition_size: int | None = None,
) -> StorePlan:
    """Plan the store of one split of a preset.

    Args:
        place: where it is, or will be.
        split: train, validation, calibration, test-imd or test-oomd.
        preset: name of a preset, or path of a JSON file with one.
        count: number of datasets; the preset's if None.
        seed: root of every random stream.
        partition_size: datasets per partition; the preset's if None.

    Raises:
        MistworksError: the preset or the split is unknown, or a number is out of range.
    """
    chosen, name = _load_preset(preset)
    return _plan_store(place, split, name, chosen, count=count, seed=seed, partition_size=partition_size)


def plan_training(
    preset: str, objective: "Objective | None" = None, seed: int | None = None
) -> "TrainingPlan":
    """Plan the training of a preset.

    Args:
        preset: name of a preset, or path of a JSON file with one.
        objective: the loss to minimise; the preset's if None.
        seed: seed of weights and order; the preset's if None.

    Raises:
        MistworksError: the preset is unknown, or a value is out of range.
    """
    chosen, name = _load_preset(preset)
    return _plan_training(name, chosen, objective, seed)


def plan_pipeline(preset: str, seed: int | None, workspace: Workspace) -> PipelinePlan:
    """Plan the stores and the training of a preset.

    Args:
        preset: name of a preset, or path of a JSON file with one.
        seed: root of every random stream, 0 if None; also seed of weights and order, the preset's if None.
        workspace: where the stores are kept.

    Raises:
        MistworksError: the preset is unknown, lacks a split that training needs, or has a value out of range.
    """
    chosen, name = _load_preset(preset)
    for required in _REQUIRED_SPLITS:
        chosen.split(required)
    root_seed = seed or 0
    return PipelinePlan(
        {
            split: _plan_store(workspace.store(name, root_seed, split), split, name, chosen, seed=root_seed)
            for split in SPLITS
            if split in chosen.splits
        },
        _plan_training(name, chosen, None, seed),
        seed,
    )


def require_room(plans: Iterable[StorePlan]) -> None:
    """Refuse to begin stores for which the local disk has no room. Object stores are not checked.

    Raises:
        MistworksError: too little space is free, or a place holds something else or cannot be read.
    """
    needed: dict[Path, int] = {}
    for plan in plans:
        if (path := plan.place.path) is not None:
            disk = next(folder for folder in (path, *path.parents) if folder.exists())
            needed[disk] = needed.get(disk, 0) + plan.missing_bytes()
    for disk, size in needed.items():
        if (free := shutil.disk_usage(disk).free) < size:
            raise MistworksError(
                f"Expected {_gigabytes(size)} of free space at {disk}, got {_gigabytes(free)}. Free some, or "
                "choose another place for the stores."
            )


def _load_preset(preset: str) -> "tuple[Preset, str]":
    """Return a preset and its name. Nothing else in a run reads the file of a preset."""
    # Networks need torch, which takes a second to import.
    from mistworks.presets import load_preset, preset_name

    return load_preset(preset), preset_name(preset)


def _plan_store(
    place: Location,
    split: SplitName,
    name: str,
    preset: "Preset",
    *,
    seed: int,
    count: int | None = None,
    partition_size: int | None = None,
) -> StorePlan:
    manifest = Manifest.of(
        split,
        preset.split(split, count),
        partition_size=preset.partition_size if partition_size is None else partition_size,
        root_seed=seed,
        samples=split not in preset.statistics_only,
    )
    plan = StorePlan(place=place, manifest=manifest, preset=name, modality=_modality(preset, split))
    modality = None if plan.modality is None else find_modality(place, plan.modality)
    return plan if modality is None else plan.fitted(modality)


def _modality(preset: "Preset", split: SplitName) -> ModalityConfig | None:
    """Return the modality that a split draws from, with the hash of its rows; None if it draws from none."""
    if preset.modality is None or not preset.splits[split].meta_distribution.needs_modality:
        return None
    return resolved(preset.modality)


def _plan_training(
    name: str, preset: "Preset", objective: "Objective | None", seed: int | None
) -> "TrainingPlan":
    from mistworks.presets import TrainingPlan
    from mistworks.training.config import TrainingConfig

    changes = {"objective": objective, "seed": seed}
    given = {key: value for key, value in changes.items() if value is not None}
    training = TrainingConfig.parse({**dict(preset.training), **given})
    return TrainingPlan(name, preset.network, training, preset.model)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"


__all__ = ["PipelinePlan", "StorePlan", "plan_pipeline", "plan_store", "plan_training", "require_room"]
