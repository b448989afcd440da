"""Estimates of one estimator on one suite, beside the truth. All measures are computed from them."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mistworks.dataset import IntArray
from mistworks.errors import MistworksError
from mistworks.units import MeasureUnit

QUANTILE_LEVELS: tuple[float, ...] = (
    0.005,
    0.01,
    0.025,
    *(level / 20 for level in range(1, 20)),
    0.975,
    0.99,
    0.995,
)
"""Levels τ of stored quantiles: the ends of central intervals of 50, 80, 90, 95 % and more."""


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """One row per dataset, in the order of the suite.

    Attributes:
        suite: name of the suite.
        suite_version: version of the suite.
        estimator: name of the estimator.
        estimator_version: version of the estimator.
        position: position of the dataset in the suite, shape (N,), increasing.
        name: name of the joint distribution, shape (N,).
        family: family of the dataset in tables, shape (N,).
        n: number of points, shape (N,).
        dx: dimension of X, shape (N,).
        dy: dimension of Y, shape (N,).
        replicate: number of the sample with this distribution and n, shape (N,).
        mi: true mutual information in nats, shape (N,).
        mi_se: standard error of ``mi`` in nats, 0 if exact, shape (N,).
        estimate: point estimate in ``unit``, shape (N,); NaN after a failure.
        quantiles: quantiles at ``QUANTILE_LEVELS`` in ``unit``, shape (N, len(QUANTILE_LEVELS)); NaN after a
            failure and for point estimates.
        seconds: time of the estimate, shape (N,).
        failure: reason of the failure, empty without one, shape (N,).
        unit: unit of the estimates. Errors, intervals and differences exist for nats alone.
    """

    suite: str
    suite_version: str
    estimator: str
    estimator_version: str
    position: IntArray
    name: NDArray[np.str_]
    family: NDArray[np.str_]
    n: IntArray
    dx: IntArray
    dy: IntArray
    replicate: IntArray
    mi: NDArray[np.float64]
    mi_se: NDArray[np.float64]
    estimate: NDArray[np.float64]
    quantiles: NDArray[np.float64]
    seconds: NDArray[np.float64]
    failure: NDArray[np.str_]
    unit: MeasureUnit = "nats"

    def __post_init__(self) -> None:
        rows = len(self.position)
        for column in COLUMNS:
            if len(getattr(self, column)) != rows:
                raise MistworksError(
                    f"Expected columns of length {rows}, got {len(getattr(self, column))} for {column}. Give "
                    "one entry per dataset."
                )

    def __len__(self) -> int:
        return len(self.position)

    def __getitem__(self, rows: NDArray[np.bool_] | IntArray | slice) -> "Results":
        """Select rows by a mask, positions or a slice."""
        chosen = {column: getattr(self, column)[rows] for column in COLUMNS}
        return Results(
            self.suite, self.suite_version, self.estimator, self.estimator_version, **chosen, unit=self.unit
        )

    @property
    def in_nats(self) -> bool:
        """Whether the estimates are of mutual information, so that they have errors."""
        return self.unit == "nats"

    def require_nats(self) -> None:
        """Raise an error for a measure whose estimates have no errors.

        Raises:
            MistworksError: the unit is another than nats.
        """
        if not self.in_nats:
            raise MistworksError(
                f"Expected estimates in nats, got those of {self.estimator}, whose unit is {self.unit!r}. "
                "Compare rank correlation with the truth, or power."
            )

    @property
    def succeeded(self) -> NDArray[np.bool_]:
        """Whether estimates are numbers within the range of float32 (else squares overflow), shape (N,)."""
        return np.abs(self.estimate) <= np.finfo(np.float32).max

    @property
    def has_quantiles(self) -> NDArray[np.bool_]:
        """Whether rows have quantiles, shape (N,)."""
        return np.asarray(np.isfinite(self.quantiles).all(axis=1))

    @property
    def has_intervals(self) -> bool:
        """Whether some rows have quantiles in nats, whose intervals can contain the truth."""
        return self.in_nats and bool(self.has_quantiles.any())

    def interval(self, level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper ends of the central interval at a level in ``unit``, shape (N,) each.

        Raises:
            MistworksError: the quantiles at its ends are not stored.
        """
        ends = []
        for tau in ((1 - level) / 2, (1 + level) / 2):
            nearest = int(np.argmin(np.abs(np.array(QUANTILE_LEVELS) - tau)))
            if abs(QUANTILE_LEVELS[nearest] - tau) > 1e-9:
                raise MistworksError(
                    f"Expected a level whose ends are stored quantiles, got {level} with ends {tau:g} and "
                    f"{1 - tau:g}. Stored are {', '.join(f'{kept:g}' for kept in QUANTILE_LEVELS)}."
                )
            ends.append(self.quantiles[:, nearest])
        return ends[0], ends[1]


COLUMNS: tuple[str, ...] = tuple(column.name for column in fields(Results))[4:-1]
"""The columns of ``Results``, with one entry per dataset."""


def join(parts: "list[Results]") -> Results:
    """Join results of one estimator on parts of one suite, in the order of the suite.

    Raises:
        MistworksError: suites, estimators, versions or units differ, or there are no parts.
    """
    keys = {(part.suite, part.suite_version, part.estimator, part.estimator_version) for part in parts}
    if len(keys) != 1 or len({part.unit for part in parts}) != 1:
        raise MistworksError(f"Expected parts of one suite and one estimator, got {sorted(keys)}.")
    order = np.argsort(np.concatenate([part.position for part in parts]), kind="stable")
    joined: dict[str, Any] = {
        column: np.concatenate([getattr(part, column) for part in parts])[order] for column in COLUMNS
    }
    return Results(*keys.pop(), **joined, unit=parts[0].unit)


__all__ = ["COLUMNS", "QUANTILE_LEVELS", "Results", "join"]
