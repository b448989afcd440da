"""Strictly increasing maps of each coordinate, which leave mutual information unchanged.

Formulas from Czyż et al., "Beyond Normal" (NeurIPS 2023), and arXiv 2511.18945.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

import numpy as np
from pydantic import AfterValidator
from scipy.special import ndtr

from mistworks.dataset import FloatArray

CoordinateMap = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Transform:
    """Strictly increasing maps of each coordinate of X and of each coordinate of Y."""

    x: CoordinateMap
    y: CoordinateMap


def _identity(values: FloatArray) -> FloatArray:
    return values


def _half_cube(values: FloatArray) -> FloatArray:
    """v √|v|."""
    return np.asarray(values * np.sqrt(np.abs(values)))


def _wigglify_x(values: FloatArray) -> FloatArray:
    """v + 0.4 sin v + 0.2 sin(1.7 v + 1) + 0.03 sin(3.3 v − 2.5), with derivative ≥ 0.16."""
    wiggles = 0.4 * np.sin(values) + 0.2 * np.sin(1.7 * values + 1.0) + 0.03 * np.sin(3.3 * values - 2.5)
    return np.asarray(values + wiggles)


def _wigglify_y(values: FloatArray) -> FloatArray:
    """v − 0.4 sin(0.4 v) + 0.17 sin(1.3 v + 3.5) + 0.02 sin(4.3 v − 2.5), with derivative ≥ 0.53."""
    fast = 0.17 * np.sin(1.3 * values + 3.5) + 0.02 * np.sin(4.3 * values - 2.5)
    return np.asarray(values + (fast - 0.4 * np.sin(0.4 * values)))


TRANSFORMS: Mapping[str, Transform] = MappingProxyType(
    {
        "base": Transform(_identity, _identity),
        "asinh": Transform(np.arcsinh, np.arcsinh),
        "halfcube": Transform(_half_cube, _half_cube),
        "normal_cdf": Transform(ndtr, ndtr),
        "wigglify": Transform(_wigglify_x, _wigglify_y),
    }
)


def _known(name: str) -> str:
    if name not in TRANSFORMS:
        raise ValueError(f"Expected a known transform, got {name!r}. Choose one of {', '.join(TRANSFORMS)}.")
    return name


TransformName = Annotated[str, AfterValidator(_known)]


__all__ = ["TRANSFORMS", "CoordinateMap", "Transform", "TransformName"]
