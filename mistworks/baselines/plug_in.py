"""The estimator for contingency tables: entropies of the observed states, corrected for the others."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from mistworks.baselines.base import Baseline
from mistworks.baselines.preparation import checked
from mistworks.dataset import FloatArray
from mistworks.estimation.estimator import Estimate
from mistworks.states import entropy, states


class PlugIn(Baseline):
    """I = H(X) + H(Y) − H(X,Y), each the entropy of the observed states with a correction.

    A state is a whole row of a side. Accurate where every pair of states occurs often; with continuous
    columns every row is a state of its own, and the estimate says nothing. Negative estimates are reported as
    they are.

    Attributes:
        correction: ``"miller-madow"`` adds (states − 1) / 2n, see `miller_madow`; ``"chao-shen"`` weighs
            states by the chance that they are observed at all, see `chao_shen`.
    """

    correction: Literal["miller-madow", "chao-shen"] = "miller-madow"

    @property
    @override
    def name(self) -> str:
        """``"plug-in"`` with the correction of Miller and Madow, or ``"plug-in-chao-shen"``."""
        return "plug-in" if self.correction == "miller-madow" else f"plug-in-{self.correction}"

    @override
    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """Mutual information in nats.

        Raises:
            MistworksError: a column is constant.
        """
        x_states, y_states = (states(points) for points in checked(x, y))
        joint = states(np.column_stack([x_states, y_states]))
        corrected = miller_madow if self.correction == "miller-madow" else chao_shen
        return Estimate(corrected(x_states) + corrected(y_states) - corrected(joint))


def miller_madow(numbers: NDArray[np.int64]) -> float:
    """Entropy of the observed states plus (states − 1) / 2n, in nats.

    Miller, "Note on the bias of information estimates", in "Information theory in psychology", 1955.

    Args:
        numbers: of the states, 0, 1, …, each at least once, shape (n,).
    """
    return entropy(np.bincount(numbers)) + int(numbers.max()) / (2 * len(numbers))


def chao_shen(numbers: NDArray[np.int64]) -> float:
    """−Σ p log p / (1 − (1 − p)ⁿ) over the observed states, in nats, with p = C × the share of a state.

    Chao and Shen, "Nonparametric estimation of Shannon's index of diversity when there are unseen species in
    sample", Environmental and Ecological Statistics 2003. C = 1 − f₁ / n is the estimated chance
    that another point has an observed state, where f₁ states were observed once. If all were, C would be 0:
    f₁ = n − 1 is used then.

    Args:
        numbers: of the states, 0, 1, …, each at least once, shape (n,).
    """
    n = len(numbers)
    counts = np.bincount(numbers)
    once = min(int((counts == 1).sum()), n - 1)
    p = (1 - once / n) * counts / n
    observed = -np.expm1(n * np.log1p(-p)) if len(counts) > 1 else np.ones(1)
    return float(-(p * np.log(p) / observed).sum())


__all__ = ["PlugIn", "chao_shen", "miller_madow"]
