"""The trained network over statistics as estimators use it, in NumPy."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Self, cast

import numpy as np
from typing_extensions import override

from mistworks.dataset import FloatArray, IntArray
from mistworks.errors import MistworksError
from mistworks.estimation.entropy_cap import candidate_caps
from mistworks.estimation.estimate import LEVELS
from mistworks.networks.config import MemberSizes, NetworkConfig, SummaryNetworkConfig
from mistworks.networks.predictor import Array, Invariance, Prediction, Predictor
from mistworks.networks.scale import KNOTS, MOST_NATS, from_scale, knot_mass, mixture_quantiles, to_scale
from mistworks.preparation.prepare import Prepared
from mistworks.statistics import summarise_many
from mistworks.statistics.layout import statistic_names

if TYPE_CHECKING:
    from torch import Tensor

    from mistworks.networks.residual import ResidualNetwork

# Rows computed together. Their activations stay in a core's cache.
_ROWS = 128
_EPSILON = 1e-5
NOT_TRAINED = ("centre", "scale", "origin", "whitening")


UNUSUAL: Mapping[str, str] = MappingProxyType(
    {
        "sizes": "its numbers of points and columns",
        "ties": "how often values repeat in its columns",
        "discrete": "the states that its discrete columns take together",
        "pairs": "the dependence between single columns of x and y, discrete ones among them",
        "gaussian": "the linear correlations of its normal scores",
        "sparse": "which pairs of columns are correlated",
        "rotations": "dependence through the distance from the centre",
        "factors": "how correlations spread over the columns",
        "tails": "how large values come together",
        "polynomials": "dependence that is not monotone",
        "neighbours": "the distances to nearest neighbours",
        "metric": "the distances between its points",
        "local": "how sharp its dependence is",
        "planes": "the dependence between single columns of x and y that is not normal",
        "classes": "how its classes lie among the other columns",
    }
)
"""What is unlike the training data, by group of statistics, as part of a sentence."""


class Perceptrons(Predictor):
    """Residual perceptrons over statistics; `mistworks.networks.residual.ResidualNetwork` has the formulas.

    Attributes:
        config: sizes of the network.
    """

    def __init__(self, config: SummaryNetworkConfig, tensors: Mapping[str, FloatArray]) -> None:
        """Load weights by name, as `tensors` returns them.

        Raises:
            MistworksError: they do not fit the configuration.
        """
        self.config = config
        self._tensors = dict(tensors)
        require_shapes(self._tensors, shapes(config))
        self._columns = np.array(config.columns())
        self._candidates = np.array(config.candidates())
        self._centre, self._scale = (self._tensors[name][self._columns] for name in ("centre", "scale"))

    @classmethod
    @override
    def restored(cls, config: NetworkConfig, tensors: Mapping[str, FloatArray]) -> Self:
        return cls(cast("SummaryNetworkConfig", config), tensors)

    @cached_property
    def _smooth(self) -> "ResidualNetwork":
        from mistworks.networks.residual import ResidualNetwork

        return ResidualNetwork.of(self.config, self._tensors)

    @property
    @override
    def invariances(self) -> frozenset[Invariance]:
        return super().invariances | {"location-scale", "increasing", "reflection", "swap"}

    @property
    @override
    def parameter_count(self) -> int:
        return sum(values.size for name, values in self._tensors.items() if name not in NOT_TRAINED)

    @override
    def tensors(self) -> Mapping[str, FloatArray]:
        return self._tensors

    @override
    def predict_statistics(self, statistics: FloatArray, *, mean: bool) -> Prediction:
        read = _means if mean else mixture_quantiles
        parts = [statistics[first : first + _ROWS] for first in range(0, len(statistics), _ROWS)]
        values, strangeness = [], [np.empty(0)]
        for part in parts:
            standardised = self._standardised(part)
            values.append(read(self._knots(part, standardised)))
            strangeness.append(self._strangeness(standardised))
        n, d = _sizes(statistics)
        return Prediction(
            n,
            d,
            quantiles=None if mean else np.concatenate(values or [np.empty((0, len(LEVELS)))]),
            mean=np.concatenate(values or [np.empty(0)]) if mean else None,
            statistics=statistics,
            strangeness=np.concatenate(strangeness),
        )

    def _standardised(self, statistics: FloatArray) -> FloatArray:
        """Standardise the statistics, shape (B, S), that the perceptrons read, shape (B, C)."""
        return np.asarray(np.arcsinh((statistics[:, self._columns] - self._centre) / self._scale))

    def _knots(self, statistics: FloatArray, standardised: FloatArray) -> FloatArray:
        """Return each member's quantiles at the knots on the scale t, shape (members, B, KNOTS)."""
        return member_knots(self._tensors, self.config.blocks, standardised, self._estimates(statistics))

    def _estimates(self, statistics: FloatArray) -> FloatArray:
        """Return the candidate estimates in nats, limited by the entropy cap, shape (B, K)."""
        estimates = statistics[:, self._candidates].clip(0.0, MOST_NATS)
        return np.asarray(np.minimum(estimates, candidate_caps(statistics, MOST_NATS)))

    def _strangeness(self, standardised: FloatArray) -> Array:
        away = (standardised - self._tensors["origin"]) @ self._tensors["whitening"]
        return np.asarray(np.sqrt(np.square(away, dtype=np.float64).mean(axis=1)))

    @override
    def observe(self, sample: Prepared) -> FloatArray:
        """Return the statistics of the sample's ranks, shape (S,)."""
        return np.asarray(summarise_many([sample.ranked])[0])

    @override
    def predict(self, observed: Sequence[FloatArray], *, mean: bool) -> Prediction:
        return self.predict_statistics(np.stack(observed), mean=mean)

    @override
    def strangest(self, statistics: FloatArray) -> str | None:
        """Name the group of statistics with the largest share of the squared distance."""
        away = self._standardised(statistics[None])[0] - self._tensors["origin"]
        whitening = self._tensors["whitening"]
        parts = away * (whitening @ (away @ whitening))
        names = statistic_names()
        groups = [names[column].partition(".")[0] for column in self._columns]
        totals = dict.fromkeys(groups, 0.0)
        for group, part in zip(groups, parts.tolist(), strict=True):
            totals[group] += part
        return UNUSUAL.get(max(totals, key=lambda group: totals[group]))

    @override
    def smooth_quantiles(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Prediction]":
        """Read statistics with smooth ranks and counts, computed by torch."""
        from mistworks.statistics import summarise_smoothly

        table = summarise_smoothly(x, y)[None]
        return self._smooth.mixture_quantiles(table), self.predict_statistics(
            table.detach().numpy(), mean=False
        )


def member_knots(
    tensors: Mapping[str, FloatArray], blocks: int, standardised: FloatArray, estimates: FloatArray
) -> FloatArray:
    """Return each member's quantiles at the knots on the scale t, shape (members, B, KNOTS).

    `mistworks.networks.residual.Members` has the formulas.

    Args:
        tensors: weights by name, see `member_shapes`.
        blocks: number of residual blocks.
        standardised: what the members see of B samples, shape (B, C).
        estimates: candidate estimates in nats, shape (B, K).
    """
    hidden = _linear(tensors, "embed", standardised)
    for block in range(blocks):
        inner = _silu(_linear(tensors, f"body.{block}.inner", _normalised(hidden)))
        hidden += _linear(tensors, f"body.{block}.outer", inner)
    head = _linear(tensors, "head", _normalised(hidden))
    count = estimates.shape[1]
    weights = _softmax(head[..., :count])
    middle = to_scale((weights * estimates).sum(axis=-1, keepdims=True)) + head[..., count : count + 1]
    steps = np.logaddexp(np.float32(0.0), head[..., count + 1 :] - np.float32(2.0))
    half = (KNOTS - 1) // 2
    above = middle + steps[..., half:].cumsum(axis=-1)
    below = middle - steps[..., :half].cumsum(axis=-1)[..., ::-1]
    return np.concatenate([below, middle, above], axis=-1)


def _linear(tensors: Mapping[str, FloatArray], name: str, values: FloatArray) -> FloatArray:
    """Apply each member's own linear map to values of shape (B, inputs) or (members, B, inputs)."""
    return np.asarray(np.matmul(values, tensors[f"{name}.weight"]) + tensors[f"{name}.bias"])


def _normalised(values: FloatArray) -> FloatArray:
    # With few rows, sums of ufuncs take half the time of means.
    share = np.float32(1 / values.shape[-1])
    centred = values - np.add.reduce(values, axis=-1, keepdims=True) * share
    variance = np.einsum("...i,...i->...", centred, centred)[..., None] * share
    return np.asarray(centred / np.sqrt(variance + np.float32(_EPSILON)))


def _silu(values: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        return np.asarray(values / (1 + np.exp(-values)))


def _softmax(values: FloatArray) -> FloatArray:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _means(knots: FloatArray) -> Array:
    """Return means in nats over members and quantile functions, shape (B,)."""
    return np.asarray((from_scale(knots.astype(np.float64)) @ knot_mass()).mean(axis=0))


def _sizes(statistics: FloatArray) -> tuple[IntArray, IntArray]:
    """Return n and dx + dy of samples, from their statistics."""
    names = statistic_names()
    n, d = (
        np.exp(statistics[:, names.index(name)].astype(np.float64)).round().astype(np.int64)
        for name in ("sizes.log.0", "sizes.log.4")
    )
    return n, d


def shapes(config: SummaryNetworkConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor of a network, by name."""
    columns = len(config.columns())
    return {
        "centre": (len(statistic_names()),),
        "scale": (len(statistic_names()),),
        "origin": (columns,),
        "whitening": (columns, columns),
        **member_shapes(config),
    }


def member_shapes(config: MemberSizes) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor of the members, by name."""
    columns, hidden, members = len(config.columns()), config.hidden, config.members
    result: dict[str, tuple[int, ...]] = {}

    def linear(name: str, inputs: int, outputs: int) -> None:
        result[f"{name}.weight"] = (members, inputs, outputs)
        result[f"{name}.bias"] = (members, 1, outputs)

    linear("embed", columns, hidden)
    for block in range(config.blocks):
        linear(f"body.{block}.inner", hidden, hidden)
        linear(f"body.{block}.outer", hidden, hidden)
    linear("head", hidden, len(config.candidates()) + KNOTS)
    return result


def require_shapes(tensors: Mapping[str, FloatArray], expected: Mapping[str, tuple[int, ...]]) -> None:
    """Raise an error for weights of another network.

    Raises:
        MistworksError: a tensor is missing, unknown or of another shape.
    """
    actual = {name: values.shape for name, values in tensors.items()}
    for name in sorted({*actual, *expected}):
        if actual.get(name) != expected.get(name):
            raise MistworksError(
                f"Expected the tensor {name} of shape {expected.get(name)}, got {actual.get(name)}. Load "
                "weights that fit the configuration."
            )


__all__ = [
    "NOT_TRAINED",
    "UNUSUAL",
    "Perceptrons",
    "member_knots",
    "member_shapes",
    "require_shapes",
    "shapes",
]
