"""EBAB and aKDE as estimators of the mutual information of two sides; see `mistworks.activations`."""

from typing import Annotated

import numpy as np
from pydantic import Field
from typing_extensions import override

from mistworks.activations import BINS, NOISE, akde, binned
from mistworks.baselines.base import Baseline
from mistworks.baselines.preparation import checked, standardised
from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import Estimate
from mistworks.states import entropy, states

_ROWS_PER_STATE = 5


class EBAB(Baseline):
    """H(X) + H(Y) − H(X,Y) of the observed frequencies, each side in adaptive bins; see `ebab`.

    Chelombiev, Houghton, O'Donnell, "Adaptive estimators show information compression in deep neural
    networks", ICLR 2019. Columns are standardised, and all columns of a side have the same edges. Biased
    upwards without a correction: for sides of several columns the estimate is about log n.

    Attributes:
        bins: number of bins of a column.
    """

    bins: Annotated[int, Field(ge=2)] = BINS

    @property
    @override
    def name(self) -> str:
        """``"ebab-BINS"``."""
        return f"ebab-{self.bins}"

    @override
    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """Mutual information of the bins in nats.

        Raises:
            MistworksError: a column is constant.
        """
        first, second = (states(binned(standardised(side), self.bins)) for side in checked(x, y))
        joint = states(np.column_stack([first, second]))
        of_first, of_second, of_both = (entropy(np.bincount(each)) for each in (first, second, joint))
        return Estimate(of_first + of_second - of_both)


class AKDE(Baseline):
    """I(T;Y) of numbers T and labels Y by kernel densities with a noise that follows the scale; see `akde`.

    Chelombiev, Houghton, O'Donnell, "Adaptive estimators show information compression in deep neural
    networks", ICLR 2019. The side with fewer states holds the labels; the columns of the other one are
    standardised. A noise this narrow takes nearly every point for a cluster of its own: the estimate is
    about the entropy of the labels unless the classes are mixed at the scale of the noise.

    Attributes:
        noise: variance of the noise per unit of the largest standardised value.
    """

    noise: Annotated[float, Field(gt=0)] = NOISE

    @property
    @override
    def name(self) -> str:
        """``"akde"``, or ``"akde-NOISE"`` for another noise than 0.001."""
        return "akde" if self.noise == NOISE else f"akde-{self.noise:g}"

    @override
    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """Information about the labels in nats.

        Raises:
            MistworksError: a column is constant, or no side holds labels.
        """
        x_points, y_points = checked(x, y)
        x_states, y_states = states(x_points), states(y_points)
        layer, labels = (x_points, y_states) if y_states.max() <= x_states.max() else (y_points, x_states)
        classes = int(labels.max()) + 1
        if classes * _ROWS_PER_STATE > len(labels):
            raise MistworksError(
                f"Expected labels on one side, of {_ROWS_PER_STATE} rows each on average, got {classes} "
                f"states in {len(labels)} rows. Use an estimator for numbers."
            )
        about_labels = akde(standardised(layer), labels, noise=self.noise).about_labels
        assert about_labels is not None
        return Estimate(about_labels)


__all__ = ["AKDE", "EBAB"]
