"""Random invertible maps of a whole block, which leave mutual information unchanged.

The parameters of a map come from the generator alone, never from the sample, so that mapped points stay
independent draws. Arithmetic is in double precision; the result is rounded to float32 once.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from mistworks.config import FrozenConfig
from mistworks.dataset import FloatArray
from mistworks.distributions.dispersion import Matrix
from mistworks.distributions.priors import log_uniform
from mistworks.extras import imported

BlockMap = Callable[[FloatArray], FloatArray]
"""A map of a whole block, from shape (n, d) to (n, d′), invertible on the support of the block."""

Weight = Annotated[float, Field(ge=0, le=1e9)]

_FEATURES = 16
_MOST_LAYERS = 3
_MOST_LOG_SCALE = 0.7
# With the defaults of zuko, splines may be so flat that float32 cannot distinguish mapped values.
_FLOWS: Mapping[str, dict[str, float]] = MappingProxyType({"NSF": {"slope": 0.1}, "MAF": {}, "NICE": {}})
_FLOW_ROWS = 1024


def identity(values: FloatArray) -> FloatArray:
    """Return the block unchanged."""
    return values


@dataclass(frozen=True, eq=False)
class Linear:
    """x → x A.

    Attributes:
        matrix: A, shape (d, d), invertible.
    """

    matrix: Matrix

    def __call__(self, points: Matrix) -> Matrix:
        """The mapped points, shape (n, d)."""
        return points @ self.matrix


def rotation(d: int, rng: np.random.Generator) -> Linear:
    """x → x Q with Q from the Haar measure on orthogonal matrices."""
    return Linear(haar(d, rng))


def linear(d: int, rng: np.random.Generator) -> Linear:
    """x → x Q₁ D Q₂ with Q₁, Q₂ from the Haar measure and D diagonal, log-uniform on [⅓, 3]."""
    scales = np.exp(rng.uniform(-np.log(3.0), np.log(3.0), d))
    return Linear((haar(d, rng) * scales) @ haar(d, rng))


def haar(d: int, rng: np.random.Generator) -> Matrix:
    """Draw an orthogonal matrix from the Haar measure, shape (d, d), by reflections (Stewart 1980).

    Unlike the QR decomposition of LAPACK, it is bit-identical for any number of threads.
    """
    matrix = np.diag(np.where(rng.random(d) < 0.5, -1.0, 1.0))
    for start in range(d - 1):
        normal = rng.standard_normal(d - start)
        # The reflection that takes the first axis to the direction of ``normal``, up to sign.
        normal[0] += np.copysign(np.sqrt(np.square(normal).sum()), normal[0])
        normal *= np.sqrt(2.0 / np.square(normal).sum())
        matrix[:, start:] -= np.outer((matrix[:, start:] * normal).sum(axis=1), normal)
    return matrix


@dataclass(frozen=True, eq=False)
class NormRotation:
    """x → exp(G f(r)) x with r = ‖x‖/√d, f(r) = rᵖ and G skew-symmetric: rotations of orthogonal planes.

    The map keeps the norm, and so the angle: its inverse turns back by the same angle.

    Attributes:
        basis: shape (d, d), orthogonal; plane k is spanned by its columns 2k and 2k + 1.
        speeds: angle in radians by which each plane turns at r = 1, shape (planes,).
        power: p, positive.
    """

    basis: Matrix
    speeds: NDArray[np.float64]
    power: float

    @classmethod
    def draw(cls, d: int, rng: np.random.Generator) -> Self:
        """Draw 1 to ⌊d/2⌋ planes, normal speeds with a scale log-uniform on [½, 10], p uniform on [½, 3]."""
        planes = int(rng.integers(1, d // 2, endpoint=True))
        speeds = log_uniform(0.5, 10.0, rng) * rng.standard_normal(planes)
        return cls(haar(d, rng), speeds, float(rng.uniform(0.5, 3.0)))

    def __call__(self, points: Matrix) -> Matrix:
        """Return the turned points, shape (n, d)."""
        radius = np.sqrt(np.square(points).mean(axis=1, keepdims=True))
        angles = self.speeds * radius**self.power
        cos, sin = np.cos(angles), np.sin(angles)
        turned = points @ self.basis
        last = 2 * len(self.speeds)
        first, second = turned[:, 0:last:2].copy(), turned[:, 1:last:2].copy()
        turned[:, 0:last:2] = cos * first - sin * second
        turned[:, 1:last:2] = sin * first + cos * second
        return turned @ self.basis.T


@dataclass(frozen=True, eq=False)
class Coupling:
    """x₂ → x₂ exp(s(x₁)) + t(x₁), a layer of affine coupling (Dinh et al., RealNVP, 2017).

    s = 0.7 tanh(h A) and t = h B, with random features h = tanh(x₁ W + b) or sin(x₁ W + b).

    Attributes:
        given: positions of x₁.
        moved: positions of x₂.
        weights: W, shape (len(given), features).
        biases: b, shape (features,).
        log_scale: A, shape (features, len(moved)).
        shift: B, shape (features, len(moved)).
        feature: nonlinearity of h.
    """

    given: NDArray[np.int64]
    moved: NDArray[np.int64]
    weights: Matrix
    biases: NDArray[np.float64]
    log_scale: Matrix
    shift: Matrix
    feature: np.ufunc

    @classmethod
    def draw(cls, d: int, rng: np.random.Generator) -> Self:
        """Draw a partition into two parts, with at least one coordinate each, and random features."""
        order, size = rng.permutation(d), int(rng.integers(1, d))
        given, moved = order[:size], order[size:]
        frequency, amplitude = log_uniform(0.5, 2.0, rng), log_uniform(0.3, 2.0, rng)
        outputs = _FEATURES, len(moved)
        return cls(
            given,
            moved,
            weights=frequency * rng.standard_normal((size, _FEATURES)) / np.sqrt(size),
            biases=rng.uniform(-np.pi, np.pi, _FEATURES),
            log_scale=rng.standard_normal(outputs) / np.sqrt(_FEATURES),
            shift=amplitude * rng.standard_normal(outputs) / np.sqrt(_FEATURES),
            feature=np.tanh if rng.random() < 0.5 else np.sin,
        )

    def __call__(self, points: Matrix) -> Matrix:
        """The mapped points, shape (n, d)."""
        features = self.feature(points[:, self.given] @ self.weights + self.biases)
        scale = np.exp(_MOST_LOG_SCALE * np.tanh(features @ self.log_scale))
        mapped = points.copy()
        mapped[:, self.moved] = points[:, self.moved] * scale + features @ self.shift
        return mapped


@dataclass(frozen=True, eq=False)
class Couplings:
    """Layers of affine coupling, one after the other.

    Attributes:
        layers: layers with independent parameters.
    """

    layers: tuple[Coupling, ...]

    @classmethod
    def draw(cls, d: int, rng: np.random.Generator) -> Self:
        """Draw one to three layers."""
        count = int(rng.integers(1, _MOST_LAYERS, endpoint=True))
        return cls(tuple(Coupling.draw(d, rng) for _ in range(count)))

    def __call__(self, points: Matrix) -> Matrix:
        """The mapped points, shape (n, d)."""
        for layer in self.layers:
            points = layer(points)
        return points


@dataclass(frozen=True, eq=False)
class Flow:
    """A normalizing flow with random weights, from data to latent.

    Attributes:
        flow: a ``zuko.flows.Flow`` in double precision.
    """

    flow: Any

    @classmethod
    def draw(cls, d: int, rng: np.random.Generator) -> Self:
        """Draw a neural spline, masked autoregressive or coupling flow: two layers, each with a hidden layer.

        Weights and biases are normal. Weights are divided by the square root of the number of inputs, and all
        are multiplied by a gain uniform on [½, 1¼], which is far from the identity.

        Raises:
            MistworksError: zuko is not installed.
        """
        import torch

        flows = imported("zuko.flows", "block maps whose weight of flow is not 0", "pipeline")
        kind, gain = list(_FLOWS)[rng.integers(len(_FLOWS))], rng.uniform(0.5, 1.25)
        # Initial weights come from the global generator of torch, whose state is restored.
        with torch.random.fork_rng(devices=[]):
            flow = getattr(flows, kind)(d, transforms=2, hidden_features=(32,), **_FLOWS[kind])
        flow = flow.double().requires_grad_(False)
        for parameter in flow.parameters():
            scale = gain / np.sqrt(parameter.shape[-1] if parameter.ndim > 1 else 1)
            parameter.copy_(torch.from_numpy(scale * rng.standard_normal(tuple(parameter.shape))))
        return cls(flow)

    def __call__(self, points: Matrix) -> Matrix:
        """Return the mapped points, shape (n, d), computed some rows at a time."""
        import torch

        with _one_thread(), torch.no_grad():
            transform = self.flow().transform
            rows = torch.from_numpy(points)
            parts = [transform(rows[i : i + _FLOW_ROWS]) for i in range(0, len(rows), _FLOW_ROWS)]
            return np.asarray(torch.cat(parts).numpy())


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run torch on one thread, since sums split between threads differ in their last bits."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True, eq=False)
class Squashed:
    """x → f(asinh(s x)/s) with asinh on each coordinate, so that heavy tails do not drown the other columns.

    Attributes:
        scale: s; asinh turns from linear to logarithmic at 1/s.
        inner: f.
    """

    scale: float
    inner: Callable[[Matrix], Matrix]

    def __call__(self, values: FloatArray) -> FloatArray:
        """Return the mapped block, shape (n, d), float32 and C-contiguous."""
        squashed = np.arcsinh(self.scale * values.astype(np.float64)) / self.scale
        return np.ascontiguousarray(self.inner(squashed), dtype=np.float32)


_DRAWS: Mapping[str, Callable[[int, np.random.Generator], Callable[[Matrix], Matrix]]] = MappingProxyType(
    {
        "rotation": rotation,
        "norm_rotation": NormRotation.draw,
        "coupling": Couplings.draw,
        "linear": linear,
        "flow": Flow.draw,
    }
)


class BlockMaps(FrozenConfig):
    """A prior over invertible maps of a block, with the weight of each kind.

    Attributes:
        probability: probability that a block is mapped at all.
        rotation: weight of rotations from the Haar measure.
        norm_rotation: weight of rotations of planes by an angle that depends on the norm.
        coupling: weight of affine coupling layers with random features.
        linear: weight of matrices with condition number up to 9.
        flow: weight of normalizing flows with random weights. They need zuko and take ten times as long.
    """

    probability: Annotated[float, Field(ge=0, le=1)] = 0.5
    rotation: Weight = 1.0
    norm_rotation: Weight = 1.0
    coupling: Weight = 1.0
    linear: Weight = 1.0
    flow: Weight = 0.2

    @model_validator(mode="after")
    def _some_kind(self) -> Self:
        if not sum(self._weights) > 0:
            raise ValueError("Expected a positive weight for at least one kind of block map, got 0 for all.")
        return self

    @property
    def _weights(self) -> list[float]:
        return [getattr(self, kind) for kind in _DRAWS]

    def draw(self, d: int, rng: np.random.Generator) -> BlockMap:
        """Draw a map of blocks of dimension d: for d = 1 the identity, since estimators only see ranks.

        Raises:
            MistworksError: a flow is drawn, and zuko is not installed.
        """
        if rng.random() >= self.probability or d == 1:
            return identity
        cumulative = np.cumsum(self._weights)
        position = bisect_right(cumulative.tolist(), rng.random() * cumulative[-1])
        scale = log_uniform(0.1, 2.0, rng)
        return Squashed(scale, list(_DRAWS.values())[position](d, rng))


__all__ = [
    "BlockMap",
    "BlockMaps",
    "Coupling",
    "Couplings",
    "Flow",
    "Linear",
    "NormRotation",
    "Squashed",
    "Weight",
    "haar",
    "identity",
    "linear",
    "rotation",
]
