"""Random functions of a few coordinates: the part of its input that a channel transmits."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mistworks.dataset import FloatArray

ScalarFunction = Callable[[FloatArray], FloatArray]
"""A function of points, from shape (n, size) to (n,), float32."""


def draw_function(size: int, rng: np.random.Generator) -> ScalarFunction:
    """Draw a function of ``size`` coordinates of one of the kinds below."""
    return _KINDS[int(rng.integers(len(_KINDS)))](size, rng)


def _linear(size: int, rng: np.random.Generator) -> ScalarFunction:
    """w·x."""
    weights = _weights(size, rng)
    return lambda x: _weighted_sum(x, weights)


def _product(size: int, rng: np.random.Generator) -> ScalarFunction:
    """The product of the coordinates, or the square of a single one; plus w·x half of the time."""
    weights = _weights(size, rng) * (rng.random() < 0.5)
    power = 2 if size == 1 else 1
    return lambda x: x.prod(axis=1) ** power + _weighted_sum(x, weights)


def _norm(size: int, rng: np.random.Generator) -> ScalarFunction:
    """‖w ∘ (x − a)‖."""
    weights, centre = _weights(size, rng), _weights(size, rng) * (rng.random() < 0.5)
    return lambda x: np.sqrt(np.square(weights * (x - centre)).sum(axis=1))


def _extreme(size: int, rng: np.random.Generator) -> ScalarFunction:
    """maxⱼ wⱼ xⱼ, a minimum for negative weights; |x| for a single coordinate."""
    weights = _weights(size, rng)
    if size == 1:
        return lambda x: np.abs(x[:, 0])
    return lambda x: (weights * x).max(axis=1)


def _waves(size: int, rng: np.random.Generator) -> ScalarFunction:
    """Σⱼ aⱼ sin(fⱼ xⱼ + φⱼ)."""
    weights = _weights(size, rng)
    frequency, phase = _float32(rng.uniform(0.5, 4.0, size)), _float32(rng.uniform(0.0, 2 * np.pi, size))
    return lambda x: _weighted_sum(np.sin(frequency * x + phase), weights)


def _network(size: int, rng: np.random.Generator) -> ScalarFunction:
    """v·tanh(W x + b) with 2 to 6 hidden units."""
    hidden = int(rng.integers(2, 7))
    inner = _float32(rng.uniform(0.5, 3.0) * rng.standard_normal((size, hidden)))
    bias, outer = _weights(hidden, rng), _weights(hidden, rng)
    return lambda x: _weighted_sum(np.tanh(x @ inner + bias), outer)


def _parity(size: int, rng: np.random.Generator) -> ScalarFunction:
    """1 if an even number of coordinates lies below their thresholds, otherwise −1."""
    threshold = _float32(rng.uniform(0.0, 0.5) * rng.standard_normal(size))
    return lambda x: np.where(((x < threshold).sum(axis=1) % 2) == 0, np.float32(1.0), np.float32(-1.0))


_KINDS = (_linear, _product, _norm, _extreme, _waves, _network, _parity)


def _weights(size: int, rng: np.random.Generator) -> FloatArray:
    return rng.standard_normal(size, dtype=np.float32)


def _float32(values: NDArray[np.float64]) -> FloatArray:
    return values.astype(np.float32)


def _weighted_sum(values: FloatArray, weights: FloatArray) -> FloatArray:
    # Not values @ weights: BLAS may split that sum by its number of threads.
    return np.asarray((values * weights).sum(axis=1))


__all__ = ["ScalarFunction", "draw_function"]
