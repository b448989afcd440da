"""The gain of a selected column: its calibrated conditional mutual information with the target."""

import warnings

from mistworks.conditional import conditional_many
from mistworks.errors import MistworksWarning
from mistworks.estimation.estimate import Estimate
from mistworks.estimation.many import BatchEstimator, estimate_many
from mistworks.preparation.table import Side


def gain_of(column: Side, target: Side, given: Side | None, model: BatchEstimator) -> Estimate:
    """Return I(column; target | given) in nats with its quantiles; I(column; target) for no columns given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MistworksWarning)
        if given is None:
            return estimate_many([(column, target)], model)[0]
        return conditional_many([(column, target, given)], model)[0]


__all__ = ["gain_of"]
