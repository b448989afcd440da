"""The splits of a modality: the estimator learns from the training half, and is tested on the other."""

from collections.abc import Mapping

from mistworks.distributions import CarriedFamily, LabelledFamily, RowsSampler, UniformInteger
from mistworks.distributions.priors import LogUniformInteger
from mistworks.modality.config import Half, ModalityConfig
from mistworks.simulation.meta_distribution import EqualDimensions, Member, MetaDistribution, RandomDesign
from mistworks.simulation.splits import SplitConfig, SplitName

_SIZES = LogUniformInteger(low=100, high=800)


def modality_meta_distribution(config: ModalityConfig, half: Half) -> MetaDistribution:
    """Return the mixture of pairs carried by the flow and pairs by label, from one half of the rows."""
    members = (
        (CarriedFamily(half=half), config.carried),
        (LabelledFamily(half=half, samplers=(RowsSampler(),)), 1.0 - config.carried),
    )
    size = UniformInteger(low=config.components, high=config.components)
    return MetaDistribution(
        members=tuple(Member(family=family, weight=weight) for family, weight in members if weight > 0),
        design=RandomDesign(n=_SIZES),
        dimensions=EqualDimensions(d=size),
    )


def modality_splits(
    config: ModalityConfig,
    train_count: int,
    validation_count: int,
    calibration_count: int,
    test_count: int,
) -> Mapping[SplitName, SplitConfig]:
    """Splits of a modality. The test split, ``test-imd``, has the same families on the half held out."""
    training = modality_meta_distribution(config, "training")
    held_out = modality_meta_distribution(config, "held-out")
    return {
        "train": SplitConfig(meta_distribution=training, count=train_count),
        "validation": SplitConfig(meta_distribution=training, count=validation_count),
        "calibration": SplitConfig(meta_distribution=training, count=calibration_count),
        "test-imd": SplitConfig(meta_distribution=held_out, count=test_count),
    }


__all__ = ["modality_meta_distribution", "modality_splits"]
