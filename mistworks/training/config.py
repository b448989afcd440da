"""The configuration of a training run."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mistworks.config import FrozenConfig

Objective = Literal["pinball", "squared-error"]


class TrainingConfig(FrozenConfig):
    """How a network is trained; the defaults are those of the reference (arXiv 2511.18945).

    Attributes:
        objective: ``pinball`` learns every quantile, ``squared-error`` the mean.
        loss_scale: scale of estimate and truth in the loss: nats, or square roots 2 (√(I + c) − √c), which
            give errors for weak dependence more weight than those for strong dependence. The median and all
            other quantiles are the same, up to what the network can represent.
        epochs: passes over the training data.
        batch_size: datasets per step of the optimiser.
        learning_rate: maximum learning rate, reached after the warm-up and followed by half a cosine.
        final_learning_rate: end of the cosine, as a fraction of ``learning_rate``.
        warmup_steps: steps of linear increase from 0, at most a tenth of all steps.
        weight_decay: weight decay of AdamW (Loshchilov, Hutter, ICLR 2019).
        gradient_clip: maximum norm of a step's gradient.
        levels: quantile levels per dataset and step, one from each of as many equal parts of (0, 1). Without
            effect on ``squared-error``.
        micro_batch_cells: padded cells computed at once. A batch is split by shape into such parts, and their
            gradients are added with equal weight for each dataset. This bounds memory and, up to rounding,
            changes no result.
        shuffle_partitions: partitions in memory that are shuffled together.
        validate_every: steps between two validations. The last step always ends with one.
        validation_datasets: number of datasets of the validation split to use, evenly spread; None for all.
        checkpoint_every: steps between two checkpoints.
        threads: threads of torch.
        device: device for training a network over statistics; ``auto`` uses a GPU if there is one. Weights
            are the same to the bit on one machine only.
        precision: precision of the matrix products of a network over statistics.
        leave_out: whether a network over statistics has an additional member per group of families, trained
            without that group. The calibration learns from these how wrong estimates are on unseen families.
        left_out_share: fraction of each batch that the additional members learn from. A smaller one costs
            less.
        seed: seed of the weights, the order of the data and the levels.
        initial: initial weights: ``random``, or those of the estimator that comes with the package, which is
            then adapted. It keeps its scales, and what is familiar is learned anew.
    """

    objective: Objective = "pinball"
    loss_scale: Literal["nats", "square-root"] = "nats"
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 30
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 256
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1.1e-4
    final_learning_rate: Annotated[float, Field(ge=0, le=1)] = 0.02
    warmup_steps: Annotated[int, Field(ge=0)] = 100
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 8.7e-6
    gradient_clip: Annotated[float, Field(gt=0)] = 1.0
    levels: Annotated[int, Field(ge=1, le=256)] = 8
    micro_batch_cells: Annotated[int, Field(ge=1)] = 2**15
    shuffle_partitions: Annotated[int, Field(ge=1)] = 4
    validate_every: Annotated[int, Field(ge=1)] = 1000
    validation_datasets: Annotated[int, Field(ge=1)] | None = None
    checkpoint_every: Annotated[int, Field(ge=1)] = 200
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    leave_out: bool = False
    # Left out of the JSON if it is 1, so that older hashes stay valid.
    left_out_share: float = Field(default=1.0, gt=0, le=1, exclude_if=lambda share: share == 1.0)
    seed: Annotated[int, Field(ge=0)] = 0
    # Left out of the JSON if random, so that older hashes stay valid.
    initial: Literal["random", "shipped"] = Field(
        default="random", exclude_if=lambda initial: initial == "random"
    )

    @model_validator(mode="after")
    def _no_witnesses_of_adaptation(self) -> Self:
        if self.initial == "shipped" and self.leave_out:
            raise ValueError(
                "Expected leave_out = false with the weights of the shipped estimator, which has seen all "
                "groups of families. Change either."
            )
        return self


__all__ = ["Objective", "TrainingConfig"]
