"""Training: batches from a source, objectives, checkpoints and the loop."""

from mistworks.training.batching import EpochPlan, plan_epoch, read_batches
from mistworks.training.checkpoint import CurvePoint
from mistworks.training.config import TrainingConfig
from mistworks.training.trainer import Progress, TrainingResult, train
from mistworks.training.validation import ValidationFigures, validate

__all__ = [
    "CurvePoint",
    "EpochPlan",
    "Progress",
    "TrainingConfig",
    "TrainingResult",
    "ValidationFigures",
    "plan_epoch",
    "read_batches",
    "train",
    "validate",
]
