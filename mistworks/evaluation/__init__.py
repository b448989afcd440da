"""How good estimates are: accuracy against known mutual information."""

from mistworks.evaluation.accuracy import (
    AccuracyConfig,
    AccuracyRow,
    Evaluation,
    PointEstimates,
    PointEstimator,
    evaluate,
)

__all__ = ["AccuracyConfig", "AccuracyRow", "Evaluation", "PointEstimates", "PointEstimator", "evaluate"]
