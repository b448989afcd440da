"""The estimator as an MLflow "model from code", which MLflow executes when a version is loaded.

This file and the package ``mistworks`` are stored with every registered version, so it must import nothing
else of this repository.
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from numpy.typing import NDArray

import mistworks
from mistworks.errors import MistworksError


class MistModel(PythonModel):
    """Estimate mutual information, one sample per row.

    Input: a DataFrame with the columns ``x`` and ``y``. Each cell holds a whole sample as a list of n rows:
    each with dx numbers in ``x`` and dy in ``y``. Rows of the DataFrame may differ in n, dx and dy.

    Parameter ``quantiles``: levels in (0, 1), ``[0.05, 0.5, 0.95]`` by default. Point estimators ignore it.

    Output: a DataFrame with the index of the input and the columns ``mi`` (nats) and, if the estimator has
    quantiles, one per level, such as ``q05``, ``q50``, ``q95`` (nats). The values of a row do not depend on
    other rows.

    When the model is called in this process, a cell may be an array of shape (n, d); over the network it is
    the nested list ``array.tolist()``.
    """

    # MLflow looks for the name `context` in the signature and registers a broken model under any other.
    def load_context(self, context: PythonModelContext) -> None:
        """Load the estimator from the artifacts of the version."""
        self._estimator = mistworks.load(context.artifacts["estimator"])

    def predict(
        self,
        context: PythonModelContext | None,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Estimate each row.

        Raises:
            MistworksError: a cell is not a sample of n rows of equal length.
        """
        levels = [float(level) for level in (params or {}).get("quantiles", ())]
        rows = [
            self._estimate(_sample(x, "x", number), _sample(y, "y", number), levels)
            for number, (x, y) in enumerate(zip(model_input["x"], model_input["y"], strict=True))
        ]
        return pd.DataFrame(rows, index=model_input.index, dtype=np.float64)

    def _estimate(
        self, x: NDArray[np.float64], y: NDArray[np.float64], levels: list[float]
    ) -> dict[str, float]:
        estimate = self._estimator.estimate(x, y)
        row = {"mi": float(estimate.mi)}
        if estimate.quantiles is not None:
            row |= {quantile_column(level): float(estimate.quantile(level)) for level in levels}
        return row


def quantile_column(level: float) -> str:
    """Name the column of a quantile: ``q05`` for 0.05, ``q97.5`` for 0.975."""
    whole, fraction = divmod(round(100 * level, 6), 1)
    return f"q{int(whole):02d}" + (f"{fraction:.6f}".rstrip("0")[1:] if not math.isclose(fraction, 0) else "")


def _sample(cell: Iterable[Any], column: str, row: int) -> NDArray[np.float64]:
    try:
        # Element by element: MLflow passes arrays of arrays, which NumPy does not convert to a table.
        sample = np.array([np.asarray(point, dtype=np.float64) for point in cell], dtype=np.float64)
    except (TypeError, ValueError):
        sample = np.empty(0)
    if sample.ndim != 2:
        raise MistworksError(
            f"Expected a list of n rows of equal length in row {row}, column {column}, got something else. "
            "Give the array of shape (n, d) as array.tolist()."
        )
    return sample


set_model(MistModel())
