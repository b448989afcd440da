"""Training: batches from a source, objectives, checkpoints, the loop, and calibration after it."""

from mistworks.training.batching import AnySource, EpochPlan, plan_epoch, read_batches
from mistworks.training.calibrating import calibrate
from mistworks.training.checkpoint import CurvePoint
from mistworks.training.config import TrainingConfig
from mistworks.training.trainer import Progress, TrainingResult, train
from mistworks.training.validation import ValidationFigures, validate

__all__ = [
    "AnySource",
    "CurvePoint",
    "EpochPlan",
    "Progress",
    "TrainingConfig",
    "TrainingResult",
    "ValidationFigures",
    "calibrate",
    "plan_epoch",
    "read_batches",
    "train",
    "validate",
]
