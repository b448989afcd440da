"""A trained neural spline flow in NumPy, from latents to features: workers need no torch for it.

A flow is a bijection z = f(x). It is trained with zuko (`mistworks.modality.fitting`); here is its inverse,
x = f⁻¹(z), which carries latents to features and leaves mutual information unchanged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_BOUND = 5.0
# Small enough that BLAS uses one thread for each product, so that bits do not depend on their number.
_BLOCK = 64


@dataclass(frozen=True, eq=False)
class Layer:
    """A linear layer, x → x A + b.

    Attributes:
        weight: A, shape (inputs, outputs), with zeros where the layer is masked.
        bias: b, shape (outputs,).
    """

    weight: Array
    bias: Array

    def __call__(self, values: Array) -> Array:
        """Return the outputs, shape (n, outputs)."""
        result = np.empty((len(values), len(self.bias)))
        for start in range(0, len(values), _BLOCK):
            result[start : start + _BLOCK] = values[start : start + _BLOCK] @ self.weight
        result += self.bias
        return result

    def outputs(self, places: NDArray[np.int64]) -> "Layer":
        """Return the layer with some of its outputs."""
        return Layer(np.ascontiguousarray(self.weight[:, places]), self.bias[places])


@dataclass(frozen=True, eq=False)
class _Step:
    """The computation of one feature.

    Attributes:
        feature: its number.
        hidden: by hidden layer, the units that can be computed now, and the part of the layer that does.
        last: the layer that gives the parameters of its spline.
    """

    feature: int
    hidden: tuple[tuple[NDArray[np.int64], Layer], ...]
    last: Layer


@dataclass(frozen=True, eq=False)
class Transform:
    """An autoregressive transform: each feature goes through a spline that the features before it define.

    Attributes:
        order: place of each feature in the order, shape (d,).
        layers: the masked perceptron that gives the parameters of the splines, 3 bins − 1 per feature.
    """

    order: NDArray[np.int64]
    layers: tuple[Layer, ...]

    @property
    def parameters(self) -> int:
        """Number of parameters of a spline."""
        return len(self.layers[-1].bias) // len(self.order)

    def inverse(self, values: Array) -> Array:
        """Undo the transform: the features one after the other, shape (n, d)."""
        result = np.zeros_like(values)
        *hidden, _ = self.layers
        units = [np.zeros((len(values), len(layer.bias))) for layer in hidden]
        for step in self._steps:
            before = result
            for held, (places, layer) in zip(units, step.hidden, strict=True):
                held[:, places] = np.maximum(layer(before), 0.0)
                before = held
            result[:, step.feature] = spline_inverse(values[:, step.feature], step.last(before))
        return result

    @cached_property
    def _steps(self) -> tuple["_Step", ...]:
        """The computation of each feature, and of the hidden units that need no later one, each once."""
        *hidden, last = self.layers
        # How many features must be known: for a unit, as many as for any of its inputs.
        known, schedule = self.order + 1, []
        for layer in hidden:
            known = np.where(layer.weight != 0, known[:, None], 0).max(axis=0)
            schedule.append(known)
        steps = []
        for feature in np.argsort(self.order):
            ready = [np.flatnonzero(known == self.order[feature]) for known in schedule]
            read = np.arange(feature * self.parameters, (feature + 1) * self.parameters)
            parts = tuple(
                (places, layer.outputs(places)) for places, layer in zip(ready, hidden, strict=True)
            )
            steps.append(_Step(int(feature), parts, last.outputs(read)))
        return tuple(steps)


@dataclass(frozen=True, eq=False)
class SplineFlow:
    """A bijection from features to latents, z = t_k(… t₁(x)), with standard normal latents.

    Attributes:
        transforms: t₁, …, t_k.
    """

    transforms: tuple[Transform, ...]

    @property
    def size(self) -> int:
        """Number of features."""
        return len(self.transforms[0].order)

    def carry(self, latents: Array) -> Array:
        """Carry latents to features, x = f⁻¹(z), shape (n, d)."""
        for transform in reversed(self.transforms):
            latents = transform.inverse(latents)
        return latents

    def tensors(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        """Return the weights by name."""
        held: dict[str, NDArray[np.generic]] = {}
        for number, transform in enumerate(self.transforms):
            held[f"{prefix}.{number}.order"] = transform.order
            for depth, layer in enumerate(transform.layers):
                held[f"{prefix}.{number}.{depth}.weight"] = layer.weight
                held[f"{prefix}.{number}.{depth}.bias"] = layer.bias
        return held

    @classmethod
    def of(cls, tensors: Mapping[str, NDArray[np.generic]], prefix: str) -> Self:
        """Restore a flow from `tensors`."""
        transforms: list[Transform] = []
        while (order := tensors.get(f"{prefix}.{len(transforms)}.order")) is not None:
            place = f"{prefix}.{len(transforms)}"
            layers: list[Layer] = []
            while (weight := tensors.get(f"{place}.{len(layers)}.weight")) is not None:
                layers.append(Layer(_doubles(weight), _doubles(tensors[f"{place}.{len(layers)}.bias"])))
            transforms.append(Transform(np.asarray(order, dtype=np.int64), tuple(layers)))
        return cls(tuple(transforms))


def _doubles(values: NDArray[np.generic]) -> Array:
    return np.ascontiguousarray(values, dtype=np.float64)


def spline_inverse(values: Array, parameters: Array, slope: float = 1e-3) -> Array:
    """Invert monotone rational-quadratic splines on [−5, 5]; outside they are the identity.

    Formula and parametrisation are those of zuko: Durkan et al., "Neural spline flows" (2019), equations 6–8.

    Args:
        values: y, shape (n,).
        parameters: unconstrained widths, heights and derivatives of each spline, shape (n, 3 bins − 1).
        slope: minimum slope.

    Returns:
        x with y = spline(x), shape (n,).
    """
    bins = (parameters.shape[1] + 1) // 3
    horizontal, vertical = (
        _knots(part, slope) for part in (parameters[:, :bins], parameters[:, bins : 2 * bins])
    )
    inner = parameters[:, 2 * bins :]
    derivatives = np.ones((len(values), bins + 1))
    derivatives[:, 1:-1] = np.exp(inner / (1 + np.abs(inner / np.log(slope))))
    place = (vertical < values[:, None]).sum(axis=1) - 1
    inside = (place >= 0) & (place < bins)
    place = np.clip(place, 0, bins - 1)[:, None]

    def ends(knots: Array) -> Sequence[Array]:
        return [np.take_along_axis(knots, place + step, axis=1)[:, 0] for step in (0, 1)]

    (x0, x1), (y0, y1), (d0, d1) = ends(horizontal), ends(vertical), ends(derivatives)
    mean = (y1 - y0) / (x1 - x0)
    above = np.where(inside, values - y0, 0.0)
    curve = above * (d0 + d1 - 2 * mean)
    a = (y1 - y0) * (mean - d0) + curve
    b = (y1 - y0) * d0 - curve
    c = -mean * above
    share = 2 * c / (-b - np.sqrt(b**2 - 4 * a * c))
    return np.where(inside, x0 + share * (x1 - x0), values)


def _knots(parameters: Array, slope: float) -> Array:
    """Ends of the bins from −5 to 5, shape (n, bins + 1)."""
    scaled = parameters / (1 + np.abs(2 * parameters / np.log(slope)))
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    ends = np.zeros((len(parameters), parameters.shape[1] + 1))
    np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1, out=ends[:, 1:])
    return _BOUND * (2 * ends - 1)


__all__ = ["Layer", "SplineFlow", "Transform", "spline_inverse"]
