"""Mutual information from random points, of which more are drawn until it is precise."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Array

LARGEST_STANDARD_ERROR = 0.01
MOST_POINTS = 131_072

Points = TypeVar("Points", Array, FloatArray)


@dataclass(frozen=True, slots=True)
class Label:
    """A mutual information known up to Monte Carlo error.

    Attributes:
        mutual_information: in nats, at least 0.
        standard_error: of it, in nats.
    """

    mutual_information: float
    standard_error: float


def precise_label(draw: Callable[[int], Points], label: Callable[[Points], Label], first: int) -> Label:
    """The label from so many points that its standard error is below 0.01 nats, or from 131,072.

    Args:
        draw: as many fresh points as asked for, points on the first axis.
        label: what the points so far say.
        first: how many to begin with; they are doubled until they suffice.
    """
    points = draw(first)
    result = label(points)
    while result.standard_error >= LARGEST_STANDARD_ERROR and len(points) < MOST_POINTS:
        points = np.concatenate([points, draw(len(points))])
        result = label(points)
    return result
