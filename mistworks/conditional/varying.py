"""How the dependence of the residuals of X and Y changes with Z, read off their products. NumPy alone.

Of whitened normal scores A and B of the residuals, E[A Bᵀ | Z] = C(Z) is their correlation given Z. Products
of their columns are regressed on the features of Z as the columns are, see `mistworks.conditional.residuals`;
where Z explains none of a product, its correlation is taken to be the same everywhere. Were A and B normal
given Z, with whitened margins, I(X;Y|Z) would be E[−½ log det(I − C(Z) C(Z)ᵀ)].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mistworks.conditional.residuals import Regression, Residuals
from mistworks.preparation.scores import normal_scores

Array = NDArray[np.float64]

_MOST_CORRELATION = 0.95
_SMALLEST = 1e-6
_STRATA = 4
_LEAST_POINTS = 200


@dataclass(frozen=True, eq=False)
class Varying:
    """What the products of residuals say.

    Attributes:
        information: E[−½ log det(I − C(Z) C(Z)ᵀ)] in nats.
        score: mean log density ratio of the normal law with C(Z) and independence, in nats; C is predicted
            without the point. May be negative.
        gain: by how much a C that changes with Z is better than one that does not, in nats; 0 where Z
            explains no product.
        clear: the gain by its standard error.
        explained: largest share of the variance of a product that Z explains, at least 0.
        squares_clear: how many standard deviations of normal samples the squares of A and B correlate beyond
            what their correlation brings with it.
        bent_clear: how many standard deviations of normal samples A correlates with squares of B, or B with
            those of A.
        strata: for each point one of four equal parts of the points, by the correlation of the product that
            Z explains most; None where it explains none, or there are few points.
    """

    information: float = 0.0
    score: float = 0.0
    gain: float = 0.0
    clear: float = 0.0
    explained: float = 0.0
    squares_clear: float = 0.0
    bent_clear: float = 0.0
    strata: NDArray[np.intp] | None = None


def varying_dependence(regression: Regression, x: Residuals, y: Residuals) -> Varying:
    """Read the dependence of residuals off their products; nothing where a side has only class labels.

    Args:
        regression: on the Z of both.
        x: residuals of X.
        y: residuals of Y.
    """
    if not (x.numbers.any() and y.numbers.any()):
        return Varying()
    a, b = (_whitened(normal_scores(part.side.values[part.numbers]).T) for part in (x, y))
    n, dx, dy = len(a), a.shape[1], b.shape[1]
    products = (a[:, :, None] * b[:, None, :]).reshape(n, dx * dy)
    errors, explained, _ = regression.predict(products)
    predicted = products - errors
    varies = explained > 0
    mean = products.mean(axis=0)
    # A constant correlation is shrunk by as much as it is noise.
    shrunk = np.maximum(0.0, 1.0 - 1.0 / (n * np.maximum(np.square(mean), 1e-12)))
    steady = np.broadcast_to(mean * shrunk, (1, dx * dy)).reshape(1, dx, dy)
    information, ratios = _normal_information(steady, a, b)
    squares_clear, bent_clear = _higher_moments(a, b, mean.reshape(dx, dy))
    if not varies.any():
        return Varying(information, float(ratios.mean()), squares_clear=squares_clear, bent_clear=bent_clear)
    moving = np.where(varies, predicted, mean * shrunk).reshape(n, dx, dy)
    information, moved = _normal_information(moving, a, b)
    gain = moved - ratios
    return Varying(
        information=information,
        score=float(moved.mean()),
        gain=float(gain.mean()),
        clear=float(gain.mean() * np.sqrt(n) / max(float(gain.std()), _SMALLEST)),
        explained=float(explained.max()),
        squares_clear=squares_clear,
        bent_clear=bent_clear,
        strata=_strata(predicted[:, int(explained.argmax())]) if n >= _LEAST_POINTS else None,
    )


def _whitened(columns: Array) -> Array:
    """Columns, shape (n, d), with unit covariance, each as near to what it was as can be."""
    centred = columns - columns.mean(axis=0)
    squares, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    scale = 1.0 / np.sqrt(np.maximum(squares, _SMALLEST * max(squares[-1], _SMALLEST)))
    return np.asarray(centred @ (vectors * scale) @ vectors.T)


def _normal_information(correlations: Array, a: Array, b: Array) -> tuple[float, Array]:
    """E[−½ log det(I − C Cᵀ)], and the log density ratio at each point, shape (n,).

    With C = U S Vᵀ, u = Uᵀ a and v = Vᵀ b, the log ratio is the sum over the pairs (u, v) of
    −½ log(1 − s²) − (s² (u² + v²) − 2 s u v) / (2 (1 − s²)).

    Args:
        correlations: C of each point, or one for all, shape (n or 1, dx, dy).
        a: whitened, shape (n, dx).
        b: whitened, shape (n, dy).
    """
    left, values, right = np.linalg.svd(correlations, full_matrices=False)
    s = np.minimum(values, _MOST_CORRELATION)
    u = (a[:, :, None] * left).sum(axis=1)
    v = (right * b[:, None, :]).sum(axis=2)
    rest = 1.0 - np.square(s)
    logs = -0.5 * np.log(rest)
    ratios = logs - (np.square(s) * (np.square(u) + np.square(v)) - 2.0 * s * u * v) / (2.0 * rest)
    return float(logs.sum(axis=1).mean()), np.asarray(ratios.sum(axis=1))


def _higher_moments(a: Array, b: Array, correlation: Array) -> tuple[float, float]:
    """How far correlations of squares with squares, and with columns, are from those of a normal law."""
    n = len(a)
    squares = [np.square(part) - 1.0 for part in (a, b)]
    squares = [part / np.maximum(part.std(axis=0), _SMALLEST) for part in squares]
    of_squares = squares[0].T @ squares[1] / n - np.square(correlation)
    bent = np.concatenate([(squares[0].T @ b).ravel(), (a.T @ squares[1]).ravel()]) / n
    return _clear(of_squares.ravel(), n), _clear(bent, n)


def _clear(correlations: Array, n: int) -> float:
    return float((n * np.square(correlations).sum() - len(correlations)) / np.sqrt(2.0 * len(correlations)))


def _strata(values: Array) -> NDArray[np.intp]:
    order = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return np.asarray((_STRATA * (order + 0.5) / len(values)).astype(np.intp))


__all__ = ["Varying", "varying_dependence"]
