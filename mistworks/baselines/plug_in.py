"""The estimator for contingency tables: entropies of the observed states, corrected to first order."""

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from mistworks.baselines.base import Baseline
from mistworks.baselines.preparation import Points, checked
from mistworks.dataset import FloatArray
from mistworks.estimation.estimator import Estimate


class PlugIn(Baseline):
    """I = H(X) + H(Y) − H(X,Y), each the entropy of the observed states plus (states − 1) / 2n.

    Miller, "Note on the bias of information estimates", in "Information theory in psychology", 1955. A state
    is a whole row of a side. Accurate where every pair of states occurs often; with continuous columns every
    row is a state of its own, and the estimate is log n or more. Negative estimates are reported as they are.
    """

    @property
    @override
    def name(self) -> str:
        return "plug-in"

    @override
    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """Mutual information in nats.

        Raises:
            MistworksError: a column is constant.
        """
        x_states, y_states = (states(points) for points in checked(x, y))
        joint = states(np.column_stack([x_states, y_states]))
        return Estimate(miller_madow(x_states) + miller_madow(y_states) - miller_madow(joint))


def states(points: Points | NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the distinct rows of a table and return the number of each row, shape (n,)."""
    numbers = np.zeros(len(points), dtype=np.int64)
    for column in points.T:
        values = np.unique(column, return_inverse=True)[1]
        # Renumbered after each column, so that the numbers stay below n.
        numbers = np.unique(numbers * (values.max() + 1) + values, return_inverse=True)[1]
    return numbers


def miller_madow(numbers: NDArray[np.int64]) -> float:
    """Entropy of the observed states plus (states − 1) / 2n, in nats.

    Args:
        numbers: of the states, 0, 1, …, each at least once, shape (n,).
    """
    counts = np.bincount(numbers)
    shares = counts / len(numbers)
    return float(-(shares * np.log(shares)).sum() + (len(counts) - 1) / (2 * len(numbers)))


__all__ = ["PlugIn", "miller_madow", "states"]
