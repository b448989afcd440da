"""Conditional mutual information I(X;Y|Z) with its own interval, calibrated on triples of known truth."""

from mistworks.conditional.estimator import (
    ConditionalEstimator,
    conditional,
    conditional_many,
    shipped_conditional,
)

__all__ = ["ConditionalEstimator", "conditional", "conditional_many", "shipped_conditional"]
