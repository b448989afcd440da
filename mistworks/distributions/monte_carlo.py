"""Mutual information by Monte Carlo, with points added until it is precise."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Array, JointDistribution

LARGEST_STANDARD_ERROR = 0.01
MOST_POINTS = 131_072
# A few more points than the estimate asks for, but never a large step on the word of a few points.
_MARGIN, _LEAST_GROWTH, _MOST_GROWTH = 1.03, 1.1, 8.0

Points = TypeVar("Points", Array, FloatArray)


@dataclass(frozen=True, slots=True)
class Label:
    """A mutual information known up to Monte Carlo error.

    Attributes:
        mutual_information: in nats, at least 0.
        standard_error: its standard error in nats.
    """

    mutual_information: float
    standard_error: float


class Labelled(JointDistribution):
    """A joint distribution whose mutual information was computed by Monte Carlo.

    Attributes:
        label: I(X;Y) and its standard error.
    """

    label: Label

    @property
    @override
    def mutual_information(self) -> float:
        return self.label.mutual_information

    @property
    @override
    def standard_error(self) -> float:
        return self.label.standard_error


UNKNOWN = Label(float("nan"), float("nan"))
"""Placeholder for a label that is not needed."""


def precise_label(draw: Callable[[int], Points], label: Callable[[Points], Label], first: int) -> Label:
    """Add points until the standard error of the label is below 0.01 nats, up to 131,072 points.

    Args:
        draw: returns fresh points, with points on the first axis.
        label: computes the label from all points so far.
        first: number of points to begin with. Each step then adds the estimated need, at least a tenth.
    """
    points = draw(first)
    result = label(points)
    while result.standard_error >= LARGEST_STANDARD_ERROR and len(points) < MOST_POINTS:
        ratio = (_MARGIN * result.standard_error / LARGEST_STANDARD_ERROR) ** 2
        wanted = min(int(len(points) * min(max(ratio, _LEAST_GROWTH), _MOST_GROWTH)) + 1, MOST_POINTS)
        points = np.concatenate([points, draw(wanted - len(points))])
        result = label(points)
    return result


def class_entropy(log_joint: FloatArray) -> Array:
    """H(K | v) in nats at each of n points v, from log p(K = k, v) up to a function of v.

    Args:
        log_joint: shape (classes, n); overwritten.

    Returns:
        Shape (n,).
    """
    log_joint -= log_joint.max(axis=0)
    joint = np.exp(log_joint)
    total = joint.sum(axis=0)
    # −Σ q log q with q = joint / total, without a logarithm per class.
    joint *= log_joint
    entropy = np.log(total) - joint.sum(axis=0) / total
    return np.asarray(np.maximum(entropy, 0.0), dtype=np.float64)


__all__ = [
    "LARGEST_STANDARD_ERROR",
    "MOST_POINTS",
    "UNKNOWN",
    "Label",
    "Labelled",
    "Points",
    "class_entropy",
    "precise_label",
]
