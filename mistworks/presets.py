"""Named configurations of the whole pipeline.

`tiny` is for tests, `quick` for a first look, `shipped` for the weights that come with the package, `digits`
for images of digits, and `paper` for the full reference.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from mistworks.config import FrozenConfig
from mistworks.errors import MistworksError
from mistworks.estimation.loaders import MODEL
from mistworks.modality.config import DigitsSource, ModalityConfig
from mistworks.networks import AnyNetworkConfig, SetTransformerConfig, SummaryNetworkConfig
from mistworks.simulation.modality import modality_splits
from mistworks.simulation.splits import SplitConfig, SplitName, general_splits, published_splits, tiny_splits
from mistworks.training.config import TrainingConfig


def _absent(value: object) -> bool:
    return value is None


class Preset(FrozenConfig):
    """The configuration of a whole pipeline.

    With a modality, all else may be left out: it is then as in `modality_preset`.

    Attributes:
        splits: meta-distribution and size of each split, by name.
        partition_size: datasets per partition of a store.
        statistics_only: splits of which the pipeline stores only statistics.
        network: configuration of the network.
        training: configuration of its training.
        modality: rows of real data that families draw from; None without.
    """

    splits: Mapping[SplitName, SplitConfig]
    partition_size: Annotated[int, Field(ge=1)]
    statistics_only: tuple[SplitName, ...] = ()
    network: AnyNetworkConfig
    training: TrainingConfig
    # Left out of the JSON if absent, as in presets that know no modality.
    modality: ModalityConfig | None = Field(default=None, exclude_if=_absent)

    @model_validator(mode="before")
    @classmethod
    def _of_modality(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or values.get("modality") is None:
            return values
        if not {"splits", "partition_size", "network", "training"} - values.keys():
            return values
        return {**_parts(ModalityConfig.model_validate(values["modality"])), **values}

    @model_validator(mode="after")
    def _modality_where_needed(self) -> Self:
        lacking = [name for name, split in self.splits.items() if split.meta_distribution.needs_modality]
        if lacking and self.modality is None:
            raise ValueError(
                f"Expected a modality, from which families of {', '.join(lacking)} draw, got none. Add it as "
                "modality."
            )
        return self

    @property
    def model(self) -> str:
        """Name under which the estimator is registered."""
        return MODEL if self.modality is None else f"{MODEL}-{self.modality.name}"

    def split(self, name: SplitName, count: int | None = None) -> SplitConfig:
        """Return a split, with another count if one is given.

        Raises:
            MistworksError: the preset has no such split, or the count is less than 1.
        """
        if name not in self.splits:
            raise MistworksError(f"Expected one of the splits {', '.join(self.splits)}, got {name!r}.")
        config = self.splits[name]
        return config if count is None else SplitConfig.parse({**dict(config), "count": count})


@dataclass(frozen=True)
class TrainingPlan:
    """How an estimator is trained.

    Attributes:
        preset: name of the preset, recorded with the run.
        network: what is trained.
        training: how.
        model: name under which the estimator is registered.
    """

    preset: str
    network: AnyNetworkConfig
    training: TrainingConfig
    model: str = MODEL

    @property
    def has_quantiles(self) -> bool:
        """Whether the estimator has quantiles, which can be calibrated."""
        return self.training.objective != "squared-error"


def _parts(modality: ModalityConfig) -> dict[str, Any]:
    """Everything in the preset of a modality but the modality itself."""
    return {
        "splits": modality_splits(modality, 8_000, 400, 2_000, 400),
        "partition_size": 250,
        "statistics_only": ("train", "calibration"),
        "network": SummaryNetworkConfig(),
        "training": TrainingConfig(
            initial="shipped",
            loss_scale="square-root",
            epochs=10,
            batch_size=256,
            learning_rate=5e-4,
            weight_decay=2e-2,
            warmup_steps=50,
            # All partitions, since the table of statistics fits into memory.
            shuffle_partitions=100_000,
            validate_every=100,
            checkpoint_every=200,
        ),
    }


def modality_preset(modality: ModalityConfig) -> Preset:
    """Return the preset that adapts the shipped estimator to a modality, and registers the result."""
    return Preset(**_parts(modality), modality=modality)


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "tiny": Preset(
            splits=tiny_splits(),
            partition_size=32,
            network=SetTransformerConfig(
                hidden=4,
                relation_hidden=8,
                heads=2,
                feedforward=8,
                self_attention_blocks=1,
                induced_attention_blocks=1,
                inducing_points=4,
                relation_blocks=1,
                seeds=2,
                decoder_blocks=0,
                head_layers=2,
                head_hidden=16,
            ),
            training=TrainingConfig(
                epochs=2,
                batch_size=16,
                learning_rate=2e-3,
                warmup_steps=5,
                validate_every=6,
                checkpoint_every=3,
            ),
        ),
        "quick": Preset(
            splits=published_splits(20_000),
            partition_size=512,
            network=SetTransformerConfig(
                hidden=16,
                relation_hidden=32,
                heads=4,
                feedforward=32,
                self_attention_blocks=1,
                induced_attention_blocks=1,
                inducing_points=16,
                relation_blocks=2,
                seeds=8,
                head_hidden=128,
            ),
            training=TrainingConfig(
                epochs=1,
                batch_size=16,
                learning_rate=2e-3,
                weight_decay=1e-2,
                warmup_steps=50,
                micro_batch_cells=2**17,
                validate_every=125,
                validation_datasets=200,
                threads=2,
            ),
        ),
        "shipped": Preset(
            splits=general_splits(1_000_000, 3_000, 20_000),
            partition_size=500,
            statistics_only=("train", "calibration"),
            network=SummaryNetworkConfig(),
            training=TrainingConfig(
                loss_scale="square-root",
                epochs=20,
                batch_size=512,
                learning_rate=2e-3,
                weight_decay=2e-2,
                warmup_steps=500,
                # All partitions, since the table of statistics fits into memory.
                shuffle_partitions=100_000,
                validate_every=2_000,
                validation_datasets=3_000,
                checkpoint_every=2_000,
                threads=2,
                precision="bfloat16",
                leave_out=True,
                left_out_share=0.25,
            ),
        ),
        "digits": modality_preset(ModalityConfig(name="digits", source=DigitsSource())),
        "paper": Preset(
            splits=published_splits(625_000),
            partition_size=2_048,
            network=SetTransformerConfig(),
            training=TrainingConfig(),
        ),
    }
)


def load_preset(name: str) -> Preset:
    """Return a named preset, or load one from a JSON file.

    Args:
        name: ``"tiny"``, ``"quick"``, ``"shipped"``, ``"digits"``, ``"paper"``, or the path of a ``.json``
            file.

    Raises:
        MistworksError: the preset does not exist, or the file is not a valid preset.
    """
    if name in PRESETS:
        return PRESETS[name]
    if not name.endswith(".json"):
        raise MistworksError(
            f"Expected a preset, {', '.join(PRESETS)} or the path of a .json file, got {name!r}."
        )
    try:
        text = Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise MistworksError(
            f"Expected to read the preset {name}, got: {error.strerror}. Correct the path."
        ) from None
    except UnicodeDecodeError:
        raise MistworksError(f"Expected JSON in UTF-8 in the preset {name}, got something else.") from None
    return Preset.parse(text)


def preset_name(name: str) -> str:
    """Return the name of a preset in paths and tags: its own, or that of its file."""
    return Path(name).name


__all__ = ["PRESETS", "Preset", "TrainingPlan", "load_preset", "modality_preset", "preset_name"]
