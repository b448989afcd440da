"""Estimates of the classical estimators that are defined for a sample, to compare with."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError
from mistworks.estimation.estimate import Estimate
from mistworks.extras import imported
from mistworks.preparation.table import Side

_MOST_ROWS = 5_000
_MOST_ROWS_OF_MANY_COLUMNS = 2_000
_FEW_COLUMNS = 6
_ROWS_PER_STATE = 5


def classical_estimates(x: Side, y: Side) -> dict[str, Estimate | None]:
    """Estimate a sample by what people use without training, by name.

    - Numbers: KSG with k = 3 on a random part of at most 5,000 rows (2,000 of more than 6 columns; the name
      says so), and the Gaussian copula.
    - Classes, and numbers with few distinct values: plug-in with the correction of Miller and Madow.
    - One column of classes and one of numbers: k-nearest neighbours with k = 3 (Ross, "Mutual information
      between discrete and continuous data sets", PLoS ONE 2014), as in scikit-learn, on such a part too.

    Args:
        x: without missing values.
        y: of the same rows.

    Returns:
        Estimates in nats, without intervals; None where an estimator is not defined for the sample.

    Raises:
        MistworksError: SciPy or scikit-learn is not installed.
    """
    imported("scipy", "a plot")
    baselines = imported("mistworks.baselines", "a plot")
    estimates: dict[str, Estimate | None] = {}
    if not (x.nominal.any() or y.nominal.any()):
        columns = len(x.nominal) + len(y.nominal)
        most = _MOST_ROWS if columns <= _FEW_COLUMNS else _MOST_ROWS_OF_MANY_COLUMNS
        part = _part(len(x), most)
        estimates[_named("KSG, k = 3", part, len(x))] = _try(
            baselines.KSG().estimate, x.rows(part), y.rows(part)
        )
        estimates["Gaussian copula"] = _try(baselines.GaussianCopula().estimate, x, y)
    elif len(x.nominal) == len(y.nominal) == 1 and x.nominal[0] != y.nominal[0]:
        part = _part(len(x), _MOST_ROWS)
        classes, numbers = (x, y) if x.nominal[0] else (y, x)
        name = _named("k-NN (Ross), k = 3", part, len(x))
        estimates[name] = _try(_ross, classes.rows(part), numbers.rows(part))
    if _has_few_states(x) and _has_few_states(y):
        estimates["plug-in (Miller–Madow)"] = _try(baselines.PlugIn().estimate, x, y)
    return estimates


def _try(estimate: Callable[..., Estimate], x: Side, y: Side) -> Estimate | None:
    try:
        return estimate(np.asarray(x), np.asarray(y))
    except MistworksError:
        return None


def _ross(classes: FloatArray, numbers: FloatArray) -> Estimate:
    selection = imported("sklearn.feature_selection", "a plot")
    value = selection.mutual_info_classif(numbers, classes[:, 0], discrete_features=False, random_state=0)
    return Estimate(float(value[0]))


def _part(n: int, most: int) -> NDArray[np.intp]:
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, most, replace=False))


def _named(name: str, part: NDArray[np.intp], n: int) -> str:
    return name if len(part) == n else f"{name} ({len(part):,} rows)"


def _has_few_states(side: Side) -> bool:
    states = np.unique(side.values, axis=1).shape[1]
    return bool(states * _ROWS_PER_STATE <= len(side))


__all__ = ["classical_estimates"]
