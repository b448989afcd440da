"""How good estimates are: estimators put to suites of datasets whose mutual information is known."""

from mistworks.evaluation.measures import AccuracyRow, accuracy, metrics
from mistworks.evaluation.results import Results

__all__ = ["AccuracyRow", "Results", "accuracy", "metrics"]
