"""The network over triples in NumPy: quantiles of I(X;Y|Z) from what the summary says."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mistworks.conditional.summary import CANDIDATES, FEATURES, VERSION
from mistworks.config import FrozenConfig
from mistworks.dataset import FloatArray
from mistworks.estimation.estimate import LEVELS
from mistworks.networks.perceptrons import member_knots, member_shapes, require_shapes
from mistworks.networks.scale import mixture_quantiles

_ROWS = 256

Array = NDArray[np.float64]


class ConditionalConfig(FrozenConfig):
    """Sizes of the network over triples.

    Attributes:
        summary: version of what it reads; weights fit one version only.
        members: number of perceptrons; where they disagree, quantiles spread.
        hidden: width of a member.
        blocks: number of residual blocks of a member.
    """

    summary: Literal["2"] = VERSION
    members: Annotated[int, Field(ge=1, le=64)] = 6
    hidden: Annotated[int, Field(ge=1, le=4096)] = 64
    blocks: Annotated[int, Field(ge=1, le=32)] = 2

    def columns(self) -> list[int]:
        """Positions of the features that it reads: all."""
        return list(range(len(FEATURES)))

    def candidates(self) -> list[int]:
        """Positions of the candidates that it mixes: all."""
        return list(range(len(CANDIDATES)))


class ConditionalNetwork:
    """Residual perceptrons over the summary of a triple, see `mistworks.networks.residual.ResidualNetwork`.

    I(X;Y|Z) = I(Y;X|Z): each member reads a triple both ways round, and what it says of either is pooled.

    Attributes:
        config: sizes of the network.
    """

    def __init__(self, config: ConditionalConfig, tensors: Mapping[str, FloatArray]) -> None:
        """Take weights by name, as `tensors` has them.

        Raises:
            MistworksError: they are not those of a network of this configuration.
        """
        self.config = config
        self.tensors = dict(tensors)
        require_shapes(self.tensors, shapes(config))

    def predict(self, features: FloatArray, candidates: FloatArray) -> tuple[Array, Array]:
        """Quantiles in nats at ``LEVELS``, shape (B, len(LEVELS)), and strangeness, shape (B,).

        Args:
            features: shape (B, len(FEATURES)).
            candidates: in nats, shape (B, len(CANDIDATES)).
        """
        quantiles, strangeness = [np.empty((0, len(LEVELS)))], [np.empty(0)]
        for start in range(0, len(features), _ROWS):
            rows = slice(start, start + _ROWS)
            both = [(features[rows], candidates[rows]), swapped(features[rows], candidates[rows])]
            standardised = [self.standardised(part) for part, _ in both]
            knots = [
                member_knots(self.tensors, self.config.blocks, part, estimates)
                for part, (_, estimates) in zip(standardised, both, strict=True)
            ]
            quantiles.append(mixture_quantiles(np.concatenate(knots)))
            squares = [self._square_distance(part) for part in standardised]
            strangeness.append(np.sqrt(0.5 * (squares[0] + squares[1])))
        return np.concatenate(quantiles), np.concatenate(strangeness)

    def standardised(self, features: FloatArray) -> FloatArray:
        """What the perceptrons see of features, of the same shape."""
        return np.asarray(np.arcsinh((features - self.tensors["centre"]) / self.tensors["scale"]))

    def _square_distance(self, standardised: FloatArray) -> Array:
        away = (standardised - self.tensors["origin"]) @ self.tensors["whitening"]
        return np.asarray(np.square(away, dtype=np.float64).mean(axis=1))


def shapes(config: ConditionalConfig) -> dict[str, tuple[int, ...]]:
    """Shape of each tensor of a network, by name."""
    count = len(FEATURES)
    return {
        "centre": (count,),
        "scale": (count,),
        "origin": (count,),
        "whitening": (count, count),
        **member_shapes(config),
    }


def swapped(features: FloatArray, candidates: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The same triples with X and Y in each other's place."""
    return features[:, _swap(FEATURES)], candidates[:, _swap(CANDIDATES)]


@lru_cache(maxsize=2)
def _swap(names: tuple[str, ...]) -> NDArray[np.intp]:
    """Of each name, the position of that with x and y in each other's place."""
    position = {name: number for number, name in enumerate(names)}
    return np.array([position.get(_other(name), number) for number, name in enumerate(names)])


def _other(name: str) -> str:
    """``x_yz.0.5`` for ``y_xz.0.5``, ``entropy_x_given`` for ``entropy_y_given``."""
    parts = [
        {"x": "y", "y": "x", "xz": "yz", "yz": "xz", "dx": "dy", "dy": "dx"}.get(part, part)
        for part in name.replace(".", "_.").split("_")
    ]
    return "_".join(parts).replace("_.", ".")


__all__ = ["ConditionalConfig", "ConditionalNetwork", "shapes", "swapped"]
