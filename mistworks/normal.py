"""The quantile function of the normal distribution in NumPy, since estimation needs no SciPy."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37 (1988),
# PPND16: rational functions in descending powers, accurate to about 1e-16.
_CENTRAL = (
    (
        2509.0809287301226727,
        33430.575583588128105,
        67265.770927008700853,
        45921.953931549871457,
        13731.693765509461125,
        1971.5909503065514427,
        133.14166789178437745,
        3.387132872796366608,
    ),
    (
        5226.495278852545925,
        28729.085735721942674,
        39307.89580009271061,
        21213.794301586595867,
        5394.1960214247511077,
        687.1870074920579083,
        42.313330701600911252,
        1.0,
    ),
)
_MIDDLE = (
    (
        7.7454501427834140764e-4,
        0.0227238449892691845833,
        0.24178072517745061177,
        1.27045825245236838258,
        3.64784832476320460504,
        5.7694972214606914055,
        4.6303378461565452959,
        1.42343711074968357734,
    ),
    (
        1.05075007164441684324e-9,
        5.475938084995344946e-4,
        0.0151986665636164571966,
        0.14810397642748007459,
        0.68976733498510000455,
        1.6763848301838038494,
        2.05319162663775882187,
        1.0,
    ),
)
_FAR = (
    (
        2.01033439929228813265e-7,
        2.71155556874348757815e-5,
        0.0012426609473880784386,
        0.026532189526576123093,
        0.29656057182850489123,
        1.7848265399172913358,
        5.4637849111641143699,
        6.6579046435011037772,
    ),
    (
        2.04426310338993978564e-15,
        1.4215117583164458887e-7,
        1.8463183175100546818e-5,
        7.868691311456132591e-4,
        0.0148753612908506148525,
        0.13692988092273580531,
        0.59983220655588793769,
        1.0,
    ),
)
_CENTRE, _BOUNDARY = 0.425, 5.0


def inverse_cdf(level: ArrayLike) -> NDArray[np.float64]:
    """Return Φ⁻¹ of levels strictly between 0 and 1."""
    p = np.asarray(level, dtype=np.float64)
    q = p - 0.5
    central = np.abs(q) <= _CENTRE
    result = q * _ratio(_CENTRAL, _CENTRE**2 - np.square(np.where(central, q, 0.0)))
    if not central.all():
        r = np.sqrt(-np.log(np.where(central, 0.5, np.minimum(p, 1.0 - p))))
        tail = np.where(r <= _BOUNDARY, _ratio(_MIDDLE, r - 1.6), _ratio(_FAR, r - _BOUNDARY))
        result = np.where(central, result, np.copysign(tail, q))
    return np.asarray(result)


def _ratio(coefficients: tuple[tuple[float, ...], ...], r: NDArray[Any]) -> NDArray[Any]:
    above, below = (_polynomial(part, r) for part in coefficients)
    return np.asarray(above / below)


def _polynomial(coefficients: tuple[float, ...], r: NDArray[Any]) -> NDArray[Any]:
    value: NDArray[Any] = np.full_like(r, coefficients[0])
    for coefficient in coefficients[1:]:
        value *= r
        value += coefficient
    return value


__all__ = ["inverse_cdf"]
