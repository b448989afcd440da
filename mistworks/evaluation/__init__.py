"""Evaluate estimators on suites of datasets with known mutual information."""

from mistworks.evaluation.measures import AccuracyRow, accuracy, metrics
from mistworks.evaluation.results import Results

__all__ = ["AccuracyRow", "Results", "accuracy", "metrics"]
