"""Lower bounds on the information about class labels from the probabilities of any classifier."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mistworks.errors import MistworksError
from mistworks.randomness import stream
from mistworks.states import entropy

_LEVELS: tuple[float, ...] = tuple(level / 100 for level in (*range(1, 10), *range(10, 61, 5)))
_LEAST_ROWS = 20

Probabilities = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClassifierBounds:
    """Two lower bounds on I(X;L) in nats. They hold but for the error of the sample, and may be below 0.

    Attributes:
        cross_entropy: H(L) − the cross entropy of the classifier.
        cross_entropy_se: its standard error.
        conformal: the bound from prediction sets.
        conformal_se: its standard error.
        entropy: H(L) of the labels, which neither bound exceeds.
        alpha: the level of the prediction sets: about this share of labels is missed.
        miss_rate: share of the tested labels outside their prediction set.
        mean_size: mean number of classes in a prediction set.
        tested: number of rows that the conformal bound is computed from; the others chose the sets.
    """

    cross_entropy: float
    cross_entropy_se: float
    conformal: float
    conformal_se: float
    entropy: float
    alpha: float
    miss_rate: float
    mean_size: float
    tested: int

    def __str__(self) -> str:
        return (
            f"at least {self.cross_entropy:.3f} ± {self.cross_entropy_se:.3f} nats by cross entropy, "
            f"{self.conformal:.3f} ± {self.conformal_se:.3f} by prediction sets of level {self.alpha:g}, of "
            f"at most {self.entropy:.3f}"
        )


def classifier_bounds(
    probabilities: ArrayLike,
    labels: Sequence[object] | NDArray[np.generic],
    *,
    classes: Sequence[object] | NDArray[np.generic] | None = None,
    seed: int = 0,
) -> ClassifierBounds:
    """Bound I(X;L) from below by what a classifier says of inputs that it was not trained on.

    - Cross entropy: I ≥ H(L) + ⟨log q(l | x)⟩ for any probabilities q (Barber and Agakov, "The IM algorithm",
      NeurIPS 2003).
    - Conformal: prediction sets C(x) hold the classes of at least a certain probability, which is such that
      a share α of the labels of calibration is missed. With the miss rate e and K classes,
      H(L|X) ≤ h(e) + (1 − e) E[log |C| given covered] + e E[log(K − |C|) given missed], by Fano's inequality
      with sets in place of a guess (Correia, Massoli, Louizos, Behboodi, "An information theoretic
      perspective on conformal prediction", NeurIPS 2024). It needs only the order of the classes, and α is
      chosen on the data of calibration.

    The rows are split at random: one half calibrates, the other tests the prediction sets. The classifier
    must not have seen any of them: with its training that makes three splits. The entropy is that of the
    observed frequencies, a little too low in small samples.

    Args:
        probabilities: q(l | x) of each row and class, shape (n, K), n ≥ 20, in the order of ``classes``.
        labels: of the rows, shape (n,).
        classes: of the columns, such as ``classes_`` of a classifier of scikit-learn; by default 0, …, K − 1
            or, if there are K different labels, these in their order.
        seed: seed of the split.

    Raises:
        MistworksError: shapes do not fit, rows are not probabilities, or a label is not among the classes.
    """
    q = _checked(probabilities)
    n, count = q.shape
    codes = _codes(labels, classes, n, count)
    of_labels = entropy(np.bincount(codes))
    own = q[np.arange(n), codes]
    with np.errstate(divide="ignore"):
        logs = np.log(own)
    order = stream(seed, "classifier-bounds", "split", n).permutation(n)
    calibration, test = order[: n // 2], order[n // 2 :]
    alpha = _best_level(q, own, calibration)
    sizes, missed = _sets(q, own, calibration, alpha, test)
    uncertainty, error = _conditional_entropy(sizes, missed, count)
    return ClassifierBounds(
        cross_entropy=of_labels + float(logs.mean()),
        cross_entropy_se=float(logs.std(ddof=1)) / math.sqrt(n) if np.isfinite(logs).all() else math.inf,
        conformal=of_labels - uncertainty,
        conformal_se=error,
        entropy=of_labels,
        alpha=alpha,
        miss_rate=float(missed.mean()),
        mean_size=float(sizes.mean()),
        tested=len(test),
    )


def _best_level(q: Probabilities, own: Probabilities, calibration: NDArray[np.int64]) -> float:
    """The level whose bound is best on one half of the calibration, with sets from the other half."""
    first, second = np.array_split(calibration, 2)

    def uncertainty(alpha: float) -> float:
        sizes, missed = _sets(q, own, first, alpha, second)
        return _conditional_entropy(sizes, missed, q.shape[1])[0]

    best: float = min(_LEVELS, key=uncertainty)
    return best


def _sets(
    q: Probabilities,
    own: Probabilities,
    calibration: NDArray[np.int64],
    alpha: float,
    test: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Sizes of the prediction sets of the test rows, and whether their labels are outside, shape (m,) each.

    The threshold is the ⌊α (m + 1)⌋-th smallest probability of a label in m rows of calibration (Sadinle,
    Lei, Wasserman, "Least ambiguous set-valued classifiers with bounded error levels", JASA 2019).
    """
    place = math.floor(alpha * (len(calibration) + 1))
    threshold = np.sort(own[calibration])[place - 1] if place else 0.0
    return (q[test] >= threshold).sum(axis=1), own[test] < threshold


def _conditional_entropy(
    sizes: NDArray[np.int64], missed: NDArray[np.bool_], count: int
) -> tuple[float, float]:
    """h(e) + the mean log of the number of classes that are left, and its standard error."""
    left = np.where(missed, count - sizes, sizes)
    logs = np.log(left)
    e = float(missed.mean())
    if e in (0.0, 1.0):
        return float(logs.mean()), float(logs.std(ddof=1)) / math.sqrt(len(logs))
    influence = logs + math.log((1 - e) / e) * missed
    binary = -e * math.log(e) - (1 - e) * math.log(1 - e)
    return binary + float(logs.mean()), float(influence.std(ddof=1)) / math.sqrt(len(logs))


def _checked(probabilities: ArrayLike) -> Probabilities:
    q = np.asarray(probabilities, dtype=np.float64)
    if q.ndim != 2 or len(q) < _LEAST_ROWS or q.shape[1] < 2:
        raise MistworksError(
            f"Expected probabilities of shape (n, K) with at least {_LEAST_ROWS} rows and 2 classes, got "
            f"{q.shape}. Pass those of inputs held out from training."
        )
    wrong = np.flatnonzero(~((q >= 0).all(axis=1) & np.isclose(q.sum(axis=1), 1, atol=1e-3)))
    if len(wrong):
        raise MistworksError(
            f"Expected rows of probabilities that sum to 1, got {q[wrong[0]].tolist()} in row {wrong[0]}. "
            "Pass what predict_proba of the classifier returns."
        )
    return q


def _codes(
    labels: Sequence[object] | NDArray[np.generic],
    classes: Sequence[object] | NDArray[np.generic] | None,
    n: int,
    count: int,
) -> NDArray[np.int64]:
    """The column of each label."""
    given = np.asarray(labels)
    if given.shape != (n,):
        raise MistworksError(f"Expected one label for each of {n} rows, got shape {given.shape}.")
    distinct = np.unique(given)
    if classes is not None:
        columns = np.asarray(classes)
    else:
        columns = distinct if len(distinct) == count else np.arange(count)
    if columns.shape != (count,) or len(np.unique(columns)) < count:
        raise MistworksError(
            f"Expected {count} different classes, one for each column, got {columns.tolist()}."
        )
    if unknown := [label for label in distinct.tolist() if label not in columns.tolist()]:
        raise MistworksError(
            f"Expected labels among the classes of the columns, got {unknown[0]!r}. Pass classes= in the "
            "order of the columns."
        )
    order = np.argsort(columns)
    return np.asarray(order[np.searchsorted(columns, given, sorter=order)])


__all__ = ["ClassifierBounds", "classifier_bounds"]
