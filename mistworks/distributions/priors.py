"""Priors over the scalar parameters of families."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

import numpy as np
from pydantic import (
    Field,
    SerializeAsAny,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from typing_extensions import override

from mistworks.config import FrozenConfig

Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class Interval(FrozenConfig):
    """The numbers between low and high."""

    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"Expected low ≤ high, got low = {self.low}, high = {self.high}.")
        return self


class Uniform(Interval):
    """The continuous uniform distribution U(low, high)."""

    def draw(self, rng: np.random.Generator) -> float:
        """One value in [low, high)."""
        return self.low + (self.high - self.low) * rng.random()


class LogUniform(Interval):
    """The distribution of exp(U(log low, log high))."""

    low: Annotated[float, Field(gt=0)]

    def draw(self, rng: np.random.Generator) -> float:
        """One value in [low, high)."""
        return log_uniform(self.low, self.high, rng)


class UniformInteger(FrozenConfig):
    """The uniform distribution on the integers low, …, high, inclusive."""

    low: Annotated[int, Field(ge=1)]
    high: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"Expected low ≤ high, got low = {self.low}, high = {self.high}.")
        return self

    def draw(self, rng: np.random.Generator) -> int:
        """One integer in {low, …, high}."""
        return int(rng.integers(self.low, self.high, endpoint=True))


class LogUniformInteger(UniformInteger):
    """⌊exp(U(log low, log(high + 1)))⌋: octaves are about equally likely."""

    scale: Literal["log"] = "log"

    @override
    def draw(self, rng: np.random.Generator) -> int:
        return min(int(log_uniform(self.low, self.high + 1, rng)), self.high)


def _of_scale(values: Any, parse: ValidatorFunctionWrapHandler) -> UniformInteger:
    if isinstance(values, Mapping) and "scale" in values:
        return LogUniformInteger.model_validate(values)
    parsed: UniformInteger = parse(values)
    return parsed


IntegerPrior = Annotated[SerializeAsAny[UniformInteger], WrapValidator(_of_scale)]
"""A prior over integers: uniform, or log-uniform with ``"scale": "log"``."""


def log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    """Draw one value in [low, high) whose logarithm is uniform."""
    return float(low * (high / low) ** rng.random())


AnyInterval = TypeVar("AnyInterval", bound=Interval)


def within(prior: AnyInterval, low: float, high: float, name: str) -> AnyInterval:
    """Return a prior, or raise an error if it leaves the range in which its parameter is defined.

    Raises:
        ValueError: some of the prior's support lies outside [low, high].
    """
    if prior.low < low or prior.high > high:
        raise ValueError(
            f"Expected {name} within [{low:g}, {high:g}], got [{prior.low:g}, {prior.high:g}]. Narrow it."
        )
    return prior


__all__ = [
    "AnyInterval",
    "IntegerPrior",
    "Interval",
    "LogUniform",
    "LogUniformInteger",
    "Probability",
    "Uniform",
    "UniformInteger",
    "log_uniform",
    "within",
]
